"""The verb `map`: a collection as points on a plane, with its duplicates and outliers, stored beside the collection."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import Project
from tuneclip.vectors.collection import Collection, Vector, open_collection, values_of
from tuneclip.vectors.conditions import matches
from tuneclip.vectors.map_lists import Duplicates, Outlier, described, duplicates, outliers, outlying
from tuneclip.vectors.map_page import write_map_page
from tuneclip.vectors.map_pairs import compare_all, nearest_neighbours, threshold, typical
from tuneclip.vectors.map_points import FEWEST, METHOD, can_project, neighbours_needed, project, sampled
from tuneclip.vectors.map_store import About, Chart, content_key, read_chart, write_chart
from tuneclip.vectors.map_table import show_lists
from tuneclip.vectors.where import parse

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
AT_ONCE = 4096  # rows that are read at once


@dataclass(frozen=True)
class Mapped:
    """What `map` found; the fields are the keys of `--json`."""

    collection: str
    model: str
    fingerprint: str
    where: str | None
    count: int
    projected: int
    method: str
    """Who laid out the points; empty where nobody did."""
    seconds: float
    points: str
    """The file of the map."""
    threshold: float
    """The cosine from which pictures are duplicates."""
    random: float
    """The mean cosine of two pictures at random."""
    duplicates: tuple[Duplicates, ...]
    outliers: tuple[Outlier, ...]
    unchanged: bool
    """Whether the stored map was still right, so that nothing was computed."""
    html: str | None = None

    def show(self, console: "Console") -> None:
        """How many are where, then the surest duplicates and the furthest outliers."""
        part = f", {self.where}" if self.where else ""
        head = f"{self.collection}{part}, by {self.model}: {self.count:,} pictures, {self.projected:,} on the map"
        console.print(head, markup=False, style="bold")
        if 0 < self.projected < self.count:
            console.print("The map is of a random part, the lists are of all.", style="dim")
        show_lists(console, self.duplicates, self.outliers, least=self.threshold, typical=self.random)
        told = "up to date" if self.unchanged else f"{self.seconds:.1f} s"
        console.print(f"{self.points} ({told})", markup=False)
        if self.html:
            console.print(f"Written to {self.html}", markup=False)


def map_collection(options: settings.Map, project: Project) -> Mapped:
    """Lay out a collection as points on a plane, and list its duplicates and outliers.

    Every row is compared with every other, exactly; the result lies beside the collection and is used again as long as
    nothing changed. Without the extra `map` there are only the lists. Raises TuneclipError for a missing collection, a
    bad filter, and fewer than three rows.
    """
    began = time.monotonic()
    _check(options)
    collection = open_collection(options.collection, project)
    contents = _contents(collection, options.where)
    place, root = project.map(collection.name), project.root.absolute()
    chart, unchanged = _chart(collection, contents, options, place)
    if not can_project() and not chart.projected:
        logger.warning("only the lists, no map: that needs pacmap. Next: pip install 'tuneclip[map]'")
    mapped = _told_of(collection, contents, chart, options.outliers, place=place, root=root)
    mapped = replace(mapped, unchanged=unchanged, seconds=round(time.monotonic() - began, 2))
    if options.html is None:
        return mapped
    write_map_page(options.html, mapped, chart, collection, root=root)
    return replace(mapped, html=str(options.html), seconds=round(time.monotonic() - began, 2))


def stored_map(collection: Collection, project: Project, count: int) -> tuple[Mapped, Chart] | None:
    """The collection's map as it is stored, with so many outliers; None where there is none.

    `Mapped.unchanged` tells whether it is still right.
    """
    place = project.map(collection.name)
    chart = read_chart(place)
    if chart is None:
        return None
    contents = _contents(collection, chart.about.where)
    mapped = _told_of(collection, contents, chart, count, place=place, root=project.root.absolute())
    key = content_key(collection.origin.fingerprint, contents)
    return replace(mapped, unchanged=key == chart.about.key), chart


def _told_of(
    collection: Collection, contents: Mapping[str, str], chart: Chart, count: int, *, place: Path, root: Path
) -> Mapped:
    """What a map tells."""
    rows = outlying(chart, count)
    grouped = np.flatnonzero(chart.pairs.groups >= 0).tolist()
    known = described(collection, (chart.ids[row] for row in (*rows, *grouped)), root)
    return Mapped(
        collection=collection.name,
        model=collection.origin.model,
        fingerprint=chart.about.fingerprint,
        where=chart.about.where,
        count=len(chart.ids),
        projected=chart.projected,
        method=chart.about.method,
        seconds=0.0,
        points=str(place),
        threshold=round(chart.about.duplicates, 4),
        random=round(chart.about.typical, 4),
        duplicates=duplicates(chart, contents, known),
        outliers=outliers(chart, rows, known),
        unchanged=True,
    )


def _check(options: settings.Map) -> None:
    if options.duplicates is not None and not 0 < options.duplicates <= 1:
        raise TuneclipError(f"{options.duplicates} is no cosine of duplicates", expected="above 0, at most 1")
    if options.size < FEWEST:
        raise TuneclipError(f"{options.size} points are no map", expected=f"--size {FEWEST} or more")
    if options.outliers < 0:
        raise TuneclipError(f"{options.outliers} outliers cannot be listed", expected="--outliers 0 or more")


def _contents(collection: Collection, where: str | None) -> dict[str, str]:
    """The ids that the map is of, in order, each with the key of what was embedded."""
    if where is None:
        found = {name: keys.content or name for name, keys in collection.contents().items()}
    else:
        condition = parse(where, collection.fields())
        rows = (row for batch in collection.iterate(AT_ONCE) for row in batch)
        found = {row.id: row.content or row.id for row in rows if matches(condition, values_of(row))}
    if len(found) < 3:
        picked = "the filter picks" if where else f"collection {collection.name!r} has"
        raise TuneclipError(f"{picked} {len(found)} rows, too few to compare", expected="three or more")
    return dict(sorted(found.items()))


def _chart(
    collection: Collection, contents: Mapping[str, str], options: settings.Map, place: Path
) -> tuple[Chart, bool]:
    """The map, and whether the one at `place` was still right; otherwise what is stale is made anew and stored."""
    key = content_key(collection.origin.fingerprint, contents)
    known = read_chart(place)
    known = known if known is not None and known.about.key == key else None
    compared = known if known is not None and known.about.asked == options.duplicates else None
    drawable = can_project() and len(contents) >= FEWEST
    wanted = (METHOD, options.size, options.seed)
    drawn = known if known is not None and (not drawable or _layout(known.about) == wanted) else None
    if compared is not None and drawn is not None:
        return replace(compared, about=replace(compared.about, where=options.where)), True
    with _gathered(collection, contents, place.parent) as vectors:
        chart = compared or _compared(collection, contents, options, vectors, key=key)
        if drawn is not None:
            about = replace(chart.about, method=drawn.about.method, size=drawn.about.size, seed=drawn.about.seed)
            chart = replace(chart, points=drawn.points, about=about)
        write_chart(place, chart)
        if drawn is None and drawable:
            about = replace(chart.about, method=METHOD, size=options.size, seed=options.seed, where=options.where)
            chart = replace(chart, points=_points(chart, vectors, options), about=about)
            write_chart(place, chart)
    return chart, False


def _layout(about: About) -> tuple[str, int, int]:
    return about.method, about.size, about.seed


@contextmanager
def _gathered(collection: Collection, contents: Mapping[str, str], folder: Path) -> Iterator[Vector]:
    """The vectors (n, dim) of these ids, in their order, in a file that vanishes with the process."""
    shape = (len(contents), collection.origin.dimension)
    at = {name: row for row, name in enumerate(contents)}
    read = np.zeros(len(contents), bool)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        empty = bytes(4 * shape[1])
        file.writelines(empty for _ in contents)  # a full disk is told here, and does not end the process later
        file.flush()
        vectors = np.memmap(file, np.float32, "r+", shape=shape)
        for batch in track(collection.iterate(AT_ONCE), "read the vectors", total=-(-shape[0] // AT_ONCE)):
            rows = [row for row in batch if contents.get(row.id) == (row.content or row.id)]
            places = [at[row.id] for row in rows]
            if places:
                vectors[places] = np.stack([row.vector for row in rows])
                read[places] = True
        if not read.all():
            raise TuneclipError(
                f"collection {collection.name!r} was changed while it was read",
                hint="end what writes to it, then run the same command again",
            )
        yield np.asarray(vectors)


def _compared(
    collection: Collection, contents: Mapping[str, str], options: settings.Map, vectors: Vector, *, key: str
) -> Chart:
    """A map without points."""
    random = typical(vectors)
    least = threshold(random) if options.duplicates is None else options.duplicates
    about = About(
        collection=collection.name,
        model=collection.origin.model,
        fingerprint=collection.origin.fingerprint,
        key=key,
        count=len(contents),
        where=options.where,
        asked=options.duplicates,
        duplicates=least,
        typical=random,
    )
    pairs = compare_all(vectors, least, list(contents.values()), _told("compare each with each"))
    nowhere = np.full((len(contents), 2), np.nan, np.float32)
    return Chart(about, tuple(contents), pairs, nowhere)


def _points(chart: Chart, vectors: Vector, options: settings.Map) -> Vector:
    """Where each row is on the plane, (n, 2); NaN for the rows that the sample leaves out."""
    points = np.full((len(vectors), 2), np.nan, np.float32)
    rows = sampled(len(vectors), options.size, options.seed)
    if len(rows) == len(vectors):
        part, neighbours = vectors, chart.pairs.neighbours
    else:
        part = np.asarray(vectors[rows])
        neighbours = nearest_neighbours(part, neighbours_needed(len(part)), _told("compare those on the map"))
    logger.info("laying out %s points by PaCMAP", f"{len(part):,}")
    points[rows] = project(part, neighbours, options.seed)
    return points


def _told(description: str) -> Callable[[range], Iterable[int]]:
    return lambda blocks: track(blocks, description, total=len(blocks))
