"""Metadata as columns of a table: one per field and kind of value, so that a filter can use them and a kind can change.

The name of such a column spells the field's name in letters that need no quoting, so no list of names can get lost.
"""

import urllib.parse
from collections.abc import Collection as Ids
from collections.abc import Iterable, Mapping, Sequence

from tuneclip.records import Scalar
from tuneclip.vectors.collection import Row
from tuneclip.vectors.conditions import as_number, column_of, kind_of

EMPTY = "empty"  # a column of this kind is true where a field is named but has no value


def metadata_columns(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Of the columns of a table those that hold metadata: their kind and the field."""
    split = {column: column.partition("_") for column in names}
    return {
        column: (kind, urllib.parse.unquote(spelt.replace("_", "%")))
        for column, (kind, mark, spelt) in split.items()
        if mark and spelt
    }


def missing_columns(rows: Sequence[Row], there: Ids[str]) -> list[str]:
    """The columns still needed, in the order in which the rows name them."""
    needed: dict[str, None] = {}
    named: dict[str, None] = {}
    for row in rows:
        for name, value in row.metadata.items():
            named[name] = None
            if value is not None:
                needed[column_of(kind_of(value), name)] = None
    held = {column.partition("_")[2] for column in (*there, *needed)}
    empty = [column for name in named if (column := column_of(EMPTY, name)).partition("_")[2] not in held]
    return [column for column in (*needed, *empty) if column not in there]


def cell(metadata: Mapping[str, Scalar], name: str, kind: str) -> Scalar:
    """What a row has in the column of this field and kind."""
    value = metadata.get(name)
    if kind == EMPTY:
        return True if name in metadata and value is None else None
    if value is None or kind_of(value) != kind:
        return None
    return as_number(value) if kind == "number" else value  # type: ignore[arg-type]
