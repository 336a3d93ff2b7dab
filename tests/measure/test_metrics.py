"""Every figure against a slow reference in plain Python."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneclip.measure.metrics import TEMPLATES, are_labels, chance_recall, ensemble, retrieval, zero_shot
from tuneclip.model.retrieval import pair_up

captions = st.lists(
    st.lists(st.sampled_from(["a", "b", "B ", "c d", "e"]), min_size=1, max_size=3), min_size=2, max_size=7
)


def unit(vectors):
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_unit(rows, dimension=16, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(rows, dimension)))


def slow_ranks(pictures, texts, own):
    """(text → picture by pair, picture → text by picture), by the definition."""
    keys = [list(dict.fromkeys(" ".join(c.split()).lower() for c in mine)) for mine in own]
    distinct = list(dict.fromkeys(key for mine in keys for key in mine))
    cosine = [[sum(float(a) * float(b) for a, b in zip(p, t, strict=True)) for t in texts] for p in pictures]
    there, back = [], []
    for i, mine in enumerate(keys):
        for key in mine:
            t, right = distinct.index(key), [j for j, other in enumerate(keys) if key in other]
            best = max(cosine[j][t] for j in right)
            there.append(1 + sum(cosine[j][t] >= best - 1e-6 for j in range(len(keys)) if j not in right))
        best = max(cosine[i][distinct.index(key)] for key in mine)
        back.append(1 + sum(cosine[i][t] >= best - 1e-6 for t, key in enumerate(distinct) if key not in mine))
    return there, back


@settings(max_examples=40, deadline=None)
@given(captions, st.integers(0, 99))
def test_every_metric_is_that_of_the_slow_reference(own, seed):
    pairs = pair_up(own)
    pictures, texts = random_unit(len(own), 4, seed), random_unit(len(pairs.texts), 4, seed + 1)
    found = {m.metric: m for m in retrieval(pictures, texts, pairs, np.arange(len(own)))}
    for way, expected in zip(("t2i", "i2t"), slow_ranks(pictures, texts, own), strict=True):
        for k in (1, 5, 10):
            assert found[f"{way}_recall@{k}"].value == pytest.approx(sum(r <= k for r in expected) / len(expected))
        assert found[f"{way}_mrr"].value == pytest.approx(sum(1 / r for r in expected) / len(expected))
        assert found[f"{way}_median_rank"].value == pytest.approx(np.median(expected))


def test_a_collapsed_model_scores_nothing():
    pairs = pair_up([[str(i)] for i in range(100)])
    same = np.repeat(random_unit(1), 100, axis=0)
    figures = {m.metric: m.value for m in retrieval(same, same, pairs, np.arange(100))}
    assert figures["t2i_recall@10"] == figures["i2t_recall@10"] == 0.0


def test_a_query_belongs_to_its_pictures_group():
    pairs = pair_up([["a", "b"], ["c"], ["a"]])
    groups = np.array([7, 8, 9])
    found = {m.metric: m for m in retrieval(random_unit(3), random_unit(3), pairs, groups)}
    assert found["t2i_mrr"].groups.tolist() == [7, 7, 8, 9]
    assert found["i2t_mrr"].groups.tolist() == [7, 8, 9]


def test_zero_shot_counts_pictures_whose_own_label_is_strictly_nearest():
    labels = unit([[1, 0], [0, 1]])
    pictures = unit([[1, 0.1], [0.2, 1], [1, 0.3], [1, 1]])  # right, right, wrong, tie
    pairs = pair_up([["cat"], ["dog"], ["dog"], ["cat"]])
    found = zero_shot("zero_shot_top1", pictures, labels, pairs, np.arange(4))
    assert (found.value, len(found.values)) == (0.5, 4)


def test_captions_are_labels_only_when_few_recur_and_each_picture_has_one():
    assert are_labels(pair_up([["cat"], ["dog"], ["Cat "]] * 3))
    assert not are_labels(pair_up([["cat"]] * 6)), "one label tells nothing apart"
    assert not are_labels(pair_up([[f"find {i // 2}"] for i in range(8)])), "pairs of twins are no labels"
    assert not are_labels(pair_up([["cat", "pet"], ["dog", "pet"]] * 5)), "several captions a picture"


def test_an_ensemble_is_the_direction_of_the_mean():
    prompts = np.stack([unit([[1, 0], [0, 1]]), unit([[0, 1], [0, 1]])])
    assert ensemble(prompts) == pytest.approx(unit([[1, 1], [0, 1]]))
    assert TEMPLATES[0] == "{}"


def test_chance_is_what_drawing_blindly_reaches():
    pairs = pair_up([["a"], ["a", "b"], ["c"], ["d"], ["e"]])
    draws = list(combinations(range(5), 2))
    right = {"a": {0, 1}, "b": {1}, "c": {2}, "d": {3}, "e": {4}}
    queries = ["a", "a", "b", "c", "d", "e"]
    hit = [sum(bool(right[q] & set(draw)) for draw in draws) / math.comb(5, 2) for q in queries]
    assert chance_recall(pairs, 2) == pytest.approx(sum(hit) / len(hit))
    assert chance_recall(pairs, 10) == 1.0
    own = [{0}, {0, 1}, {2}, {3}, {4}]  # the texts of each picture
    hit = [sum(bool(mine & set(draw)) for draw in draws) / math.comb(5, 2) for mine in own]
    assert chance_recall(pairs, 2, "i2t") == pytest.approx(sum(hit) / len(hit))
