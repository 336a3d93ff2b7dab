"""The fit: its gradient, the prompt's hold, and what cross-validation decides."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from clouds import World
from scipy.optimize import check_grad

from tuneclip.learn.fit import ALONE, FOLDS, HOLDS, POOR, Rated, balance, fit, folds, ground, objective


def average_precision(truth: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> float:
    hit = truth[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())


def cosine(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    x, y = np.asarray(a, float), np.asarray(b, float)
    return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))


@pytest.mark.parametrize("anchor", [0.3, 3.0])
def test_the_gradient_is_that_of_finite_differences(anchor: float) -> None:
    random = np.random.default_rng(0)
    z, r, targets = random.normal(size=9), random.normal(size=(9, 4)), random.choice([0, 0.25, 0.5, 0.75, 1], 9)

    def loss(x: npt.NDArray[np.float64]) -> float:
        return objective(x, z, r, *balance(targets), anchor)[0]

    def gradient(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return objective(x, z, r, *balance(targets), anchor)[1]

    assert check_grad(loss, gradient, random.normal(size=6)) < 1e-5


def test_both_sides_weigh_the_same_however_many_there_are() -> None:
    positive, negative = balance(np.array([1, 0, 0, 0, 0, 0.25, 0.5]))
    assert positive.sum() == pytest.approx(3.5)
    assert negative.sum() == pytest.approx(3.5)


@pytest.mark.parametrize("ratings", [[], [1.0, 0.5, 1.0], [-1.0, -1.0, -0.5], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
def test_one_sided_ratings_keep_the_prompts_direction(world: World, ratings: list[float]) -> None:
    found = fit(ground(world.prompt, world.vectors), world.vectors[: len(ratings)], ratings)
    assert cosine(found.w, world.prompt) == pytest.approx(1)


def test_one_sided_ratings_move_the_boundary_to_where_they_leave_off(world: World) -> None:
    known, best = ground(world.prompt, world.vectors), np.argsort(-(world.vectors @ world.prompt))[:5]
    yes, no = (fit(known, world.vectors[best], [value] * 5) for value in (1.0, -1.0))
    assert (yes.scores(world.vectors[best]) >= -1e-4).all()
    assert (no.scores(world.vectors) <= 1e-4)[best].all()


def test_fewer_ratings_of_a_side_than_folds_keep_the_prompts_direction(world: World) -> None:
    some = np.concatenate([np.flatnonzero(world.positive)[: FOLDS - 1], np.flatnonzero(~world.positive)[:30]])
    found = fit(ground(world.prompt, world.vectors), world.vectors[some], np.where(world.positive[some], 1.0, -1.0))
    assert cosine(found.w, world.prompt) == pytest.approx(1)


@pytest.mark.parametrize("hits", [1, 2])
def test_a_prompt_whose_nearest_are_rated_down_is_left_after_three_positives_and_not_with_two_hits(
    world: World, hits: int
) -> None:
    away = -world.prompt  # the farther from it, the more are positive
    order = np.argsort(-(world.vectors @ away))
    positive = [key for key in order if world.positive[key]]
    some = [*positive[:hits], *[key for key in order if not world.positive[key]][: POOR - hits], *positive[-2:]]
    found = fit(ground(away, world.vectors), world.vectors[some], np.where(world.positive[some], 1.0, -1.0))
    better = average_precision(world.positive, found.scores(world.vectors)) > 2 * average_precision(
        world.positive, world.vectors @ away
    )
    assert better == (hits == 1)


def test_ratings_by_chance_keep_the_prompts_direction(worlds: Callable[..., World]) -> None:
    left = 0
    for seed in range(10):
        world, random = worlds(seed), np.random.default_rng(seed)
        ratings = random.choice([-1.0, 1.0], 40)
        left += fit(ground(world.prompt, world.vectors), world.vectors[:40], ratings).hold != ALONE
    assert left <= 1


def test_ratings_that_tell_more_than_the_prompt_make_it_better(worlds: Callable[..., World]) -> None:
    left = 0
    for seed in range(5):
        world = worlds(seed, share=0.3)
        known = ground(world.prompt, world.vectors)
        found = fit(known, world.vectors[:60], np.where(world.positive[:60], 1.0, -1.0))
        rest, truth = world.vectors[60:], world.positive[60:]
        assert average_precision(truth, found.scores(rest)) >= average_precision(truth, rest @ world.prompt)
        left += found.hold != ALONE
    assert left >= 3


def test_the_prompt_holds_less_the_more_ratings_there_are(worlds: Callable[..., World]) -> None:
    world = worlds(1, n=3000, share=0.4)
    known = ground(world.prompt, world.vectors)
    cosines = []
    for count in (20, 80, 320):
        rated = Rated.of(known, world.vectors[:count], np.where(world.positive[:count], 1.0, -1.0))
        cosines.append(cosine(rated.whole(HOLDS[1]).w, world.prompt))
    assert cosines[0] > cosines[1] > cosines[2]


def test_the_fit_is_the_same_in_the_span_of_the_ratings_as_in_all_dimensions(world: World) -> None:
    known, ratings = ground(world.prompt, world.vectors), np.where(world.positive[:20], 1.0, -1.0)
    spanned = Rated.of(known, world.vectors[:20], ratings)
    z, r = known.features(world.vectors[:20])
    whole = Rated(known, z, r, np.eye(r.shape[1]), (ratings + 1) / 2)
    assert cosine(spanned.whole(HOLDS[1]).w, whole.whole(HOLDS[1]).w) == pytest.approx(1, abs=1e-6)


def test_each_fold_has_both_sides() -> None:
    targets = np.array([1.0] * FOLDS + [0.0] * 17)
    found = folds(np.random.default_rng(0).normal(size=len(targets)), targets)
    assert all({0.0, 1.0} == set(targets[found == number]) for number in range(FOLDS))


def test_the_textbooks_loop_starts_at_the_prompt_and_has_no_guard(world: World) -> None:
    known = ground(world.prompt, world.vectors)
    assert cosine(fit(known, world.vectors[:0], [], optimizer="sgd").w, world.prompt) == pytest.approx(1)
    assert cosine(fit(known, world.vectors[:8], [1.0] * 8, optimizer="sgd").w, world.prompt) < 0.99


def test_a_collection_of_twins_can_be_fitted() -> None:
    twins = np.ones((12, 4), np.float32) / 2
    found = fit(ground(np.array([1.0, 0, 0, 0]), twins), twins, [1.0, -1.0] * 6)
    assert np.isfinite(found.w).all()
