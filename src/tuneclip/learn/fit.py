"""From ratings to a direction: logistic regression, held to the prompt as firmly as the ratings demand.

The logit of a unit vector x is

    bias + pull · z(x) + r(x) · v

where z(x) is the prompt's cosine in standard deviations of the collection, and r(x) what the collection's own spread
leaves of x (centred, whitened, mean squared length 1). The loss is the sum over the ratings of the cross-entropy with
the soft target y = (rating + 1) / 2, both sides weighing the same, plus `anchor` / 2 · |v|² and a penalty on `pull`
that leaves its start. Since the penalty does not grow with the ratings it fades as 1/n against their mean. All of it is
convex.

Sources: the penalty towards the text and L-BFGS as in SeeSaw (arXiv 2208.06497) and CLAP (2312.12730); the prompt as a
feature with a weight of its own as in LP++ (2404.02285); the spread of all vectors as in GDA for CLIP (2402.04087).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import ThreadpoolController

Values = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Optimizer = Literal["lbfgs", "sgd"]

CERTAINTY = 2.0
"""Standard errors by which leaving the prompt must be better. At 1 one fit in twenty is below the prompt, at 2 one in
fifty, for a tenth of the gain (docs/experiments.md)."""
PULL = 1.5
"""The prompt's weight before any rating: one standard deviation above the boundary is a chance of 0.82."""
SHRINKAGE = 0.1
"""Share of the mean variance that is added to every direction before whitening: rare directions are not blown up."""
STATISTICS = 20_000
"""From so many vectors at most the collection's spread is estimated."""
FOLDS = 5
"""Of the cross-validation; and with fewer ratings than that on either side the prompt's direction stays."""
POOR, HITS, LEAST = 20, 1, 3
"""A prompt is poor if of the so many rated pictures nearest to it at most `HITS` are positive. With `LEAST` positives
in all it is left without waiting for `FOLDS`: there is little to lose (docs/experiments.md)."""
PRECISION = 1e-7
"""Relative change of the loss at which L-BFGS ends: far below what tells two holds apart."""
EPOCHS, BATCH, RATE = 100, 10, 0.1
"""Of the textbook's loop; of the rates 0.01, 0.1, 1 and 10 the one with which it did best."""


@dataclass(frozen=True)
class Hold:
    """How the prompt holds a fit."""

    anchor: float
    """Weight of the penalty on what is not the prompt; infinite: there is nothing else."""
    least: float
    """The least that the prompt's weight may be. Among the nearest pictures, which are what is rated, the prompt looks
    useless since all of them are near; without it the rest of the collection would come up."""


ALONE = Hold(np.inf, 0.05)
"""The prompt's direction, whatever its weight."""
HOLDS = (Hold(3.0, PULL), Hold(1.0, PULL), Hold(0.3, PULL), Hold(0.3, PULL / 3))
"""What cross-validation chooses from, the firmest first; the last is for prompts that say little."""
BOLD = Hold(0.3, 0.05)
"""For choosing what to rate next."""


@dataclass(frozen=True, eq=False)
class Ground:
    """What is known before the first rating: the prompt, and how the collection's vectors are spread."""

    prompt: Values  # (dim,) unit length
    centre: Values  # (dim,)
    spread: float
    """Standard deviation of the prompt's cosine."""
    whitening: Values  # (dim, dim)

    def features(self, vectors: npt.ArrayLike) -> tuple[Values, Values]:
        """The features of vectors (n, dim): z (n,) and r (n, dim)."""
        centred = np.asarray(vectors, dtype=np.float64) - self.centre
        return centred @ self.prompt / self.spread, centred @ self.whitening

    def weights(self, bias: float, pull: float, v: Values) -> tuple[Values, float]:
        """The same logit as w · x + bias: (dim,), bias."""
        w = pull / self.spread * self.prompt + self.whitening @ v
        return w, float(bias - w @ self.centre)


@dataclass(frozen=True, eq=False)
class Fit:
    """A direction with its bias; w · x + bias is the logit of a rating above 0."""

    w: Values  # (dim,)
    bias: float
    hold: Hold
    """What held it to the prompt."""

    def scores(self, vectors: npt.ArrayLike) -> Values:
        """Logits (n,) of vectors (n, dim)."""
        return np.asarray(vectors @ self.w.astype(np.asarray(vectors).dtype), np.float64) + self.bias


def ground(prompt: npt.ArrayLike, vectors: Floats) -> Ground:
    """What `vectors` (n, dim) of the collection say beforehand about a direction from `prompt` (dim,)."""
    direction = np.asarray(prompt, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    step = max(1, len(vectors) // STATISTICS)
    some = np.asarray(vectors[::step], dtype=np.float64)
    centre = some.mean(axis=0) if len(some) else np.zeros_like(direction)
    centred = some - centre
    covariance = centred.T @ centred / max(1, len(some))
    mean = float(np.trace(covariance)) / len(direction)
    if mean <= 1e-12:  # a collection of one picture, or of twins
        return Ground(direction, centre, 1.0, np.eye(len(direction)))
    variances, axes = np.linalg.eigh(covariance)
    scales = 1 / np.sqrt(variances.clip(0) + SHRINKAGE * mean)
    length = float(np.sqrt((variances.clip(0) * scales**2).sum()))
    spread = float(np.sqrt(direction @ covariance @ direction))
    return Ground(direction, centre, max(spread, 1e-6), (axes * scales) @ axes.T / length)


def fit(ground: Ground, vectors: Floats, ratings: Sequence[float], *, optimizer: Optimizer = "lbfgs") -> Fit:
    """The direction that `ratings` (n,) of `vectors` (n, dim) warrant.

    With "lbfgs" it leaves the prompt's direction only as far as cross-validation on the ratings says that this is
    better, and not at all while either side has fewer than `FOLDS` ratings or none; but sooner where the ratings show
    that the prompt is poor. "sgd" is the textbook's loop (cross-entropy and stochastic gradient descent from the
    prompt), which has no such guard.
    """
    values = np.asarray(ratings, dtype=np.float64)
    if optimizer == "sgd":
        return _sgd(ground, np.asarray(vectors, dtype=np.float64), (values + 1) / 2)
    if not (values > 0).any() or not (values < 0).any():
        return _one_sided(ground, vectors, values)
    with one_thread():
        rated = Rated.of(ground, vectors, values)
        return rated.whole(rated.best_hold())


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one core: problems this small take ten times as long on two, which wait for each other."""
    with _libraries().limit(limits=1):
        yield


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def explore(ground: Ground, vectors: Floats, ratings: Sequence[float]) -> Fit:
    """Where to look next: the direction that the ratings point to, however few or one-sided they are, without a guard.

    A page that it chose badly costs some ratings; a classifier must not follow it.
    """
    values = np.asarray(ratings, dtype=np.float64)
    if not values.any():
        return _one_sided(ground, vectors, values)
    with one_thread():
        return Rated.of(ground, vectors, values).whole(BOLD)


@dataclass(frozen=True, eq=False)
class Rated:
    """Ratings with their features, r in the basis that they span: a problem of n unknowns however long the vectors."""

    ground: Ground
    z: Values  # (n,)
    r: Values  # (n, rank)
    basis: Values  # (dim, rank), orthonormal columns
    targets: Values  # (n,) in [0, 1]

    @staticmethod
    def of(ground: Ground, vectors: Floats, ratings: Values) -> "Rated":
        """From vectors (n, dim) and ratings (n,)."""
        z, r = ground.features(vectors)
        targets = (ratings + 1) / 2
        if len(z) >= r.shape[1]:
            return Rated(ground, z, r, np.eye(r.shape[1]), targets)
        values, axes = np.linalg.eigh(r @ r.T)
        kept = values > 1e-10 * max(values[-1], 1e-10)
        lengths = np.sqrt(values[kept])
        return Rated(ground, z, axes[:, kept] * lengths, r.T @ axes[:, kept] / lengths, targets)

    def whole(self, hold: Hold) -> Fit:
        """The fit to all ratings."""
        x = self._solved(np.ones(len(self.z), bool), hold)
        w, offset = self.ground.weights(x[0], x[1], self.basis @ x[2:])
        return Fit(w, offset, hold)

    def best_hold(self) -> Hold:
        """How firmly to hold to the prompt: the hold of the least loss in cross-validation.

        A hold is safe if its loss is below that of the prompt alone by `CERTAINTY` standard errors of the paired
        difference, and both sides have `FOLDS` ratings, so that each fold is trained and tested on both. If none is
        safe it is `ALONE`, or for a poor prompt the one that holds least.
        """
        otherwise = HOLDS[-1] if self.is_prompt_poor() else ALONE
        if min((self.targets > 0.5).sum(), (self.targets < 0.5).sum()) < FOLDS:
            return otherwise
        alone = balanced_losses(self.out_of_fold(ALONE), self.targets)
        best, least = otherwise, float(alone.mean())
        starts: dict[int, Values] = {}
        for hold in HOLDS:
            losses = balanced_losses(self.out_of_fold(hold, starts), self.targets)
            gains = alone - losses
            error = float(gains.std(ddof=1)) / np.sqrt(len(gains))
            if losses.mean() < least and gains.mean() > CERTAINTY * error:
                best, least = hold, float(losses.mean())
        return best

    def is_prompt_poor(self) -> bool:
        """Whether hardly anything near to the prompt was rated up, and enough was found elsewhere to go by."""
        positive = self.targets > 0.5
        nearest = np.argsort(-self.z, kind="stable")[:POOR]
        enough = len(nearest) == POOR and positive.sum() >= LEAST and (self.targets < 0.5).sum() >= FOLDS
        return bool(enough and positive[nearest].sum() <= HITS)

    def out_of_fold(self, hold: Hold, starts: dict[int, Values] | None = None) -> Values:
        """The logit (n,) of each rating by a fit to the other folds; each begins at its start and leaves its end."""
        starts = {} if starts is None else starts
        logits = np.zeros(len(self.z))
        fold = folds(self.z, self.targets)
        for number in range(min(FOLDS, len(self.z))):
            held = fold == number
            starts[number] = x = self._solved(~held, hold, starts.get(number))
            logits[held] = x[0] + x[1] * self.z[held] + self.r[held] @ x[2:]
        return logits

    def _solved(self, rows: npt.NDArray[np.bool_], hold: Hold, start: Values | None = None) -> Values:
        """(bias, pull, *u) (2 + rank,) by L-BFGS."""
        free = self.r.shape[1] if np.isfinite(hold.anchor) else 0
        given = (self.z[rows], self.r[rows, :free], *balance(self.targets[rows]), hold.anchor)
        start = np.concatenate([[0.0, PULL], np.zeros(free)]) if start is None else start
        bounds = [(None, None), (hold.least, None), *[(None, None)] * free]
        options = {"maxiter": 100, "ftol": PRECISION}
        x = minimize(objective, start, given, "L-BFGS-B", jac=True, bounds=bounds, options=options).x
        return np.concatenate([x, np.zeros(self.r.shape[1] - free)])


def objective(
    x: Values, z: Values, r: Values, positive: Values, negative: Values, anchor: float
) -> tuple[float, Values]:
    """The loss that the module describes and its gradient, at x = (bias, pull, *u); the weights are `balance`'s."""
    bias, pull, u = x[0], x[1], x[2:]
    logits = bias + pull * z + r @ u
    firmness = anchor if len(u) else 0.0
    slope = (positive + negative) * expit(logits) - positive
    # log(1 + exp(-l)) is log(1 + exp(l)) - l
    loss = (positive + negative) @ np.logaddexp(0, logits) - positive @ logits
    loss += firmness / 2 * (u @ u) + (pull - PULL) ** 2 / 2
    return float(loss), np.concatenate([[slope.sum(), slope @ z + pull - PULL], slope @ r + firmness * u])


def balance(targets: Values) -> tuple[Values, Values]:
    """How much each item (n,) counts as a positive and as a negative one: by its target, both sides n / 2 in all."""
    half = len(targets) / 2
    return half * targets / max(targets.sum(), 1e-9), half * (1 - targets) / max((1 - targets).sum(), 1e-9)


def balanced_losses(logits: Values, targets: Values) -> Values:
    """The cross-entropy of each item (n,) with its soft target, both sides counting alike."""
    positive, negative = balance(targets)
    return positive * np.logaddexp(0, -logits) + negative * np.logaddexp(0, logits)


def folds(z: Values, targets: Values) -> npt.NDArray[np.int64]:
    """The number of each item's fold (n,): both sides, and near and far ones, are spread evenly over all folds."""
    found = np.empty(len(z), np.int64)
    found[np.lexsort((z, targets > 0.5))] = np.arange(len(z)) % FOLDS
    return found


def _one_sided(ground: Ground, vectors: Floats, ratings: Values) -> Fit:
    """The prompt's direction; the boundary lies where the ratings leave off."""
    if not len(ratings):
        return Fit(*ground.weights(0.0, PULL, np.zeros_like(ground.prompt)), ALONE)
    z, _ = ground.features(vectors)
    boundary = float(z.max()) if (ratings < 0).any() else float(z.min())
    return Fit(*ground.weights(-PULL * boundary, PULL, np.zeros_like(ground.prompt)), ALONE)


def _sgd(ground: Ground, vectors: Values, targets: Values) -> Fit:
    """The textbook: w from the prompt, bias from 0, `EPOCHS` passes in small batches at a constant rate."""
    w, bias = ground.prompt.copy(), 0.0
    random = np.random.default_rng(0)
    for _ in range(EPOCHS if len(targets) else 0):
        for rows in np.array_split(random.permutation(len(targets)), max(1, len(targets) // BATCH)):
            slope = (expit(vectors[rows] @ w + bias) - targets[rows]) / len(rows)
            w -= RATE * (slope @ vectors[rows])
            bias -= RATE * float(slope.sum())
    return Fit(w, bias, Hold(0.0, 0.0))
