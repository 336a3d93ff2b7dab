"""Captions from fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneclip.data.template import Template
from tuneclip.errors import TuneclipError

FIND = {
    "object.material": "bronze",
    "category": "coin",
    "context": "tomb 5",
    "start": -300,
    "end": None,
    "tags": ["a", "b"],
}


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("{object.material} {category}", "bronze coin"),
        ("{category} from {context}, {start}–{end}", "coin from tomb 5"),
        ("{start}–{end}, a {category}", "a coin"),
        ("{ category } {{{tags}}}", "coin {a, b}"),
        ("{end}", None),
        ("{nowhere} {category}, {end}", None),
    ],
)
def test_fields_fill_the_template_and_a_clause_without_its_field_goes(text: str, caption: str | None) -> None:
    assert Template(text).render(FIND) == caption


@pytest.mark.parametrize(("text", "reason"), [("a coin", "no field"), ("{category", "no field"), ("{a} {b", "brace")])
def test_a_template_that_cannot_be_meant_is_refused(text: str, reason: str) -> None:
    with pytest.raises(TuneclipError, match=reason):
        Template(text)


def test_the_fields_of_a_template_are_known() -> None:
    assert Template("{b} {a.c} {b}").fields == ["b", "a.c"]


names = st.from_regex(r"[a-z]+(\.[a-z]+)?", fullmatch=True)
plain = st.text(st.characters(codec="utf-8", exclude_characters="{},", exclude_categories=["Cc", "Zs", "Zl", "Zp"]))


@given(st.lists(st.tuples(plain, names), min_size=1, max_size=5), st.dictionaries(names, plain))
def test_a_rendered_caption_has_no_brace_and_no_missing_field(
    parts: list[tuple[str, str]], fields: dict[str, str]
) -> None:
    template = Template(", ".join(f"{text} {{{name}}}" for text, name in parts))
    caption = template.render(fields)
    whole = [f"{text} {fields[name]}" for text, name in parts if fields.get(name, "").strip()]
    assert (caption or "").split() == ", ".join(" ".join(part.split()) for part in whole).split()
