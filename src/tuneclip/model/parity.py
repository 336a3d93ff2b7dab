"""How much of what a model finds is left when its vectors are computed less exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuneclip.model.retrieval import (
    Pairs,
    Vectors,
    nearest,
    pair_up,
    picture_to_text_ranks,
    text_to_picture_ranks,
)

ENOUGH = 64
"""Pictures (with captions: captioned ones) from which on recall@10 says something."""
LEAST_COSINE = 0.999
MOST_LOSS = 0.005
"""Half a point of recall."""
CUTOFF = 10


@dataclass(frozen=True)
class Seen:
    """A sample as one encoder sees it."""

    pictures: Vectors
    """(pictures, dim), unit length"""
    texts: Vectors
    """(distinct captions, dim), unit length"""


@dataclass(frozen=True)
class Parity:
    """Quick vectors against exact ones, on the same pictures and texts."""

    pictures: int
    cosine: float
    """Mean over the pictures."""
    cosine_min: float
    text_cosine: float
    measure: str
    """"recall@10", both ways; or without captions "neighbour@10": how often the nearest picture stays among ten."""
    exact: float
    quick: float
    mixed: float
    """With every other picture's vector exact: what a collection gives that both have written to."""
    passes: bool


def measure_parity(exact: Seen, quick: Seen, captions: Sequence[Sequence[str]]) -> Parity:
    """Compare two views of a sample; `captions` are the pictures' own, as `pair_up` takes them, or none.

    It passes when mean cosines are 0.999 or more, and recall (also of the mixture) is not lower by more than half a
    point, or by no more than two standard errors of the paired difference, which is what chance does on few pictures.
    """
    pairs = pair_up(captions)
    captioned = len(np.unique(pairs.picture)) >= ENOUGH
    mixture = np.where(np.arange(len(exact.pictures))[:, None] % 2, quick.pictures, exact.pictures)
    views = (exact, quick, Seen(mixture, quick.texts))
    found = [_recalled(seen, pairs) if captioned else _kept_neighbours(exact, seen) for seen in views]
    cosines = np.sum(exact.pictures * quick.pictures, axis=1)
    text_cosine = float(np.mean(np.sum(exact.texts * quick.texts, axis=1)))
    alike = bool(cosines.mean() >= LEAST_COSINE) and text_cosine >= LEAST_COSINE
    return Parity(
        pictures=len(cosines),
        cosine=round(float(cosines.mean()), 6),
        cosine_min=round(float(cosines.min()), 6),
        text_cosine=round(text_cosine, 6),
        measure="recall@10" if captioned else "neighbour@10",
        exact=round(float(found[0].mean()), 4),
        quick=round(float(found[1].mean()), 4),
        mixed=round(float(found[2].mean()), 4),
        passes=alike and all(_no_worse(found[0], other) for other in found[1:]),
    )


def _recalled(seen: Seen, pairs: Pairs) -> NDArray[np.bool_]:
    """For each caption of each picture, and for each captioned picture, whether its like is among the first ten."""
    ways = (
        text_to_picture_ranks(seen.pictures, seen.texts, pairs),
        picture_to_text_ranks(seen.pictures, seen.texts, pairs),
    )
    return np.concatenate(ways) <= CUTOFF


def _kept_neighbours(exact: Seen, seen: Seen) -> NDArray[np.bool_]:
    """For each picture whether its nearest other by exact vectors is among the ten nearest others of this view."""
    first = _others(exact.pictures, 1)
    return np.array([own[0] in found for own, found in zip(first, _others(seen.pictures, CUTOFF), strict=True)])


def _others(vectors: Vectors, k: int) -> list[list[int]]:
    found, _ = nearest(vectors, vectors, k + 1)
    return [[int(i) for i in row if i != own][:k] for own, row in enumerate(found)]


def _no_worse(exact: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    lost = exact.astype(np.float64) - other
    chance = float(lost.std() / np.sqrt(len(lost)))
    return float(lost.mean()) <= max(MOST_LOSS, 2 * chance)
