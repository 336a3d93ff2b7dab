"""What a map tells in words: groups of duplicates, the surest first, and outliers, the furthest first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuneclip.records import Hit
from tuneclip.vectors.collection import Collection, to_hit
from tuneclip.vectors.map_pairs import isolation, members
from tuneclip.vectors.map_store import Chart

AT_ONCE = 1024  # rows that are read at once
SHOWN = 3  # neighbours of an outlier


@dataclass(frozen=True)
class Duplicates:
    """Pictures that the model sees as one."""

    ids: tuple[str, ...]
    paths: tuple[str, ...]
    cosine: float
    """The lowest of any two of them."""
    identical: bool
    """Whether the files are the same, byte for byte (of texts: whether they are)."""


@dataclass(frozen=True)
class Neighbour:
    """A near picture."""

    id: str
    cosine: float


@dataclass(frozen=True)
class Outlier:
    """A picture that is far from all others."""

    id: str
    path: str
    score: float
    """The cosine distance to its tenth neighbour, between 0 and 2."""
    neighbours: tuple[Neighbour, ...]
    """Its nearest, nearest first."""


def outlying(chart: Chart, count: int) -> list[int]:
    """The rows that are furthest from their neighbours, furthest first; equals by id."""
    far = np.argsort(-isolation(chart.pairs.cosines), kind="stable")
    return [int(row) for row in far[:count]]


def described(collection: Collection, ids: Iterable[str], root: Path) -> dict[str, Hit]:
    """The rows of these ids without their vectors, with absolute paths."""
    names, found = list(dict.fromkeys(ids)), {}
    for start in range(0, len(names), AT_ONCE):
        for row in collection.get(names[start : start + AT_ONCE]):
            found[row.id] = to_hit(row, 0.0, collection.origin, root)
    return found


def duplicates(chart: Chart, contents: Mapping[str, str], known: Mapping[str, Hit]) -> tuple[Duplicates, ...]:
    """The groups of duplicates, the highest cosine first; `known` has the rows, `contents` their keys, by id."""
    found = []
    for rows, cosine in zip(members(chart.pairs.groups), chart.pairs.lowest.tolist(), strict=True):
        ids = tuple(chart.ids[row] for row in rows)
        paths = tuple(_path(known, name) for name in ids)
        found.append(Duplicates(ids, paths, round(cosine, 4), len({contents.get(name, name) for name in ids}) == 1))
    return tuple(sorted(found, key=lambda group: (not group.identical, -group.cosine, group.ids)))


def outliers(chart: Chart, rows: Iterable[int], known: Mapping[str, Hit]) -> tuple[Outlier, ...]:
    """The outliers in these rows, with their nearest neighbours."""
    far = isolation(chart.pairs.cosines)
    found = []
    for row in rows:
        near = zip(chart.pairs.neighbours[row, :SHOWN].tolist(), chart.pairs.cosines[row].tolist(), strict=False)
        neighbours = tuple(Neighbour(chart.ids[other], round(cosine, 4)) for other, cosine in near)
        name = chart.ids[row]
        found.append(Outlier(name, _path(known, name), round(float(far[row]), 4), neighbours))
    return tuple(found)


def _path(known: Mapping[str, Hit], name: str) -> str:
    return known[name].path if name in known else ""  # another process may just have deleted the row
