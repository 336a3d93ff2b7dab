"""`llm similar`: every vector is read from SQLite and compared in Python."""

import time
from pathlib import Path
from types import SimpleNamespace

import llm
import sqlite_utils
from sqlite_utils.db import Table

from engines.material import NEAREST, PART, Floats, Material
from engines.worker import Task


class Engine:
    """A collection of llm's, written as llm writes it."""

    def __init__(self, task: Task, material: Material):
        self.material, self.file = material, Path(task.scratch) / "llm.db"
        self.file.unlink(missing_ok=True)

    def build(self) -> tuple[float, float]:
        """Seconds of writing."""
        began = time.monotonic()
        database = sqlite_utils.Database(self.file)
        self.collection = llm.Collection("vectors", database, model=SimpleNamespace(model_id="benchmark"))
        vectors = self.material.vectors()
        for start in range(0, self.material.n, PART):
            rows = (
                {"collection_id": self.collection.id, "id": str(start + place), "embedding": llm.encode(row.tolist())}
                for place, row in enumerate(vectors[start : start + PART])
            )
            Table(database, "embeddings").insert_all(rows, replace=True)
        return time.monotonic() - began, 0.0

    def knows(self, name: str | None) -> bool:
        """None."""
        return name is None

    def search(self, query: Floats, name: str | None) -> list[int]:
        """The numbers of the nearest."""
        return [int(entry.id) for entry in self.collection.similar_by_vector(query.tolist(), NEAREST)]

    def disk(self) -> int:
        """Bytes of the database."""
        return self.file.stat().st_size
