"""Hugging Face parquet: rows with their pictures inside, a few at a time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError

BATCH_ROWS = 64


def read(path: Path) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The rows of a file; class numbers become class names where the file has the names."""
    import pyarrow as pa

    file = _open(path)
    names = _class_names(file.schema_arrow.metadata or {})
    try:
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            for row in batch.to_pylist():
                yield _named(row, names), None
    except (pa.ArrowException, OSError) as error:
        raise TuneclipError(f"damaged parquet file: {error}", where=path) from error


def count(paths: list[Path]) -> int:
    """How many rows the files have together; raises TuneclipError when one is not parquet."""
    return sum(int(_open(path).metadata.num_rows) for path in paths)


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, memory_map=True, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise TuneclipError(f"not a parquet file: {error}", where=path) from error


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names of class numbers by column, from the features that Hugging Face's library writes into the schema."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _named(row: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    for column, words in names.items():
        number = row.get(column)
        if isinstance(number, int):
            row[column] = words[number] if 0 <= number < len(words) else None
    return row
