"""The report's section on training: the curves of each compared model that was trained here, and what was found."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.measure import plots
from tuneclip.project import METRICS, MODEL_MANIFEST, Project, checked_name, read_json
from tuneclip.records import Finding
from tuneclip.training.diagnose import CODES, findings

_RECALL = "validation_t2i_recall@10"


@dataclass(frozen=True)
class Panel:
    """One plot that the section may have: the key of the rows that it shows, over steps or epochs."""

    title: str
    key: str
    axis: str = "step"
    percent: bool = False
    level: str | float | None = None
    """A dashed line across: a number, or the key of the rows that gives its height."""


FIRST = (
    Panel("Loss per step", "loss", level="chance"),
    Panel("Validation recall@10 per epoch, from text to picture", _RECALL, "epoch", percent=True),
)
MORE = (
    Panel("Own caption nearer than another one of the batch", "pair_auc", percent=True, level=0.5),
    Panel("Norm of the gradient, before it is clipped", "gradient_norm"),
    Panel("Mean cosine between different pictures", "picture_cosine"),
    Panel("Mean cosine between different captions", "text_cosine"),
    Panel("Effective rank of the pictures of a batch", "picture_rank"),
    Panel("Effective rank of the captions of a batch", "text_rank"),
    Panel("Logit scale, the inverse of the temperature", "temperature"),
    Panel("Learning rate", "learning_rate"),
)


@dataclass(frozen=True)
class Drawn:
    """A plot on the page; `svg` is markup of our own."""

    title: str
    svg: str


@dataclass(frozen=True)
class Diagnosed:
    """What the diagnosis of a model's run found; without findings `looked` says what was looked at."""

    model: str
    findings: tuple[tuple[str, str, str, Finding], ...]
    """Each with its title, its number as text, and what that number is."""
    looked: str


@dataclass(frozen=True)
class Training:
    """The curves and the diagnoses of the compared models that were trained in this project."""

    curves: tuple[Drawn, ...]
    more: tuple[Drawn, ...]
    notes: tuple[str, ...]
    diagnoses: tuple[Diagnosed, ...]

    @property
    def sick(self) -> bool:
        """Whether anything was found."""
        return any(own.findings for own in self.diagnoses)


def training_of(project: Project, models: Sequence[str]) -> Training | None:
    """The section for those models that have a run in the project; None when none has."""
    runs = {model: rows for model in models if (rows := metrics(project, model))}
    draw = _artist(runs, models)
    curves, more = tuple(filter(None, map(draw, FIRST))), tuple(filter(None, map(draw, MORE)))
    if not curves and not more:
        return None
    notes = [_note(model, _points(rows, FIRST[1])) for model, rows in runs.items() if _points(rows, FIRST[1])]
    return Training(curves, more, tuple(notes), tuple(_diagnosed(project, m, rows) for m, rows in runs.items()))


def metrics(project: Project, model: str) -> list[dict[str, Any]]:
    """The rows of the model's training run; empty where there is none. A last line that a kill tore is left out."""
    try:
        path = project.run(checked_name(model)) / METRICS
    except TuneclipError:
        return []  # a path or a Hub id: not trained here
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        rows += [row] if isinstance(row, dict) else []
    return rows


def _artist(runs: dict[str, list[dict[str, Any]]], models: Sequence[str]) -> Callable[[Panel], Drawn | None]:
    """A function that draws a panel; None where no run has its figure."""
    from markupsafe import Markup

    def draw(panel: Panel) -> Drawn | None:
        curves = []
        for model, rows in runs.items():
            points = _points(rows, panel)
            factor = 100 if panel.percent else 1
            curve = plots.Curve(model, models.index(model), [x for x, _ in points], [factor * y for _, y in points])
            curves += [curve] if points else []
        if not curves:
            return None
        count, level = len(models) if len(curves) > 1 else 1, _level(runs, panel)
        svg = plots.line_plot(panel.key, curves, count, axis=panel.axis, level=level, percent=panel.percent)
        return Drawn(panel.title, Markup(svg))  # noqa: S704 our own

    return draw


def _level(runs: dict[str, list[dict[str, Any]]], panel: Panel) -> float | None:
    if not isinstance(panel.level, str):
        return None if panel.level is None else panel.level * (100 if panel.percent else 1)
    heights = (row[panel.level] for rows in runs.values() for row in rows if _is_number(row.get(panel.level)))
    return next(heights, None)


def _points(rows: Sequence[dict[str, Any]], panel: Panel) -> list[tuple[float, float]]:
    keys = (panel.axis, panel.key)
    own = [row for row in rows if row.get("kind") == panel.axis and all(_is_number(row.get(key)) for key in keys)]
    return [(row[keys[0]], row[keys[1]]) for row in own]


def _note(model: str, points: Sequence[tuple[float, float]]) -> str:
    best, highest = max(points, key=lambda point: point[1])
    start, first = points[0]
    return (
        f"{model}: validation recall@10 {100 * first:.1f} % at epoch {start:g}, "
        f"highest {100 * highest:.1f} % at epoch {best:g}"
    )


def _diagnosed(project: Project, model: str, rows: Sequence[dict[str, Any]]) -> Diagnosed:
    """The findings that the model's manifest holds, else those of the rows: a run that did not end has no manifest."""
    path = project.model(model) / MODEL_MANIFEST
    known = read_json(path).get("trained", {}).get("findings") if path.is_file() else None
    found = findings(rows, ended=True) if known is None else tuple(Finding(**finding) for finding in known)
    return Diagnosed(
        model, tuple((_title(f.code), _number(f.number), CODES.get(f.code, ""), f) for f in found), _looked(rows)
    )


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _number(number: float) -> str:
    if number == round(number):
        return f"{number:,.0f}"
    return f"{number:.5f}" if 0.995 <= number < 1 else f"{number:.3g}"  # a cosine near one is not one


def _looked(rows: Sequence[dict[str, Any]]) -> str:
    """What a healthy run's figures were, in one sentence."""
    steps = [row for row in rows if row.get("kind") == "step"]
    end = steps[-max(1, len(steps) // 8) :]
    named = {
        "loss": "loss {:.2f} at the end",
        "chance": "guessing gives {:.2f}",
        "pair_auc": "own caption nearer than another {:.0%}",
        "picture_cosine": "mean cosine between pictures {:.2f}",
        "text_cosine": "between captions {:.2f}",
        "twins": "pairs with a twin in the batch {:.0%}",
    }
    known = {key: [row[key] for row in end if _is_number(row.get(key))] for key in named}
    return ", ".join(named[key].format(sum(values) / len(values)) for key, values in known.items() if values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
