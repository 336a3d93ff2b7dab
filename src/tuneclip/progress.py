"""What a person sees while work goes on: a bar with an ETA on a terminal's stderr, log lines everywhere else."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def speaks() -> bool:
    """Whether this process is the one that prints: of several of one run (torchrun) only the first is."""
    return os.environ.get("RANK", "0") == "0" or os.environ.get("WORLD_SIZE", "1") == "1"


def track(items: Iterable[T], description: str, total: int | None = None, *, completed: int = 0) -> Iterator[T]:
    """Yield `items` unchanged; on a terminal a bar with count, speed and ETA stands on stderr meanwhile.

    `completed` is what an earlier, interrupted run had already done out of `total`.
    """
    if not (speaks() and sys.stderr.isatty()):
        yield from items
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, completed=completed)
        for item in items:
            yield item
            progress.advance(task)
