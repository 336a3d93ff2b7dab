"""Layouts that others define are read as their own libraries read them."""

import contextlib
import io
import json
import tarfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from drawn import draw, picture_bytes

import tuneclip
from tuneclip.data.load import Dataset


def bring(source: Path) -> Dataset:
    project = source.parent / "project"
    tuneclip.import_dataset(source, to="d", project=project)
    return tuneclip.open_dataset("d", project)


def library(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a library says of itself while it is imported is not ours
        return pytest.importorskip(name)


def test_coco_captions_are_those_that_pycocotools_gives(tmp_path: Path) -> None:
    coco = library("pycocotools.coco")
    images = [{"id": 10 + n, "file_name": f"{n:012}.jpg", "width": 16, "height": 12} for n in range(3)]
    captions = [
        {"id": number, "image_id": 10 + number % 3, "caption": f"caption {number} of {number % 3}"}
        for number in range(9)
    ]
    for number, image in enumerate(images):
        draw(tmp_path / "coco/val2017" / image["file_name"], number)
    path = tmp_path / "coco/annotations/captions_val2017.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"info": {}, "licenses": [], "images": images, "annotations": captions}))
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = coco.COCO(str(path))
    dataset = bring(tmp_path / "coco")
    assert len(dataset.records) == len(theirs.getImgIds())
    for record in dataset.records:
        annotations = theirs.loadAnns(theirs.getAnnIds(imgIds=[int(record.id)]))
        assert record.captions == tuple(each["caption"] for each in annotations)


def test_a_shard_gives_the_samples_that_webdataset_gives(tmp_path: Path) -> None:
    tar = library("webdataset.tariterators")
    shard = tmp_path / "shards/train-000000.tar"
    shard.parent.mkdir()
    with tarfile.open(shard, "w") as archive:
        for number in range(6):
            for kind, data in (("jpg", picture_bytes(number)), ("txt", f"caption {number}".encode())):
                member = tarfile.TarInfo(f"{number:06}.{kind}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    with shard.open("rb") as stream:  # `WebDataset` is these two functions over files that it leaves open
        members = tar.tar_file_expander([{"url": str(shard), "stream": stream}])
        theirs = {sample["__key__"]: sample for sample in tar.group_by_keys(members)}
    dataset = bring(shard.parent)
    assert len(dataset.records) == len(theirs) == 6
    for record in dataset.records:
        sample = theirs[Path(record.id).stem]
        assert record.captions == (sample["txt"].decode(),)
        assert dataset.picture_path(record).read_bytes() == sample["jpg"]


def test_shards_that_webdataset_writes_are_read(tmp_path: Path) -> None:
    webdataset = library("webdataset")
    (tmp_path / "shards").mkdir()
    with webdataset.TarWriter(str(tmp_path / "shards/a-000000.tar")) as writer:
        for number in range(4):
            fields = {"caption": f"caption {number}", "year": 1900 + number}
            writer.write({"__key__": f"part/{number:03}", "png": picture_bytes(number, "PNG"), "json": fields})
    records = bring(tmp_path / "shards").records
    assert [(record.captions, record.metadata["year"]) for record in records] == [
        ((f"caption {number}",), 1900 + number) for number in range(4)
    ]
