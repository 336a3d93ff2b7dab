"""faiss: an inverted file of float32 vectors, probed as widely as recall@10 of 0.95 needs; filters as bitmaps."""

import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np

from engines.material import NEAREST, PART, Floats, Material, chosen
from engines.worker import Task, disk

faiss: Any = importlib.import_module("faiss")  # its own types do not know its wrappers
PROBES = (4, 8, 16, 32, 64, 128, 256)


class Engine:
    """IndexIVFFlat with the root of n as the number of lists, times two."""

    def __init__(self, task: Task, material: Material):
        self.material, self.file = material, Path(task.scratch) / "faiss.index"
        self.selectors = {}
        for name in ("1 %", "seen"):
            bits = np.packbits(chosen(name, 0, material.n), bitorder="little")
            self.selectors[name] = faiss.IDSelectorBitmap(bits)

    def build(self) -> tuple[float, float]:
        """Seconds of adding, and of training and choosing the probes."""
        vectors, began = self.material.vectors(), time.monotonic()
        lists = int(2 * self.material.n**0.5)
        self.index = faiss.index_factory(vectors.shape[1], f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
        step = max(1, self.material.n // (64 * lists))
        self.index.train(np.array(vectors[::step]))
        for start in range(0, self.material.n, PART):
            self.index.add(np.array(vectors[start : start + PART]))
        self.probes = self._probes()
        faiss.write_index(self.index, str(self.file))
        return 0.0, time.monotonic() - began

    def _probes(self) -> int:
        queries, truth = self.material.queries(), self.material.truth(None)
        for probes in PROBES:
            self.index.nprobe = probes
            found = self.index.search(queries, NEAREST)[1]
            recall = np.mean([len(set(a) & set(b)) / NEAREST for a, b in zip(found, truth, strict=True)])
            if recall >= 0.95:
                break
        return probes

    def knows(self, name: str | None) -> bool:
        """All filters."""
        return True

    def search(self, query: Floats, name: str | None) -> list[int]:
        """The numbers of the nearest."""
        selector = self.selectors[name] if name else None
        parameters = faiss.SearchParametersIVF(nprobe=self.probes, **({"sel": selector} if selector else {}))
        found: list[int] = self.index.search(query[None], NEAREST, params=parameters)[1][0].tolist()
        return found

    def disk(self) -> int:
        """Bytes of the index's file."""
        return disk(self.file.parent) if self.file.is_dir() else self.file.stat().st_size
