"""A row of a collection as Milvus takes it and gives it back."""

import json
from typing import Any

import numpy as np

from tuneclip.errors import TuneclipError
from tuneclip.records import Scalar
from tuneclip.vectors.collection import Row, values_of
from tuneclip.vectors.milvus_registry import LONGEST
from tuneclip.vectors.milvus_where import among, key, to_fields, unkey


def upsert_entities(client: Any, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert or replace."""
    client.upsert(table, rows)


def delete_entities(client: Any, table: str, keys: list[str]) -> None:
    """Remove the rows of these keys."""
    client.delete(table, filter=among(keys))


def to_entity(row: Row) -> dict[str, Any]:
    """The row as it is stored; TuneclipError for one with more text than Milvus holds."""
    entity = {
        "id": key(row.id),
        "vector": row.vector.tolist(),
        "path": row.path,
        "metadata": json.dumps(row.metadata, ensure_ascii=False),
        "captions": json.dumps(row.captions, ensure_ascii=False),
        "fields": to_fields(row.metadata),
        "content": row.content,
        "description": row.keys.description,
        "seen": row.seen,
    }
    for name in ("id", "path", "metadata", "captions"):
        size = len(str(entity[name]).encode())
        if size > LONGEST:
            what = f"the {name} of {row.id[:60]!r} have {size:,} bytes, more than Milvus holds"
            raise TuneclipError(what, expected=f"at most {LONGEST:,}", hint="use a LanceDB or PostgreSQL store")
    return entity


def to_row(entity: dict[str, Any]) -> Row:
    """The inverse."""
    metadata, captions = json.loads(entity["metadata"]), tuple(json.loads(entity["captions"]))
    vector = np.array(entity["vector"], np.float32)
    return Row(unkey(entity["id"]), vector, entity["path"], metadata, captions, entity["content"], entity["seen"])


def asked_values(entity: dict[str, Any]) -> dict[str, Scalar]:
    """What a filter may ask of a row."""
    return values_of(to_row({**entity, "vector": (), "content": ""}))


def ranked(hits: list[tuple[float, dict[str, Any]]]) -> list[tuple[float, dict[str, Any]]]:
    """Best first, equals by id."""
    return sorted(hits, key=lambda hit: (-hit[0], unkey(hit[1]["id"])))
