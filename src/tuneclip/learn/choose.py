"""What to rate next: mostly the nearest, mixed with the uncertain, and a few from everywhere. Functions of scores."""

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

UNCERTAIN = 0.3
"""Share of a page at the boundary: what a rating of them changes most (uncertainty sampling, Lewis and Gale 1994)."""
ANYWHERE = 0.1
"""Share of a page, if that has more than five, drawn by rank alone: they say how many positives lie further down, which
the threshold needs."""


def choose(
    scores: Scores, free: npt.NDArray[np.bool_], batch: int, *, seed: int, exploring: Scores | None = None
) -> Indices:
    """Up to `batch` of the indices where `free`, in the order in which to show them; each once.

    `scores` (n,) are the classifier's logits, `exploring` those of a bolder direction: the nearest are by turns the
    best of either, the uncertain are about 0 on the bolder one, those above 0 first. Of what is left some are drawn
    with a chance that falls as 1/rank, so that each tenfold of ranks is seen alike.
    """
    bold = scores if exploring is None else exploring
    known = np.flatnonzero(free)
    if len(known) <= batch:
        return known[_smallest(-scores[known], batch)]
    anywhere, uncertain = round(batch * ANYWHERE), round(batch * UNCERTAIN)
    count = batch - anywhere - uncertain
    best = [known[_smallest(-values[known], count)] for values in (scores, bold)]
    by_turns = np.stack(best, axis=1).ravel()
    nearest = by_turns[np.sort(np.unique(by_turns, return_index=True)[1])[:count]]
    rest = np.setdiff1d(known, nearest, assume_unique=True)
    doubt = rest[_smallest(np.abs(bold[rest]), uncertain)]
    boundary = doubt[_smallest(-bold[doubt], uncertain)]  # the positive first
    rest = np.setdiff1d(rest, doubt, assume_unique=True)
    order = rest[np.argsort(-bold[rest], kind="stable")]
    return np.concatenate([nearest, boundary, _by_rank(order, anywhere, seed)])


def _smallest(values: Scores, count: int) -> Indices:
    """Where the `count` smallest values are, the smallest first, equals by their place."""
    part = np.argpartition(values, count - 1)[:count] if 0 < count < len(values) else np.arange(len(values))
    return part[np.lexsort((part, values[part]))][:count].astype(np.int64)


def _by_rank(order: Indices, count: int, seed: int) -> Indices:
    """`count` of `order`, drawn without replacement with chances of 1/rank, the better first."""
    if count >= len(order):
        return order
    # The largest of log(weight) + Gumbel noise are such a draw (Efraimidis and Spirakis 2006; Vieira 2014).
    keys = np.random.default_rng(seed).gumbel(size=len(order)) - np.log(np.arange(1, len(order) + 1))
    return order[np.sort(_smallest(-keys, count))]
