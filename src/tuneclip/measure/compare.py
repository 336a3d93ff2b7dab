"""The verb `compare`: models side by side on the same queries, with paired intervals, a table and a report."""

import logging
import time
from collections.abc import Sequence
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
        console.print(_table(self))
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
    _check_models(options.models, project)
    part = choose_part(open_dataset(options.dataset, project), options.split)
    phrases = read_phrases(options.phrases) if options.phrases else []
    place = _report_place(options.report, part, project)
    seen = [_see(part, name, project, phrases) for name in options.models]
    measured = {own.model: list(measure(part, own)) for own in seen}
    scores, differences = compare_measurements(measured, seed=options.seed)
    result = Comparison(
        dataset=part.dataset.name,
        split=part.split,
        pictures=len(part.records),
        scores=tuple(scores),
        differences=tuple(differences),
        phrases=_phrase_hits(part, seen, phrases),
        report=str(place),
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


def _table(result: Comparison) -> "Table":
    """Metrics down, models across, then how much each later model is above the first."""
    from rich.table import Table
    from rich.text import Text

    models = result.models
    queries = next(score.n for score in result.scores)
    table = Table(
        title=f"{result.dataset} · {result.split}: {result.pictures:,} pictures, {queries:,} captions",
        caption="percent (median rank: a place), with 95 % intervals",
        box=None,
        title_justify="left",
        caption_justify="left",
        pad_edge=False,
    )
    table.add_column("")
    for name in models:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for name in models[1:]:
        table.add_column(
            Text(f"{name} − {models[0]}" if len(models) > 2 else "difference"), justify="right", no_wrap=True
        )
    own = {(score.model, score.metric): score for score in result.scores}
    gains = {(difference.models[1], difference.metric): difference for difference in result.differences}
    heading = ""
    for metric in dict.fromkeys(score.metric for score in result.scores):
        if wording.way(metric) != heading:
            heading = wording.way(metric)
            table.add_row(Text(heading, style="bold"))
        cells = [_cell(metric, own[name, metric]) for name in models]
        table.add_row("  " + wording.label(metric), *cells, *(_gain(gains[name, metric]) for name in models[1:]))
    return table


def _cell(metric: str, score: Score) -> str:
    bounds = wording.interval(metric, score.low, score.high).replace("[", r"\[")
    return f"{wording.figure(metric, score.value)} [dim]{bounds}[/dim]"


def _gain(difference: Difference) -> str:
    metric, outcome = difference.metric, wording.outcome(difference)
    bounds = wording.interval(metric, difference.low, difference.high).replace("[", r"\[")
    value = wording.figure(metric, difference.value, signed=True)
    return f"{value} [dim]{bounds}[/dim] [{_COLOURS[outcome]}]{outcome:<7}[/]"
