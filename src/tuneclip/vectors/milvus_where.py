"""Filter conditions as expressions of Milvus. What is asked of it is simple enough to mean the same everywhere.

Texts and names go in as letters and digits only: texts as hexadecimal or a hash, names as `column_of` spells them.
So nothing of what a user types is ever part of the language. What Milvus cannot say exactly (order of texts, patterns,
numbers of many digits) it only narrows down; `conditions.matches` has the last word.
"""

import hashlib
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from tuneclip.records import Scalar
from tuneclip.vectors.conditions import (
    KINDS,
    METADATA,
    Comparison,
    Condition,
    Group,
    Kind,
    Like,
    Membership,
    Missing,
    Value,
    as_number,
    column_of,
    kind_of,
)

PLAIN_IDS = " /+,:;=@()#&!|"  # stand in an id as they are, beside letters, digits and _.-~
LONGEST = 64  # bytes of a text that stands as it is; of longer ones only a hash, since only equality is asked
LARGEST = 1.7e308  # stands for a number beyond 64-bit floats
SMALL, GREAT = 1e-6, 1e15  # between them a number is written without an exponent


@dataclass(frozen=True)
class Cover:
    """An expression that all wanted rows fulfil; empty for every row. Exact: and no other row does."""

    text: str
    exact: bool


def key(id: str) -> str:
    """The id as Milvus holds it: without quotes, backslashes and control characters."""
    return urllib.parse.quote(id, safe=PLAIN_IDS)


def unkey(key: str) -> str:
    """The inverse of `key`."""
    return urllib.parse.unquote(key)


def among(keys: list[str]) -> str:
    """The expression for the rows of these keys."""
    return f"id in [{', '.join(_quoted(key) for key in keys)}]"


def to_fields(metadata: Mapping[str, Scalar]) -> dict[str, str | float | bool]:
    """What the field `fields` (JSON) holds for these metadata: `{"number_period_2estart": -300.0}`."""
    return {column_of(kind_of(value), name): _storable(value) for name, value in metadata.items() if value is not None}


def cover(condition: Condition) -> Cover:
    """The condition as far as Milvus can say it."""
    if isinstance(condition, Group):
        return _group([cover(part) for part in condition.parts], all_of=condition.all)
    if isinstance(condition, Missing):
        return _missing(condition)
    if isinstance(condition, Like):
        return _there(condition.field, "text")
    if isinstance(condition, Membership):
        operator = "!=" if condition.negated else "="
        parts = [_compared(Comparison(condition.field, operator, value)) for value in condition.values]
        return _group(parts, all_of=condition.negated)
    return _compared(condition)


def both(*texts: str) -> str:
    """All of the expressions; empty ones say nothing."""
    return " and ".join(f"({text})" for text in texts if text)


def _group(parts: list[Cover], *, all_of: bool) -> Cover:
    texts = [part.text for part in parts]
    exact = all(part.exact for part in parts)
    if all_of:
        return Cover(both(*texts), exact)
    return Cover(" or ".join(f"({text})" for text in texts) if all(texts) else "", exact)


def _missing(condition: Missing) -> Cover:
    if not condition.field.startswith(METADATA):
        return Cover("", exact=False)
    fields = [_path(kind, condition.field) for kind in KINDS]
    if condition.negated:
        return Cover(" or ".join(f"(exists {field})" for field in fields), exact=True)
    return Cover(" and ".join(f"(not (exists {field}))" for field in fields), exact=True)


def _there(field: str, kind: Kind) -> Cover:
    return Cover(f"(exists {_path(kind, field)})" if field.startswith(METADATA) else "", exact=False)


def _compared(condition: Comparison) -> Cover:
    kind, value, operator = kind_of(condition.value), condition.value, condition.operator
    if not condition.field.startswith(METADATA):
        return _own(condition)
    field = _path(kind, condition.field)
    if isinstance(value, str):
        if operator not in ("=", "!="):
            return _there(condition.field, kind)
        shown = _quoted(_spelt(value))
    elif isinstance(value, bool):
        shown, operator = str(value == (operator == "=")).lower(), "="
    else:
        if value and not SMALL <= abs(value) < GREAT:
            return _there(condition.field, kind)
        shown = f"{float(value)!r}"
    if operator == "!=":  # the server counts a row without the field as different
        return Cover(f"(exists {field}) and ({field} != {shown})", exact=True)
    return Cover(f"{field} {'==' if operator == '=' else operator} {shown}", exact=True)


def _own(condition: Comparison) -> Cover:
    value, operator = condition.value, "==" if condition.operator == "=" else condition.operator
    if condition.field == "seen" and not isinstance(value, str | bool) and value in (0, 1):
        return Cover(f"seen {operator} {int(value)}", exact=True)
    if condition.field == "id" and isinstance(value, str) and operator in ("==", "!="):
        return Cover(f"id {operator} {_quoted(key(value))}", exact=True)
    return Cover("", exact=False)


def _storable(value: Value) -> str | float | bool:
    if isinstance(value, str):
        return _spelt(value)
    return value if isinstance(value, bool) else max(-LARGEST, min(LARGEST, as_number(value)))


def _spelt(text: str) -> str:
    data = text.encode()
    return data.hex() if len(data) <= LONGEST else "h" + hashlib.sha256(data).hexdigest()


def _path(kind: Kind, field: str) -> str:
    return f'fields["{column_of(kind, field.removeprefix(METADATA))}"]'


def _quoted(text: str) -> str:
    """In quotes; a text that could end them is a bug here, not a user's mistake."""
    if not re.fullmatch(r"[A-Za-z0-9_.\-~%" + re.escape(PLAIN_IDS) + "]*", text):
        raise ValueError(f"{text!r} cannot stand in an expression")
    return f'"{text}"'
