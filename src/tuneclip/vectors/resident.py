"""A table's vectors in memory, or their codes, so that a search compares them there; kept up to date with the table.

Rows of a table stand at addresses that never mean another row: a row that changes moves to a new one. So rows that are
known are told from new ones by their addresses, and a search that meets an address which has gone since, or one that it
does not know, only has to look again.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np

from tuneclip.vectors.coded import Addresses, Coded, build_coded, open_coded
from tuneclip.vectors.codes import Floats, Mask, Positions, within

logger = logging.getLogger("tuneclip")
EXACT_BYTES = 100 * 2**20
"""Of float32 vectors; up to so many every vector is compared, which takes some 10 ms: 51,200 vectors of 512."""
TAIL, LEAST_TAIL = 0.1, 10_000  # how many rows may be newer than the codes: a share of them, and in any case
SAMPLED = 10_000  # rows that the codec is made of
SAME = 1e-6  # between cosines that are equal but for rounding
FEW = 0.1  # of the rows: so many are picked out, more are all multiplied
AT_ONCE = 8192  # vectors read
FILTERS = 8  # whose rows are remembered


class Rows(Protocol):
    """What is read of the table."""

    def version(self) -> int:
        """Another one after every change."""

    def listing(self) -> tuple[Addresses, Mask]:
        """All addresses, ascending, and which of the rows are seen."""

    def vectors(self, addresses: Addresses) -> tuple[Addresses, Floats]:
        """Those that are still there, and their vectors."""

    def fulfilling(self, condition: str) -> Addresses:
        """The addresses of the rows that fulfil a condition of the database."""


@dataclass(frozen=True, eq=False)
class Plain:
    """Vectors as they are."""

    vectors: Floats  # (n, dim)

    def __len__(self) -> int:
        return len(self.vectors)

    def best(self, query: Floats, count: int, *, allowed: Mask) -> Positions:
        """The `count` nearest of the allowed rows, and all that are as near as the last of them; in any order."""
        number = int(np.count_nonzero(allowed))
        if number < FEW * len(allowed):
            chosen = np.flatnonzero(allowed)
            best: Positions = chosen[within(self.vectors[chosen] @ query, count, SAME)]
            return best
        scores = self.vectors @ query
        if number < len(allowed):
            np.copyto(scores, -2.0, where=~allowed)  # below any cosine
        return within(scores, min(count, number), SAME)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A version of the table. Slots are numbered over the coded rows, then the first plain ones, then the later."""

    version: int
    addresses: Addresses  # (slots,)
    order: Positions
    """The slots by ascending address."""
    alive: Mask  # (slots,)
    seen: Mask
    coded: Coded | None
    plain: tuple[Plain, Plain]

    def slots(self, addresses: Addresses) -> Positions | None:
        """Where the rows of these addresses are; None if one is not known."""
        if not len(addresses):
            return np.zeros(0, np.intp)
        slots, known = _find(addresses, self.addresses, self.order)
        return slots if known.all() else None


class Resident:
    """Answers which rows of a table are nearest. Several threads may ask."""

    def __init__(self, rows: Rows, dimension: int, folder: Path):
        self._rows, self._dimension, self._folder = rows, dimension, folder
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._filters: dict[tuple[int, str], Mask] = {}

    def nearest(self, query: Floats, k: int, condition: str, *, exclude_seen: bool) -> Addresses | None:
        """The addresses of the `k` nearest rows, and of some more that may be as near; None: look again.

        `query` is of unit length; `condition` is empty or the database's own.
        """
        now = self.snapshot()
        allowed = now.alive & ~now.seen if exclude_seen else now.alive
        if condition:
            fulfilling = self._fulfilling(now, condition)
            if fulfilling is None:
                return None
            allowed = allowed & fulfilling
        found: list[Positions] = []
        start = 0
        if now.coded:
            start = len(now.coded.codes)
            wide = max(now.coded.candidates, 20 * k)
            found.append(now.coded.codes.best(query, k, allowed=allowed[:start], candidates=wide))
        for part in now.plain:
            found.append(start + part.best(query, k, allowed=allowed[start : start + len(part)]))
            start += len(part)
        nearest: Addresses = now.addresses[np.concatenate(found)]
        return nearest

    def snapshot(self) -> Snapshot:
        """The table as it is now."""
        with self._lock:
            version = self._rows.version()
            if self._snapshot is None or self._snapshot.version != version:
                self._snapshot = self._renewed(version, self._snapshot)
                self._filters.clear()
            return self._snapshot

    def sample(self, count: int) -> Addresses:
        """The addresses of `count` rows evenly at random, or all; the same as long as the table does not change."""
        now = self.snapshot()
        alive = np.flatnonzero(now.alive)
        chosen = np.random.default_rng(0).choice(len(alive), min(count, len(alive)), replace=False)
        addresses: Addresses = now.addresses[alive[np.sort(chosen)]]
        return addresses

    def coded(self) -> Coded | None:
        """The codes that a search would use now; None where every vector is compared. Reads no vectors."""
        with self._lock:
            addresses, _ = self._rows.listing()
            return self._coded(addresses) if self._large(addresses) else None

    def build(self) -> None:
        """Make the codes of a large table anew, if too many of its rows have none."""
        with self._lock:
            addresses, _ = self._rows.listing()
            if self._large(addresses) and _outdated(addresses, open_coded(self._folder)):
                self._build(addresses)
                self._snapshot = None

    def _fulfilling(self, now: Snapshot, condition: str) -> Mask | None:
        """Which slots fulfil the condition; None if it is fulfilled by rows that are too new."""
        key = (now.version, condition)
        known = self._filters.get(key)
        if known is not None:
            return known
        slots = now.slots(self._rows.fulfilling(condition))
        if slots is None:
            return None
        mask = np.zeros(len(now.addresses), bool)
        mask[slots] = True
        with self._lock:
            while len(self._filters) >= FILTERS:
                self._filters.pop(next(iter(self._filters)))
            self._filters[key] = mask
        return mask

    def _renewed(self, version: int, before: Snapshot | None) -> Snapshot:
        addresses, seen = self._rows.listing()
        if before is None or _outdated(addresses, before):
            before = self._loaded(addresses)
        new = addresses if not len(before.addresses) else addresses[~_known(addresses, before)]
        found, vectors = self._vectors(new)
        slots = np.concatenate([before.addresses, found])
        order = np.argsort(slots, kind="stable")
        first, later = before.plain
        later = Plain(np.concatenate([later.vectors, vectors])) if len(found) else later
        alive, marked = np.zeros(len(slots), bool), np.zeros(len(slots), bool)
        if len(slots):
            place, there = _find(addresses, slots, order)
            alive[place[there]] = True
            marked[place[there]] = seen[there]
        return Snapshot(version, slots, order, alive, marked, before.coded, (first, later))

    def _loaded(self, addresses: Addresses) -> Snapshot:
        """The codes of a large table, or all vectors of a smaller one; their rows need not be there any more."""
        coded = self._coded(addresses) if self._large(addresses) else None
        if coded is not None:
            return self._begun(coded.addresses, np.zeros((0, self._dimension), np.float32), coded)
        return self._begun(*self._vectors(addresses))

    def _vectors(self, addresses: Addresses) -> tuple[Addresses, Floats]:
        """The addresses that are still there, and their vectors."""
        vectors = np.empty((len(addresses), self._dimension), np.float32)
        found, filled = [np.zeros(0, np.uint64)], 0
        for part, values in self._stream(addresses):
            vectors[filled : filled + len(part)] = values
            found.append(part)
            filled += len(part)
        return np.concatenate(found), vectors[:filled]

    def _stream(self, addresses: Addresses) -> Iterator[tuple[Addresses, Floats]]:
        """The same in parts. A scan of the table would be a little faster, and read far ahead: gigabytes of memory."""
        for start in range(0, len(addresses), AT_ONCE):
            yield self._rows.vectors(addresses[start : start + AT_ONCE])

    def _begun(self, addresses: Addresses, vectors: Floats, coded: Coded | None = None) -> Snapshot:
        nothing = np.zeros(len(addresses), bool)
        order = np.argsort(addresses, kind="stable")
        plain = Plain(vectors), Plain(np.zeros((0, self._dimension), np.float32))
        return Snapshot(-1, addresses, order, nothing, nothing, coded, plain)

    def _coded(self, addresses: Addresses) -> Coded | None:
        coded = open_coded(self._folder)
        if coded is not None and not _outdated(addresses, coded):
            return coded
        try:
            return self._build(addresses)
        except OSError as error:
            logger.warning("no search index could be written (%s); every vector is compared", error)
            return None

    def _build(self, addresses: Addresses) -> Coded | None:
        logger.info("making the search index of %s vectors", f"{len(addresses):,}")
        chosen = np.random.default_rng(0).choice(len(addresses), min(SAMPLED, len(addresses)), replace=False)
        _, sample = self._vectors(addresses[np.sort(chosen)])
        return build_coded(self._folder, sample, self._stream(addresses))

    def _large(self, addresses: Addresses) -> bool:
        return len(addresses) * self._dimension * 4 > EXACT_BYTES


def _known(addresses: Addresses, base: Snapshot | Coded) -> Mask:
    order = base.order if isinstance(base, Snapshot) else np.argsort(base.addresses, kind="stable")
    return _find(addresses, base.addresses, order)[1]


def _outdated(addresses: Addresses, base: Snapshot | Coded | None) -> bool:
    """Whether too many rows are new, or too many are gone, for it to be worth keeping."""
    if base is None or not len(base.addresses):
        return True
    known = int(_known(addresses, base).sum()) if len(addresses) else 0
    much = max(LEAST_TAIL, TAIL * len(base.addresses))
    return len(addresses) - known > much or len(base.addresses) - known > 0.5 * len(base.addresses) + LEAST_TAIL


def _find(addresses: Addresses, among: Addresses, order: Positions) -> tuple[Positions, Mask]:
    """Where each address stands in `among`, and whether it is there; `order` sorts `among`, which is not empty."""
    place = np.searchsorted(among, addresses, sorter=order).clip(max=len(among) - 1)
    slots: Positions = order[place]
    return slots, among[slots] == addresses
