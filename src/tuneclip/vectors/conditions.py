"""Conditions over the fields of rows: evaluated here, or translated to SQL for a database.

A comparison with a field that has no value is not true, nor is its opposite (SQL's rule); numbers are compared as
64-bit floats, texts by code point. What goes to a database is built from these conditions, never from what was typed.
"""

import math
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from tuneclip.records import Scalar

Kind = Literal["text", "number", "boolean"]
KINDS: tuple[Kind, ...] = ("text", "number", "boolean")
Value = str | float | bool
Fields = Mapping[str, Set[Kind]]
"""Names with the kinds of value that they have; none where all values are missing."""

OWN_FIELDS: Fields = {"id": {"text"}, "seen": {"number"}, "text": {"text"}, "caption": {"text"}}
METADATA = "metadata."
"""Before the name of a metadata field in a condition; may be typed where a field of our own has the same name."""
_TELLS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


@dataclass(frozen=True)
class Comparison:
    """`field operator value`."""

    field: str
    operator: str
    value: Value


@dataclass(frozen=True)
class Membership:
    """`field [not] in (values)`; the values are of one kind."""

    field: str
    values: tuple[Value, ...]
    negated: bool = False


@dataclass(frozen=True)
class Like:
    """`field [not] like pattern`: % is any text, _ any character, a backslash takes the next one as it is."""

    field: str
    pattern: str
    negated: bool = False
    any_case: bool = False


@dataclass(frozen=True)
class Missing:
    """`field is [not] null`."""

    field: str
    negated: bool = False


@dataclass(frozen=True)
class Group:
    """All of the parts, or any of them."""

    parts: "tuple[Condition, ...]"
    all: bool


Condition = Comparison | Membership | Like | Missing | Group


def kind_of(value: Value) -> Kind:
    """The kind of a value."""
    return "text" if isinstance(value, str) else "boolean" if isinstance(value, bool) else "number"


def as_number(value: float) -> float:
    """A number as it is compared: a 64-bit float, without a negative zero."""
    try:
        return float(value) + 0.0
    except OverflowError:
        return math.copysign(math.inf, value)


def matches(condition: Condition, values: Mapping[str, Scalar]) -> bool:
    """Whether a row with these values (named as in a condition) fulfils it."""
    if isinstance(condition, Group):
        return (all if condition.all else any)(matches(part, values) for part in condition.parts)
    value = values.get(condition.field)
    if isinstance(condition, Missing):
        return (value is None) != condition.negated
    if isinstance(condition, Like):
        return isinstance(value, str) and _is_like(value, condition) != condition.negated
    kind = kind_of(condition.values[0] if isinstance(condition, Membership) else condition.value)
    if value is None or kind_of(value) != kind:
        return False
    comparable = as_number(value) if kind == "number" else value  # type: ignore[arg-type]
    if isinstance(condition, Membership):
        return (comparable in condition.values) != condition.negated
    return _TELLS[condition.operator](comparable, condition.value)


def column_of(kind: str, field: str) -> str:
    """A metadata field and a kind in letters that need no quoting anywhere: `text_period_2estart`."""
    return f"{kind}_" + re.sub(rb"[^a-z0-9]", lambda byte: b"_%02x" % byte[0][0], field.encode()).decode()


def to_sql(condition: Condition, columns: Callable[[str], Mapping[Kind, str]]) -> str:
    """The condition in standard SQL; `columns` gives the columns that hold a field's values, by their kind."""
    return str(_sql(condition, columns).sql())


def _sql(condition: Condition, columns: Callable[[str], Mapping[Kind, str]]) -> Any:
    from sqlglot import exp, parse_one

    if isinstance(condition, Group):
        parts = [_sql(part, columns) for part in condition.parts]
        return (exp.and_ if condition.all else exp.or_)(*parts, copy=False)
    held = columns(condition.field)
    if isinstance(condition, Missing):
        empty = [exp.Is(this=parse_one(column), expression=exp.Null()) for column in held.values()]
        if condition.negated:
            return exp.or_(*map(exp.not_, empty)) if empty else _never()
        return exp.and_(*empty) if empty else exp.not_(_never())
    column = held.get(_kind(condition))
    return _leaf(condition, parse_one(column)) if column else _never()


def _leaf(condition: Comparison | Membership | Like, column: Any) -> Any:
    from sqlglot import exp

    node = {"=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE}
    negated = not isinstance(condition, Comparison) and condition.negated
    found: Any
    if isinstance(condition, Comparison):
        found = node[condition.operator](this=column, expression=_literal(condition.value))
        negated = condition.operator == "!="
    elif isinstance(condition, Membership):
        found = exp.In(this=column, expressions=[_literal(value) for value in condition.values])
    else:
        pattern = condition.pattern.lower() if condition.any_case else condition.pattern
        text = exp.Lower(this=column) if condition.any_case else column
        found = exp.Like(this=text, expression=exp.Literal.string(pattern))
    if not negated:
        return found
    # DataFusion takes `x NOT IN (1) OR x NOT IN (2)` for true even where x is null, so that is said as well.
    opposite = found if isinstance(condition, Comparison) else exp.not_(found)
    return exp.and_(exp.not_(exp.Is(this=column.copy(), expression=exp.Null())), opposite)


def _kind(condition: Comparison | Membership | Like) -> Kind:
    if isinstance(condition, Like):
        return "text"
    return kind_of(condition.values[0] if isinstance(condition, Membership) else condition.value)


def _literal(value: Value) -> Any:
    from sqlglot import exp

    if isinstance(value, bool):
        return exp.Boolean(this=value)
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(repr(value))


def _never() -> Any:
    from sqlglot import exp

    return exp.EQ(this=exp.Literal.number(1), expression=exp.Literal.number(0))


def _is_like(value: str, condition: Like) -> bool:
    pattern, value = (condition.pattern.lower(), value.lower()) if condition.any_case else (condition.pattern, value)
    return re.fullmatch(_regex(pattern), value, re.DOTALL) is not None


@cache
def _regex(pattern: str) -> str:
    parts = re.findall(r"\\.|[^\\]|\\", pattern, re.DOTALL)
    special = {"%": ".*", "_": "."}
    return "".join(special.get(part) or re.escape(part[-1]) for part in parts)
