"""The arithmetic of queries: terms with weights to one direction."""

from pathlib import Path

import numpy as np
import pytest

from tuneclip.errors import TuneclipError
from tuneclip.vectors.collection import Origin, Row
from tuneclip.vectors.exact import ExactCollection
from tuneclip.vectors.fusion import fused
from tuneclip.vectors.query import Query, Term, checked_query, embed_query, weighted


@pytest.fixture
def collection() -> ExactCollection:
    found = ExactCollection("finds", Origin("tiny", "f", 3))
    found.upsert([Row("x", np.array([1, 0, 0]), "x.jpg"), Row("y", np.array([0, 1, 0]), "y.jpg")])
    return found


def test_terms_are_added_by_their_weights_and_brought_to_unit_length(collection: ExactCollection):
    query = Query((Term("like", "x"), Term("like", "y", -0.5)))
    np.testing.assert_allclose(embed_query(query, None, collection), np.array([1, -0.5, 0]) / 1.25**0.5, atol=1e-7)


@pytest.mark.parametrize(
    ("written", "what", "weight"),
    [("red car", "red car", 1), ("snow^0.5", "snow", 0.5), ("a^b", "a^b", 1), ("^2", "^2", 1)],
)
def test_a_weight_is_written_behind_the_words(written: str, what: str, weight: float):
    assert weighted("text", written) == Term("text", what, weight)


def test_minus_counts_half_unless_a_weight_is_given():
    assert [weighted("text", text, -0.5).weight for text in ("red", "red^1")] == [-0.5, -1]


def test_a_file_whose_name_looks_like_a_weight_is_that_file(tmp_path: Path):
    path = tmp_path / "photo^2"
    path.touch()
    assert weighted("picture", str(path)) == Term("picture", path)
    assert weighted("picture", "photo.jpg^2") == Term("picture", Path("photo.jpg"), 2)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ((), "nothing to look for"),
        ((Term("text", "red", -1),), "only what is not wanted"),
        ((Term("text", " "),), "the words to look for are empty"),
        ((Term("picture", Path("nowhere.jpg")),), "no such picture"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(terms: tuple[Term, ...], message: str):
    with pytest.raises(TuneclipError, match=message):
        checked_query(Query(terms))


def test_terms_that_cancel_each_other_out_and_unknown_ids_are_refused(collection: ExactCollection):
    with pytest.raises(TuneclipError, match="cancel each other out: like 'x' - like 'x'"):
        embed_query(Query((Term("like", "x"), Term("like", "x", -1))), None, collection)
    with pytest.raises(TuneclipError, match="there is no 'z' in collection 'finds'"):
        embed_query(Query((Term("like", "z"),)), None, collection)


def test_a_vector_is_read_from_numpy_or_json(collection: ExactCollection, tmp_path: Path):
    np.save(tmp_path / "v.npy", np.array([[0, 2, 0]], np.float16))
    (tmp_path / "v.json").write_text("[3, 0, 0]")
    terms = weighted("vector", str(tmp_path / "v.npy")), weighted("vector", f"{tmp_path / 'v.json'}^2")
    np.testing.assert_allclose(embed_query(Query(terms), None, collection), np.array([2, 1, 0]) / 5**0.5, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "message"), [("red", "cannot be read"), ('["a"]', "cannot be read"), ("[1, 2]", "dimension 2")]
)
def test_a_file_without_a_vector_of_the_collection_is_refused(
    text: str, message: str, collection: ExactCollection, tmp_path: Path
):
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(TuneclipError, match=message):
        embed_query(Query((weighted("vector", str(tmp_path / "v.json")),)), None, collection)


def test_what_two_rankings_agree_on_comes_first():
    assert fused([["a", "b", "c"], ["b", "d"]]) == ["b", "a", "d", "c"]
