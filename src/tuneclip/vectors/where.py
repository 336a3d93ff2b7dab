"""Filters as people type them, like `category = 'coin' and period.start < -300`, to checked conditions.

sqlglot reads the expression; only comparisons of a field with values, joined by and, or, not, are accepted.
"""

import difflib
import math
from functools import cache
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.vectors.conditions import (
    METADATA,
    OWN_FIELDS,
    Comparison,
    Condition,
    Fields,
    Group,
    Like,
    Membership,
    Missing,
    Value,
    kind_of,
)

DEEPEST = 20  # brackets in brackets; databases parse recursively
MOST = 1000  # conditions in one expression


_OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_FLIPPED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def parse(expression: str, metadata: Fields) -> Condition:
    """The condition that `expression` states over these metadata fields and `OWN_FIELDS`.

    Raises TuneclipError for anything but the language above, an unknown field (naming the nearest), and a value of a
    kind that the field never has.
    """
    known = {**OWN_FIELDS, **{METADATA + name: kinds for name, kinds in metadata.items()}}
    reader = _Reader(expression, known)
    condition = reader.condition(_tree(expression), negated=False, depth=0)
    if reader.leaves > MOST:
        raise TuneclipError(f"the filter has {reader.leaves:,} conditions", expected=f"at most {MOST:,}, or in (…)")
    return condition


@cache
def _dialect() -> Any:
    """SQL's operators with texts in either quote and names in backticks; every other word is a name."""
    from sqlglot import TokenType, tokens
    from sqlglot.dialects.dialect import Dialect

    words = ("AND", "OR", "NOT", "IN", "IS", "LIKE", "ILIKE", "NULL", "TRUE", "FALSE", "BETWEEN")
    signs = {"<=": TokenType.LTE, ">=": TokenType.GTE, "<>": TokenType.NEQ, "!=": TokenType.NEQ, "==": TokenType.EQ}

    class Filter(Dialect):
        class Tokenizer(tokens.Tokenizer):
            QUOTES = ["'", '"']  # noqa: RUF012
            IDENTIFIERS = ["`"]  # noqa: RUF012
            STRING_ESCAPES = ["'", '"']  # noqa: RUF012
            KEYWORDS = {word: TokenType[word] for word in words} | signs

    return Filter()


def _tree(expression: str) -> Any:
    from sqlglot import TokenType
    from sqlglot.errors import SqlglotError

    if not expression.strip():
        raise TuneclipError("the filter is empty", expected="a condition, like category = 'coin'")
    try:
        tokens = _dialect().tokenize(expression)
        if any(token.comments for token in tokens):
            raise TuneclipError(
                "the filter has a comment in it", where=_shortened(expression), expected="conditions only"
            )
        # As plain names, words like `case` and `any` lose their meaning in SQL.
        named = [type(t)(TokenType.IDENTIFIER, *_place(t)) if t.token_type == TokenType.VAR else t for t in tokens]
        trees = _dialect().parser().parse(named, expression)
    except SqlglotError as error:
        raise _unreadable(expression, error) from error
    except RecursionError as error:
        raise TuneclipError("the filter is nested too deeply", expected=f"at most {DEEPEST} levels") from error
    if len(trees) != 1 or trees[0] is None:
        raise TuneclipError(
            "the filter is more than one condition", where=_shortened(expression), expected="and, or between them"
        )
    return trees[0]


def _shortened(expression: str) -> str:
    return expression if len(expression) <= 200 else expression[:200] + "…"


def _place(token: Any) -> tuple[Any, ...]:
    return token.text, token.line, token.col, token.start, token.end


def _unreadable(expression: str, error: Exception) -> TuneclipError:
    details = getattr(error, "errors", None) or [{}]
    marked = str(details[0].get("highlight") or "").strip()
    near = f" near {marked!r}" if marked else ""
    return TuneclipError(
        f"the filter cannot be read{near}",
        where=_shortened(expression),
        expected="conditions like category = 'coin' and period.start < -300; names with spaces go in `backticks`",
    )


class _Reader:
    """Walks sqlglot's tree; negations are pushed down to the leaves, which is exact in SQL's logic of three values."""

    def __init__(self, expression: str, known: Fields):
        self.where, self.known = _shortened(expression), known
        self.leaves = 0

    def condition(self, node: Any, *, negated: bool, depth: int) -> Condition:
        from sqlglot import exp

        if depth > DEEPEST:
            raise TuneclipError("the filter is nested too deeply", expected=f"at most {DEEPEST} levels")
        if isinstance(node, exp.Paren):
            return self.condition(node.this, negated=negated, depth=depth + 1)
        if isinstance(node, exp.Not):
            return self.condition(node.this, negated=not negated, depth=depth + 1)
        if isinstance(node, exp.And | exp.Or):
            parts = tuple(self.condition(part, negated=negated, depth=depth + 1) for part in node.flatten(unnest=False))
            return Group(parts, all=isinstance(node, exp.And) != negated)
        self.leaves += 1
        return self.leaf(node, negated != bool(node.args.get("negate")))

    def leaf(self, node: Any, negated: bool) -> Condition:
        from sqlglot import exp

        signs = {exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
        if type(node) in signs:
            return self.comparison(node.this, signs[type(node)], node.expression, negated)
        if type(node) in (exp.Like, exp.ILike):
            pattern = self.value(node.expression)
            field = self.field(node.this, pattern)
            if not isinstance(pattern, str):
                raise self.wrong(f"{node.sql()}", "a text after like")
            return Like(field, pattern, negated, any_case=type(node) is exp.ILike)
        if type(node) is exp.In and node.expressions and set(_given(node)) <= {"this", "expressions", "negate"}:
            return self.membership(node, negated)
        if type(node) is exp.Is and type(node.expression) is exp.Null:
            return Missing(self.field(node.this), negated)
        if type(node) is exp.Is:
            raise self.wrong(node.sql(), "is null, is not null, = true or = false")
        if type(node) is exp.Between:
            return self.between(node, negated)
        if isinstance(node, exp.Column | exp.Dot):
            raise self.wrong(f"{self.name(node)} alone", "a comparison, like = true or is not null")
        raise self.wrong(node.sql())

    def comparison(self, left: Any, operator: str, right: Any, negated: bool) -> Comparison:
        if _is_name(right) and not _is_name(left):
            left, right, operator = right, left, _FLIPPED[operator]
        value = self.value(right)
        field = self.field(left, value)
        if isinstance(value, bool) and operator not in ("=", "!="):
            raise self.wrong(f"{operator} {str(value).lower()}", "= or != before true and false")
        return Comparison(field, _OPPOSITE[operator] if negated else operator, value)

    def membership(self, node: Any, negated: bool) -> Membership:
        values = tuple(self.value(value) for value in node.expressions)
        if len({kind_of(value) for value in values}) > 1:
            raise self.wrong(node.sql(), "values of one kind in the brackets")
        return Membership(self.field(node.this, values[0]), values, negated)

    def between(self, node: Any, negated: bool) -> Group:
        if not set(_given(node)) <= {"this", "low", "high", "negate"}:
            raise self.wrong(node.sql())
        low = self.comparison(node.this, ">=", node.args["low"], negated)
        high = self.comparison(node.this, "<=", node.args["high"], negated)
        return Group((low, high), all=not negated)

    def field(self, node: Any, value: Value | None = None) -> str:
        """The known field that a node names; refused when it never has values of the kind of `value`."""
        name = self.name(node)
        field = name if name in self.known else METADATA + name
        if field not in self.known:
            raise self.unknown(name)
        kinds = self.known[field]
        if value is not None and kinds and kind_of(value) not in kinds:
            shown = {"text": "a text in quotes", "number": "a number", "boolean": "true or false"}
            expected = " or ".join(shown[kind] for kind in sorted(kinds))
            told = f"{value:.15g}" if isinstance(value, float) else repr(value)
            raise TuneclipError(f"the field {name} is compared with {told}", where=self.where, expected=expected)
        return field

    def name(self, node: Any) -> str:
        if not _is_name(node):
            raise self.wrong(node.sql(), "a field's name; names with spaces go in `backticks`")
        return ".".join(part.name for part in node.parts)

    def value(self, node: Any) -> Value:
        from sqlglot import exp

        inner = node.unnest()
        sign = 1
        while isinstance(inner, exp.Neg):
            inner, sign = inner.this.unnest(), -sign
        if isinstance(inner, exp.Literal) and not inner.is_string:
            return self.number(str(inner.this), sign)
        if inner is node.unnest() and isinstance(inner, exp.Literal):
            return str(inner.this)
        if inner is node.unnest() and isinstance(inner, exp.Boolean):
            return bool(inner.this)
        if isinstance(inner, exp.Null):
            raise self.wrong("a comparison with null", "is null or is not null")
        if _is_name(inner):
            raise self.wrong(f"{self.name(inner)} after an operator", f"a value; texts in quotes: '{self.name(inner)}'")
        raise self.wrong(node.sql(), "a text in quotes, a number, true or false")

    def number(self, text: str, sign: int) -> float:
        try:
            value = float(text) * sign + 0.0
        except ValueError as error:
            raise self.wrong(text, "a number") from error
        if not math.isfinite(value):
            raise self.wrong(text, "a number below 1.8e308")
        return value

    def unknown(self, name: str) -> TuneclipError:
        shown = sorted({field.removeprefix(METADATA) for field in self.known})
        lower = {field.lower(): field for field in shown}
        nearest = [lower[match] for match in difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)]
        expected = f"{nearest[0]}?" if nearest else "one of " + ", ".join(shown[:40])
        return TuneclipError(f"the filter names an unknown field {name!r}", where=self.where, expected=expected)

    def wrong(self, part: str, expected: str = "=, !=, <, <=, >, >=, in, like, is null, and, or, not") -> TuneclipError:
        return TuneclipError(f"the filter cannot have {part}", where=self.where, expected=expected)


def _given(node: Any) -> list[str]:
    return [name for name, value in node.args.items() if value]


def _is_name(node: Any) -> bool:
    from sqlglot import exp

    if isinstance(node, exp.Dot):
        return _is_name(node.this) and isinstance(node.expression, exp.Identifier)
    return isinstance(node, exp.Column) and all(isinstance(part, exp.Identifier) for part in node.parts)
