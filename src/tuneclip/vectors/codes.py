"""Vectors as codes: one bit and one byte a dimension, from which a few candidates are chosen to be compared exactly.

The bits are the signs of the centred vector after a random rotation, compared by counting differences (random
hyperplanes: Charikar 2002; the rotation: RaBitQ, arXiv 2405.12497). The bytes are the rotated vector itself in steps of
equal size. Scanning all bits is some 50 times faster than multiplying all numbers, and a filter is a mask over it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]
BITS = 64  # of a word
SCANNED = 1 << 14  # rows at once: words and counts stay in the cache
SCORED = 512


@dataclass(frozen=True, eq=False)
class Codec:
    """How vectors of one collection become codes."""

    mean: Floats  # (dim,)
    rotation: Floats  # (dim, dim), orthogonal
    step: float
    """Of a byte."""

    @property
    def rounding(self) -> float:
        """A cosine by bytes differs from the exact one by less: eight standard deviations, 0.005 at 512 dimensions."""
        return 8 * self.step / 12**0.5

    @property
    def words(self) -> int:
        """64-bit words of a vector's bits."""
        return -(-len(self.mean) // BITS)

    def encode(self, vectors: Floats) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int8]]:
        """(n, dim) of unit length to bits (n, words) and bytes (n, dim)."""
        turned = vectors @ self.rotation
        bits = self._bits(turned - self.mean @ self.rotation)
        return bits, np.clip(np.rint(turned / self.step), -127, 127).astype(np.int8)

    def query(self, vector: Floats) -> tuple[npt.NDArray[np.uint64], Floats]:
        """A unit vector (dim,) as bits (words,), and as it is multiplied with bytes (dim,).

        What it has of the mean is taken out: the same for every row, it would only cover what tells them apart. That
        matters for texts, which all lie on one side of all pictures.
        """
        length = float(self.mean @ self.mean)
        centred = vector - self.mean * (float(vector @ self.mean) / length) if length > 1e-12 else vector
        turned = np.asarray(vector @ self.rotation * self.step, np.float32)
        return self._bits((centred @ self.rotation)[None])[0], turned

    def _bits(self, turned: Floats) -> npt.NDArray[np.uint64]:
        packed = np.zeros((len(turned), self.words * BITS // 8), np.uint8)
        signs = np.packbits(turned > 0, axis=1)
        packed[:, : signs.shape[1]] = signs
        return packed.view(np.uint64)


def make_codec(sample: Floats, seed: int = 0) -> Codec:
    """A codec for a collection of which `sample` (n, dim) are some vectors of unit length."""
    dimension = sample.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(dimension, dimension)))[0].astype(np.float32)
    widest = float(np.abs(sample @ rotation).max())
    return Codec(sample.mean(axis=0), rotation, 1.2 * widest / 127)


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of n vectors, in memory or mapped from files."""

    codec: Codec
    bits: npt.NDArray[np.uint64]  # (words, n): each word of all rows side by side
    bytes: npt.NDArray[np.int8]  # (n, dim)

    def __len__(self) -> int:
        return len(self.bytes)

    def best(self, vector: Floats, count: int, *, allowed: Mask, candidates: int) -> Positions:
        """The `count` nearest of the allowed rows but for a few, and all that may be as near; in any order.

        `candidates` are compared by bytes, chosen by bits; all that are allowed where that is not much more.
        """
        bits, turned = self.codec.query(vector)
        many = np.count_nonzero(allowed) > 2 * candidates
        chosen = self._by_bits(bits, allowed, candidates) if many else np.flatnonzero(allowed)
        best: Positions = chosen[within(self._by_bytes(turned, chosen), count, self.codec.rounding)]
        return best

    def _by_bits(self, query: npt.NDArray[np.uint64], allowed: Mask, count: int) -> Positions:
        """The `count` rows whose bits differ least from the query's, and all that differ as little."""
        different = np.empty(len(self), np.uint16)
        most = self.codec.words * BITS
        starts = range(0, len(self), SCANNED)
        parts = np.zeros((len(starts), most + 2), np.intp)  # how many rows differ by how much; the last: not allowed

        def scan(starts: range) -> None:
            words, counts = np.empty(SCANNED, np.uint64), np.empty(SCANNED, np.uint8)
            for start in starts:
                part = different[start : start + SCANNED]
                part[:] = 0
                size = len(part)
                for word, wanted in zip(self.bits, query, strict=True):
                    np.bitwise_xor(word[start : start + size], wanted, out=words[:size])
                    part += np.bitwise_count(words[:size], out=counts[:size])
                np.copyto(part, most + 1, where=~allowed[start : start + size])
                parts[start // SCANNED] = np.bincount(part, minlength=most + 2)

        _beside(scan, starts)
        reached = np.cumsum(parts.sum(axis=0)[:-1])
        return np.flatnonzero(different <= min(int(np.searchsorted(reached, count)), most))

    def _by_bytes(self, query: Floats, rows: Positions) -> Floats:
        scores = np.empty(len(rows), np.float32)

        def score(starts: range) -> None:
            for start in starts:
                part = self.bytes[rows[start : start + SCORED]].astype(np.float32)
                # Row by row: a product of matrix and vector would wake the threads of the BLAS, which costs more.
                np.vecdot(part, query, out=scores[start : start + SCORED])

        _beside(score, range(0, len(rows), SCORED))
        return scores


def within(scores: Floats, count: int, margin: float) -> Positions:
    """Where the `count` highest scores are, and all that are at most `margin` below the last of them."""
    if len(scores) <= count:
        return np.arange(len(scores))
    last = np.partition(scores, len(scores) - count)[len(scores) - count]
    return np.flatnonzero(scores >= last - margin)


def _beside(work: Callable[[range], None], starts: range) -> None:
    """Do some work in two halves on two threads if it is large; NumPy lets go of the interpreter meanwhile."""
    if len(starts) < 8:
        work(starts)
        return
    half = len(starts) // 2
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(work, starts[:half])
        work(starts[half:])
        other.result()
