"""Hard negatives: which pictures and texts the model of now takes for alike, and how they come into one batch.

What a run's steps embed is remembered, so looking for the alike costs no pass over the pictures: before an epoch the
embeddings of the last one are compared. They are up to an epoch old, as in cross-batch memory (arXiv 1912.06798) and
asynchronous mining (ANCE, arXiv 2007.00808). The first epoch has none.
"""

import json
from collections import Counter, deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save
from torch.nn import functional

from tuneclip.project import EMBEDDED, MINED, beside, write_bytes

Indices = NDArray[np.int64]
Vectors = NDArray[np.float32]

NEARER = 0.95
"""A negative whose cosine is this share of the positive's or more is likely to be true: NV-Retriever's relative margin
of 0.05 (arXiv 2407.15831, TopK-PercPos)."""
CANDIDATES = 16
POOL = 4096
"""Records among which the alike of each are sought; larger sets are cut into such pools, other ones each epoch. Two
matrices of POOL × POOL cosines are 134 MB, and 100,000 records of 512 numbers take 4e11 multiplications."""
TRIES = 8


def find_alike(pictures: Vectors, texts: Vectors, apart: list[Indices], random: np.random.Generator) -> Indices:
    """(n, CANDIDATES) for each record the likest ones that are no positives of it, best first; -1 where there is none.

    `pictures` and `texts` are (n, dim), of any length; embeddings of zeros and those that are not finite are left out.
    How alike two records are is the higher of the two cosines between the picture of one and the text of the other.
    Left out are those with an equal number in one of `apart`, each (n,), and those that are as near as the record's own
    text or nearly so (`NEARER`).
    """
    known = np.flatnonzero(np.logical_and.reduce([np.isfinite(v).all(1) & v.any(1) for v in (pictures, texts)]))
    found = np.full((len(pictures), CANDIDATES), -1, np.int64)
    pools = np.array_split(random.permutation(known), max(1, -(-len(known) // POOL)))
    for pool in pools:
        seen, read = _unit(pictures[pool]), _unit(texts[pool])
        cosines = seen @ read.T  # (pool, pool), pictures in rows
        own = cosines.diagonal().copy()
        likeness = np.maximum(cosines, cosines.T)
        likeness[likeness >= NEARER * own[:, None]] = -np.inf
        for numbers in apart:
            likeness[numbers[pool][:, None] == numbers[pool][None, :]] = -np.inf
        count = min(CANDIDATES, len(pool))
        best = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(likeness, best, axis=1)
        ranked = np.argsort(-values, axis=1, kind="stable")
        best, values = np.take_along_axis(best, ranked, axis=1), np.take_along_axis(values, ranked, axis=1)
        found[pool, :count] = np.where(np.isfinite(values), pool[best], -1)
    return found


def bring_together(
    batches: list[Indices], alike: Indices, apart: list[Indices], *, share: float, random: np.random.Generator
) -> list[Indices]:
    """The batches after swaps that make `share` of each batch's rows alike to another row of it, where that can be.

    Sizes stay, and so does each record's one place. No swap brings two records together that have an equal number in
    one of `apart`, each (records,). The batches take turns, so that none has the best of all.
    """
    tables = _Tables(batches, apart)
    wanted = [round(share * len(batch)) for batch in batches]
    hosts = [deque(int(i) for i in random.permutation(batch)) for batch in batches]
    open_batches = [number for number, count in enumerate(wanted) if count]
    while open_batches:
        for number in open_batches:
            while hosts[number]:
                host = hosts[number].popleft()
                guest = _brought(tables, number, host, alike[host].tolist(), random)
                if guest >= 0:
                    hosts[number].append(guest)
                    wanted[number] -= 1
                    break
        open_batches = [number for number in open_batches if wanted[number] and hosts[number]]
    return [np.array(rows, np.int64) for rows in tables.rows]


class _Tables:
    """Who sits where while seats are swapped."""

    def __init__(self, batches: list[Indices], apart: list[Indices]):
        self.rows = [batch.tolist() for batch in batches]
        records = sum(len(batch) for batch in batches)
        self.batch, self.seat = np.empty(records, np.int64), np.empty(records, np.int64)
        for number, batch in enumerate(batches):
            self.batch[batch], self.seat[batch] = number, np.arange(len(batch))
        self.settled = np.zeros(records, bool)
        self._apart = [numbers.tolist() for numbers in apart]
        self._present = [[Counter(numbers[i] for i in rows) for rows in self.rows] for numbers in self._apart]

    def may_swap(self, one: int, other: int) -> bool:
        """Whether each may take the other's seat."""
        here, there = int(self.batch[one]), int(self.batch[other])
        for numbers, present in zip(self._apart, self._present, strict=True):
            a, b = numbers[one], numbers[other]
            if a != b and (present[here][b] or present[there][a]):
                return False
        return True

    def swap(self, one: int, other: int) -> None:
        here, there = int(self.batch[one]), int(self.batch[other])
        for numbers, present in zip(self._apart, self._present, strict=True):
            present[here][numbers[one]] -= 1
            present[here][numbers[other]] += 1
            present[there][numbers[other]] -= 1
            present[there][numbers[one]] += 1
        for record, number, seat in ((other, here, int(self.seat[one])), (one, there, int(self.seat[other]))):
            self.rows[number][seat] = record
            self.batch[record], self.seat[record] = number, seat


def _brought(tables: _Tables, number: int, host: int, candidates: list[int], random: np.random.Generator) -> int:
    """The record that now sits for good in batch `number`, where its like `host` does; -1 where none could come."""
    if tables.batch[host] != number:
        return -1
    for guest in candidates:
        if guest < 0 or tables.settled[guest]:
            continue
        if tables.batch[guest] != number and not _given_a_seat(tables, number, host, guest, random):
            continue
        tables.settled[[host, guest]] = True
        return guest
    return -1


def _given_a_seat(tables: _Tables, number: int, host: int, guest: int, random: np.random.Generator) -> bool:
    rows = tables.rows[number]
    for seat in random.integers(len(rows), size=TRIES).tolist():
        leaving = rows[seat]
        if leaving != host and not tables.settled[leaving] and tables.may_swap(leaving, guest):
            tables.swap(leaving, guest)
            return True
    return False


class Miner:
    """What a run remembers of its embeddings, in its folder, and what it mined of them.

    A run that is killed finds both again: the steps that it repeats write the same values to the same places, and what
    was mined for an epoch is on the disk before the epoch's first step.
    """

    def __init__(self, folder: Path, *, records: int, seed: int):
        self._folder, self._records, self._seed = folder, records, seed
        self._memory: np.memmap[Any, np.dtype[np.float16]] | None = None

    def alike(self, epoch: int, apart: list[Indices]) -> Indices | None:
        """`find_alike` for an epoch, the same when it is asked again; None before anything was embedded."""
        path = self._folder / MINED
        if path.is_file():
            with safe_open(path, framework="np") as file:
                if json.loads(file.metadata()["epoch"]) == epoch:
                    return np.asarray(file.get_tensor("alike"))
        if not (self._folder / EMBEDDED).is_file():
            return None
        pictures, texts = np.asarray(np.load(self._folder / EMBEDDED, mmap_mode="r"), np.float32)
        found = find_alike(pictures, texts, apart, np.random.default_rng((self._seed, epoch, 2)))
        write_bytes(path, save({"alike": found}, metadata={"epoch": json.dumps(epoch)}))
        return found

    def note(self, numbers: Indices, pictures: torch.Tensor, texts: torch.Tensor) -> None:
        """Remember the (batch, dim) embeddings of the records `numbers`."""
        if self._memory is None:
            self._memory = self._opened(pictures.shape[1])
        for place, vectors in enumerate((pictures, texts)):
            self._memory[place, numbers] = functional.normalize(vectors.float(), dim=-1).cpu().numpy()

    def save(self) -> None:
        """Bring what is remembered to the disk: before a checkpoint that counts on it."""
        if self._memory is not None:
            self._memory.flush()

    def _opened(self, dimension: int) -> "np.memmap[Any, np.dtype[np.float16]]":
        path, shape = self._folder / EMBEDDED, (2, self._records, dimension)
        if not path.is_file():
            np.lib.format.open_memmap(beside(path), mode="w+", dtype=np.float16, shape=shape).flush()
            beside(path).replace(path)
        return np.lib.format.open_memmap(path, mode="r+")


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
