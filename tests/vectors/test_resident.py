"""A large collection: found by codes, whatever happens to the table meanwhile."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tuneclip.project import Project
from tuneclip.vectors import resident
from tuneclip.vectors.collection import Collection, Origin, Row, locate, open_collection
from tuneclip.vectors.lancedb import drop_table

DIMENSION, COUNT = 64, 3000
ORIGIN = Origin("tiny", "0123456789abcdef", DIMENSION)


def some(count: int = COUNT, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(40, DIMENSION))[rng.integers(0, 40, count)] + rng.normal(size=(count, DIMENSION))


def fill(collection: Collection, vectors: np.ndarray, first: int = 0) -> None:
    rows = [Row(str(n), v, f"{n}.jpg", {"tenth": n % 10}, content=str(n)) for n, v in enumerate(vectors, first)]
    collection.upsert(rows)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Collection:
    """A collection above the size that is searched exactly."""
    monkeypatch.setattr(resident, "EXACT_BYTES", 1000)
    monkeypatch.setattr(resident, "LEAST_TAIL", 300)
    collection = open_collection("finds", tmp_path, origin=ORIGIN)
    fill(collection, some())
    collection.optimize()
    return collection


def right(vectors: np.ndarray, query: np.ndarray, allowed: np.ndarray | None = None) -> list[str]:
    scores = vectors @ query / np.linalg.norm(vectors, axis=1)
    return [str(n) for n in np.argsort(-np.where(True if allowed is None else allowed, scores, -99))[:10]]


def test_a_large_collection_says_by_what_it_is_searched_and_what_that_finds(large: Collection):
    state = large.searching()
    assert state is not None
    assert (state.kind, state.recall >= 0.95, state.bytes > COUNT * DIMENSION) == ("codes", True, True)


def test_hits_are_those_of_exact_search_with_exact_cosines(large: Collection):
    vectors = some()
    for query in vectors[:20]:
        hits = large.nearest(query, 10)
        assert [hit.id for hit in hits] == right(vectors, query)
        assert hits[0].score == pytest.approx(1, abs=1e-6)


def test_filters_and_seen_marks_keep_the_recall(large: Collection):
    vectors, numbers = some(), np.arange(COUNT)
    large.update_seen([str(n) for n in range(0, COUNT, 2)], 1)
    for query in vectors[:10]:
        assert [h.id for h in large.nearest(query, 10, where="tenth = 3")] == right(vectors, query, numbers % 10 == 3)
        assert [h.id for h in large.nearest(query, 10, exclude_seen=True)] == right(vectors, query, numbers % 2 == 1)


def test_what_was_written_changed_or_deleted_since_is_seen_at_once(large: Collection, tmp_path: Path):
    other = open_collection("finds", tmp_path)
    new = some(50, seed=1)
    fill(other, new, COUNT)
    other.upsert([Row("7", new[0], "7.jpg")])
    other.delete(["8", str(COUNT + 1)])
    assert {hit.id for hit in large.nearest(new[0], 2)} == {"7", str(COUNT)}
    assert "8" not in {hit.id for hit in large.nearest(some()[8], COUNT)}
    assert large.nearest(new[1], 1)[0].score < 0.999
    assert len(large.nearest(new[0], 10 * COUNT)) == large.count() == COUNT + 50 - 2


def test_codes_follow_when_the_table_is_tidied_or_grows(large: Collection, tmp_path: Path):
    fill(large, some(1000, seed=2), COUNT)
    open_collection("finds", tmp_path).optimize()
    vectors = np.concatenate([some(), some(1000, seed=2)])
    assert [hit.id for hit in large.nearest(vectors[-1], 10)] == right(vectors, vectors[-1])
    assert len(list((tmp_path / "vectors" / "finds.codes").glob("codes-*"))) == 1


@pytest.mark.parametrize("harm", ["bytes", "current.json", "all"])
def test_codes_that_are_damaged_or_gone_are_made_again(large: Collection, tmp_path: Path, harm: str):
    folder = tmp_path / "vectors" / "finds.codes"
    if harm == "all":
        shutil.rmtree(folder)
    for path in folder.rglob(harm):
        path.write_bytes(b"{")
    query = some()[5]
    assert [hit.id for hit in open_collection("finds", tmp_path).nearest(query, 10)] == right(some(), query)


def test_a_kill_while_codes_are_made_costs_only_time(tmp_path: Path):
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_resident import ORIGIN, fill, open_collection, resident, some
from tuneclip.vectors.codes import Codec
resident.EXACT_BYTES = 1000
collection = open_collection("finds", {str(tmp_path)!r}, origin=ORIGIN)
fill(collection, some())
Codec.encode = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
collection.optimize()
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    query = some()[5]
    assert [hit.id for hit in open_collection("finds", tmp_path).nearest(query, 10)] == right(some(), query)


def test_a_dropped_collection_leaves_no_codes(large: Collection, tmp_path: Path):
    drop_table(locate("finds", Project(tmp_path)))
    assert not list((tmp_path / "vectors").glob("finds.codes"))
