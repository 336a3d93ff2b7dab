"""From which score on is a picture positive, and how good is what the threshold lets through?

The ratings are no random part of the collection: the near were rated, the far were not. But they were chosen by their
scores, so that what they say of the positives at a given score is true of the unrated ones too. The positives' scores
are taken for a bell curve: a share of the collection, a centre and a width. At a score the chance of being positive is
then the curve's density over that of all pictures, which is known since all have scores. The ratings, with the scores
that they have out of cross-validation, say how probable each share, centre and width is; what stays open there, and
the chance in single pictures, make the interval. No published method is followed; docs/experiments.md has how often the
intervals held the truth, and what a logistic curve (Platt 1999) did instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, ndtr

from tuneclip.learn.classifier import Estimate
from tuneclip.learn.fit import Fit, Floats, Ground, Rated, Values, one_thread

SHARES, CENTRES, WIDTHS = 24, 20, 8
STRAYS = (0.0, 0.1, 0.2, 0.35, 0.5)
"""Shares of the positives that are unlike those found, and lie anywhere. With the three above: the grid over which the
posterior is summed."""
TEMPER = 0.6
"""Power of the likelihood: pictures of a collection come in kinds, so that two ratings tell less than twice as much."""
WINDOW = 25
"""Pictures of like score among which the chance of being positive is reckoned."""
LAPSE = 0.02
"""Chance that a rating says nothing: a slip must not rule a curve out."""
BANDS = 60
"""Bands of score in which there cannot be more positives than pictures."""
CUTS = 120
DRAWS = 2_000
INTERVAL = (10, 90)
"""Percentiles: 80 % of the truths lie between."""


@dataclass(frozen=True)
class Threshold:
    """The score from which a picture is positive, and what is to be expected of it in the collection."""

    threshold: float
    precision: Estimate | None
    recall: Estimate | None


@dataclass(frozen=True, eq=False)
class Bells:
    """Possible bell curves of the positives' scores, (grid,) each, with their probabilities."""

    share: Values
    centre: Values
    width: Values
    stray: Values
    probability: Values

    def above(self, scores: Values, rank: Values) -> Values:
        """The share of the positives above each score, (grid, scores); `rank` is the share of all pictures there."""
        bell = ndtr((self.centre[:, None] - scores) / self.width[:, None])
        return np.asarray((1 - self.stray[:, None]) * bell + self.stray[:, None] * rank)


def find_threshold(ground: Ground, fitted: Fit, vectors: Floats, ratings: Sequence[float], rest: Floats) -> Threshold:
    """The threshold of the greatest expected F1 in the collection: `rest` (m, dim) with what was rated.

    `ratings` (n,) of `vectors` (n, dim) are what `fitted` was fitted to. With only one side rated there is nothing to
    learn: the fit's own boundary, without figures.
    """
    values = np.asarray(ratings, dtype=np.float64)
    if not (values > 0).any() or not (values < 0).any():
        return Threshold(0.0, None, None)
    with one_thread():
        logits = Rated.of(ground, vectors, values).out_of_fold(fitted.hold)
    everything = np.sort(np.concatenate([logits, fitted.scores(rest)]))[::-1]
    bells = weigh(logits, (np.sign(values) + 1) / 2, everything)
    taken = np.unique(
        np.geomspace(1, len(everything), CUTS).round().astype(int)
    )  # how many lie above each possible threshold
    cuts = np.append((everything[:-1] + everything[1:]) / 2, everything[-1])[taken - 1]
    found = bells.share[:, None] * len(everything) * bells.above(cuts, taken / len(everything))
    found = np.minimum(found, taken)
    expected = bells.probability @ (2 * found / (taken + bells.share[:, None] * len(everything)))
    best = int(np.argmax(expected))
    precision, recall = _figures(bells, found[:, best], int(taken[best]), len(everything))
    return Threshold(float(cuts[best]), precision, recall)


def weigh(logits: Values, positive: Values, everything: Values) -> Bells:
    """How probable each bell curve is, from rated scores (n,) with truths (n,) of 0, 1 or between.

    `everything` are all scores of the collection, the best first.
    """
    size, deviation = len(everything), max(float(everything.std()), 1e-6)
    share = np.geomspace(min(0.5, 1 / size), 0.9, SHARES)
    centre = np.linspace(np.median(everything), max(everything[0], logits.max()) + deviation / 2, CENTRES)
    width = np.geomspace(0.1, 1.5, WIDTHS) * deviation
    grid = np.meshgrid(share, centre, width, np.array(STRAYS), indexing="ij")
    shares, centres, widths, strays = (part.ravel() for part in grid)
    flat = Bells(shares, centres, widths, strays, np.full(shares.shape, 1 / shares.size))
    place = np.searchsorted(-everything, -logits)
    first = np.clip(place - WINDOW // 2, 0, max(0, size - WINDOW))
    last = np.minimum(first + WINDOW, size) - 1
    inside = flat.above(everything[last], (last + 1) / size) - flat.above(everything[first], first / size)
    chance = np.clip(shares[:, None] * size * inside / (last - first + 1), 0, 1)
    chance = LAPSE / 2 + (1 - LAPSE) * chance
    ratings = np.log(chance) @ positive + np.log(1 - chance) @ (1 - positive)
    likelihood = TEMPER * ratings + _room(flat, everything)
    probability = np.exp(likelihood - likelihood.max())
    return Bells(shares, centres, widths, strays, probability / probability.sum())


def _room(bells: Bells, everything: Values) -> Values:
    """The log of the chance (grid,) that the positives of a bell fit among the pictures of each band of score."""
    edges = np.unique(np.geomspace(min(WINDOW, len(everything)), len(everything), BANDS).round().astype(int))
    above = bells.above(everything[edges - 1], edges / len(everything))
    above[:, -1] = 1
    wanted = bells.share[:, None] * len(everything) * np.diff(above, axis=1, prepend=0)
    pictures = np.diff(edges, prepend=0)
    return np.asarray(log_ndtr((pictures + 0.5 - wanted) / np.sqrt(wanted + 1e-9)).sum(axis=1))


def _figures(bells: Bells, found: Values, taken: int, size: int) -> tuple[Estimate, Estimate]:
    """Precision and recall at a threshold that lets `taken` pictures through, `found` (grid,) of them positive."""
    random = np.random.default_rng(0)
    drawn = random.choice(len(found), DRAWS, p=bells.probability)
    hit = random.binomial(taken, np.clip(found[drawn] / taken, 0, 1))
    missed = random.poisson(np.maximum(bells.share[drawn] * size - found[drawn], 0))
    recall = hit / np.maximum(hit + missed, 1)
    return _estimate(hit / taken), _estimate(recall)


def _estimate(draws: Values) -> Estimate:
    low, high = np.percentile(draws, INTERVAL)
    return Estimate(float(draws.mean()), float(low), float(high))
