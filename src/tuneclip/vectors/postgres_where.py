"""Filter conditions as SQL for PostgreSQL: every value is a parameter, every name of ours is a constant here.

Metadata lie in the column `fields` (jsonb). Numbers are compared as `numeric` made from their shortest decimals, which
order exactly as the 64-bit floats do, texts by code point (collation "C" in UTF-8).
"""

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tuneclip.records import Scalar
from tuneclip.vectors.conditions import (
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
    kind_of,
)

if TYPE_CHECKING:
    from psycopg.sql import Composable

    Note = Callable[[Any], Composable]
    """Takes a value down as a parameter and gives what stands for it in the statement."""

OPERATORS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
CASTS: Mapping[Kind, str] = {
    "text": """(case when jsonb_typeof(fields -> {name}::text) = 'string'
        then fields ->> {name}::text end collate "C")""",
    "number": "(case when jsonb_typeof(fields -> {name}::text) = 'number' then (fields -> {name}::text)::numeric end)",
    "boolean": """(case when jsonb_typeof(fields -> {name}::text) = 'boolean'
        then (fields -> {name}::text)::boolean end)""",
}
BEYOND = 10**309  # stands for a number too large for a 64-bit float: above all that a filter can name
NO_NUL = str.maketrans({"\0": "␀"})  # PostgreSQL's texts cannot hold the character 0


def storable(text: str | None) -> str | None:
    """The text as a filter sees it."""
    return None if text is None else text.translate(NO_NUL)


def to_fields(metadata: Mapping[str, Scalar]) -> str:
    """What the column `fields` holds for these metadata, as JSON."""
    return json.dumps({name.translate(NO_NUL): _storable(value) for name, value in metadata.items()})


def _storable(value: Scalar) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return storable(value)
    number = as_number(value)
    return number if abs(number) < float("inf") else BEYOND if number > 0 else -BEYOND


def is_exact(condition: Condition) -> bool:
    """Whether `to_composed` picks exactly the right rows; else it picks them and more, and `matches` decides.

    Letters without case are the exception: what PostgreSQL's `lower` does depends on the server's locale.
    """
    if isinstance(condition, Group):
        return all(is_exact(part) for part in condition.parts)
    return not (isinstance(condition, Like) and condition.any_case)


def to_composed(condition: Condition) -> "tuple[Composable, dict[str, Any]]":
    """The condition as an SQL expression, and its parameters by the names that stand in it."""
    from psycopg import sql

    parameters: dict[str, Any] = {}

    def note(value: Any) -> "Composable":
        name = f"value{len(parameters)}"
        parameters[name] = value
        return sql.Placeholder(name)

    return _composed(condition, note), parameters


def _composed(condition: Condition, note: "Note") -> "Composable":
    from psycopg import sql

    if isinstance(condition, Group):
        parts = [_composed(part, note) for part in condition.parts]
        return sql.SQL("({})").format(sql.SQL(" and " if condition.all else " or ").join(parts))
    if isinstance(condition, Missing):
        return _missing(condition, note)
    if isinstance(condition, Like):
        return _like(condition, note)
    if isinstance(condition, Membership):
        return _among(condition, note)
    return _compared(condition, note)


def _compared(condition: Comparison, note: "Note") -> "Composable":
    from psycopg import sql

    if condition.operator == "=" and condition.field.startswith(METADATA):
        # Containment, which an index over all fields answers.
        pair = to_fields({condition.field.removeprefix(METADATA): condition.value})
        return sql.SQL("fields @> {}::jsonb").format(note(pair))
    column = _column(condition.field, kind_of(condition.value), note)
    sign = sql.SQL(OPERATORS[condition.operator])
    return sql.SQL("({} {} {})").format(column, sign, note(_parameter(condition.value)))


def _among(condition: Membership, note: "Note") -> "Composable":
    from psycopg import sql

    column = _column(condition.field, kind_of(condition.values[0]), note)
    values = sql.SQL(", ").join(note(_parameter(value)) for value in condition.values)
    return sql.SQL("({} {} ({}))").format(column, sql.SQL("not in" if condition.negated else "in"), values)


def _like(condition: Like, note: "Note") -> "Composable":
    from psycopg import sql

    column = _column(condition.field, "text", note)
    if condition.any_case:
        return sql.SQL("({} is not null)").format(column)
    word = sql.SQL("not like" if condition.negated else "like")
    return sql.SQL("({} {} {})").format(column, word, note(_pattern(condition.pattern)))


def _pattern(pattern: str) -> str:
    """The pattern with a backslash before each sign that stands for itself; one at the end is itself, too."""
    parts = re.findall(r"\\.|[^\\]|\\", pattern.translate(NO_NUL), re.DOTALL)
    return "".join(part if part in ("%", "_") else re.sub(r"([%_\\])", r"\\\1", part[-1]) for part in parts)


def _missing(condition: Missing, note: "Note") -> "Composable":
    from psycopg import sql

    if not condition.field.startswith(METADATA):
        word = sql.SQL("is not null" if condition.negated else "is null")
        return sql.SQL("({} {})").format(sql.Identifier(condition.field), word)
    sign = sql.SQL("<>" if condition.negated else "=")
    kind = "(coalesce(jsonb_typeof(fields -> {}::text), 'null') {} 'null')"
    return sql.SQL(kind).format(note(_name(condition.field)), sign)


def _column(field: str, kind: Kind, note: "Note") -> "Composable":
    """The field's value where it is of this kind, else null."""
    from psycopg import sql

    if not field.startswith(METADATA):
        return sql.Identifier(field) if kind == ("number" if field == "seen" else "text") else sql.SQL("null")
    return sql.SQL(CASTS[kind]).format(name=note(_name(field)))


def _name(field: str) -> str:
    return field.removeprefix(METADATA).translate(NO_NUL)


def _parameter(value: Value) -> str | bool | Decimal | None:
    if isinstance(value, str):
        return storable(value)
    return value if isinstance(value, bool) else Decimal(repr(value))
