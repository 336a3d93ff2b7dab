"""What not every collection can do, or says of itself: full text, and what its scores mean."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from tuneclip.vectors.collection import SAMPLE, Collection, Vector


@runtime_checkable
class Worded(Protocol):
    """A collection that can be searched by full text."""

    def matching(self, words: str, k: int, where: str | None = None) -> list[str]:
        """The ids of at most `k` rows whose captions or metadata have one of the words, best first."""
        ...


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
    scores = collection.sample(SAMPLE) @ query
    if len(scores) < 100:
        return None
    median, high = np.quantile(scores, [0.5, 0.99])
    return Scale(round(float(median), 4), round(float(high), 4), len(scores))
