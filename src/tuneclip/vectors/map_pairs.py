"""Every row of a collection against every other, block by block: its nearest neighbours, and the groups of duplicates.

Exact, in float32; memory is that of the vectors (which may lie on the disk), of the neighbours, and of one block.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuneclip.vectors.collection import Vector

Rows = npt.NDArray[np.int32]
Track = Callable[[range], Iterable[int]]

NEIGHBOURS = 10
"""Of each row. The outliers' score looks at the last: see `isolation`."""
SHARE = 0.01
"""Two pictures are duplicates if their cosine distance is at most this share of that of two pictures at random. Found
on 5,421 photographs of shelves and 2,500 of wares: of pictures saved again at JPEG quality 85, 70 to 95 % are as near
as that; of the pairs that are, nearly all show one thing shot twice. At 0.02 whole shelves of tomatoes join."""
NEAREST = 1 - 1e-5
"""A cosine from which vectors are equal, whatever is asked for: float32 rounds."""
BLOCK = 1024  # rows that are compared at once
ACROSS = 16_384  # with so many others: 64 MB of cosines
LINKS = 4_000_000  # pairs that are kept before they are thinned out
CROWD = 8  # times `NEIGHBOURS` candidates a row from which partitioning is quicker than sorting


@dataclass(frozen=True, eq=False)
class Pairs:
    """What the comparison of all pairs found, for n rows."""

    neighbours: Rows  # (n, k) rows, nearest first
    cosines: Vector  # (n, k)
    groups: Rows  # (n,) the number of the row's group of duplicates, -1 for none; counted by their first row
    lowest: Vector  # (groups,) the lowest cosine of any two rows of a group


def typical(vectors: Vector) -> float:
    """The mean cosine of two rows at random, from unit vectors (n, dim)."""
    total = sum(vectors[start : start + BLOCK].sum(axis=0, dtype=np.float64) for start in range(0, len(vectors), BLOCK))
    return float(np.square(total / len(vectors)).sum())


def threshold(random_cosine: float) -> float:
    """The cosine from which two rows are duplicates, where rows at random have `random_cosine`; see `SHARE`."""
    return 1 - SHARE * (1 - random_cosine)


def compare_all(vectors: Vector, least: float, contents: Sequence[str], track: Track = iter) -> Pairs:
    """The neighbours of all rows of unit vectors (n, dim), n > 1, and their duplicates.

    Duplicates are rows with a cosine of `least` or more, or with equal keys in `contents` (n); groups are the connected
    components, so that the two ends of a chain may be less alike: `Pairs.lowest` tells.
    """
    count = len(vectors)
    _, first, alike = np.unique(np.asarray(contents, dtype=object), return_index=True, return_inverse=True)
    links = [np.stack([first[alike], np.arange(count)]).astype(np.int32)]
    best, kept = _nearest(vectors, min(NEIGHBOURS, count - 1), min(least, NEAREST), links, track)
    labels = _components(_thinned(links, count), count)
    groups = _numbered(labels)
    return Pairs(best, kept, groups, _lowest(vectors, groups))


def nearest_neighbours(vectors: Vector, count: int, track: Track = iter) -> Rows:
    """The `count` nearest other rows of each row, nearest first, (n, count)."""
    return _nearest(vectors, count, 2.0, [], track)[0]


def isolation(cosines: Vector) -> Vector:
    """How far each row is from the rest, (n,): its cosine distance to the last of its neighbours (n, k).

    The distance to the k-th neighbour (Ramaswamy, Rastogi, Shim, "Efficient algorithms for mining outliers from large
    data sets", SIGMOD 2000), which on unit vectors also tells foreign inputs best (Sun et al., arXiv 2204.06507). Local
    outlier factors (Breunig et al., SIGMOD 2000) do worse here, above all among duplicates: `docs/map.md` has figures.
    """
    far: Vector = 1 - cosines[:, -1]
    return far


def _nearest(vectors: Vector, count: int, least: float, links: list[Rows], track: Track) -> tuple[Rows, Vector]:
    """The neighbours of all rows and their cosines; pairs at or above `least` are added to `links`."""
    total = len(vectors)
    neighbours = np.empty((total, count), np.int32)
    cosines = np.empty((total, count), np.float32)
    for start in track(range(0, total, BLOCK)):
        block = np.asarray(vectors[start : start + BLOCK])
        rows = np.arange(start, start + len(block))
        best: tuple[Rows, Vector] | None = None
        for first in range(0, total, ACROSS):
            scores = block @ vectors[first : first + ACROSS].T
            itself = (rows >= first) & (rows < first + scores.shape[1])
            scores[itself.nonzero()[0], rows[itself] - first] = -2
            one, other = np.nonzero(scores >= least)
            later = other + first > one + start  # each pair is met twice
            links.append(np.stack([one[later] + start, other[later] + first]).astype(np.int32))
            best = _better(best, scores, first, count)
        if sum(part.shape[1] for part in links) > LINKS:
            links[:] = [_thinned(links, total)]
        assert best is not None
        neighbours[start : start + len(block)], cosines[start : start + len(block)] = best
    return neighbours, np.clip(cosines, -1, 1)


def _better(best: tuple[Rows, Vector] | None, scores: Vector, first: int, count: int) -> tuple[Rows, Vector]:
    """The `count` best of what was best so far and the columns of `scores`, whose numbers begin at `first`."""
    height = len(scores)
    worst = np.full(height, -3, np.float32) if best is None else best[1][:, -1]
    passing = scores > worst[:, None]
    if passing.sum() > CROWD * NEIGHBOURS * height:
        width = min(count, scores.shape[1])
        columns = np.argpartition(scores, -width, axis=1)[:, -width:].ravel()
        rows = np.repeat(np.arange(height), width)
    else:
        rows, columns = np.nonzero(passing)
    values, numbers = scores[rows, columns], (columns + first).astype(np.int32)
    if best is not None:
        rows = np.concatenate([np.repeat(np.arange(height), count), rows])
        numbers, values = np.concatenate([best[0].ravel(), numbers]), np.concatenate([best[1].ravel(), values])
    order = np.lexsort((numbers, -values, rows))
    rows, numbers, values = rows[order], numbers[order], values[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    chosen = rank < count
    return numbers[chosen].reshape(height, count), values[chosen].reshape(height, count)


def _components(links: Rows, count: int) -> Rows:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(links.shape[1], bool), (links[0], links[1])), shape=(count, count))
    labels: Rows = connected_components(graph, directed=False)[1]
    return labels


def _thinned(links: Sequence[Rows], count: int) -> Rows:
    """Links (2, m), fewer than there are rows, that join the same rows."""
    labels = _components(np.concatenate(links, axis=1), count)
    _, first, label = np.unique(labels, return_index=True, return_inverse=True)
    start = first[label]
    joined = np.flatnonzero(start != np.arange(count))
    return np.stack([start[joined], joined]).astype(np.int32)


def _numbered(labels: Rows) -> Rows:
    """Components of two rows or more, numbered by their first row; -1 for the others."""
    _, first, label, size = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    large = np.flatnonzero(size > 1)
    number = np.full(len(size), -1, np.int32)
    number[large[np.argsort(first[large])]] = np.arange(len(large))
    return number[label]


def members(groups: Rows) -> list[npt.NDArray[np.intp]]:
    """The rows of each group, in order."""
    order = np.argsort(groups, kind="stable")
    inside = order[np.searchsorted(groups[order], 0) :]
    cuts = np.flatnonzero(np.diff(groups[inside])) + 1
    return np.split(inside, cuts) if len(inside) else []


def _lowest(vectors: Vector, groups: Rows) -> Vector:
    lowest = []
    for rows in members(groups):
        own = np.asarray(vectors[rows])
        lowest.append(min(float((own[at : at + BLOCK] @ own.T).min()) for at in range(0, len(own), BLOCK)))
    return np.clip(np.array(lowest, np.float32), -1, 1)
