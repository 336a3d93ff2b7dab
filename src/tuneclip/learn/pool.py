"""A collection's vectors in memory, for as long as a session lives: all of them, or of a large one a random part."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuneclip.vectors.collection import Collection

Floats = npt.NDArray[np.float32]

LARGEST = 300_000
"""Rows up to which all are kept: 600 MB at 512 dimensions."""
SAMPLE = 50_000
"""Rows that are kept of a larger collection; what else is near comes from its index."""
CANDIDATES = 2_000
"""Rows that are fetched from the index of a larger collection for one page."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Ids with their vectors; `whole` says that nothing of the collection is missing."""

    ids: tuple[str, ...]
    vectors: Floats  # (n, dim) unit length
    whole: bool

    def positions(self) -> dict[str, int]:
        """Where each id is."""
        return {key: position for position, key in enumerate(self.ids)}


def read_pool(collection: Collection, *, largest: int = LARGEST, sample: int = SAMPLE, seed: int = 0) -> Pool:
    """The whole collection, or beyond `largest` rows about `sample` of them, drawn at random; ordered by id."""
    count = collection.count()
    whole = count <= largest
    random, rate = np.random.default_rng(seed), 1.0 if whole else sample / count
    ids: list[str] = []
    parts: list[Floats] = []
    for rows in collection.iterate(4096):
        kept = rows if whole else [row for row in rows if random.random() < rate]
        ids += [row.id for row in kept]
        if kept:
            parts.append(np.stack([row.vector for row in kept]).astype(np.float32, copy=False))
    vectors = np.concatenate(parts) if parts else np.zeros((0, collection.origin.dimension), np.float32)
    del parts
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return Pool(tuple(ids[i] for i in order), vectors[order], whole)


def with_nearest(pool: Pool, collection: Collection, direction: npt.ArrayLike, count: int) -> Pool:
    """The pool, and if it is not whole the `count` rows nearest to `direction` (dim,) with it."""
    if pool.whole or not np.any(direction):
        return pool
    known = set(pool.ids)
    fresh = [hit.id for hit in collection.nearest(direction, count) if hit.id not in known]
    rows = collection.get(fresh)
    if not rows:
        return pool
    vectors = np.concatenate([pool.vectors, np.stack([row.vector for row in rows]).astype(np.float32)])
    return Pool((*pool.ids, *(row.id for row in rows)), vectors, whole=False)
