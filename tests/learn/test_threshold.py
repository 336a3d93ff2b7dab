"""The threshold, and whether its intervals hold the truth as often as they say."""

from collections.abc import Callable

import numpy as np
import pytest
from clouds import World

from tuneclip.learn.choose import choose
from tuneclip.learn.fit import Fit, Ground, fit, ground
from tuneclip.learn.threshold import Threshold, find_threshold


def rated(world: World, pages: int) -> tuple[Ground, Fit, list[int]]:
    """As a person rates the first half: page by page, by the truth."""
    half = len(world.vectors) // 2
    known, ids = ground(world.prompt, world.vectors[:half]), list[int]()
    found = fit(known, world.vectors[:0], [])
    for page in range(pages):
        free = np.ones(half, bool)
        free[ids] = False
        ids += choose(found.scores(world.vectors[:half]), free, 20, seed=page).tolist()
        found = fit(known, world.vectors[ids], np.where(world.positive[ids], 1.0, -1.0))
    return known, found, ids


def threshold_of(world: World, known: Ground, found: Fit, ids: list[int]) -> Threshold:
    rest = np.delete(world.vectors[: len(world.vectors) // 2], ids, axis=0)
    return find_threshold(known, found, world.vectors[ids], np.where(world.positive[ids], 1.0, -1.0), rest)


@pytest.mark.slow
def test_four_of_five_intervals_hold_the_truth_of_pictures_that_were_never_rated(worlds: Callable[..., World]) -> None:
    held = []
    for seed in range(10):
        world = worlds(seed, n=1600, share=(0.03, 0.1, 0.3)[seed % 3], apart=(2.0, 3.0, 4.0)[seed // 3 % 3])
        known, found, ids = rated(world, pages=2 + seed % 2)
        result = threshold_of(world, known, found, ids)
        unseen, truth = world.vectors[800:], world.positive[800:]
        positive = found.scores(unseen) >= result.threshold
        hits = (positive & truth).sum()
        for estimate, value in ((result.precision, hits / max(1, positive.sum())), (result.recall, hits / truth.sum())):
            held += [] if estimate is None else [estimate.low <= value <= estimate.high]
    assert np.mean(held) >= 0.7, f"{np.mean(held):.2f} of {len(held)}"


def test_classes_that_lie_far_apart_are_parted(worlds: Callable[..., World]) -> None:
    world = worlds(3, apart=8.0)
    known, found, ids = rated(world, pages=3)
    result = threshold_of(world, known, found, ids)
    unseen, truth = world.vectors[500:], world.positive[500:]
    positive = found.scores(unseen) >= result.threshold
    assert (positive == truth).mean() > 0.97
    assert result.precision is not None
    assert result.precision.value > 0.8


@pytest.mark.parametrize("value", [1.0, -1.0, 0.0])
def test_one_sided_ratings_give_a_threshold_without_figures(world: World, value: float) -> None:
    known = ground(world.prompt, world.vectors)
    found = fit(known, world.vectors[:6], [value] * 6)
    result = find_threshold(known, found, world.vectors[:6], [value] * 6, world.vectors[6:])
    assert (result.precision, result.recall) == (None, None)
    assert np.isfinite(result.threshold)


@pytest.mark.parametrize("rest", [0, 1, 10])
def test_a_collection_of_which_nearly_all_is_rated_has_a_threshold(world: World, rest: int) -> None:
    known, ratings = ground(world.prompt, world.vectors), np.where(world.positive[:40], 1.0, -1.0)
    found = fit(known, world.vectors[:40], ratings)
    result = find_threshold(known, found, world.vectors[:40], ratings, world.vectors[40 : 40 + rest])
    assert result.precision is not None
    assert 0 <= result.precision.low <= result.precision.value <= result.precision.high <= 1


def test_a_few_ratings_of_both_sides_already_have_figures_with_wide_intervals(world: World) -> None:
    known, some = ground(world.prompt, world.vectors), [*np.flatnonzero(world.positive)[:2], 0, 1, 2]
    ratings = np.where(world.positive[some], 1.0, -1.0)
    result = find_threshold(
        known, fit(known, world.vectors[some], ratings), world.vectors[some], ratings, world.vectors
    )
    assert result.recall is not None
    assert result.recall.high - result.recall.low > 0.3
