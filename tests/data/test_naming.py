"""Names of copied pictures are recognisable and harmless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneclip.data.naming import folded, safe_stem, stems_for


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("IMG_0042", "IMG_0042"),
        ("test", "test~"),
        ("train-1", "train~-1"),
        ("my.val.file", "my-val~-file"),
        ("contest", "contest"),
        ("Ägäis größe", "Ägäis-größe"),
        ("con", "con~"),
        (".hidden", "hidden"),
        ("???", "picture"),
    ],
)
def test_a_stem_stays_recognisable(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


@given(st.text(st.characters(), max_size=400))
def test_any_name_gives_a_short_stem_that_utf8_holds(name: str) -> None:
    stem = safe_stem(name)
    assert stem
    assert len(stem.encode()) < 130
    assert not set(stem) & set('/\\.:*?"<>| ')
    assert not stem.startswith("-")


def test_the_second_choice_names_the_folder() -> None:
    assert stems_for("cats/001.jpg") == ["001", "cats-001"]
    assert stems_for("Dr. No") == ["Dr-No"]


def test_names_that_differ_in_case_or_unicode_form_are_one() -> None:
    assert folded("É") == folded("e\u0301")
