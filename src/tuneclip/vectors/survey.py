"""What a collection can tell of itself beyond the contract: how it searches, and a fair sample of its vectors."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from tuneclip.vectors.collection import Collection, Vector

SAMPLE = 1000  # vectors


@dataclass(frozen=True)
class Searching:
    """How `nearest` finds."""

    kind: Literal["exact", "codes", "hnsw"]
    """`exact`: every vector is compared; `codes`: every code, then the vectors of the best (see `vectors.codes`);
    `hnsw`: a graph of near vectors is followed (arXiv 1603.09320)."""
    recall: float
    """Recall@10 against exact search, measured when the index was made; the lower of two kinds of query."""
    candidates: int
    """Rows compared more closely."""
    seconds: float | None
    """That making and measuring the index took; None where an older version made it."""
    bytes: int | None
    """On the disk, beside the collection; None where the store does not tell."""


@runtime_checkable
class Surveyed(Protocol):
    """A collection that can be asked."""

    def searching(self) -> Searching | None:
        """How it searches now; None where that has not been measured yet."""
        ...

    def sample(self, count: int) -> Vector:
        """Vectors of `count` rows chosen evenly at random (the same ones for the same rows), or all.

        (n, dim) float32 of unit length, in any order.
        """
        ...


@runtime_checkable
class Worded(Protocol):
    """A collection that can be searched by full text."""

    def matching(self, words: str, k: int, where: str | None = None) -> list[str]:
        """The ids of at most `k` rows whose captions or metadata have one of the words, best first."""
        ...


def searching(collection: Collection) -> Searching | None:
    """How the collection searches, if it can tell."""
    return collection.searching() if isinstance(collection, Surveyed) else None


def sample(collection: Collection, count: int = SAMPLE) -> Vector:
    """Vectors of some rows, (n, dim): random ones if the collection can tell, else its first."""
    if isinstance(collection, Surveyed):
        return collection.sample(count)
    rows = next(iter(collection.iterate(count)), [])
    vectors = [row.vector for row in rows]
    return np.array(vectors, np.float32).reshape(-1, collection.origin.dimension)


@dataclass(frozen=True)
class Scale:
    """What scores mean for one query in one collection: those of pictures chosen at random."""

    median: float
    high: float
    """99 of 100 pictures score lower."""
    sample: int
    """Pictures looked at."""


def scale(collection: Collection, query: Vector) -> Scale | None:
    """How pictures chosen at random score; None in a collection of less than a hundred."""
    scores = sample(collection) @ query
    if len(scores) < 100:
        return None
    median, high = np.quantile(scores, [0.5, 0.99])
    return Scale(round(float(median), 4), round(float(high), 4), len(scores))
