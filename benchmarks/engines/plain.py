"""NumPy: one product of matrix and vector, and the ten highest; the measure of exact search."""

import time

import numpy as np

from engines.material import NEAREST, Floats, Material, chosen
from engines.worker import Task


class Engine:
    """All vectors in memory."""

    def __init__(self, task: Task, material: Material):
        self.material = material
        self.masks = {name: chosen(name, 0, material.n) for name in ("1 %", "seen")}

    def build(self) -> tuple[float, float]:
        """Seconds of reading the vectors."""
        began = time.monotonic()
        self.vectors = np.array(self.material.vectors())
        return time.monotonic() - began, 0.0

    def knows(self, name: str | None) -> bool:
        """All filters."""
        return True

    def search(self, query: Floats, name: str | None) -> list[int]:
        """The numbers of the nearest."""
        scores = self.vectors @ query
        if name is not None:
            scores[~self.masks[name]] = -2
        found: list[int] = np.argpartition(scores, -NEAREST)[-NEAREST:].tolist()
        return found

    def disk(self) -> int:
        """The vectors themselves."""
        return int(self.vectors.nbytes)
