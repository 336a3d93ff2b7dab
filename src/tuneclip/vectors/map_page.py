"""The map as one HTML page: points that can be moved, coloured and opened, then the lists with their pictures."""

import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from tuneclip.pages import render
from tuneclip.progress import track
from tuneclip.project import write_text
from tuneclip.records import Hit
from tuneclip.vectors.collection import Collection, to_hit
from tuneclip.vectors.contact import TEMPLATES, about, thumbnail
from tuneclip.vectors.map_fields import colourings, packed
from tuneclip.vectors.map_lists import Outlier
from tuneclip.vectors.map_store import Chart

if TYPE_CHECKING:
    from tuneclip.vectors.map_collection import Mapped

LISTED = 160  # pixels of the longer side in the lists
HOVERED = 96  # and of the small ones that the map shows
CARRIED = 2000  # points up to which the page carries their pictures; beyond it links to the files
GROUPS = 50  # of duplicates that are shown
EACH = 8  # pictures of one group
OUTLIERS = 60
TEXT = 90  # characters of a caption
GRID = 65_535  # steps of a coordinate


@dataclass(frozen=True)
class Cell:
    """A picture in the lists; `source` is empty where it cannot be read, `point` is -1 where it is not on the map."""

    id: str
    text: str
    source: str
    link: str
    point: int
    note: str = ""


def write_map_page(place: Path, mapped: "Mapped", chart: Chart, collection: Collection, *, root: Path) -> None:
    """Write the page to `place`, at once or not at all; it loads nothing but the pictures that it links to."""
    folder = place.absolute().parent
    pictures = Pictures(
        lambda hit: _relative(hit, folder), thumbnail, lambda items, what: track(items, what, total=len(items))
    )
    page, _ = render_map(mapped, chart, collection, pictures, root=root)
    write_text(place, page)


@dataclass(frozen=True)
class Pictures:
    """How the page gets at pictures."""

    address: Callable[[Hit], str]
    source: Callable[[Hit, int], str]
    """A small one, of so many pixels on the longer side."""
    told: Callable[[Sequence[Any], str], Iterable[Any]] = lambda items, _: items
    """Shows how far the pictures are, where that is to be told."""


def render_map(
    mapped: "Mapped", chart: Chart, collection: Collection, pictures: Pictures, *, root: Path, stale: bool = False
) -> tuple[str, str]:
    """The page, and the digest of its script for a policy that lets no other run."""
    from markupsafe import Markup

    rows = np.flatnonzero(np.isfinite(chart.points[:, 0]))
    known = _known(collection, mapped, {chart.ids[row] for row in rows}, root)
    point = {chart.ids[row]: number for number, row in enumerate(rows)}
    script = (TEMPLATES / "map.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    maker = _Cells(known, point, pictures)
    page = render(
        TEMPLATES / "map.html",
        mapped=mapped,
        stale=stale,
        seed=chart.about.seed,
        pictures=sum(len(group.ids) for group in mapped.duplicates),
        groups=[
            {"group": group, "cells": [maker.cell(name) for name in group.ids[:EACH]]}
            for group in pictures.told(mapped.duplicates[:GROUPS], "pictures of duplicates")
        ],
        outliers=[_far(outlier, maker) for outlier in mapped.outliers[:OUTLIERS]],
        data=_points(chart, rows, mapped, maker) if len(rows) else None,
        linked=len(rows) > CARRIED,
        script=Markup(script),  # noqa: S704 our own
        digest=digest,
    )
    return page, digest


def _known(collection: Collection, mapped: "Mapped", ids: set[str], root: Path) -> dict[str, Hit]:
    """What is known of the pictures on the map and in the lists, without their vectors."""
    wanted = set(ids)
    for group in mapped.duplicates[:GROUPS]:
        wanted.update(group.ids[:EACH])
    for outlier in mapped.outliers[:OUTLIERS]:
        wanted.update((outlier.id, *(other.id for other in outlier.neighbours)))
    rows = (row for batch in collection.iterate(4096) for row in batch if row.id in wanted)
    return {row.id: to_hit(row, 0.0, collection.origin, root) for row in rows}


class _Cells:
    """Makes cells."""

    def __init__(self, known: Mapping[str, Hit], point: Mapping[str, int], pictures: Pictures):
        self.known, self.point, self.pictures = known, point, pictures

    def hit(self, name: str) -> Hit:
        return self.known.get(name) or Hit(name, 0.0, "")

    def cell(self, name: str, note: str = "") -> Cell:
        hit = self.hit(name)
        source, link = self.pictures.source(hit, LISTED), self.pictures.address(hit)
        return Cell(name, _short(about(hit)), source, link, self.point.get(name, -1), note)


def _relative(hit: Hit, folder: Path) -> str:
    """The picture from the page's folder, so that both can be moved together."""
    if not hit.path:
        return ""
    path = Path(hit.path).absolute()
    try:
        return quote(os.path.relpath(path, folder).replace(os.sep, "/"))
    except ValueError:  # another drive
        return path.as_uri()


def _far(outlier: Outlier, maker: _Cells) -> dict[str, Any]:
    near = [maker.cell(other.id, f"cosine {other.cosine:.3f}") for other in outlier.neighbours]
    return {"outlier": outlier, "cell": maker.cell(outlier.id, f"distance {outlier.score:.3f}"), "near": near}


def _points(chart: Chart, rows: npt.NDArray[np.intp], mapped: "Mapped", maker: _Cells) -> dict[str, Any]:
    """What the script draws; coordinates and colours as bytes, since a hundred thousand numbers as text are slow."""
    points = chart.points[rows]
    points = points - points.min(axis=0)
    points = points / max(float(points.max()), 1e-9)
    points = points + (1 - points.max(axis=0)) / 2
    hits = [maker.hit(chart.ids[row]) for row in rows]
    carried = hits if len(hits) <= CARRIED else []
    return {
        "places": packed(np.rint(points * GRID).astype("<u2")),
        "ids": [hit.id for hit in hits],
        "texts": [_short(about(hit)) for hit in hits],
        "links": [maker.pictures.address(hit) for hit in hits],
        "pictures": [
            maker.pictures.source(hit, HOVERED) for hit in maker.pictures.told(carried, "pictures of the map")
        ],
        "fields": [_listed(hits, mapped), *colourings([hit.metadata for hit in hits])],
    }


def _listed(hits: Sequence[Hit], mapped: "Mapped") -> dict[str, Any]:
    """The first choice of colours: what the lists name."""
    twins = {name for group in mapped.duplicates for name in group.ids}
    far = {outlier.id for outlier in mapped.outliers}
    codes = [1 if hit.id in far else 0 if hit.id in twins else 255 for hit in hits]
    counts = [codes.count(0), codes.count(1)]
    return {
        "name": "duplicates and outliers",
        "values": ["duplicates", "outliers"],
        "counts": counts,
        "codes": packed(np.array(codes, np.uint8)),
        "rest": "the others",
    }


def _short(text: str) -> str:
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
