"""A dataset made of another keeps what belongs together and remembers where it came from."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from drawn import draw, lines, numbered, picture_bytes

import tuneclip
from tuneclip.data.derive import Derivation, Part, derive
from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.project import Project


@pytest.fixture
def source(folder: Callable[..., Path], tmp_path: Path) -> Dataset:
    tuneclip.import_dataset(folder(numbered(20)), to="source", project=tmp_path)
    return tuneclip.open_dataset("source", tmp_path)


def made(source: Dataset, parts: list[Part], to: str = "new", **options: int) -> Dataset:
    project = Project(source.path.parents[1])
    derive(Derivation(source, "test", options), parts, to=to, project=project)
    return tuneclip.open_dataset(to, project)


def test_records_come_over_as_they_are_in_the_order_given(source: Dataset) -> None:
    chosen = source.records[::-3]
    new = made(source, [Part(record) for record in chosen])
    assert new.records == chosen
    assert (new.path / "README.md").is_file()


def test_splits_stay_even_where_validation_is_missing(source: Dataset) -> None:
    chosen = [record for record in source.records if record.split != "validation"]
    new = made(source, [Part(record) for record in chosen])
    assert [record.split for record in new.records] == [record.split for record in chosen]


def test_pictures_of_the_project_are_linked_not_copied(source: Dataset) -> None:
    new = made(source, [Part(source.records[0])])
    assert new.picture_path(new.records[0]).samefile(source.picture_path(source.records[0]))


def test_pictures_of_a_folder_elsewhere_are_copied(folder: Callable[..., Path], tmp_path: Path) -> None:
    foreign = tuneclip.open_dataset(folder(numbered(5)))
    parts = [Part(record) for record in foreign.records]
    derive(Derivation(foreign, "test"), parts, to="new", project=Project(tmp_path))
    new = tuneclip.open_dataset("new", tmp_path)
    for old, record in zip(foreign.records, new.records, strict=True):
        assert new.picture_path(record).read_bytes() == foreign.picture_path(old).read_bytes()
        assert not new.picture_path(record).samefile(foreign.picture_path(old))


def test_a_picture_of_its_own_gets_a_free_name(source: Dataset) -> None:
    first, data = source.records[0], picture_bytes(9)
    new = made(source, [Part(first), Part(replace(first, id="copy"), data), Part(replace(first, id="other"), data)])
    pictures = [new.picture_path(record) for record in new.records]
    assert len(set(pictures)) == 3
    assert pictures[1].read_bytes() == data


def test_what_is_not_taken_is_listed_with_the_reason(source: Dataset) -> None:
    source.picture_path(source.records[2]).unlink()
    parts = [Part(source.records[0]), Part(source.records[1], reason="a twin"), Part(source.records[2])]
    new = made(source, parts)
    skipped = {row["record"]["id"]: row["reason"] for row in lines(new.path / "skipped.jsonl")}
    assert skipped == {source.records[1].id: "a twin", source.records[2].id: "the picture is missing"}
    assert len(new.records) == 1


def test_the_new_dataset_remembers_its_source(source: Dataset) -> None:
    new = made(source, [Part(source.records[0])], seed=3)
    remembered = json.loads((new.path / "dataset.json").read_text())["source"]
    assert remembered == {"dataset": "source", "path": str(source.path), "verb": "test", "options": {"seed": 3}}


def test_the_same_again_replaces_and_another_is_refused(source: Dataset) -> None:
    made(source, [Part(source.records[0])], seed=3)
    assert len(made(source, [Part(record) for record in source.records], seed=3).records) == 20
    with pytest.raises(TuneclipError, match=r"exists already.*choose another name with --to"):
        made(source, [Part(source.records[0])], seed=4)
    with pytest.raises(TuneclipError, match="cannot replace the one it is made from"):
        made(source, [Part(source.records[0])], to="source")


def test_nothing_taken_is_an_error_and_leaves_nothing(source: Dataset) -> None:
    with pytest.raises(TuneclipError, match=r"nothing could be taken: .*: a twin"):
        made(source, [Part(source.records[0], reason="a twin")])
    assert sorted(path.name for path in source.path.parent.iterdir()) == ["source"]


def test_columns_and_their_types_stay(tmp_path: Path) -> None:
    draw(tmp_path / "in/a.jpg"), draw(tmp_path / "in/b.jpg", 1)
    rows = [{"file_name": "a.jpg", "text": "x", "year": 1.5}, {"file_name": "b.jpg", "text": "y", "year": 2}]
    (tmp_path / "in/metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tuneclip.import_dataset(tmp_path / "in", to="source", project=tmp_path)
    source = tuneclip.open_dataset("source", tmp_path)
    new = made(source, [Part(source.records[1])])
    assert (repr(new.records[0].metadata["year"]), list(new.records[0].metadata)) == (
        "2.0",
        ["text", "year"],
    )
