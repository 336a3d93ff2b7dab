"""The reference collection: NumPy in memory, exact, slow to change. What it answers is right by definition."""

from collections.abc import Collection as Ids
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tuneclip.records import Hit
from tuneclip.vectors.collection import (
    Keys,
    Origin,
    Row,
    Searching,
    Vector,
    checked,
    checked_k,
    direction,
    to_hit,
    values_of,
)
from tuneclip.vectors.conditions import Fields, Kind, kind_of, matches
from tuneclip.vectors.where import parse


class ExactCollection:
    """A `Collection` in memory."""

    store = "memory"

    def __init__(self, name: str, origin: Origin, root: Path = Path()):
        self.name, self.origin = name, origin
        self._root = root
        self._rows: dict[str, Row] = {}
        self._fields: dict[str, set[Kind]] = {}

    def renew(self, origin: Origin) -> None:
        """See `Collection`."""
        self.origin = origin

    def upsert(self, rows: Sequence[Row]) -> None:
        """See `Collection`."""
        for row in checked(rows, self.origin.dimension):
            self._rows[row.id] = row
            for name, value in row.metadata.items():
                self._fields.setdefault(name, set()).update(() if value is None else (kind_of(value),))

    def delete(self, ids: Ids[str]) -> None:
        """See `Collection`."""
        for key in ids:
            self._rows.pop(key, None)

    def get(self, ids: Sequence[str]) -> list[Row]:
        """See `Collection`."""
        return [self._rows[key] for key in ids if key in self._rows]

    def nearest(
        self, vector: npt.ArrayLike, k: int, *, where: str | None = None, exclude_seen: bool = False
    ) -> list[Hit]:
        """See `Collection`."""
        query = direction(vector, self.origin.dimension, "the query")
        rows = [row for row in self._chosen(where) if not (exclude_seen and row.seen)]
        scores = np.array([row.vector for row in rows], np.float32).reshape(-1, self.origin.dimension) @ query
        pairs = zip(np.clip(scores, -1, 1).tolist(), rows, strict=True)
        ranked = sorted(pairs, key=lambda pair: (-pair[0], pair[1].id))[: checked_k(k)]
        return [to_hit(row, score, self.origin, self._root) for score, row in ranked]

    def update_seen(self, ids: Ids[str], seen: int) -> None:
        """See `Collection`."""
        for row in self.get(list(ids)):
            self._rows[row.id] = replace(row, seen=int(bool(seen)))

    def iterate(self, batch: int = 1024) -> Iterator[list[Row]]:
        """See `Collection`."""
        rows = list(self._rows.values())
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch]

    def contents(self) -> dict[str, Keys]:
        """See `Collection`."""
        return {row.id: row.keys for row in self._rows.values()}

    def count(self, where: str | None = None) -> int:
        """See `Collection`."""
        return len(self._chosen(where))

    def fields(self) -> Fields:
        """See `Collection`."""
        return {name: frozenset(kinds) for name, kinds in self._fields.items()}

    def forget(self, names: Ids[str]) -> None:
        """See `Collection`."""
        for name in names:
            self._fields.pop(name, None)

    def optimize(self) -> None:
        """See `Collection`."""

    def searching(self) -> Searching:
        """See `Collection`."""
        return Searching("exact", 1.0, len(self._rows), 0.0, 0)

    def sample(self, count: int) -> Vector:
        """See `Collection`."""
        rows = list(self._rows.values())
        chosen = np.random.default_rng(0).choice(len(rows), min(count, len(rows)), replace=False)
        vectors = [rows[place].vector for place in np.sort(chosen)]
        return np.array(vectors, np.float32).reshape(-1, self.origin.dimension)

    def _chosen(self, where: str | None) -> list[Row]:
        if where is None:
            return list(self._rows.values())
        condition = parse(where, self._fields)
        return [row for row in self._rows.values() if matches(condition, values_of(row))]
