"""What a search reads of a LanceDB table: addresses (Lance's row ids), marks and vectors, not the rest of the rows."""

from typing import Any

import numpy as np

from tuneclip.vectors.coded import Addresses
from tuneclip.vectors.codes import Floats, Mask

MANY = 1 << 20  # marks; in batches of the usual size they take five times as long


class LanceRows:
    """The `Rows` of a table. A row that changes gets a new row id, and none is given twice."""

    def __init__(self, table: Any, dimension: int):
        self._table, self._dimension = table, dimension

    def version(self) -> int:
        """Another one after every change."""
        return int(self._table.version)

    def listing(self) -> tuple[Addresses, Mask]:
        """All addresses, ascending, and which of the rows are seen."""
        found = self._query(["seen"]).to_batches(MANY).read_all()
        addresses, seen = _addresses(found), np.asarray(found.column("seen")) != 0
        order = np.argsort(addresses, kind="stable")
        return addresses[order], seen[order]

    def vectors(self, addresses: Addresses) -> tuple[Addresses, Floats]:
        """Those that are still there, and their vectors."""
        if not len(addresses):
            return addresses, np.zeros((0, self._dimension), np.float32)
        found = self.take(addresses, ["vector"])
        return _addresses(found), self.matrix(found)

    def fulfilling(self, condition: str) -> Addresses:
        """The addresses of the rows that fulfil a condition in SQL."""
        return _addresses(self._query(["seen"]).where(condition).to_batches(MANY).read_all())

    def take(self, addresses: Addresses, columns: list[str]) -> Any:
        """These columns and `_rowid` of the rows that are still there, as an Arrow table."""
        return self._table.take_row_ids(addresses.tolist()).select(columns).with_row_id().to_arrow()

    def matrix(self, part: Any) -> Floats:
        """The vectors of a batch or table, (rows, dim)."""
        column = part.column("vector")
        array = column.combine_chunks() if hasattr(column, "combine_chunks") else column
        flat: Floats = np.asarray(array.flatten())
        return flat.reshape(-1, self._dimension)

    def _query(self, columns: list[str]) -> Any:
        return self._table.search().with_row_id(True).select(columns).limit(None)


def _addresses(found: Any) -> Addresses:
    addresses: Addresses = np.asarray(found.column("_rowid")).astype(np.uint64, copy=False)
    return addresses
