"""The codes of a large table on the disk: made in one pass over its rows, with the recall that they reach."""

import json
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
from tuneclip.vectors.trials import NEAREST, Nearest, trial_queries, wide_enough

Addresses = npt.NDArray[np.uint64]
LADDER = (1000, 2000, 4000, 8000, 16_000, 32_000, 64_000)
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
    codec, queries = make_codec(sample), trial_queries(sample)
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="codes-", dir=folder))
    addresses, bits, truth = list[Addresses](), list[npt.NDArray[np.uint64]](), Nearest(queries)
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


def _enough(codes: Codes, queries: Floats, truth: Nearest) -> tuple[int, float]:
    """The fewest candidates of the ladder with which both kinds of query find what is nearest, and their recall."""
    everything = np.ones(len(codes), bool)
    ladder = LADDER[: 1 + sum(2 * candidates < len(codes) for candidates in LADDER)]
    return wide_enough(ladder, lambda candidates: _recalls(codes, queries, truth, everything, candidates))


def _recalls(codes: Codes, queries: Floats, truth: Nearest, everything: Any, candidates: int) -> Iterator[float]:
    """Per query the share of the nearest that is found; a row just as near as the last of them counts."""
    for query, wanted, scores in zip(queries, truth.rows, truth.scores, strict=True):
        real = wanted[np.isfinite(scores)]
        rows = codes.best(query, NEAREST, allowed=everything, candidates=candidates)
        yield len(set(real.tolist()) & set(rows.tolist())) / max(1, len(real))
