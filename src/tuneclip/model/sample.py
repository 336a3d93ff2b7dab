"""The verb `sample`: a subset that stands for the whole. It lives in this room since a diverse one needs an encoder."""

import dataclasses
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneclip.data.derive import Derivation, Derived, Part, derive, refuse_other
from tuneclip.data.load import Dataset, open_dataset, read_records
from tuneclip.data.pending import read_pending
from tuneclip.data.sample import Choice, choose_diverse, choose_random, cochran_size, sample_margin, sample_size
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import PENDING, Project
from tuneclip.settings import Sample

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
STRATA_SHOWN = 20


@dataclass(frozen=True)
class Sampled:
    """What `sample` made, with the sum behind it."""

    dataset: str
    path: str
    taken: int
    skipped: int
    splits: dict[str, int]
    population: int
    margin: float
    """As given, or what a given size leaves."""
    size: int
    pending: int
    """How many of them wait for their picture."""
    cochran: int
    """How many Cochran's formula asks for at that margin."""
    formula: str
    strata: dict[str, tuple[int, int]]
    """With `--by`: how many records each value has, and how many of them were taken."""

    def show(self, console: "Console") -> None:
        """The sum, the strata, the splits, and where the subset lies."""
        from rich.markup import escape
        from rich.table import Table

        console.print(escape(self.formula))
        console.print(f"At that margin Cochran's formula, corrected for finite populations, asks for {self.cochran:,}.")
        if self.strata:
            table = Table("stratum", box=None, pad_edge=False)
            for column in ("records", "taken"):
                table.add_column(column, justify="right")
            for name, (records, taken) in list(self.strata.items())[:STRATA_SHOWN]:
                table.add_row(escape(name) or "(none)", f"{records:,}", f"{taken:,}")
            console.print(table)
        if len(self.strata) > STRATA_SHOWN:
            console.print(f"… and {len(self.strata) - STRATA_SHOWN:,} more (--json has all)")
        Derived(self.dataset, self.path, self.taken, self.skipped, self.splits).show(console)
        if self.pending:
            console.print(
                f"{self.pending:,} more wait for their pictures. Next: tuneclip download {escape(self.dataset)}"
            )


def sample(options: Sample, project: Project) -> Sampled:
    """Make the dataset `options.to` of a representative part of another; each record keeps its split.

    Raises TuneclipError unless exactly one of margin and size is given and possible, when the column to stratify by is
    unknown, and when another dataset has the name.
    """
    _check(options)
    source = open_dataset(options.dataset, project)
    pool = _pool(source, pending=not options.diverse)
    size = _size(options, len(pool), source)
    margin = options.margin if options.margin is not None else sample_margin(len(pool), size)
    kept = {name: value for name, value in dataclasses.asdict(options).items() if name not in ("dataset", "to")}
    derivation = Derivation(source, "sample", kept)
    refuse_other(derivation, options.to, project)
    choice = _diverse(options, source, size, project) if options.diverse else _random(options, pool, size)
    parts = (pool[index] for index in choice.chosen)
    made = derive(derivation, track(parts, "linking", size), to=options.to, project=project)
    return Sampled(
        **dataclasses.asdict(made),
        population=len(pool),
        margin=round(margin, 6),
        size=size,
        pending=size - made.taken - made.skipped,
        cochran=cochran_size(len(pool), margin) if margin else len(pool),
        formula=_formula(options, len(pool), size, margin),
        strata=choice.strata if options.by else {},
    )


def _pool(source: Dataset, *, pending: bool) -> list[Part]:
    """The records to choose from, in order, and with `pending` those that wait for their picture among them."""
    pool = [Part(record) for record in source.records]
    waiting = read_pending(source.path)
    if not pending and waiting:
        logger.warning("%s records have no picture yet and are not looked at (tuneclip download)", f"{len(waiting):,}")
    if pending and waiting:
        records = {record.id: record for record in read_records(source.path / PENDING)}
        for each in sorted(waiting, key=lambda each: each.position):
            pool.insert(each.position, Part(records[each.id], url=each.url))
    if not pool:
        raise TuneclipError("no record to take", where=source.path, hint=f"tuneclip download {source.name}")
    return pool


def _check(options: Sample) -> None:
    if (options.margin is None) == (options.size is None):
        both = "both --margin and --size were given"
        what = both if options.size is not None else "neither --margin nor --size was given"
        raise TuneclipError(what, expected="either --margin, like 0.025, or --size, like 1000")
    if options.by and options.diverse:
        raise TuneclipError("--by and --diverse exclude each other", expected="one of them at most")
    if options.model and not options.diverse:
        raise TuneclipError("--model is for --diverse", hint="add --diverse, or leave --model out")


def _size(options: Sample, population: int, source: Dataset) -> int:
    if options.margin is not None:
        return sample_size(population, options.margin)
    if options.size is None or not 1 <= options.size <= population:
        expected = f"1 to {population}, the records there are"
        raise TuneclipError(f"a sample of {options.size}", where=source.path, expected=expected)
    return options.size


def _random(options: Sample, pool: list[Part], size: int) -> Choice:
    choice = choose_random([part.record for part in pool], size, by=options.by or "split", seed=options.seed)
    empty = sum(not taken for _, taken in choice.strata.values())
    if options.by and empty:
        logger.warning(
            "%s has %s values, more than the %s records of the sample: %s values are left without one",
            options.by,
            f"{len(choice.strata):,}",
            f"{size:,}",
            f"{empty:,}",
        )
    return choice


def _diverse(options: Sample, source: Dataset, size: int, project: Project) -> Choice:
    from tuneclip.model.open import open_model

    encoder = open_model(options.model or "starter", project)
    paths = (source.picture_path(record) for record in source.records)
    vectors = encoder.pictures(track(paths, f"embedding with {encoder.name}", len(source.records)))
    return Choice(choose_diverse(vectors, size, options.seed), {})


def _formula(options: Sample, population: int, size: int, margin: float) -> str:
    """The sum with its numbers, as it can be checked on paper."""
    if options.size is not None:
        return f"e = √((N/n - 1) / N) = √(({population:,}/{size:,} - 1) / {population:,}) = {margin:.4f}"
    exact = population / (1 + population * margin**2)
    numbers = f"{population:,} / (1 + {population:,} × {margin:g}²) = {exact:,.1f}"
    return f"n = N / (1 + N e²) = {numbers}, rounded up {size:,}"
