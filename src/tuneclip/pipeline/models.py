"""The verb `models`: the project's models with where they come from, how good they are, and which is the newest."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.measure import wording
from tuneclip.pipeline.newest import earlier, newest
from tuneclip.pipeline.state import read_state
from tuneclip.project import MODEL_MANIFEST, Project, read_json
from tuneclip.records import Score

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
SHOWN = "t2i_recall@10"
WIDEST = 240


@dataclass(frozen=True)
class Known:
    """A model of the project; what is empty is not known: a model that was not made here has no manifest."""

    name: str
    newest: bool
    fingerprint: str
    created: str
    base: str
    lineage: tuple[str, ...]
    """The models that it was made from, the first one first."""
    dataset: str
    recipe: str
    scores: tuple[Score, ...]
    """On its dataset's validation split, when it was trained."""
    gate: str
    """What a pipeline's gate said of it last."""
    collections: tuple[str, ...]
    """The collections whose vectors it made."""


@dataclass(frozen=True)
class Models:
    """What `models` shows; the fields are the keys of `--json`."""

    newest: str | None
    earlier: tuple[str, ...]
    """What was the newest before, oldest first: where `rollback` goes."""
    models: tuple[Known, ...]

    def show(self, console: "Console") -> None:
        """A table, the newest marked, and where a rollback would go."""
        from rich.measure import Measurement
        from rich.table import Table
        from rich.text import Text

        if not self.models:
            console.print("No model here yet. Next: tuneclip train DATASET --model starter --to NAME", markup=False)
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("", "model", "made from", "dataset", "recipe", "recall@10, %", "made", "collections"):
            table.add_column(heading)
        for model in self.models:
            cells = ["→" if model.newest else "", model.name, " → ".join(model.lineage), model.dataset, model.recipe]
            cells += [_figure(model.scores), model.created[:10], ", ".join(model.collections)]
            table.add_row(*(Text(cell) for cell in cells), style="bold" if model.newest else None)
        table.width = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
        console.print(table, crop=False)  # a narrow terminal breaks whole lines more legibly than rich breaks cells
        before = self.earlier[-1] if self.earlier else None
        console.print(f"newest: {self.newest or 'none yet'}", end="", markup=False, style="bold")
        console.print(f"; tuneclip rollback goes back to {before}" if before else "", markup=False)


def models(options: settings.Models, project: Project) -> Models:
    """The models of the project, in the order in which they were made; those without a date first.

    The newest stands among them also where it is no model of the project (the starter, a Hub id). Figures are
    those of each model's own training, on its own dataset: `compare` holds models against each other.
    """
    current = newest(project)
    names = project.names("models")
    names += [current] if current and current not in names else []
    verdicts, collections = _verdicts(project), _collections(project)
    found = [_known(name, current, project, verdicts, collections) for name in names]
    return Models(current, earlier(project), tuple(sorted(found, key=lambda model: (model.created, model.name))))


def _known(
    name: str,
    current: str | None,
    project: Project,
    verdicts: Mapping[str, str],
    collections: Mapping[str, list[str]],
) -> Known:
    manifest: dict[str, Any] = {}
    mark = ""
    try:
        from tuneclip.model.open import fingerprint, locate

        folder = locate(name, project)
        mark, path = fingerprint(folder), folder / MODEL_MANIFEST
        manifest = read_json(path) if path.is_file() else {}
    except TuneclipError as error:
        logger.warning("%s: %s", name, error)
    trained = manifest.get("trained") or {}
    return Known(
        name=name,
        newest=name == current,
        fingerprint=mark,
        created=str(manifest.get("created", "")),
        base=str((manifest.get("base") or {}).get("name", "")),
        lineage=tuple(Path(str(one["name"])).name for one in manifest.get("lineage", [])),
        dataset=str((manifest.get("dataset") or {}).get("name", "")),
        recipe=str(manifest.get("recipe", "")),
        scores=tuple(Score(**score) for score in trained.get("scores", [])),
        gate=verdicts.get(name, ""),
        collections=tuple(collections.get(mark, [])) if mark else (),
    )


def _verdicts(project: Project) -> dict[str, str]:
    """By model, what gates said."""
    files = sorted(project.pipelines.glob("*.json"))
    return {
        entry.decision["model"]: entry.why
        for path in files
        for entry in read_state(path).entries
        if entry.decision and entry.finished
    }


def _collections(project: Project) -> dict[str, list[str]]:
    """By a model's fingerprint, the collections that it made; those that cannot be reached are passed over."""
    if not project.vectors.is_dir():
        return {}
    from tuneclip.vectors.collection import collections, find_collection

    found: dict[str, list[str]] = {}
    for name in collections(project):
        try:
            collection = find_collection(name, project)
        except TuneclipError as error:
            logger.warning("passed over collection %s: %s", name, error)
            continue
        if collection is not None:
            found.setdefault(collection.origin.fingerprint, []).append(name)
    return found


def _figure(scores: tuple[Score, ...]) -> str:
    shown = next((score for score in scores if score.metric == SHOWN), None)
    if shown is None:
        return ""
    bounds = wording.interval(shown.metric, shown.low, shown.high)
    return f"{wording.figure(shown.metric, shown.value)} {bounds}"
