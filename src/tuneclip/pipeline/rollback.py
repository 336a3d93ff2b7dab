"""The verb `rollback`: the model before the newest is the newest again; no model and no vector is removed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneclip import settings
from tuneclip.model.open import locate
from tuneclip.pipeline.models import models
from tuneclip.pipeline.newest import earlier, move_back, newest
from tuneclip.project import Project

if TYPE_CHECKING:
    from rich.console import Console


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

    def show(self, console: "Console") -> None:
        """What is the newest now, and where its vectors are."""
        console.print(f"newest: {self.newest} (was {self.before or 'not set'})", markup=False, style="bold")
        where = ", ".join(self.collections)
        console.print(f"its vectors are in {where}" if where else "no collection is made by it yet", markup=False)
        console.print("Next: tuneclip run brings the vectors up to date", markup=False, style="dim")


def rollback(options: settings.Rollback, project: Project) -> RolledBack:
    """Make the model before the newest, or `options.to`, the newest.

    Again, and it goes back one more. Raises TuneclipError when there is none before, and when the model is not there
    any more.
    """
    target = options.to or next(iter(earlier(project)[-1:]), None)
    if target is not None:
        locate(target, project)
    before, now = move_back(project, to=options.to)
    known = models(settings.Models(), project)
    collections = next((model.collections for model in known.models if model.name == now), ())
    return RolledBack(str(newest(project)), before, known.earlier, collections)
