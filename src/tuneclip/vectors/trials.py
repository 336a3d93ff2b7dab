"""Trial queries: how wide an index has to search, measured on a collection's own vectors against comparing them all."""

import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tuneclip.vectors.codes import Floats

logger = logging.getLogger("tuneclip")
NEAREST = 10
WANTED = (0.98, 0.95)  # recall@10 of queries between pictures, and of those like words
WANTED_OF_GRAPHS = (0.98, 0.98)
"""To look wider costs a graph little, and real words are a little harder to it than those of the trial."""
GROWN = 2  # times the rows of the last measurement: measured again
QUERIES = 32  # of each kind
TEXT_COSINE = 0.3
"""Of words and the picture that shows them: typical of CLIP models."""
SAME = 1e-5  # between cosines that are equal but for rounding


def trial_queries(sample: Floats, seed: int = 0) -> Floats:
    """Unit vectors (2 · QUERIES, dim) as searches have them: first between two pictures, then like words for one."""
    rng = np.random.default_rng(seed)
    one, other = sample[rng.integers(0, len(sample), (2, QUERIES))]
    noise = rng.normal(size=one.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    both = np.concatenate([one + 0.5 * other, TEXT_COSINE * one + (1 - TEXT_COSINE**2) ** 0.5 * noise])
    return np.asarray(both / np.linalg.norm(both, axis=1, keepdims=True), np.float32)


class Nearest:
    """The exactly nearest rows to some queries, of rows that come in parts."""

    def __init__(self, queries: Floats):
        self.queries = queries
        self.scores = np.full((len(queries), NEAREST), -np.inf, np.float32)
        self.rows = np.zeros((len(queries), NEAREST), np.intp)
        self.seen = 0

    def look(self, vectors: Floats) -> None:
        """The next rows, (n, dim)."""
        scores = np.concatenate([self.scores, self.queries @ vectors.T], axis=1)
        new = np.broadcast_to(np.arange(self.seen, self.seen + len(vectors)), (len(self.queries), len(vectors)))
        rows = np.concatenate([self.rows, new], axis=1)
        best = np.argpartition(-scores, NEAREST - 1, axis=1)[:, :NEAREST]
        self.scores, self.rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)
        self.seen += len(vectors)


def wide_enough(
    ladder: Sequence[int], shares: Callable[[int], Iterable[float]], wanted: tuple[float, float] = WANTED
) -> tuple[int, float]:
    """The least of the ladder with which both kinds of query find the wanted share of what is nearest, else its last.

    `shares(width)` gives per trial query the share of its nearest that is found. The recall beside is the lower of both
    kinds.
    """
    width, recall = ladder[-1], 0.0
    for width in ladder:
        found = np.array(list(shares(width)))
        recalls = found[:QUERIES].mean(), found[QUERIES:].mean()
        recall = float(min(recalls))
        if recalls[0] >= wanted[0] and recalls[1] >= wanted[1]:
            break
    logger.info("%.1f %% of the ten nearest are found with %s candidates", 100 * recall, f"{width:,}")
    return width, round(recall, 4)


def share_found(scores: npt.ArrayLike, tenth: float) -> float:
    """How many of the ten nearest are among hits of these cosines, if the tenth has that one; equals count alike."""
    return float(np.count_nonzero(np.asarray(scores, np.float32) >= tenth - SAME)) / NEAREST
