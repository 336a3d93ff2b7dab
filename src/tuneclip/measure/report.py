"""The report of a comparison: one HTML file that holds everything it shows, for a colleague without tuneclip."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneclip import __version__, settings
from tuneclip.data.picture import load_picture, thumbnail_link
from tuneclip.measure import plots, wording
from tuneclip.measure.evaluate import Embedded, Part
from tuneclip.measure.forgetting import mixings
from tuneclip.measure.metrics import DEPTHS, chance_recall, query_ranks
from tuneclip.measure.training import training_of
from tuneclip.model.retrieval import Indices, nearest
from tuneclip.pages import render
from tuneclip.project import Project, write_text

if TYPE_CHECKING:
    from tuneclip.measure.compare import Comparison

TEMPLATES = Path(__file__).parent / "templates"
THUMBNAIL = 160  # pixels of the longer side
FIGURE_SPACE = "\u2007"  # as wide as a digit
EXAMPLE_HITS = 5
PHRASE_HITS = 6
_GAINS, _RANDOM, _LOSSES = 3, 3, 2


@dataclass(frozen=True)
class Thumbnail:
    """A picture on the page; `right` is None where there is no right or wrong."""

    source: str
    text: str
    note: str
    right: bool | None = None


@dataclass(frozen=True)
class Answer:
    """What one model returns for one query."""

    model: str
    rank: int | None
    thumbnails: tuple[Thumbnail, ...]


@dataclass(frozen=True)
class Example:
    """A query with the models' answers; `sought` is a right picture, None for a phrase."""

    text: str
    answers: tuple[Answer, ...]
    sought: Thumbnail | None = None
    carriers: int = 0


def write_report(
    place: Path,
    result: "Comparison",
    part: Part,
    seen: Sequence[Embedded],
    *,
    project: Project,
    options: settings.Compare,
) -> None:
    """Write the page to `place`, at once or not at all; it loads nothing from elsewhere."""
    from markupsafe import Markup

    chance = {f"{way}_recall@{k}": chance_recall(part.pairs, k, way) for way in ("t2i", "i2t") for k in DEPTHS}
    ways = {way: Markup(plots.recall_plot(result.scores, way, chance)) for way in ("t2i", "i2t")}  # noqa: S704 our own
    now = datetime.now()
    page = render(
        TEMPLATES / "report.html",
        result=result,
        date=f"{now.day} {now:%B %Y}",
        verdict=wording.verdict(result.scores, result.differences, result.pictures),
        captions=len(part.pairs.text),
        distinct=len(part.pairs.texts),
        groups=int(part.groups.max()) + 1,
        chance=f"{100 * chance['t2i_recall@10']:.1f}",
        sections=list(_sections(result)),
        plots=ways,
        training=training_of(project, result.models),
        forgetting=mixings(project, result.models),
        examples=_examples(part, seen, options.seed),
        phrases=_phrases(part, result),
        swatches=[_swatch(i, len(result.models)) for i in range(len(result.models))],
        command=_command(options, result.models),
        version=__version__,
    )
    write_text(place, page)


def _sections(result: "Comparison") -> Iterator[dict[str, Any]]:
    """The table: for each way its metrics, each with a cell for every model and a gain for every later one."""
    own = {(score.model, score.metric): score for score in result.scores}
    gains = {(difference.models[1], difference.metric): difference for difference in result.differences}
    metrics = list(dict.fromkeys(score.metric for score in result.scores))
    for way in dict.fromkeys(wording.way(metric) for metric in metrics):
        rows = [
            {
                "label": wording.label(metric),
                "cells": [_cell(metric, own[name, metric]) for name in result.models],
                "gains": [
                    _cell(metric, gain, signed=True) | {"outcome": wording.outcome(gain)}
                    for gain in (gains[name, metric] for name in result.models[1:])
                ],
            }
            for metric in metrics
            if wording.way(metric) == way
        ]
        yield {"way": way, "rows": rows}


def _cell(metric: str, figure: Any, *, signed: bool = False) -> dict[str, str]:
    return {
        "value": wording.figure(metric, figure.value, signed=signed),
        "interval": wording.interval(metric, figure.low, figure.high, FIGURE_SPACE),
    }


def _examples(part: Part, seen: Sequence[Embedded], seed: int) -> dict[str, list[Example]]:
    """About eight captions: where the best other model gains most on the first, some at random, where it loses most."""
    found = np.stack([query_ranks(own.pictures, own.texts, part.pairs) for own in seen])  # (models, texts)
    carriers = part.pairs.pictures_of_texts()
    chosen = choose_examples(found, np.array([own[0] for own in carriers]), seed)
    thumbnail = _thumbnails(part)
    return {
        title: [_example(part, seen, text, found[:, text], carriers[text], thumbnail) for text in texts]
        for title, texts in chosen.items()
        if texts
    }


def choose_examples(found: Indices, pictures: Indices, seed: int) -> dict[str, list[int]]:
    """Which captions to show, by title; no two with the same picture.

    `found` (models, captions) is the rank of each caption's right picture, `pictures` (captions,) is that picture.
    """
    shuffled = np.random.default_rng(seed).permutation(found.shape[1])
    shown: set[int] = set()
    if len(found) == 1:
        return {"At random": _fresh(shuffled, pictures, _GAINS + _RANDOM + _LOSSES, shown)}
    best = 1 + int(np.argmax((1 / found[1:]).mean(axis=1)))
    gain = np.log(found[0] / found[best])
    order = shuffled[np.argsort(-gain[shuffled], kind="stable")]
    gains = _fresh(order[gain[order] > 0], pictures, _GAINS, shown)
    losses = _fresh(order[gain[order] < 0][::-1], pictures, _LOSSES, shown)
    return {
        "Greatest gains": gains,
        "At random": _fresh(shuffled, pictures, _RANDOM, shown),
        "Greatest losses": losses,
    }


def _fresh(candidates: Indices, pictures: Indices, count: int, shown: set[int]) -> list[int]:
    """The first `count` candidates whose picture is not shown yet; marks theirs as shown."""
    chosen: list[int] = []
    for caption in candidates.tolist():
        if len(chosen) < count and pictures[caption] not in shown:
            shown.add(int(pictures[caption]))
            chosen.append(caption)
    return chosen


def _example(
    part: Part, seen: Sequence[Embedded], text: int, found: Indices, carriers: Indices, thumbnail: Any
) -> Example:
    answers = []
    for own, rank in zip(seen, found, strict=True):
        hits, scores = nearest(own.texts[text : text + 1], own.pictures, EXAMPLE_HITS)
        shown = tuple(
            thumbnail(int(hit), f"cosine {score:.3f}", bool(hit in carriers))
            for hit, score in zip(hits[0], scores[0], strict=True)
        )
        answers.append(Answer(own.model, int(rank), shown))
    return Example(part.pairs.texts[text], tuple(answers), thumbnail(int(carriers[0])), len(carriers))


def _phrases(part: Part, result: "Comparison") -> list[Example]:
    thumbnail = _thumbnails(part)
    number = {record.id: i for i, record in enumerate(part.records)}
    return [
        Example(
            phrase,
            tuple(
                Answer(
                    found.model,
                    None,
                    tuple(thumbnail(number[h.id], f"cosine {h.score:.3f}") for h in found.hits[:PHRASE_HITS]),
                )
                for found in result.phrases
                if found.phrase == phrase
            ),
        )
        for phrase in dict.fromkeys(found.phrase for found in result.phrases)
    ]


def _thumbnails(part: Part) -> Any:
    """A function from a picture's number, a note and whether it is right to its thumbnail; each is made once."""

    @cache
    def source(number: int) -> str:
        return thumbnail_link(load_picture(part.dataset.picture_path(part.records[number])), THUMBNAIL)

    def thumbnail(number: int, note: str = "", right: bool | None = None) -> Thumbnail:
        record = part.records[number]
        return Thumbnail(source(number), record.captions[0], " · ".join(filter(None, (record.id, note))), right)

    return thumbnail


def _swatch(number: int, count: int) -> dict[str, Any]:
    """The legend's dot of a model, as the plots draw it."""
    style = plots.model_style(number, count)
    return {"first": number == 0 and count > 1, "opacity": round(style.get("alpha", 1.0), 2)}


def _command(options: settings.Compare, models: Sequence[str]) -> str:
    """The command that makes this report again, with every option resolved."""
    words = ["tuneclip", "compare", options.dataset, "--models", *models, "--seed", str(options.seed)]
    for flag, value in (("--split", options.split), ("--phrases", options.phrases), ("--report", options.report)):
        words += [flag, str(value)] if value is not None else []
    return shlex.join(words)
