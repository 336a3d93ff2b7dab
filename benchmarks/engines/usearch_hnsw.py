"""usearch: HNSW over float16 vectors, its defaults; its Python package knows no filters."""

import time
from pathlib import Path

import numpy as np
from usearch.index import Index

from engines.material import DIMENSION, NEAREST, Floats, Material
from engines.worker import Task

ADDED = 2000


class Engine:
    """An index in memory."""

    def __init__(self, task: Task, material: Material):
        self.task, self.material, self.file = task, material, Path(task.scratch) / "usearch.index"

    def build(self) -> tuple[float, float]:
        """Seconds of adding; an index that is not whole in time is none."""
        vectors, began = self.material.vectors(), time.monotonic()
        self.index = Index(ndim=DIMENSION, metric="cos", dtype="f16")
        for start in range(0, self.material.n, ADDED):
            part = np.array(vectors[start : start + ADDED])
            self.index.add(np.arange(start, start + len(part)), part)
            if time.monotonic() - began > self.task.seconds:
                raise SystemExit(f"usearch: {start + len(part):,} of {self.material.n:,} vectors after the time given")
        self.index.save(str(self.file))
        return 0.0, time.monotonic() - began

    def knows(self, name: str | None) -> bool:
        """None."""
        return name is None

    def search(self, query: Floats, name: str | None) -> list[int]:
        """The numbers of the nearest."""
        found: list[int] = self.index.search(query, NEAREST).keys.tolist()
        return found

    def disk(self) -> int:
        """Bytes of the index's file."""
        return self.file.stat().st_size
