"""Opening collections by name, and what they remember of their origin."""

from pathlib import Path

import numpy as np
import pytest

from tuneclip.errors import TuneclipError
from tuneclip.project import Project
from tuneclip.vectors.collection import Origin, Row, collections, open_collection

ORIGIN = Origin("tiny", "0123456789abcdef", 2, "finds", "datasets/finds")
ROW = Row("x", np.array([1.0, 0.0]), "pictures/x.jpg")


def test_what_made_a_collection_is_read_back_from_the_collection(tmp_path: Path):
    open_collection("finds", tmp_path, origin=ORIGIN)
    assert open_collection("finds", tmp_path).origin == ORIGIN


def test_a_missing_collection_is_an_error_that_names_those_there_are(tmp_path: Path):
    with pytest.raises(TuneclipError, match=r"there is no collection 'nope'.*Next: tuneclip index"):
        open_collection("nope", tmp_path)
    assert not (tmp_path / "vectors").exists()
    open_collection("finds", tmp_path, origin=ORIGIN)
    open_collection("my finds (ä.1)", tmp_path, origin=ORIGIN)
    with pytest.raises(TuneclipError, match=r"expected one of finds, my finds \(ä.1\)"):
        open_collection("nope", tmp_path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            Origin("big", "ffff", 2, "finds"),
            r"made by model 'tiny' \(fingerprint 0123456789abcdef\); model 'big' has ffff",
        ),
        (Origin("big", "0123456789abcdef", 3, "finds"), "vectors of two models cannot be compared"),
        (Origin("tiny", "0123456789abcdef", 2, "coins"), "holds dataset 'finds', not 'coins'"),
    ],
)
def test_another_model_or_dataset_is_refused_with_the_next_command(tmp_path: Path, other: Origin, message: str):
    open_collection("finds", tmp_path, origin=ORIGIN)
    with pytest.raises(
        TuneclipError, match=f"{message}.*Next: tuneclip index {other.dataset} --model {other.model} --to finds-"
    ):
        open_collection("finds", tmp_path, origin=other)
    assert open_collection("finds", tmp_path).origin == ORIGIN


def test_the_same_model_under_a_new_name_is_written_down(tmp_path: Path):
    open_collection("finds", tmp_path, origin=ORIGIN).upsert([ROW])
    renamed = Origin("tuned", ORIGIN.fingerprint, 2, "finds", "moved/finds")
    open_collection("finds", tmp_path, origin=renamed)
    found = open_collection("finds", tmp_path)
    assert (found.origin, found.count()) == (renamed, 1)


def test_a_collection_elsewhere_is_found_again_by_its_name(tmp_path: Path):
    store = tmp_path / "elsewhere" / "database"
    open_collection("finds", tmp_path, store=str(store), origin=ORIGIN).upsert([ROW])
    assert open_collection("finds", tmp_path).store == str(store)
    assert collections(Project(tmp_path)) == ["finds"]
    assert open_collection(str(store / "finds"), tmp_path / "another project").count() == 1


def test_a_project_can_be_moved_with_its_collections(tmp_path: Path):
    project = tmp_path / "old"
    open_collection("inside", project, origin=ORIGIN).upsert([ROW])
    open_collection("beside", project, store=str(project / "database"), origin=ORIGIN).upsert([ROW])
    project.rename(tmp_path / "new")
    for name in ("inside", "beside"):
        (hit,) = open_collection(name, tmp_path / "new").nearest([1, 0], 1)
        assert hit.path == str(tmp_path / "new/datasets/finds/pictures/x.jpg")


def test_the_projects_own_database_is_used_again_once_it_is_named(tmp_path: Path):
    open_collection("finds", tmp_path, store=str(tmp_path / "elsewhere"), origin=ORIGIN)
    open_collection("finds", tmp_path, store=str(tmp_path / "vectors"), origin=ORIGIN)
    assert open_collection("finds", tmp_path).store == str(tmp_path / "vectors")


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (
            "mysql://me:secret@host/db",
            r"no store of the kind mysql:// \(mysql://host/db\); expected .*s3://.*postgresql://",
        ),
        ("{file}", "cannot be a store"),
        ("", "cannot be a store"),
        ("/proc/nowhere", "the store cannot be used"),
    ],
)
def test_a_store_that_cannot_be_one_is_refused_without_its_password(tmp_path: Path, store: str, message: str):
    (tmp_path / "file").touch()
    with pytest.raises(TuneclipError, match=message) as caught:
        open_collection("finds", tmp_path, store=store.format(file=tmp_path / "file"), origin=ORIGIN)
    assert "secret" not in str(caught.value)


def test_a_name_that_cannot_be_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(TuneclipError, match="cannot be a name"):
        open_collection("a:b", tmp_path, origin=ORIGIN)
