"""Values as they read in captions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneclip.data.readable import as_lines, latitude, longitude, plain, read, sources, year, year_range
from tuneclip.data.template import Template

FIND = {
    "material": "Bronze",
    "period.start": -625,
    "period.end": -575,
    "findspot.latitude": 43.1529,
    "findspot.longitude": 11.4,
    "weight": 12.30,
    "oc-gen:has-cat": "coin",
    "link": "https://example.org/1",
    "nothing": None,
}


@pytest.mark.parametrize(
    ("template", "caption"),
    [
        ("{material:lower} coin, {period.start:year}–{period.end:year}", "bronze coin, 625–575 BC"),
        ("found at {findspot:coordinates}", "found at 43.15° N, 11.40° E"),
        ("{findspot.latitude:latitude}, {findspot.longitude:longitude}", "43.15° N, 11.40° E"),
        ("a coin, {elsewhere:coordinates}", "a coin"),
        ("{oc-gen:has-cat} of {weight} g", "coin of 12.3 g"),
        ("{ material : lower }", "bronze"),
        ("a coin, {material:year}", "a coin"),
    ],
)
def test_a_field_reads_as_its_form_says(template: str, caption: str) -> None:
    assert Template(template).render(FIND) == caption


@pytest.mark.parametrize(
    ("value", "text"),
    [("-625", "625 BC"), ("93", "AD 93"), ("93.0", "AD 93"), ("1450", "1450"), ("0", ""), ("1.5", ""), ("old", "")],
)
def test_years_carry_their_era(value: str, text: str) -> None:
    assert year(value) == text


def test_the_era_of_a_range_is_said_once() -> None:
    assert year_range("625 BC–575 BC") == "625–575 BC"
    assert year_range("AD 93 - AD 117") == "AD 93 - 117"
    assert year_range("50 BC–AD 20") == "50 BC–AD 20"


@pytest.mark.parametrize(
    ("value", "text"), [(0.1 + 0.2, "0.3"), (12.0, "12"), (0.004, "0.004"), (0.0, "0"), (-0.5, "-0.5"), (7, "7")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert plain(value) == text


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_coordinates_name_their_side_and_lose_half_a_hundredth_at_most(north: float, east: float) -> None:
    for text, value, sides in ((latitude(str(north)), north, "NS"), (longitude(str(east)), east, "EW")):
        number, side = text.split("° ")
        assert abs(float(number) - abs(value)) <= 0.00501
        assert side == sides[value < 0]


@pytest.mark.parametrize("value", ["91", "-180.5", "nan", "north", ""])
def test_what_is_no_latitude_reads_as_nothing(value: str) -> None:
    assert latitude(value) == ""


def test_lines_have_all_fields_but_links_and_join_what_belongs_together() -> None:
    assert as_lines(FIND).splitlines() == [
        "material: Bronze",
        "period: 625–575 BC",
        "findspot: 43.15° N, 11.40° E",
        "weight: 12.3",
        "oc-gen:has-cat: coin",
    ]


def test_starts_and_ends_that_are_no_years_stay_apart() -> None:
    assert as_lines({"clip.start": 3, "clip.end": 7}).splitlines() == ["clip start: 3", "clip end: 7"]
    assert as_lines({"latitude": 1.0, "longitude": -2.0}) == "place: 1.00° N, 2.00° W"


@given(st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=9) | st.floats() | st.integers(), max_size=6))
def test_lines_never_fail_and_have_no_more_lines_than_fields(fields: dict[str, str | float | None]) -> None:
    text = as_lines(
        {name: value for name, value in fields.items() if not isinstance(value, str) or value.isprintable()}
    )
    assert len(text.split("\n")) <= max(1, len(fields))


def test_a_field_whose_name_has_a_line_break_stays_one_line() -> None:
    assert as_lines({"material\nused": "bronze"}) == "material used: bronze"


def test_a_placeholder_names_the_fields_that_it_reads() -> None:
    assert sources("findspot:coordinates") == ["findspot.latitude", "findspot.longitude"]
    assert sources("a:b") == ["a:b"]
    assert read("tags", {"tags": ["a", 1.50]}) == "a, 1.5"
