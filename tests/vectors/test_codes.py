"""Codes of vectors: what they find, under filters too."""

import numpy as np
import pytest

from tuneclip.vectors.codes import Codes, make_codec, within


def some(count: int, dimension: int = 100) -> np.ndarray:
    """Unit vectors in clusters, off the origin as embeddings are."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, dimension))[rng.integers(0, 50, count)] + rng.normal(size=(count, dimension)) + 0.5
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return some(20_000)


@pytest.fixture(scope="module")
def codes(vectors: np.ndarray) -> Codes:
    codec = make_codec(vectors[:2000])
    bits, small = codec.encode(vectors)
    return Codes(codec, np.ascontiguousarray(bits.T), small)


def recall(codes: Codes, vectors: np.ndarray, allowed: np.ndarray, candidates: int) -> float:
    found = []
    for between in vectors[:20] + 0.5 * vectors[100:120]:
        query = between / np.linalg.norm(between)
        right = np.argsort(-np.where(allowed, vectors @ query, -2))[:10]
        best = codes.best(query, 10, allowed=allowed, candidates=candidates)
        assert allowed[best].all()
        found.append(np.isin(right, best).mean())
    return float(np.mean(found))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01])
def test_the_nearest_are_among_the_few_that_codes_choose_whatever_the_filter(codes, vectors, share: float):
    allowed = np.random.default_rng(1).random(len(vectors)) < share
    assert recall(codes, vectors, allowed, 2000) > 0.97


def test_more_candidates_find_more(codes, vectors):
    everything = np.ones(len(vectors), bool)
    assert recall(codes, vectors, everything, 50) < recall(codes, vectors, everything, 4000)


def test_a_filter_that_lets_nothing_through_leaves_nothing(codes, vectors):
    assert len(codes.best(vectors[0], 10, allowed=np.zeros(len(vectors), bool), candidates=100)) == 0


def test_bytes_give_the_cosine_to_within_what_is_said(codes, vectors):
    _, turned = codes.codec.query(vectors[7])
    np.testing.assert_allclose(codes.bytes @ turned, vectors @ vectors[7], atol=codes.codec.rounding)


def test_equals_of_the_last_are_kept_for_the_exact_comparison():
    scores = np.array([0.5, 0.9, 0.5, 0.1, 0.5], np.float32)
    assert within(scores, 2, 1e-6).tolist() == [0, 1, 2, 4]
