"""The verbs `reindex` and `forget`: collections that move, change their model, and go."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import tuneclip
from tiny import save_tiny
from tuneclip.errors import TuneclipError
from tuneclip.project import Project
from tuneclip.vectors.collection import collections, open_collection


@pytest.fixture
def indexed(project: Path) -> Path:
    """A project with the collection `small`, three of whose pictures are marked as seen."""
    tuneclip.index(dataset="small", model="tiny", project=project)
    open_collection("small", project).update_seen(["find-1", "find-2", "find-3"], 1)
    return project


def rows(name: str, project: Path) -> dict:
    found = [row for batch in open_collection(name, project).iterate() for row in batch]
    return {row.id: (row.vector.round(5).tolist(), dict(row.metadata), row.captions, row.seen) for row in found}


def test_a_collection_moves_with_all_that_it_holds_and_the_old_one_stays_until_removed(indexed: Path):
    before = rows("small", indexed)
    moved = tuneclip.reindex("small", to_store=str(indexed / "elsewhere"), project=indexed)
    assert (moved.total, moved.written, moved.compared) == (36, 36, 36)
    assert (open_collection("small", indexed).store, rows("small", indexed)) == (str(indexed / "elsewhere"), before)
    assert moved.before == (str(indexed / "vectors/small"),)
    assert (indexed / "vectors/small.lance").is_dir()
    cleared = tuneclip.reindex("small", remove_old=True, project=indexed)
    assert (cleared.removed, cleared.before) == (moved.before, ())
    assert not (indexed / "vectors/small.lance").exists()
    assert rows("small", indexed) == before


def test_moving_there_and_back_copies_only_what_changed_and_removes_the_other_one(indexed: Path):
    tuneclip.reindex("small", to_store=str(indexed / "elsewhere"), project=indexed)
    open_collection("small", indexed).update_seen(["find-9"], 1)
    back = tuneclip.reindex("small", to_store=str(indexed / "vectors"), remove_old=True, project=indexed)
    assert (back.written, back.removed) == (1, (str(indexed / "elsewhere/small"),))
    assert open_collection("small", indexed).count("seen = 1") == 4


def test_a_copy_under_another_name_leaves_the_first_as_it_is(indexed: Path):
    tuneclip.reindex("small", to_store=str(indexed / "elsewhere"), to="copy", project=indexed)
    assert rows("copy", indexed) == rows("small", indexed)
    assert collections(Project(indexed)) == ["copy", "small"]


def test_another_model_takes_over_when_all_is_embedded_and_seen_marks_stay(indexed: Path):
    save_tiny(indexed / "models/other", "clip", seed=1)
    made = tuneclip.reindex("small", model="other", project=indexed)
    assert (made.collection, made.model, made.total) == ("small", "other", 36)
    assert open_collection("small", indexed).count("seen = 1") == 3
    assert collections(Project(indexed)) == ["small"]
    assert tuneclip.search("small", "a coin", k=1, project=indexed).model == "other"
    assert tuneclip.index(dataset="small", model="other", project=indexed).unchanged == 36
    tuneclip.reindex("small", remove_old=True, project=indexed)
    assert not (indexed / "vectors/small.lance").exists()


def test_the_captions_go_to_the_other_model_with_the_pictures(indexed: Path):
    tuneclip.index(dataset="small", model="tiny", texts=True, project=indexed)
    save_tiny(indexed / "models/other", "clip", seed=1)
    made = tuneclip.reindex("small", model="other", project=indexed)
    assert (made.written, made.texts.written, made.texts.model) == (36, 72, "other")
    hit = tuneclip.search("small-texts", "a red clay coin", k=1, project=indexed)
    assert (hit.model, hit.hits[0].id.count("#")) == ("other", 1)
    assert collections(Project(indexed)) == ["small", "small-texts"]


def test_captions_that_a_kill_left_behind_follow_the_pictures_in_the_next_run(indexed: Path):
    save_tiny(indexed / "models/other", "clip", seed=1)
    tuneclip.reindex("small", model="other", project=indexed)
    tuneclip.index(dataset="small", model="tiny", to="then", texts=True, project=indexed)
    (indexed / "vectors/then-texts.lance").rename(indexed / "vectors/small-texts.lance")
    assert tuneclip.reindex("small", model="other", project=indexed).texts.written == 72


def test_going_back_to_a_model_whose_version_is_kept_embeds_nothing(indexed: Path):
    save_tiny(indexed / "models/other", "clip", seed=1)
    tuneclip.reindex("small", model="other", project=indexed)
    open_collection("small", indexed).update_seen(["find-1"], 0)
    back = tuneclip.reindex("small", model="tiny", project=indexed)
    assert (back.written, back.model, len(back.before)) == (0, "tiny", 1)
    assert open_collection("small", indexed).count("seen = 1") == 2
    assert tuneclip.reindex("small", model="other", project=indexed).written == 0
    assert len(list((indexed / "vectors").glob("*.lance"))) == 2


def test_a_version_whose_model_was_given_up_half_way_goes_with_the_older_ones(indexed: Path):
    save_tiny(indexed / "models/other", "clip", seed=1)
    code = f"""
import os, signal
from tuneclip.vectors import rebuild
import tuneclip
rebuild._copy_marks = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tuneclip.reindex("small", model="other", project={str(indexed)!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert tuneclip.search("small", "a coin", k=1, project=indexed).model == "tiny"
    assert collections(Project(indexed)) == ["small"]
    assert len(tuneclip.reindex("small", remove_old=True, project=indexed).removed) == 1
    assert len(list((indexed / "vectors").glob("*.lance"))) == 1


def test_a_move_that_is_killed_leaves_the_old_one_in_use_and_goes_on(indexed: Path):
    code = f"""
import os, signal
from tuneclip.vectors import lancedb, reindex
import tuneclip
reindex.AT_ONCE = 10
upsert, calls = lancedb.LanceCollection.upsert, []
def once(self, rows):
    upsert(self, rows)
    os.kill(os.getpid(), signal.SIGKILL)
lancedb.LanceCollection.upsert = once
tuneclip.reindex("small", to_store="elsewhere", project={str(indexed)!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=indexed, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert open_collection("small", indexed).store == str(indexed / "vectors")
    moved = tuneclip.reindex("small", to_store=str(indexed / "elsewhere"), project=indexed)
    assert (moved.written, moved.total) == (26, 36)


def test_a_forgotten_collection_is_gone_with_its_older_versions(indexed: Path):
    tuneclip.reindex("small", to_store=str(indexed / "elsewhere"), project=indexed)
    command = [sys.executable, "-m", "tuneclip", "forget", "small", "--json"]
    done = subprocess.run(command, check=True, cwd=indexed, capture_output=True, text=True)
    assert json.loads(done.stdout)["total"] == 36
    assert not [*indexed.rglob("*.lance"), *indexed.rglob("*.store.json")]
    with pytest.raises(TuneclipError, match="there is no collection 'small'"):
        tuneclip.forget("small", project=indexed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either --to-store URI or --model M"),
        ({"to_store": "x", "model": "tiny"}, "either --to-store URI or --model M"),
        ({"model": "tiny"}, "was made by this model.*Next: tuneclip index small"),
        ({"to_store": "{vectors}"}, "is there already"),
        ({"to_store": "mysql://me:secret@host/db"}, "no store of the kind mysql://"),
    ],
)
def test_what_cannot_be_done_is_refused(indexed: Path, options: dict, message: str):
    given = {name: value.format(vectors=indexed / "vectors") for name, value in options.items()}
    with pytest.raises(TuneclipError, match=message) as caught:
        tuneclip.reindex("small", project=indexed, **given)
    assert "secret" not in str(caught.value)


def test_a_store_whose_library_is_missing_names_its_extra(indexed: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TuneclipError, match=r"needs psycopg and pgvector.*Next: pip install 'tuneclip\[postgres\]'"):
        tuneclip.reindex("small", to_store="postgresql://host/db", project=indexed)
