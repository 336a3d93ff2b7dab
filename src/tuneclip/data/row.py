"""One row of a source as it was read: fields, flat and typed, before anything is decided about them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneclip.records import Scalar

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")  # no leading zeros: "007" is a name, not a number
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)\.\d+([eE][+-]?\d+)?")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Embedded:
    """A picture that the source carries within itself, as Hugging Face parquet and tar files do."""

    data: bytes | None
    path: str | None


Value = Scalar | list[Any] | Embedded


@dataclass(frozen=True, slots=True)
class Row:
    """Fields by dotted name; `where` says which row of which file; `problem` why it cannot be read, if so."""

    where: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    split: str | None = None
    problem: str | None = None
    key: str = ""
    """Names an embedded picture that carries no path of its own."""
    folder: Path | None = None
    """Where the row's file lies: picture paths may start from there."""


def flatten(value: Mapping[str, Any]) -> dict[str, Value]:
    """Nested fields under dotted names: `{"a": {"b": 1}}` is `{"a.b": 1}`; lists of objects become lists per field."""
    flat: dict[str, Value] = {}
    for name, inner in value.items():
        _flatten_into(flat, printable(str(name)), inner)
    return flat


_OURS = {"file_name", "text", "captions", "id", "group", "split", "metadata"}


def unfolded(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of a dataset that was made here as it stood in its source: metadata beside the other columns."""
    if set(fields) != _OURS or not isinstance(fields["metadata"], Mapping):
        return fields
    own = {name: value for name, value in fields.items() if name not in ("text", "metadata")}
    return {**fields["metadata"], **own}


def _flatten_into(flat: dict[str, Value], name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        picture = embedded(value)
        if picture is not None:
            flat[name] = picture
            return
        for key, inner in value.items():
            _flatten_into(flat, f"{name}.{printable(str(key))}", inner)
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for item in value:
            for key, inner in flatten(item).items():
                held = flat.setdefault(f"{name}.{key}", [])
                if isinstance(held, list):
                    held.extend(inner if isinstance(inner, list) else [inner])
    elif isinstance(value, bytes):
        flat[name] = Embedded(value, None)
    else:
        flat[name] = _clean(value)


def embedded(value: Mapping[str, Any]) -> Embedded | None:
    """The picture in a `{bytes, path}` struct, else None."""
    if "bytes" not in value or not set(value) <= {"bytes", "path"}:
        return None
    data = value["bytes"]
    return Embedded(data, value.get("path")) if data is None or isinstance(data, bytes) else None


def _clean(value: Any) -> Value:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, int) and abs(value) > _LARGEST:
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def printable(text: str) -> str:
    """`text` without the half characters that UTF-8 cannot hold (file names in another encoding, torn JSON escapes)."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def as_text(value: Value) -> str:
    """How a value reads in a caption or a text column; empty where there is none."""
    if value is None or isinstance(value, Embedded):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(part for part in map(as_text, value) if part)
    return str(value).strip()


def as_texts(value: Value) -> list[str]:
    """The value as captions: each item of a list is one."""
    items = value if isinstance(value, list) else [value]
    return [text for text in (as_text(item) for item in items) if text]


def kind_of(value: Scalar, *, typed: bool) -> str:
    """The JSON kind of a value: bool, int, float or text; numbers in untyped text (CSV) count as numbers."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if not typed and _WHOLE.fullmatch(str(value)):
        return "int"
    return "float" if not typed and _DECIMAL.fullmatch(str(value)) else "text"


def common_kind(kinds: set[str]) -> str:
    """The one kind that holds values of all `kinds`: numbers widen to float, any other mix is text."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return "float" if kinds == {"int", "float"} else "text"


def as_kind(value: Scalar, kind: str) -> Scalar:
    """`value` as `kind`; None stays None."""
    if value is None:
        return None
    if kind == "text":
        return value if isinstance(value, str) else as_text(value)
    if kind == "float":
        return float(value)
    return int(value) if kind == "int" else value
