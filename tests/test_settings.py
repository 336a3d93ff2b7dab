"""Options as Python callers give them."""

from pathlib import Path

from tuneclip.settings import Compare, Import, from_python


def test_text_is_enough_for_a_path_and_for_one_of_several() -> None:
    given = from_python(Import, "finds.csv", to="finds", caption="label", pictures="photos")
    assert (given.source, given.caption, given.pictures) == (Path("finds.csv"), ("label",), Path("photos"))


def test_a_list_is_as_good_as_a_tuple() -> None:
    assert from_python(Compare, "finds", models=["a", "b"]).models == ("a", "b")
