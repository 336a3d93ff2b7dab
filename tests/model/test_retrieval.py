"""Ranks and recall, against a slow reference in plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneclip.model import retrieval
from tuneclip.model.retrieval import (
    caption_key,
    mean_reciprocal_rank,
    nearest,
    pair_up,
    picture_to_text_ranks,
    ranks,
    recall_at,
    text_to_picture_ranks,
)


def unit(vectors):
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_unit(rows, dimension=8, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(rows, dimension)))


def slow_rank(query, items, relevant):
    """The definition, said slowly."""
    scores = [sum(float(a) * float(b) for a, b in zip(query, item, strict=True)) for item in items]
    best = max(scores[i] for i in relevant)
    return 1 + sum(score >= best - 1e-6 for i, score in enumerate(scores) if i not in relevant)


captions = st.lists(
    st.lists(st.sampled_from(["a", "b ", " B", "c d", "c  D", "e"]), max_size=3), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None)
@given(captions, st.integers(0, 1000), st.booleans())
def test_ranks_are_those_of_the_slow_reference_for_twins_ties_and_several_captions(own, seed, coarse):
    pairs = pair_up(own)
    pictures, texts = random_unit(len(own), seed=seed), random_unit(len(pairs.texts), seed=seed + 1)
    if coarse:  # few distinct vectors: many exact ties
        pictures, texts = unit(np.sign(pictures[:, :2])), unit(np.sign(texts[:, :2]))
    keys = [sorted({caption_key(c) for c in mine}) for mine in own]
    text_of = {caption_key(t): i for i, t in enumerate(pairs.texts)}
    carriers = {key: [i for i, mine in enumerate(keys) if key in mine] for key in text_of}
    expected = {
        (i, text_of[key]): slow_rank(texts[text_of[key]], pictures, carriers[key])
        for i, mine in enumerate(keys)
        for key in mine
    }
    found = text_to_picture_ranks(pictures, texts, pairs)
    assert dict(zip(zip(pairs.picture, pairs.text, strict=True), found, strict=True)) == expected
    back = [slow_rank(pictures[i], texts, [text_of[k] for k in mine]) for i, mine in enumerate(keys) if mine]
    assert picture_to_text_ranks(pictures, texts, pairs).tolist() == back


def test_a_collapsed_model_finds_nothing():
    same = np.repeat(random_unit(1, 64), 200, axis=0)
    found = ranks(same, same, [np.array([i]) for i in range(200)])
    assert found.tolist() == [200] * 200
    assert recall_at(found, 10) == 0.0


def test_noise_of_single_precision_does_not_break_ties_kindly():
    noise = np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32) * 2e-8
    nearly = np.repeat(random_unit(1, 64), 200, axis=0) + noise
    assert len(np.unique(nearly @ nearly[0])) > 1, "the noise must show"
    assert recall_at(ranks(nearly, nearly, [np.array([i]) for i in range(200)]), 10) == 0.0


def test_an_irrelevant_item_counts_as_ahead_only_within_the_tolerance():
    query = np.array([[1.0, 0.0]], dtype=np.float32)
    items = np.array([[0.5, 0], [0.5 - 5e-7, 0], [0.5 - 1e-5, 0]], dtype=np.float32)
    assert ranks(query, items, [np.array([0])]).tolist() == [2]


def test_vectors_that_are_not_finite_find_nothing():
    vectors = random_unit(20)
    broken = np.full_like(vectors, np.nan)
    own = [np.array([i]) for i in range(20)]
    assert ranks(broken, vectors, own).tolist() == [20] * 20
    assert ranks(vectors, np.full_like(vectors, np.inf), own).tolist() == [20] * 20


def test_blocks_change_nothing(monkeypatch):
    queries, items = random_unit(50, seed=1), random_unit(40, seed=2)
    own = [np.array([i % 40, (i * 7) % 40]) for i in range(50)]
    whole = ranks(queries, items, own)
    monkeypatch.setattr(retrieval, "_BLOCK", 90)
    assert ranks(queries, items, own).tolist() == whole.tolist()
    assert nearest(queries, items, 5)[0].shape == (50, 5)


def test_captions_that_say_the_same_are_one():
    pairs = pair_up([[" Red  Bowl"], ["red bowl", "RED BOWL", " "], []])
    assert pairs.texts == (" Red  Bowl",)
    assert (pairs.picture.tolist(), pairs.text.tolist(), pairs.pictures) == ([0, 1], [0, 0], 3)
    assert [own.tolist() for own in pairs.pictures_of_texts()] == [[0, 1]]
    assert [own.tolist() for own in pairs.texts_of_pictures()] == [[0], [0], []]


def test_pictures_without_any_caption_make_no_pairs():
    pairs = pair_up([[], []])
    empty = np.zeros((0, 4), dtype=np.float32)
    assert len(text_to_picture_ranks(random_unit(2, 4), empty, pairs)) == 0
    assert len(picture_to_text_ranks(random_unit(2, 4), empty, pairs)) == 0
    assert recall_at(np.array([], dtype=np.int64), 5) == 0.0


def test_a_query_without_a_relevant_item_is_an_error():
    with pytest.raises(ValueError, match="needs a relevant item"):
        ranks(random_unit(1), random_unit(2), [np.array([], dtype=np.int64)])
    with pytest.raises(ValueError, match="relevance sets"):
        ranks(random_unit(2), random_unit(2), [np.array([0])])


def test_recall_and_reciprocal_rank_are_the_textbook_ones():
    found = np.array([1, 2, 10, 11])
    assert [recall_at(found, k) for k in (1, 5, 10)] == [0.25, 0.5, 0.75]
    assert mean_reciprocal_rank(found) == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 4)


def test_nearest_lists_the_best_first_and_equals_in_order():
    items = np.array([[0.6, 0.8], [1, 0], [1, 0], [0, 1]], dtype=np.float32)
    found, scores = nearest(np.array([[1, 0]], dtype=np.float32), items, 9)
    assert found.tolist() == [[1, 2, 0, 3]]
    assert scores[0] == pytest.approx([1, 1, 0.6, 0])
