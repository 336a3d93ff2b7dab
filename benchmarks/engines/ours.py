"""Our collections, as `tuneclip search` uses them: with ids, paths, metadata and captions of the hits."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engines.material import DIMENSION, NEAREST, PART, Floats, Material, chosen
from engines.worker import Task, disk
from tuneclip.project import Project
from tuneclip.records import Scalar
from tuneclip.vectors import resident
from tuneclip.vectors.collection import Origin, Row, backend, open_collection
from tuneclip.vectors.pointer import locate

NAME = "tuneclip-benchmark"


class Engine:
    """A collection of `n` rows; of those that a filter lets through `chosen` is 1, or `seen` is 0."""

    def __init__(self, task: Task, material: Material):
        self.project, self.material = Path(task.scratch) / ("store" if task.store else "lancedb"), material
        if task.engine == "exact":
            resident.EXACT_BYTES = 2**40  # every vector is compared, as in a small collection
        origin = Origin("benchmark", "0" * 16, DIMENSION)
        self.kept = task.engine == "exact" and self.project.exists()
        self.server, self.told = task.server, dict[str, Any]()
        if task.engine != "exact":
            shutil.rmtree(self.project, ignore_errors=True)
        if task.store:
            place = locate(NAME, Project(self.project), task.store)
            backend(place).drop_table(place)
        self.before = disk(Path(self.server)) if self.server else 0
        self.collection = open_collection(NAME, self.project, store=task.store or None, origin=origin)

    def build(self) -> tuple[float, float]:
        """Seconds of writing the rows, and of what makes searching fast."""
        began = time.monotonic()
        if self.collection.count() < self.material.n:
            for start in range(0, self.material.n, PART):
                self.collection.upsert(list(self.rows(start, min(self.material.n, start + PART))))
        written = time.monotonic()
        self.collection.optimize()
        self.collection.nearest(self.material.queries()[0], NEAREST)
        told = self.collection.searching()
        self.told = asdict(told) if told else {}
        return written - began, time.monotonic() - written

    def rows(self, first: int, last: int) -> Iterable[Row]:
        """Rows as pictures have them."""
        vectors = self.material.vectors()[first:last]
        few, half = chosen("1 %", first, last), chosen("seen", first, last)
        for place, vector in enumerate(vectors):
            key = first + place
            metadata: dict[str, Scalar] = {"chosen": int(few[place]), "category": f"category {key % 20}"}
            seen = int(not half[place])
            yield Row(str(key), vector, f"{key}.jpg", metadata, (f"picture {key}",), str(key), seen)

    def knows(self, name: str | None) -> bool:
        """All filters."""
        return True

    def search(self, query: Floats, name: str | None) -> list[int]:
        """The numbers of the nearest."""
        where = "chosen = 1" if name == "1 %" else None
        hits = self.collection.nearest(query, NEAREST, where=where, exclude_seen=name == "seen")
        return [int(hit.id) for hit in hits]

    def disk(self) -> int:
        """Bytes; 0 where a server has them that was not started here."""
        return disk(Path(self.server)) - self.before if self.server else disk(self.project)
