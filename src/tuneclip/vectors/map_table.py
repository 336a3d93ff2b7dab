"""The lists of a map as tables for people; ids are links to the pictures, where a terminal knows links."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip.vectors.map_lists import Duplicates, Outlier

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

LINES = 10  # of each list
NAMED = 4  # ids of a group


def show_lists(
    console: "Console", duplicates: Sequence[Duplicates], outliers: Sequence[Outlier], *, least: float, typical: float
) -> None:
    """The first duplicates and outliers, and how many more there are."""
    pictures = sum(len(group.ids) for group in duplicates)
    scale = f"cosine {least:.4f} or more; pictures at random have {typical:.3f}"
    console.print(f"{len(duplicates):,} groups of duplicates, {pictures:,} pictures ({scale})")
    if duplicates:
        console.print(_duplicates(duplicates[:LINES]))
    if outliers:
        console.print("Outliers: furthest from their neighbours")
        console.print(_outliers(outliers[:LINES]))
    if max(len(duplicates), len(outliers)) > LINES:
        console.print("More of them: --json, or --html FILE to see the pictures.", style="dim")


def _duplicates(groups: Sequence[Duplicates]) -> "Table":
    table = _table("cosine", "pictures", "ids")
    for group in groups:
        ids = _linked(group.ids[:NAMED], group.paths)
        ids.append(f" and {len(group.ids) - NAMED:,} more" if len(group.ids) > NAMED else "")
        table.add_row("same file" if group.identical else f"{group.cosine:.4f}", f"{len(group.ids):,}", ids)
    return table


def _outliers(outliers: Sequence[Outlier]) -> "Table":
    table = _table("distance", "id", "nearest, cosine")
    for outlier in outliers:
        near = " · ".join(f"{other.id} {other.cosine:.3f}" for other in outlier.neighbours[:1])
        table.add_row(f"{outlier.score:.3f}", _linked([outlier.id], [outlier.path]), near)
    return table


def _table(*columns: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(columns[0], no_wrap=True, min_width=len("same file"))
    for column in columns[1:]:
        table.add_column(column, overflow="fold")
    return table


def _linked(ids: Sequence[str], paths: Sequence[str]) -> "Text":
    from rich.text import Text

    line = Text()
    for name, path in zip(ids, paths, strict=False):
        line.append(" · " if line else "")
        line.append(name, style=f"link {Path(path).as_uri()}" if Path(path).is_file() else "")
    return line
