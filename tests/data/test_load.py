"""Datasets open by name or path, ours and others'."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from drawn import draw, numbered

import tuneclip
from tuneclip.errors import TuneclipError


def test_a_dataset_opens_by_name_and_by_path(folder: Callable[..., Path], tmp_path: Path) -> None:
    tuneclip.import_dataset(folder(numbered(10)), to="d", project=tmp_path)
    by_name, by_path = tuneclip.open_dataset("d", tmp_path), tuneclip.open_dataset(tmp_path / "datasets" / "d")
    assert by_name.records == by_path.records
    assert (by_name.name, list(by_name.splits)) == ("d", ["train", "validation", "test"])
    assert by_name.picture_path(by_name.records[0]).is_file()


def test_an_unknown_dataset_names_those_there_are(folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match="tuneclip import SOURCE --to NAME"):
        tuneclip.open_dataset("x", tmp_path)
    tuneclip.import_dataset(folder(numbered(3)), to="finds", project=tmp_path)
    with pytest.raises(TuneclipError, match="datasets here: finds"):
        tuneclip.open_dataset("x", tmp_path)


def test_an_unknown_split_names_those_there_are(folder: Callable[..., Path], tmp_path: Path) -> None:
    tuneclip.import_dataset(folder(numbered(10)), to="d", project=tmp_path)
    with pytest.raises(TuneclipError, match=r"no split 'dev' in dataset 'd'.*one of train, validation, test"):
        tuneclip.open_dataset("d", tmp_path).split("dev")


def test_a_foreign_imagefolder_opens_where_it_is(folder: Callable[..., Path]) -> None:
    source = folder([*numbered(10), {"file_name": "gone.jpg", "text": "x"}], [row["file_name"] for row in numbered(10)])
    dataset = tuneclip.open_dataset(source)
    assert [record.picture for record in dataset.records] == [row["file_name"] for row in numbered(10)]
    assert all(dataset.picture_path(record).is_file() for record in dataset.records)
    assert sorted(path.name for path in source.iterdir() if path.suffix != ".jpg") == ["metadata.jsonl"]


def test_a_foreign_metadata_csv_opens_too(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    (tmp_path / "metadata.csv").write_text("file_name,text,year\na.jpg,a coin,1900\n")
    record = tuneclip.open_dataset(tmp_path).records[0]
    assert (record.captions, record.metadata["year"]) == (("a coin",), 1900)


def test_a_folder_that_is_no_dataset_says_so(folder: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match="no record can be used"):
        tuneclip.open_dataset(folder(numbered(2), []))


def test_a_torn_metadata_file_names_the_line(folder: Callable[..., Path], tmp_path: Path) -> None:
    tuneclip.import_dataset(folder(numbered(3)), to="d", project=tmp_path)
    metadata = tmp_path / "datasets/d/metadata.jsonl"
    metadata.write_text(metadata.read_text() + json.dumps({"id": "x"}))
    with pytest.raises(TuneclipError, match=r"metadata.jsonl, line 4"):
        _ = tuneclip.open_dataset("d", tmp_path).records
