"""What every backend promises, held against the exact reference."""

from pathlib import Path

import numpy as np
import pytest
from backends import BACKENDS, parameters

from tuneclip.errors import TuneclipError
from tuneclip.vectors.collection import Collection, Origin, Row

ORIGIN = Origin("tiny", "0123456789abcdef", 4, "finds", "datasets/finds")


@pytest.fixture(params=parameters(list(BACKENDS)))
def collection(request: pytest.FixtureRequest, tmp_path: Path) -> Collection:
    return BACKENDS[request.param].open(tmp_path, request, ORIGIN)


def row(key: str, vector: tuple[float, ...] = (1, 0, 0, 0), **more) -> Row:
    return Row(key, np.array(vector, np.float32), f"pictures/{key}.jpg", **more)


def test_the_nearest_come_first_with_their_cosines_and_equals_by_id(collection: Collection):
    collection.upsert([row("b"), row("a"), row("far", (-2, 0, 0, 0)), row("half", (3, 3, 0, 0))])
    hits = collection.nearest([5, 0, 0, 0], 10)
    assert [hit.id for hit in hits] == ["a", "b", "half", "far"]
    assert [hit.score for hit in hits] == pytest.approx([1, 1, 0.5**0.5, -1], abs=1e-6)
    assert [hit.id for hit in collection.nearest([5, 0, 0, 0], 1)] == ["a"]


def test_a_hit_brings_all_that_was_stored_and_an_absolute_path(collection: Collection, tmp_path: Path):
    metadata = {"ware": "bucchero", "period.start": -600, "height": 1.5, "whole": True, "note": None}
    collection.upsert([row("x", metadata=metadata, captions=("a jug", "ein Krug"))])
    (hit,) = collection.nearest([1, 0, 0, 0], 1)
    assert (dict(hit.metadata), hit.captions) == (metadata, ("a jug", "ein Krug"))
    assert Path(hit.path) == tmp_path / "datasets/finds/pictures/x.jpg"


def test_vectors_come_back_at_unit_length(collection: Collection):
    collection.upsert([row("x", (3, 4, 0, 0))])
    (found,) = collection.get(["x"])
    np.testing.assert_allclose(found.vector, [0.6, 0.8, 0, 0], atol=1e-7)
    assert found.vector.dtype == np.float32


def test_upsert_replaces_a_row_whole_and_the_last_of_equal_ids_wins(collection: Collection):
    collection.upsert([row("x", metadata={"ware": "clay"}, seen=1)])
    collection.upsert([row("x", (0, 1, 0, 0)), row("x", (0, 0, 1, 0), content="last")])
    assert collection.count() == 1
    (found,) = collection.get(["x"])
    assert (found.content, found.seen, dict(found.metadata)) == ("last", 0, {})


def test_twins_both_stay(collection: Collection):
    collection.upsert([row("x", content="same"), row("y", content="same")])
    assert [hit.id for hit in collection.nearest([1, 0, 0, 0], 5)] == ["x", "y"]


def test_ids_that_are_not_there_are_passed_over(collection: Collection):
    collection.upsert([row("x"), row("it's"), row('"quoted"')])
    collection.delete(["nobody", "it's"])
    collection.update_seen(["nobody", "x"], 1)
    assert [found.id for found in collection.get(['"quoted"', "nobody", "x"])] == ['"quoted"', "x"]
    assert set(collection.contents()) == {"x", '"quoted"'}


def test_seen_is_marked_skipped_and_reset_without_touching_anything_else(collection: Collection):
    collection.upsert([row("x", metadata={"ware": "clay"}), row("y")])
    collection.update_seen(["x"], 1)
    assert [hit.id for hit in collection.nearest([1, 0, 0, 0], 5, exclude_seen=True)] == ["y"]
    assert collection.count("seen = 1 and ware = 'clay'") == 1
    collection.update_seen(["x", "y"], 0)
    assert len(collection.nearest([1, 0, 0, 0], 5, exclude_seen=True)) == 2


def test_a_filter_chooses_before_the_nearest_are_counted(collection: Collection):
    collection.upsert([row(f"near-{n}", metadata={"ware": "clay"}) for n in range(20)])
    collection.upsert([row("far", (-1, 0, 0, 0), metadata={"ware": "gold"})])
    assert [hit.id for hit in collection.nearest([1, 0, 0, 0], 1, where="ware = 'gold'")] == ["far"]


def test_iterating_gives_every_row_once_in_small_lists(collection: Collection):
    collection.upsert([row(f"{n}", (1, n, 0, 0)) for n in range(23)])
    batches = list(collection.iterate(5))
    assert max(map(len, batches)) <= 5
    rows = {found.id: found for batch in batches for found in batch}
    assert len(rows) == sum(map(len, batches)) == 23
    np.testing.assert_allclose(rows["1"].vector, [0.5**0.5, 0.5**0.5, 0, 0], atol=1e-6)


def test_contents_tell_a_new_picture_from_a_new_description(collection: Collection):
    collection.upsert([row("x", content="k1", metadata={"ware": "clay"}), row("y", content="k1")])
    before = collection.contents()
    collection.upsert([row("x", content="k1", metadata={"ware": "gold"}), row("y", content="k2")])
    after = collection.contents()
    assert (before["x"].content, after["y"].content) == (after["x"].content, "k2")
    assert before["x"].description != after["x"].description == row("x", metadata={"ware": "gold"}).keys.description


def test_a_field_may_appear_change_its_kind_and_go(collection: Collection):
    collection.upsert([row("x", metadata={"year": "about 300", "void": None})])
    assert collection.fields() == {"year": {"text"}, "void": set()}
    collection.upsert(
        [row("x", metadata={"year": 300, "void": None}), row("y", metadata={"year": "late", "new": True})]
    )
    assert collection.fields() == {"year": {"text", "number"}, "void": set(), "new": {"boolean"}}
    assert (collection.count("year >= 300"), collection.count("year = 'late'"), collection.count("void is null")) == (
        1,
        1,
        2,
    )
    collection.upsert([row("x"), row("y")])
    collection.forget(["year", "void", "new"])
    collection.optimize()
    assert (collection.fields(), collection.count()) == ({}, 2)


def test_numbers_that_json_does_not_know_are_stored_as_missing(collection: Collection):
    collection.upsert([row("x", metadata={"height": float("nan"), "width": float("inf")})])
    (hit,) = collection.nearest([1, 0, 0, 0], 1)
    assert dict(hit.metadata) == {"height": None, "width": None}


def test_a_small_collection_says_that_it_compares_every_vector(collection: Collection):
    collection.upsert([row("x"), row("y")])
    collection.optimize()
    told = collection.searching()
    assert (told.kind, told.recall, told.candidates, told.seconds, told.bytes) == ("exact", 1.0, 2, 0.0, 0)


def test_a_sample_is_taken_evenly_from_all_rows_and_is_the_same_again(collection: Collection):
    collection.upsert([row(f"{n:03}", (1, 0, 0, 0) if n < 300 else (0, 1, 0, 0)) for n in range(600)])
    sample = collection.sample(100)
    assert (sample.shape, sample.dtype) == ((100, 4), np.float32)
    assert 30 < sample[:, 0].sum() < 70
    np.testing.assert_array_equal(sample, collection.sample(100))


def test_a_sample_of_more_than_there_are_is_every_row(collection: Collection):
    assert collection.sample(10).shape == (0, 4)
    collection.upsert([row("x"), row("y", (0, 1, 0, 0)), row("z", (0, 0, 1, 0))])
    np.testing.assert_allclose(sorted(collection.sample(10).tolist()), np.eye(4)[[2, 1, 0]], atol=1e-7)


def test_an_empty_collection_answers(collection: Collection):
    collection.upsert([])
    collection.delete([])
    collection.update_seen([], 1)
    assert (collection.nearest([1, 0, 0, 0], 3), collection.count(), collection.contents(), collection.get([])) == (
        [],
        0,
        {},
        [],
    )
    assert list(collection.iterate()) == []


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ((0, 0, 0, 0), "is zero"),
        ((1, float("nan"), 0, 0), "not finite"),
        ((1, 0, 0), "has dimension 3; expected 4"),
        ((1, 0, float("inf"), 0), "not finite"),
    ],
)
def test_a_vector_that_is_no_direction_is_refused_and_nothing_is_written(collection: Collection, vector, message):
    with pytest.raises(TuneclipError, match=f"the vector of 'bad' .*{message}|the vector of 'bad' {message}"):
        collection.upsert([row("good"), row("bad", vector)])
    with pytest.raises(TuneclipError, match=f"the query .*{message}|the query {message}"):
        collection.nearest(vector, 3)
    assert collection.count() == 0


def test_fewer_than_one_hit_is_refused_and_more_than_there_are_is_not(collection: Collection):
    collection.upsert([row("x")])
    with pytest.raises(TuneclipError, match="k of 1 or more"):
        collection.nearest([1, 0, 0, 0], 0)
    assert len(collection.nearest([1, 0, 0, 0], 10**9)) == 1


def test_a_bad_filter_is_refused(collection: Collection):
    collection.upsert([row("x", metadata={"category": "coin"})])
    with pytest.raises(TuneclipError, match="expected category"):
        collection.count("categry = 'coin'")
    with pytest.raises(TuneclipError, match="unknown field"):
        collection.nearest([1, 0, 0, 0], 1, where="weight > 3")
