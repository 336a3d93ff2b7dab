"""A row of a collection as PostgreSQL takes it and gives it back."""

import json
from collections.abc import Collection as Ids
from typing import Any

import numpy as np

from tuneclip.records import Scalar
from tuneclip.vectors.collection import Row, Vector, caption_text, values_of
from tuneclip.vectors.postgres_where import storable, to_fields


def to_values(row: Row) -> tuple[Any, ...]:
    """The values of a row's columns, in the order of `postgres.UPSERT`."""
    text, caption = caption_text(row.captions)
    own = (json.dumps(row.metadata), json.dumps(row.captions), storable(text), storable(caption))
    return (
        row.id,
        row.vector,
        row.path,
        *own,
        to_fields(row.metadata),
        row.content,
        row.keys.description,
        row.seen,
    )


def to_row(row: Any) -> Row:
    """The inverse, of what `postgres.GET` selects."""
    key, vector, path, metadata, captions, content, seen = row
    return Row(key, to_vector(vector), path, metadata, tuple(captions), content, seen)


def to_vector(value: Any) -> Vector:
    """What pgvector's own type holds, (dim,) float32."""
    return np.array(value.to_numpy(), np.float32)


def asked_values(key: str, metadata: Any, captions: Any, seen: int) -> dict[str, Scalar]:
    """What a filter may ask of a row."""
    return values_of(Row(key, np.zeros(0, np.float32), "", metadata, tuple(captions), seen=seen))


def askable(ids: Ids[str]) -> list[str]:
    """The ids that can be there, each once, in one order for all writers."""
    return sorted({key for key in ids if "\0" not in key})
