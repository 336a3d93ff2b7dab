"""Intervals hold what they promise, in a simulation and against a slow reference."""

import numpy as np
import pytest

from tuneclip.measure.bootstrap import compare_measurements, replicates
from tuneclip.measure.metrics import Measurement


def clustered(random, groups=60, size=5):
    """Queries that come out alike within a group; the true mean is one half."""
    chance = random.beta(1, 1, size=groups)
    values = random.random((groups, size)) < chance[:, None]
    return values.ravel().astype(float), np.repeat(np.arange(groups), size)


def interval(values, groups, seed=0):
    drawn = replicates([Measurement("m", values, groups)], resamples=300, seed=seed)
    return np.percentile(drawn, (2.5, 97.5))


def test_intervals_by_group_cover_the_truth_and_those_by_query_do_not():
    random = np.random.default_rng(0)
    covered = naive = 0
    for trial in range(300):
        values, groups = clustered(random)
        low, high = interval(values, groups, trial)
        covered += low <= 0.5 <= high
        low, high = interval(values, np.arange(len(values)), trial)
        naive += low <= 0.5 <= high
    assert 0.91 <= covered / 300 <= 0.98
    assert naive / 300 < 0.85


def test_replicates_are_those_of_a_slow_resampling():
    values, groups = clustered(np.random.default_rng(1), groups=7, size=3)
    ranks = np.random.default_rng(2).integers(1, 50, size=len(values)).astype(float)
    measured = [Measurement("mean", values, groups), Measurement("rank", ranks, groups, "median")]
    found = replicates(measured, resamples=20, seed=3)
    drawn = np.random.default_rng(3).integers(7, size=(20, 7))
    for row, chosen in zip(found, drawn, strict=True):
        taken = np.concatenate([np.flatnonzero(groups == g) for g in chosen])
        assert row == pytest.approx([values[taken].mean(), np.median(ranks[taken])])


def test_pairing_narrows_the_interval_of_a_difference():
    random = np.random.default_rng(0)
    values, groups = clustered(random, groups=100)
    better = np.maximum(values, random.random(len(values)) < 0.1)
    measured = {"a": [Measurement("m", values, groups)], "b": [Measurement("m", better, groups)]}
    (a, b), (gain,) = compare_measurements(measured)
    assert gain.models == ("a", "b")
    assert gain.value == pytest.approx(b.value - a.value)
    assert gain.low > 0, "the gain is clear when paired"
    assert gain.high - gain.low < 0.5 * np.hypot(a.high - a.low, b.high - b.low)


def test_the_same_seed_gives_the_same_intervals():
    values, groups = clustered(np.random.default_rng(0))
    measured = {"a": [Measurement("m", values, groups)]}
    assert compare_measurements(measured, seed=1) == compare_measurements(measured, seed=1)
    assert compare_measurements(measured, seed=1) != compare_measurements(measured, seed=2)


def test_blocks_change_nothing(monkeypatch):
    values, groups = clustered(np.random.default_rng(0))
    measured = [Measurement("m", values, groups), Measurement("r", values, groups, "median")]
    whole = replicates(measured, resamples=50)
    monkeypatch.setattr("tuneclip.measure.bootstrap._BLOCK", 7 * 300)
    assert np.array_equal(replicates(measured, resamples=50), whole)


def test_one_group_gives_an_interval_without_width():
    (score,), differences = compare_measurements({"a": [Measurement("m", np.array([0.0, 1.0]), np.array([0, 0]))]})
    assert (score.value, score.low, score.high, score.n) == (0.5, 0.5, 0.5, 2)
    assert differences == []
