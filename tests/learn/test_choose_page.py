"""What is shown next."""

import numpy as np

from tuneclip.learn.choose import choose


def test_a_page_has_each_picture_once_and_none_that_was_seen() -> None:
    scores = np.random.default_rng(0).normal(size=500)
    free = np.random.default_rng(1).random(500) < 0.5
    page = choose(scores, free, 20, seed=0)
    assert len(set(page.tolist())) == 20
    assert free[page].all()


def test_most_of_a_page_is_the_nearest_in_order() -> None:
    scores = np.random.default_rng(0).normal(size=500)
    page = choose(scores, np.ones(500, bool), 20, seed=0)
    assert page[:12].tolist() == np.argsort(-scores)[:12].tolist()


def test_after_the_nearest_come_the_uncertain_the_positive_first() -> None:
    scores = np.concatenate([np.linspace(10, 5, 20), np.linspace(0.2, -0.2, 6), np.linspace(-5, -10, 100)])
    page = choose(scores, np.ones(len(scores), bool), 20, seed=0)
    assert page[12:18].tolist() == [20, 21, 22, 23, 24, 25]


def test_what_is_left_is_shown_whole_when_it_is_less_than_a_page() -> None:
    assert choose(np.arange(9.0), np.arange(9) % 2 == 0, 20, seed=0).tolist() == [8, 6, 4, 2, 0]
    assert choose(np.arange(3.0), np.zeros(3, bool), 20, seed=0).tolist() == []


def test_a_few_come_from_far_down_the_ranks() -> None:
    scores = -np.arange(10_000.0)
    ranks = [choose(scores, np.ones(10_000, bool), 20, seed=seed)[-1] for seed in range(200)]
    assert np.median(ranks) > 100
    assert sum(rank < 1000 for rank in ranks) > 40


def test_the_same_seed_gives_the_same_page() -> None:
    scores = np.random.default_rng(0).normal(size=300)
    first, again = (choose(scores, np.ones(300, bool), 20, seed=7) for _ in range(2))
    assert first.tolist() == again.tolist()
