"""What an engine is: who is asked, and how."""

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneclip.data.describe import Asker, Failure, Question, estimate
from tuneclip.data.engines.jobs import FINAL, WAY
from tuneclip.data.ledger import Ledger
from tuneclip.errors import TuneclipError
from tuneclip.project import Project
from tuneclip.settings import Caption

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")


@dataclass(frozen=True)
class Desk:
    """Where questions are asked from: the options, the project with its keys, who is asked, and the ledger."""

    options: Caption
    project: Project
    asker: Asker
    ledger: Ledger
    dataset: str
    known: int
    """How many of the pictures that captions are wanted for have theirs in the ledger."""


def confirm(questions: Sequence[Question], desk: Desk) -> None:
    """Say what asking takes and let the user agree, on a terminal; elsewhere only --yes does. Else TuneclipError."""
    if not questions:
        return
    cost = f"{desk.asker.model} would be asked about {estimate(questions, desk.asker)}"
    if desk.options.yes:
        logger.info("%s", cost.replace(" would be ", " is ", 1))
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise TuneclipError(f"not asked yet: {cost}", hint="the same command with --yes")
    import click

    if not click.confirm(f"{cost}. Go on?", err=True):
        raise TuneclipError("nothing was asked", hint="--limit N asks about the first N only")


@dataclass(frozen=True, slots=True)
class State:
    """A batch job as the service last told of it."""

    name: str
    arn: str
    status: str
    pictures: int
    message: str = ""


@dataclass(frozen=True)
class Jobs:
    """How the batch jobs of a dataset stand; nothing of the dataset has changed yet."""

    dataset: str
    engine: str
    model: str
    jobs: list[State]

    def show(self, console: "Console") -> None:
        """One line a job, and what to type next."""
        from rich.markup import escape
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for column in ("job", "pictures", "status", ""):
            table.add_column(column, justify="right" if column == "pictures" else "left", overflow="fold")
        for job in self.jobs:
            table.add_row(escape(job.name), f"{job.pictures:,}", escape(_way_to(job.status)), escape(job.message))
        console.print(table if self.jobs else "no job is under way")
        name = escape(self.dataset)
        if self.jobs and all(job.status in FINAL for job in self.jobs):
            console.print(f"All have ended: tuneclip caption {name} --engine {self.engine} --collect")


def _way_to(status: str) -> str:
    """The states up to this one, as a job goes through them."""
    return " > ".join([*WAY[: WAY.index(status)], status]) if status in WAY else status


@dataclass(frozen=True)
class Engine:
    """How the model is found, before anything is asked, and how questions are asked.

    `ask` adds every answer to the ledger as it comes and returns the failures, or the jobs when no more was wanted
    than to start or look at them. Raises TuneclipError when nothing can be asked at all.
    """

    model: Callable[[Caption, Project], str]
    ask: Callable[[Sequence[Question], Desk], "list[Failure] | Jobs"]
