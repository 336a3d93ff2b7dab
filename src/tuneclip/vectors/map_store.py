"""The map of a collection as a file beside it: one Parquet table, a row for each picture, that other tools open too."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tuneclip.project import write_bytes
from tuneclip.vectors.collection import Vector
from tuneclip.vectors.map_pairs import Pairs, Rows, isolation
from tuneclip.vectors.map_points import Points

ABOUT = b"tuneclip"  # key of the table's metadata


@dataclass(frozen=True)
class About:
    """What a map was made of; the table's metadata."""

    collection: str
    model: str
    fingerprint: str
    key: str
    """Of the ids and of what was embedded: another one means that the map is stale."""
    count: int
    where: str | None
    asked: float | None
    """The cosine that was asked for as that of duplicates; None means that it follows from the collection."""
    duplicates: float
    """The cosine from which rows are duplicates."""
    typical: float
    """The mean cosine of two rows at random."""
    method: str = ""
    """Who laid out the points; empty where nobody did."""
    size: int = 0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Chart:
    """A map in memory; rows are ordered by id."""

    about: About
    ids: tuple[str, ...]
    pairs: Pairs
    points: Points  # (n, 2), NaN where a row is not on the map

    @property
    def projected(self) -> int:
        """How many rows have a point."""
        return int(np.isfinite(self.points[:, 0]).sum())


def content_key(fingerprint: str, chosen: Mapping[str, str]) -> str:
    """The key of ids with the keys of their contents, in their order."""
    digest = hashlib.sha256(fingerprint.encode())
    for name, content in chosen.items():
        digest.update(f"\0{name}\0{content}".encode())
    return digest.hexdigest()[:32]


def write_chart(path: Path, chart: Chart) -> None:
    """Write the table beside and rename it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pairs, on_map = chart.pairs, np.isfinite(chart.points[:, 0])
    grouped = pairs.groups >= 0
    lowest = np.zeros(len(chart.ids), np.float32)
    lowest[grouped] = pairs.lowest[pairs.groups[grouped]]
    columns = {
        "id": pa.array(chart.ids, pa.string()),
        "x": pa.array(chart.points[:, 0], mask=~on_map),
        "y": pa.array(chart.points[:, 1], mask=~on_map),
        "group": pa.array(pairs.groups, mask=~grouped),
        "group_cosine": pa.array(lowest, mask=~grouped),
        "isolation": pa.array(isolation(pairs.cosines)),
        "neighbours": _lists(pairs.neighbours),
        "cosines": _lists(pairs.cosines),
    }
    table = pa.table(columns).replace_schema_metadata({ABOUT: json.dumps(asdict(chart.about))})
    held = io.BytesIO()
    pq.write_table(table, held)
    write_bytes(path, held.getvalue())


def read_chart(path: Path) -> Chart | None:
    """The map that is there; None where there is none, or one that this version cannot read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        about = About(**json.loads(table.schema.metadata[ABOUT]))
        groups = _filled(table, "group", -1).astype(np.int32)
        lowest = np.zeros(groups.max(initial=-1) + 1, np.float32)
        lowest[groups[groups >= 0]] = _filled(table, "group_cosine", 0)[groups >= 0]
        points = np.stack([_filled(table, name, np.nan) for name in "xy"], axis=1).astype(np.float32)
        pairs = Pairs(_matrix(table, "neighbours"), _matrix(table, "cosines"), groups, lowest)
        return Chart(about, tuple(table.column("id").to_pylist()), pairs, points)
    except (pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def _lists(values: Rows | Vector) -> Any:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _filled(table: Any, name: str, empty: float) -> Any:
    return table.column(name).fill_null(empty).to_numpy()


def _matrix(table: Any, name: str) -> Any:
    lists = table.column(name).combine_chunks()
    return lists.flatten().to_numpy().reshape(table.num_rows, -1)
