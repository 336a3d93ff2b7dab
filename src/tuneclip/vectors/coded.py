"""The codes of a large table on the disk: made in one pass over its rows, with the recall that they reach."""

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tuneclip.project import write_json
from tuneclip.vectors.codes import Codec, Codes, Floats, make_codec

logger = logging.getLogger("tuneclip")
Addresses = npt.NDArray[np.uint64]
NEAREST = 10
WANTED = (0.98, 0.95)  # recall@10 of queries between pictures, and of those like words
LADDER = (1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)
QUERIES = 32  # of each kind
TEXT_COSINE = 0.3
"""Of words and the picture that shows them: typical of CLIP models."""
LEFTOVER_SECONDS = 86_400  # after that long a folder that nothing names is one of a build that was killed
CURRENT = "current.json"


@dataclass(frozen=True, eq=False)
class Coded:
    """A table's codes as they were made, and what they find."""

    addresses: Addresses
    """Where the row of each code stands; unique, in no order."""
    codes: Codes
    candidates: int
    """How many rows are compared more closely, so that the recall is reached."""
    recall: float
    """Of the ten nearest, measured when the codes were made; the lower of two kinds of query."""
    seconds: float
    """That making them took."""


def open_coded(folder: Path) -> Coded | None:
    """The newest codes in `folder`, mapped into memory; None where there are none that can be read."""
    try:
        facts = json.loads((folder / CURRENT).read_text(encoding="utf-8"))
        place, rows = folder / facts["folder"], facts["rows"]
        codec = Codec(np.load(place / "mean.npy"), np.load(place / "rotation.npy"), facts["step"])
        addresses, bits = np.load(place / "addresses.npy"), np.load(place / "bits.npy")
        small = np.memmap(place / "bytes", np.int8, "r", shape=(rows, len(codec.mean)))
        if len(addresses) != rows or bits.shape != (codec.words, rows):
            return None
        return Coded(addresses, Codes(codec, bits, small), facts["candidates"], facts["recall"], facts["seconds"])
    except (OSError, ValueError, KeyError, TypeError):  # none yet, another process's that is gone, a torn disk
        return None


def build_coded(folder: Path, sample: Floats, rows: Iterable[tuple[Addresses, Floats]]) -> Coded | None:
    """Make the codes of `rows` (addresses, unit vectors) and put them in the place of those before.

    Memory is that of the bits; `sample` are some of the vectors. A kill leaves what was there before. Returns None
    where there is nothing to make codes of.
    """
    began = time.monotonic()
    codec, queries = make_codec(sample), _queries(sample)
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="codes-", dir=folder))
    addresses, bits, truth = list[Addresses](), list[npt.NDArray[np.uint64]](), _Nearest(queries)
    with (place / "bytes").open("wb") as file:
        for where, vectors in rows:
            own, small = codec.encode(vectors)
            file.write(small.tobytes())
            truth.look(vectors)
            addresses.append(where)
            bits.append(own)
    if not addresses:
        shutil.rmtree(place)
        return None
    np.save(place / "addresses.npy", np.concatenate(addresses))
    np.save(place / "bits.npy", np.ascontiguousarray(np.concatenate(bits).T))
    np.save(place / "mean.npy", codec.mean)
    np.save(place / "rotation.npy", codec.rotation)
    small = np.memmap(place / "bytes", np.int8, "r").reshape(-1, len(codec.mean))
    candidates, recall = _enough(Codes(codec, np.load(place / "bits.npy"), small), queries, truth)
    facts = {"folder": place.name, "rows": len(small), "step": codec.step, "candidates": candidates, "recall": recall}
    write_json(folder / CURRENT, {**facts, "seconds": round(time.monotonic() - began, 2)})
    _clear(folder, place.name)
    return open_coded(folder)


def _clear(folder: Path, current: str) -> None:
    """Remove codes that nobody will open any more; who has them open keeps them."""
    for old in folder.glob("codes-*"):
        whole = (old / "rotation.npy").exists()
        if old.name != current and (whole or time.time() - old.stat().st_mtime > LEFTOVER_SECONDS):
            shutil.rmtree(old, ignore_errors=True)


def _queries(sample: Floats, seed: int = 0) -> Floats:
    """Unit vectors (2 · QUERIES, dim) as searches have them: first between two pictures, then like words for one."""
    rng = np.random.default_rng(seed)
    one, other = sample[rng.integers(0, len(sample), (2, QUERIES))]
    noise = rng.normal(size=one.shape).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    both = np.concatenate([one + 0.5 * other, TEXT_COSINE * one + (1 - TEXT_COSINE**2) ** 0.5 * noise])
    return np.asarray(both / np.linalg.norm(both, axis=1, keepdims=True), np.float32)


class _Nearest:
    """The exactly nearest rows to some queries, of rows that come in parts."""

    def __init__(self, queries: Floats):
        self.queries = queries
        self.scores = np.full((len(queries), NEAREST), -np.inf, np.float32)
        self.rows = np.zeros((len(queries), NEAREST), np.intp)
        self.seen = 0

    def look(self, vectors: Floats) -> None:
        scores = np.concatenate([self.scores, self.queries @ vectors.T], axis=1)
        new = np.broadcast_to(np.arange(self.seen, self.seen + len(vectors)), (len(self.queries), len(vectors)))
        rows = np.concatenate([self.rows, new], axis=1)
        best = np.argpartition(-scores, NEAREST - 1, axis=1)[:, :NEAREST]
        self.scores, self.rows = np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)
        self.seen += len(vectors)


def _enough(codes: Codes, queries: Floats, truth: _Nearest) -> tuple[int, float]:
    """The fewest candidates of the ladder with which both kinds of query find what is nearest, and their recall."""
    everything = np.ones(len(codes), bool)
    candidates, recall = LADDER[0], 0.0
    for candidates in LADDER:
        found = np.array(list(_recalls(codes, queries, truth, everything, candidates)))
        recalls = found[:QUERIES].mean(), found[QUERIES:].mean()
        recall = float(min(recalls))
        if (recalls[0] >= WANTED[0] and recalls[1] >= WANTED[1]) or 2 * candidates >= len(codes):
            break
    logger.info("%.1f %% of the ten nearest are found with %s candidates", 100 * recall, f"{candidates:,}")
    return candidates, round(recall, 4)


def _recalls(codes: Codes, queries: Floats, truth: _Nearest, everything: Any, candidates: int) -> Iterator[float]:
    """Per query the share of the nearest that is found; a row just as near as the last of them counts."""
    for query, wanted, scores in zip(queries, truth.rows, truth.scores, strict=True):
        real = wanted[np.isfinite(scores)]
        rows = codes.best(query, NEAREST, allowed=everything, candidates=candidates)
        yield len(set(real.tolist()) & set(rows.tolist())) / max(1, len(real))
