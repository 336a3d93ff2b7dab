"""Splits are deterministic, keep groups together, and are never empty where they need not be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneclip.data.split import CARVED, MADE, choose_splits, split_in_path, split_name

groups = st.lists(st.text(), unique=True, max_size=40)


@given(groups, st.integers(0, 9), st.randoms())
@settings(max_examples=60)
def test_the_order_of_the_groups_does_not_matter(names: list[str], seed: int, chance: object) -> None:
    mixed = sorted(names, key=lambda name: hash((name, repr(chance))))
    one, other = choose_splits(names, MADE, seed), choose_splits(mixed, MADE, seed)
    assert [one(name) for name in names] == [other(name) for name in names]


@given(groups, st.sampled_from([MADE, CARVED]))
@settings(max_examples=60)
def test_two_groups_give_a_validation_split_and_three_a_test_split(names: list[str], shares: dict[str, float]) -> None:
    choose = choose_splits(names, shares, 0)
    found = {choose(name) for name in names}
    wanted = ["train", "validation", "test"][: len(names)]
    assert found >= set(wanted) & set(shares) or not names


def test_about_a_tenth_is_validated_and_a_tenth_tested() -> None:
    choose = choose_splits(map(str, range(10_000)), MADE, 0)
    chosen = [choose(str(number)) for number in range(10_000)]
    assert 900 < chosen.count("validation") < 1100
    assert 900 < chosen.count("test") < 1100


def test_added_groups_move_no_other() -> None:
    few, many = (choose_splits(map(str, range(n)), MADE, 3) for n in (500, 5000))
    assert all(few(str(number)) == many(str(number)) for number in range(500))


def test_the_seed_changes_the_splits() -> None:
    one, other = (choose_splits(map(str, range(99)), MADE, seed) for seed in (0, 1))
    assert [one(str(number)) for number in range(99)] != [other(str(number)) for number in range(99)]


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train-00000-of-00002.parquet", "train"),
        ("data/validation.parquet", "validation"),
        ("val/metadata.csv", "validation"),
        ("captions_val2017.json", "validation"),
        ("TEST.csv", "test"),
        ("contest.csv", None),
        ("finds.json", None),
    ],
)
def test_a_file_name_may_carry_a_split(path: str, split: str | None) -> None:
    assert split_in_path(path) == split


def test_split_words_are_known_by_their_usual_forms() -> None:
    assert [split_name(word) for word in ("Dev", "testing", "restval", "fold 3")] == [
        "validation",
        "test",
        "train",
        None,
    ]
