"""The verb `compare`: models side by side on the same queries, with paired intervals, a table and a report."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip import settings
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.measure import wording
from tuneclip.measure.bootstrap import compare_measurements
from tuneclip.measure.evaluate import Embedded, Part, choose_part, embed, measure, top_hits
from tuneclip.model.open import locate, open_model
from tuneclip.project import REPORT, Project
from tuneclip.records import Difference, Hit, Score

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

logger = logging.getLogger("tuneclip")
PHRASE_HITS = 10
_COLOURS = {"better": "green", "worse": "red", "unclear": "dim"}


@dataclass(frozen=True)
class PhraseHits:
    """What one model finds for one phrase, best first."""

    phrase: str
    model: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Comparison:
    """What `compare` returns; the fields are the keys of `--json`."""

    dataset: str
    split: str
    pictures: int
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    phrases: tuple[PhraseHits, ...]
    report: str

    @property
    def models(self) -> list[str]:
        """The models in the order given."""
        return list(dict.fromkeys(score.model for score in self.scores))

    def show(self, console: "Console") -> None:
        """The verdict, the table, the phrases and where the report is."""
        captions = next(score.n for score in self.scores)
        console.print(f"{self.dataset} · {self.split}: {self.pictures:,} pictures, {captions:,} captions", markup=False)
        console.print("percent (median rank: a place), with 95 % intervals", style="dim")
        for table in _tables(self, console.width):
            console.print(table)
        for phrase in dict.fromkeys(found.phrase for found in self.phrases):
            console.print(f"\n“{phrase}”", markup=False)
            for found in (f for f in self.phrases if f.phrase == phrase):
                best = ", ".join(f"{hit.id} {hit.score:.2f}" for hit in found.hits[:3])
                console.print(f"  {found.model}: {best}", markup=False)
        console.print("\n" + wording.verdict(self.scores, self.differences, self.pictures), markup=False, style="bold")
        console.print("Report: ", end="")
        console.print(self.report, style=f"link {Path(self.report).absolute().as_uri()}", markup=False)


def compare(options: settings.Compare, project: Project) -> Comparison:
    """Measure the models on the same queries of a split and write the report.

    The report goes to `--report`, else to `runs/compare-DATASET/report.html` in the project. Raises TuneclipError for
    a model that is given twice or is not there, a missing dataset or split, too few pictures, and bad phrases.
    """
    names = (options.models,) if isinstance(options.models, str) else options.models
    _check_models(names, project)
    part = choose_part(open_dataset(options.dataset, project), options.split)
    phrases = read_phrases(options.phrases) if options.phrases else []
    place = _report_place(options.report, part, project)
    seen = [_see(part, name, project, phrases) for name in names]
    measured = {own.model: list(measure(part, own)) for own in seen}
    scores, differences = compare_measurements(measured, seed=options.seed)
    result = Comparison(
        dataset=part.dataset.name,
        split=part.split,
        pictures=len(part.records),
        scores=tuple(scores),
        differences=tuple(differences),
        phrases=_phrase_hits(part, seen, phrases),
        report=str(place.absolute()),
    )
    from tuneclip.measure.report import write_report

    write_report(place, result, part, seen, project=project, options=options)
    return result


def read_phrases(path: Path) -> list[str]:
    """The phrases of a text file, one a line; blank lines and repetitions are left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise TuneclipError("no such file of phrases", where=path, expected="a text file, one phrase a line") from error
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise TuneclipError("not a text file in UTF-8", where=path, expected="one phrase a line") from error
    phrases = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not phrases:
        raise TuneclipError("the file has no phrases", where=path, expected="one phrase a line")
    return phrases


def _check_models(names: Sequence[str], project: Project) -> None:
    """Fail now, not after the first model's pictures have been embedded."""
    if not names:
        raise TuneclipError("no model is given", expected="--models and one or more names")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TuneclipError(f"model {twice!r} is given twice", expected="each model once")
    folders: dict[Path, str] = {}
    for name in names:
        same = folders.setdefault(locate(name, project).resolve(), name)
        if same != name:
            raise TuneclipError(f"{same!r} and {name!r} are the same model", expected="each model once")


def _report_place(given: Path | None, part: Part, project: Project) -> Path:
    """Where the report goes; its folder is made now, so that a forbidden one shows before the work."""
    place = given or project.run(f"compare-{part.dataset.name}") / REPORT
    if place.is_dir():
        raise TuneclipError("the report would replace a folder", where=place, expected="a file, like report.html")
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _see(part: Part, name: str, project: Project, phrases: list[str]) -> Embedded:
    started = time.monotonic()
    seen = embed(part, open_model(name, project), name=name, phrases=phrases)
    count, seconds = len(part.records), time.monotonic() - started
    logger.info("%s: %s pictures and %s captions in %.0f s", name, f"{count:,}", f"{len(seen.texts):,}", seconds)
    return seen


def _phrase_hits(part: Part, seen: Sequence[Embedded], phrases: list[str]) -> tuple[PhraseHits, ...]:
    found = {own.model: top_hits(part, own, own.phrases, PHRASE_HITS) for own in seen if own.phrases is not None}
    return tuple(
        PhraseHits(phrase, model, tuple(hits[number]))
        for number, phrase in enumerate(phrases)
        for model, hits in found.items()
    )


def _tables(result: Comparison, width: int) -> "Iterator[Table]":
    """Metrics down, models across, then how much each is above the first; as many tables as `width` asks for."""
    metrics = list(dict.fromkeys(score.metric for score in result.scores))
    room = width
    waiting: list[_Column] = []
    for column in _columns(result):
        needed = 2 + max(len(column.heading), column.widest)
        if waiting and needed > room:
            yield _table(metrics, waiting)
            waiting, room = [], width
        room -= needed + (0 if waiting else 2 + max(len(wording.label(metric)) for metric in metrics))
        waiting.append(column)
    yield _table(metrics, waiting)


@dataclass(frozen=True)
class _Column:
    heading: str
    widest: int
    cells: dict[str, str]
    """By metric, with rich's markup."""


def _columns(result: Comparison) -> "Iterator[_Column]":
    first, *others = result.models
    for name in result.models:
        yield _Column(name, 17, {score.metric: _cell(score) for score in result.scores if score.model == name})
    for name in others:
        heading = "difference" if len(others) == 1 else f"{name} − {first}"
        own = {gain.metric: _gain(gain) for gain in result.differences if gain.models[1] == name}
        yield _Column(heading, 26, own)


def _table(metrics: list[str], columns: list[_Column]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(Text(column.heading), justify="right", no_wrap=True)
    heading = ""
    for metric in metrics:
        if wording.way(metric) != heading:
            heading = wording.way(metric)
            table.add_row(Text(heading, style="bold"))
        table.add_row("  " + wording.label(metric), *(column.cells[metric] for column in columns))
    return table


def _cell(score: Score) -> str:
    bounds = wording.interval(score.metric, score.low, score.high, " ").replace("[", r"\[")
    return f"{wording.figure(score.metric, score.value)} [dim]{bounds:>13}[/dim]"


def _gain(difference: Difference) -> str:
    metric, outcome = difference.metric, wording.outcome(difference)
    bounds = wording.interval(metric, difference.low, difference.high, " ").replace("[", r"\[")
    value = wording.figure(metric, difference.value, signed=True)
    return f"{value} [dim]{bounds:>13}[/dim] [{_COLOURS[outcome]}]{outcome:<7}[/]"
