"""The validation measure: its noise is that of independent pictures, and the best ranks stay on the disk."""

from pathlib import Path

import numpy as np
import pytest

from tuneclip.data.load import Dataset
from tuneclip.records import Record
from tuneclip.training.validate import Validation, intervals, kept, summary


def sample(groups: int, each: int = 1) -> Validation:
    records = [
        Record(f"{g}-{i}", f"{g}-{i}.png", (f"caption {g} {i}",), group=str(g), split="validation")
        for g in range(groups)
        for i in range(each)
    ]
    return Validation(Dataset("drawn", Path("drawn"), tuple(records)))


def ranks(found: np.ndarray) -> dict[str, np.ndarray]:
    """The same ranks both ways: 1 where found, 99 where not."""
    return {"t2i": np.where(found, 1, 99), "i2t": np.where(found, 1, 99)}


def test_the_standard_error_is_that_of_a_share_of_independent_pictures() -> None:
    found = np.arange(400) % 4 == 0
    assert sample(400).standard_error(ranks(found)) == pytest.approx(np.sqrt(0.25 * 0.75 / 399), rel=1e-6)


def test_pictures_of_one_group_count_once() -> None:
    found = np.repeat(np.arange(100) % 4 == 0, 4)
    assert sample(100, 4).standard_error(ranks(found)) == pytest.approx(np.sqrt(0.25 * 0.75 / 99), rel=1e-6)


def test_a_paired_difference_has_only_the_noise_of_what_differs() -> None:
    one, other = np.arange(400) % 4 == 0, np.arange(400) % 4 == 0
    other[:4] = True
    paired = sample(400).standard_error(ranks(one), ranks(other))
    assert sample(400).standard_error(ranks(one), ranks(one)) == 0.0
    assert paired < sample(400).standard_error(ranks(one)) / 3


def test_two_levels_of_cut_off_and_both_ways_make_the_mean() -> None:
    scores = summary({"t2i": np.array([1, 6]), "i2t": np.array([1, 1])})
    assert scores["mean_recall"] == pytest.approx((0.5 + 0.5 + 1 + 1 + 1 + 1) / 6)
    assert summary({}) == {}
    assert intervals({}, "x") == []


def test_only_better_ranks_replace_those_that_are_kept(tmp_path: Path) -> None:
    validation, identity = sample(8), np.eye(8, dtype=np.float32)
    validation.scores(lambda *_: (identity, np.roll(identity, 1, axis=0)), keep=tmp_path)
    validation.scores(lambda *_: (identity, identity), keep=tmp_path)
    validation.scores(lambda *_: (identity, np.roll(identity, 1, axis=0)), keep=tmp_path)
    assert summary(kept(tmp_path))["mean_recall"] == 1.0
    assert kept(tmp_path / "elsewhere") == {}


def test_a_split_with_a_single_captioned_picture_measures_nothing() -> None:
    assert not sample(1).measurable
    assert sample(1).scores(lambda *_: pytest.fail("nothing to embed")) == {}
