"""What is searched and what is right, as files that every engine reads; and which rows a filter lets through."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
DIMENSION, NEAREST, PART = 512, 10, 20_000
FILTERS = {None: 1.0, "1 %": 0.01, "seen": 0.5}


@dataclass(frozen=True)
class Material:
    """A folder with vectors.npy (n, 512), queries.npy (q, 512), and per filter truth-….npy (q, 10)."""

    folder: Path
    n: int
    source: str

    def vectors(self) -> Floats:
        """(n, 512) of unit length, mapped from the disk."""
        found: Floats = np.load(self.folder / "vectors.npy", mmap_mode="r")
        return found

    def queries(self) -> Floats:
        """(q, 512) of unit length."""
        found: Floats = np.load(self.folder / "queries.npy")
        return found

    def truth(self, name: str | None) -> npt.NDArray[np.int64]:
        """(q, 10): the exactly nearest of the vectors that a filter lets through."""
        found: npt.NDArray[np.int64] = np.load(self.folder / f"truth-{list(FILTERS).index(name)}.npy")
        return found


def chosen(name: str | None, first: int, last: int) -> npt.NDArray[np.bool_]:
    """Which of the vectors from `first` to before `last` a filter lets through; scattered evenly at random."""
    places = np.arange(first, last, dtype=np.uint64)
    mixed = (places * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    found: npt.NDArray[np.bool_] = mixed < np.uint64(FILTERS[name] * 2**24)
    return found
