"""A collection that changes its model, changes back, and moves to another store: the same on every backend."""

from pathlib import Path

import pytest
from backends import BACKENDS, KEPT, named, parameters

import tuneclip
from tiny import save_tiny
from tuneclip.project import Project
from tuneclip.vectors.collection import Collection, backend, open_collection
from tuneclip.vectors.versions import older


def held(collection: Collection) -> dict[str, tuple]:
    rows = [row for batch in collection.iterate() for row in batch]
    return {row.id: (row.vector.round(4).tolist(), dict(row.metadata), row.captions, row.seen) for row in rows}


@pytest.mark.parametrize("name", parameters(KEPT))
def test_a_model_takes_over_with_the_marks_and_the_one_before_comes_back_at_once(name, request, project: Path):
    save_tiny(project / "models/other", "clip", seed=1)
    collection, store = named(project), BACKENDS[name].store(project, request)
    tuneclip.index("small", model="tiny", to=collection, store=store, texts=True, project=project)
    first = open_collection(collection, project)
    first.update_seen(["find-1", "find-2"], 1)
    before = held(first)
    made = tuneclip.reindex(collection, model="other", project=project)
    assert (made.written, made.texts.written, made.model) == (36, 72, "other")
    second = open_collection(collection, project)
    found = tuneclip.search(collection, "a coin", k=36, project=project)
    assert (found.model, len({hit.id for hit in found.hits}), second.count("seen = 1")) == ("other", 36, 2)
    assert held(second) != before
    second.update_seen(["find-3"], 1)
    back = tuneclip.reindex(collection, model="tiny", project=project)
    assert (back.written, back.model) == (0, "tiny")
    now = held(open_collection(collection, project))
    assert {key for key, row in now.items() if row[3]} == {"find-1", "find-2", "find-3"}
    assert {key: row[:3] for key, row in now.items()} == {key: row[:3] for key, row in before.items()}
    place = older(collection, Project(project))[0]
    assert len(tuneclip.reindex(collection, remove_old=True, project=project).removed) == 1
    assert backend(place).open_table(place) is None


@pytest.mark.parametrize("name", parameters([each for each in KEPT if each != "lancedb"]))
def test_a_collection_moves_into_the_store_and_home_again(name, request, project: Path):
    collection, store = named(project), BACKENDS[name].store(project, request)
    tuneclip.index("small", model="tiny", to=collection, project=project)
    home = open_collection(collection, project)
    home.update_seen(["find-4"], 1)
    before, address = held(home), home.store
    moved = tuneclip.reindex(collection, to_store=store, project=project)
    assert (moved.written, moved.compared) == (36, 36)
    assert held(open_collection(collection, project)) == before
    again = tuneclip.reindex(collection, to_store=address, remove_old=True, project=project)
    assert (again.written, len(again.removed)) == (0, 1)
    assert held(open_collection(collection, project)) == before
