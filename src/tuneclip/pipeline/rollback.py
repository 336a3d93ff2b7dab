"""The verb `rollback`: the model before the newest is the newest again, and answers again; nothing is removed."""

import logging
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.model.open import fingerprint, locate
from tuneclip.pipeline.models import models
from tuneclip.pipeline.newest import earlier, move_back, newest
from tuneclip.pipeline.state import read_state
from tuneclip.project import Project
from tuneclip.vectors.collection import find_collection
from tuneclip.vectors.rebuild import switch_back

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")


@dataclass(frozen=True)
class RolledBack:
    """What `rollback` did; the fields are the keys of `--json`."""

    newest: str
    before: str | None
    """What was the newest until now."""
    earlier: tuple[str, ...]
    """Where further rollbacks go, the last one first to be taken."""
    collections: tuple[str, ...]
    """The collections that the newest model's vectors are in."""
    waiting: tuple[str, ...]
    """Collections of pipelines that still answer by another model, since no version by this one was kept."""

    def show(self, console: "Console") -> None:
        """What is the newest now, and where its vectors are."""
        console.print(f"newest: {self.newest} (was {self.before or 'not set'})", markup=False, style="bold")
        for name in self.collections:
            console.print(f"{name} answers by {self.newest}", markup=False)
        for name in self.waiting:
            console.print(f"{name} still answers by another model", markup=False)
            command = shlex.join(["tuneclip", "reindex", name, "--model", self.newest])
            console.print(f"Next: {command}", markup=False, style="dim")
        if not self.waiting:
            console.print("Next: tuneclip run adds the pictures that came since", markup=False, style="dim")


def rollback(options: settings.Rollback, project: Project) -> RolledBack:
    """Make the model before the newest, or `options.to`, the newest.

    The collections that pipelines have embedded go back with it where a version by that model is kept, at once. Again,
    and it goes back one more. Raises TuneclipError when there is none before, and when the model is not there any more.
    """
    target = options.to or next(iter(earlier(project)[-1:]), None)
    if target is not None:
        locate(target, project)
    before, now = move_back(project, to=options.to)
    waiting = _switch_back(now, project)
    known = models(settings.Models(), project)
    collections = next((model.collections for model in known.models if model.name == now), ())
    return RolledBack(str(newest(project)), before, known.earlier, collections, waiting)


def _switch_back(model: str, project: Project) -> tuple[str, ...]:
    """Let the pipelines' collections answer by the model; those of which no version by it is kept.

    What another hand has embedded by another model since is left as it is, and so is what cannot be reached.
    """
    mark = fingerprint(locate(model, project))
    waiting = []
    for name, marks in _embedded(project).items():
        try:
            found = find_collection(name, project)
            if found and found.origin.fingerprint in marks and not switch_back(name, mark, project):
                waiting.append(name)
        except TuneclipError as error:
            logger.warning("collection %s stays as it is: %s", name, error)
    return tuple(waiting)


def _embedded(project: Project) -> dict[str, set[str]]:
    """The collections that pipelines have embedded, with the fingerprints of the models by which they did."""
    found: dict[str, set[str]] = {}
    for path in sorted(project.pipelines.glob("*.json")):
        for entry in read_state(path).entries:
            if entry.finished and entry.key["verb"] == "embed":
                found.setdefault(entry.made.name, set()).add(entry.made.content.partition(":")[0])
    return found
