"""How many records stand for all, and which: sizes, shares of strata, random and diverse choices. No disk, no model."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from tuneclip.data.split import position, split_order
from tuneclip.errors import TuneclipError
from tuneclip.records import Record

Z_95 = Fraction("1.96")
"""Standard deviations on either side that hold 95 % of a normal distribution."""


def sample_size(population: int, margin: float) -> int:
    """How many of `population` records to take so that a share among them is off by `margin` at most.

    n = N / (1 + N e²), rounded up: Yamane's formula, also called Slovin's (T. Yamane, Statistics, 1967, p. 886). It
    holds at 95 % confidence for the worst case, a share of one half. `margin` is a share: 0.025 is 2.5 points.
    Raises TuneclipError for a population below 1 and for a margin that is not between 0 and 1.
    """
    share = _checked(population, margin)
    return math.ceil(population / (1 + population * share**2))


def cochran_size(population: int, margin: float) -> int:
    """The same by Cochran's formula with its correction for finite populations; a little smaller.

    n₀ = z² p (1 - p) / e² with z = 1.96 and p = 1/2; n = n₀ / (1 + (n₀ - 1) / N), rounded up (W. G. Cochran, Sampling
    Techniques, 3rd edition, 1977, formulas 4.1 and 4.2). Yamane's is this with z = 2 and without the 1.
    """
    share = _checked(population, margin)
    unlimited = Z_95**2 / 4 / share**2
    return min(population, math.ceil(unlimited / (1 + (unlimited - 1) / population)))


def sample_margin(population: int, size: int) -> float:
    """The margin of error that `size` of `population` records leave: `sample_size` the other way round."""
    return math.sqrt((population / size - 1) / population)


def _checked(population: int, margin: float) -> Fraction:
    """The margin as the decimal that was typed, so that no rounding error lifts a whole result by one."""
    if population < 1:
        raise TuneclipError(f"a population of {population} has no sample", expected="one record at least")
    if not 0 < margin < 1:
        raise TuneclipError(f"a margin of error of {margin}", expected="a share between 0 and 1, like 0.025")
    return Fraction(str(margin))


def allocate(counts: Sequence[int], size: int) -> list[int]:
    """Divide `size` among strata with these numbers of records, in proportion (largest remainder, ties by order).

    Where `size` allows, every stratum gets one at least; none gets more than it has. The sum is exactly `size`.
    """
    shares = [0] * len(counts)
    rest = [stratum for stratum, count in enumerate(counts) if count]
    left, records = size, sum(counts)
    while size >= len(rest):
        small = [stratum for stratum in rest if left * counts[stratum] < records]
        if not small:
            break
        for stratum in small:
            shares[stratum] = 1
        rest = [stratum for stratum in rest if not shares[stratum]]
        left, records = size - sum(shares), sum(counts[stratum] for stratum in rest)
    for stratum in rest:
        shares[stratum] = left * counts[stratum] // records
    by_remainder = sorted(rest, key=lambda stratum: (-(left * counts[stratum] % records), stratum))
    for stratum in by_remainder[: size - sum(shares)]:
        shares[stratum] += 1
    return shares


@dataclass(frozen=True)
class Choice:
    """The records that were chosen, as ascending indices, and how many each stratum has and gave."""

    chosen: list[int]
    strata: dict[str, tuple[int, int]]


def choose_random(records: Sequence[Record], size: int, *, by: str = "split", seed: int = 0) -> Choice:
    """A random choice of `size` records, stratified by a column: each stratum keeps its share.

    A record's place in the draw depends on its id and the seed alone: the draw is the same on every machine, and a
    smaller sample is part of a larger one but for the rounding of the shares. Raises TuneclipError as `stratum_of`.
    """
    value_of = stratum_of(records, by)
    strata: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        strata.setdefault(value_of(record), []).append(index)
    names = sorted(strata, key=split_order if by == "split" else None)
    shares = allocate([len(strata[name]) for name in names], size)
    chosen: list[int] = []
    for name, share in zip(names, shares, strict=True):
        drawn = sorted(strata[name], key=lambda index: (position(f"sample\0{records[index].id}", seed), index))
        chosen += drawn[:share]
    pairs = zip(names, shares, strict=True)
    return Choice(sorted(chosen), {name: (len(strata[name]), share) for name, share in pairs})


def stratum_of(records: Sequence[Record], by: str) -> Callable[[Record], str]:
    """A function from record to its stratum: a metadata field by dotted name, `split`, or `group`; "" where missing.

    Raises TuneclipError, naming the nearest, when no record has such a field.
    """
    columns = dict.fromkeys(name for record in records for name in record.metadata)
    if by in columns:
        return lambda record: "" if record.metadata.get(by) is None else str(record.metadata[by])
    if by in ("split", "group"):
        return lambda record: record.split if by == "split" else record.group
    near = get_close_matches(by, columns, n=1, cutoff=0.5) or [name for name in columns if by.lower() in name.lower()]
    raise TuneclipError(
        f"no column {by!r} to stratify by",
        expected="one of " + ", ".join([*columns, "split", "group"]),
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def choose_diverse(vectors: npt.NDArray[np.float32], size: int, seed: int = 0) -> list[int]:
    """Indices, ascending, of `size` vectors that leave none of the others far from all of them.

    `vectors` is (n, dim), of unit length. Greedy k-centre: start anywhere, then take again and again the vector that is
    farthest from those taken; at most twice the best possible radius (T. F. Gonzalez, Clustering to minimize the
    maximum intercluster distance, 1985). Takes O(n · size · dim) time and O(n) memory beside the vectors.
    """
    start = int(np.random.default_rng(seed).integers(len(vectors)))
    chosen = [start]
    nearest = vectors @ vectors[start]  # (n,), cosine with the nearest taken vector
    nearest[start] = np.inf
    while len(chosen) < size:
        farthest = int(np.argmin(nearest))
        chosen.append(farthest)
        np.maximum(nearest, vectors @ vectors[farthest], out=nearest)
        nearest[farthest] = np.inf
    return sorted(chosen)
