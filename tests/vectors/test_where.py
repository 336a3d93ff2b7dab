"""The language of filters: what it means and what it refuses."""

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.vectors.conditions import Comparison, Group, Like, Membership, Missing, matches, to_sql
from tuneclip.vectors.where import parse

FIELDS = {
    "category": {"text"},
    "period.start": {"number"},
    "find spot.depth.max.in.metres": {"number"},
    "whole": {"boolean"},
    "case": {"number"},
    "void": set(),
    "id": {"number"},
}


def holds(expression: str, **values) -> bool:
    named = {("" if name in ("id", "seen", "text", "caption") else "metadata.") + name: v for name, v in values.items()}
    return matches(parse(expression, FIELDS), named)


@pytest.mark.parametrize(
    ("expression", "condition"),
    [
        ("category = 'coin'", Comparison("metadata.category", "=", "coin")),
        ('category <> "it\'s"', Comparison("metadata.category", "!=", "it's")),
        ("period.start < -300", Comparison("metadata.period.start", "<", -300.0)),
        ("-3e2 < period.start", Comparison("metadata.period.start", ">", -300.0)),
        ("`find spot`.depth.max.`in`.metres >= .5", Comparison("metadata.find spot.depth.max.in.metres", ">=", 0.5)),
        ("whole = true", Comparison("metadata.whole", "=", True)),
        ("case = 1", Comparison("metadata.case", "=", 1.0)),
        ("id = 'x'", Comparison("id", "=", "x")),
        ("metadata.id = 3", Comparison("metadata.id", "=", 3.0)),
        ("category in ('a', \"b\")", Membership("metadata.category", ("a", "b"))),
        ("category not in ('a')", Membership("metadata.category", ("a",), negated=True)),
        ("caption ilike '%RED%'", Like("caption", "%RED%", any_case=True)),
        ("text not like 'a_'", Like("text", "a_", negated=True)),
        ("void is null", Missing("metadata.void")),
        ("NOT void IS NULL", Missing("metadata.void", negated=True)),
        ("seen between 0 and 1", Group((Comparison("seen", ">=", 0), Comparison("seen", "<=", 1)), all=True)),
        (
            "not (whole = true or period.start > 0)",
            Group((Comparison("metadata.whole", "!=", True), Comparison("metadata.period.start", "<=", 0)), all=True),
        ),
    ],
)
def test_an_expression_means_its_condition(expression: str, condition: object):
    assert parse(expression, FIELDS) == condition


def test_and_binds_more_tightly_than_or():
    assert holds("category = 'a' or category = 'b' and whole = true", category="a", whole=False)
    assert not holds("(category = 'a' or category = 'b') and whole = true", category="a", whole=False)


@pytest.mark.parametrize("sign", ["=", "!=", "<", "<=", ">", ">="])
def test_a_comparison_with_a_missing_value_is_never_true_nor_is_its_opposite(sign: str):
    assert not holds(f"period.start {sign} 3")
    assert not holds(f"not (period.start {sign} 3)")
    assert not holds("category not in ('a')")
    assert not holds("category not like 'a'")


def test_a_backslash_takes_the_signs_of_like_as_they_are():
    assert holds(r"category like '50\%'", category="50%")
    assert not holds(r"category like '50\%'", category="500")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("categry = 'coin'", r"unknown field 'categry' .*expected category\?"),
        ("Category = 'coin'", r"expected category\?"),
        ("zzzzz = 1", "expected one of caption, case, category"),
        ("category = coin", "texts in quotes: 'coin'"),
        ("category = 3", "category is compared with 3 .*expected a text in quotes"),
        ("period.start = '3'", "expected a number"),
        ("whole = 'yes'", "expected true or false"),
        ("whole > true", "= or != before true"),
        ("whole", "whole alone"),
        ("category = null", "is null or is not null"),
        ("whole is true", "= true"),
        ("category in ()", "cannot have"),
        ("category in ('a', 1)", "values of one kind"),
        ("category like 3", "expected a text in quotes"),
        ("period.start = 1e999", "below 1.8e308"),
        ("period.start = 1.2.3", "cannot have"),
        ("period.start + 1 = 3", "cannot have"),
        ("upper(category) = 'A'", "cannot have"),
        ("1 = 1", "a field's name"),
        ("category = 'a' and", "cannot be read near 'and'"),
        ("category = 'a", "cannot be read"),
        ("", "empty"),
        ("category = 'a' -- and more", "comment"),
        ("category = 'a'; whole = true", "more than one condition"),
        ("category = 'a'; drop table c", "cannot be read"),
        ("category in (select id from c)", "cannot be read"),
        ("find spot = 3", "backticks"),
        ("not " * 30 + "whole = true", "nested too deeply"),
        ("(" * 3000 + "whole = true" + ")" * 3000, "nested too deeply"),
        (" or ".join(["whole = true"] * 1001), "at most 1,000"),
    ],
)
def test_anything_else_is_refused_in_one_line(expression: str, message: str):
    with pytest.raises(TuneclipError, match=message) as caught:
        parse(expression, FIELDS)
    assert "\n" not in str(caught.value) or "\n" in expression
    assert len(str(caught.value)) < 600


def test_sql_is_written_anew_with_quoted_values():
    condition = parse("category = 'it''s; drop' and not whole = true", FIELDS)
    sql = to_sql(condition, lambda field: {"text": "text_category", "boolean": "boolean_whole"})
    assert sql == "text_category = 'it''s; drop' AND (NOT boolean_whole IS NULL AND boolean_whole <> TRUE)"
