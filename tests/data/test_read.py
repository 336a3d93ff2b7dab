"""The verb `import`: every source becomes a dataset whose counts add up."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import draw, lines, numbered, picture_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

import tuneclip
from tuneclip.cli import main
from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError


def imported(source: Path, **options: Any) -> tuple[Any, Dataset]:
    """Import into the project beside the source; returns the verb's result and the dataset."""
    project = source.parent / "project"
    result = tuneclip.import_dataset(source=source, to="d", project=project, **options)
    return result, tuneclip.open_dataset("d", project)


def parquet(path: Path, rows: list[dict[str, Any]], metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, path, row_group_size=3)
    return path


def embedded(number: int, **fields: Any) -> dict[str, Any]:
    return {"image": {"bytes": picture_bytes(number), "path": f"{number}.jpg"}, **fields}


def test_a_folder_with_metadata_becomes_a_dataset(folder: Callable[..., Path]) -> None:
    source = folder(numbered(30))
    result, dataset = imported(source)
    assert (result.taken, result.skipped, sum(result.splits.values())) == (30, 0, 30)
    assert [record.captions for record in dataset.records] == [(row["text"],) for row in numbered(30)]
    assert dataset.picture_path(dataset.records[3]).read_bytes() == (source / "003.jpg").read_bytes()
    assert set(result.splits) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("name", "mark"), [("finds.csv", ","), ("finds.csv", ";"), ("metadata.csv", ","), ("f.tsv", "\t")]
)
def test_a_table_is_read_with_its_numbers(tmp_path: Path, name: str, mark: str) -> None:
    draw(tmp_path / "source/a.jpg")
    rows = [["picture", "title", "year", "code", "weight"], ["a.jpg", "a coin, bronze", "-300", "007", "1.50"]]
    with (tmp_path / "source" / name).open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=mark).writerows(rows)
    _, dataset = imported(tmp_path / "source")
    assert dataset.records[0].captions == ("a coin, bronze",)
    assert dict(dataset.records[0].metadata) == {"title": "a coin, bronze", "year": -300, "code": "007", "weight": 1.5}


def test_one_caption_a_row_merges_into_one_record_a_picture(tmp_path: Path) -> None:
    for number in range(2):
        draw(tmp_path / f"source/images/{number}.jpg", number)
    rows = "image,caption\n" + "".join(f"{n}.jpg,caption {n} {m}\n" for n in range(2) for m in range(5))
    (tmp_path / "source/captions.txt.csv").write_text(rows)
    result, dataset = imported(tmp_path / "source")
    assert (result.taken, result.merged, result.captions) == (2, 8, 10)
    assert dataset.records[1].captions == tuple(f"caption 1 {m}" for m in range(5))


def test_nested_json_is_found_and_its_fields_flattened(tmp_path: Path) -> None:
    draw(tmp_path / "pictures/1.jpg")
    find = {
        "object": {"material": "bronze", "parts": ["rim", "foot"]},
        "picture": {"url": "http://x/default.jpg", "file": "1.jpg"},
    }
    (tmp_path / "finds.json").write_text(json.dumps({"about": {"n": 1}, "finds": [find]}))
    result, dataset = imported(
        tmp_path / "finds.json", pictures=tmp_path / "pictures", template="{object.material} coin"
    )
    assert result.format == "JSON"
    assert dataset.records[0].captions == ("bronze coin",)
    assert dataset.records[0].metadata["object.parts"] == "rim; foot"
    again = tuneclip.import_dataset(
        tmp_path / "finds.json", to="e", records="finds", caption="object.parts", project=tmp_path
    )
    assert again.captions == 2


def test_parquet_keeps_its_splits_whatever_the_shards_are_called(tmp_path: Path) -> None:
    for number, name in enumerate(
        ["train-00000-of-00002", "train-00001-of-00002", "validation", "test-00000-of-00001"]
    ):
        rows = [embedded(number * 10 + inner, captions=[f"a {number}", f"b {inner}"]) for inner in range(5)]
        parquet(tmp_path / f"source/data/{name}.parquet", rows)
    result, dataset = imported(tmp_path / "source")
    assert result.splits == {"train": 10, "validation": 5, "test": 5}
    assert dataset.split("test")[0].captions == ("a 3", "b 0")
    assert dataset.records[0].id == "train/0.jpg"


def test_class_numbers_of_parquet_become_their_names(tmp_path: Path) -> None:
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    rows = [embedded(number, label=number % 2) for number in range(4)]
    path = parquet(tmp_path / "pets.parquet", rows, {"huggingface": json.dumps(features)})
    _, dataset = imported(path)
    assert [record.captions[0] for record in dataset.records] == ["cat", "dog", "cat", "dog"]


def test_embedded_pictures_without_a_name_get_one(tmp_path: Path) -> None:
    path = parquet(tmp_path / "pets.parquet", [{"image": picture_bytes(n), "text": f"pet {n}"} for n in range(3)])
    _, dataset = imported(path)
    assert [record.id for record in dataset.records] == ["pets/000001", "pets/000002", "pets/000003"]


def test_class_folders_give_their_names_as_captions(tmp_path: Path) -> None:
    for number in range(6):
        draw(tmp_path / f"source/{'cat' if number % 2 else 'dog'}/{number // 2}.jpg", number)
    result, dataset = imported(tmp_path / "source")
    assert result.format == "class folders"
    assert {record.id: record.captions[0] for record in dataset.records}["cat/0.jpg"] == "cat"
    assert len({record.picture for record in dataset.records}) == 6


def test_class_folders_below_split_folders_keep_the_splits(tmp_path: Path) -> None:
    for number, split in enumerate(["train", "train", "val", "test"]):
        draw(tmp_path / f"source/{split}/cat/{number}.jpg", number)
    result, _ = imported(tmp_path / "source")
    assert result.splits == {"train": 2, "validation": 1, "test": 1}


def test_metadata_in_each_split_folder_names_its_own_pictures(tmp_path: Path) -> None:
    for number, split in enumerate(["train", "validation"]):
        draw(tmp_path / f"source/{split}/1.jpg", number)
        (tmp_path / f"source/{split}/metadata.jsonl").write_text(json.dumps({"file_name": "1.jpg", "text": split}))
    _, dataset = imported(tmp_path / "source")
    assert {record.id: record.captions[0] for record in dataset.records} == {
        "train/1.jpg": "train",
        "validation/1.jpg": "validation",
    }


def coco(tmp_path: Path, annotations: list[dict[str, Any]], **more: Any) -> Path:
    images = [{"id": 10 + n, "file_name": f"{n:012}.jpg", "width": 16} for n in range(2)]
    for number, image in enumerate(images):
        draw(tmp_path / "val2017" / str(image["file_name"]), number)
    path = tmp_path / "annotations/captions_val2017.json"
    path.parent.mkdir()
    path.write_text(
        json.dumps({"info": {}, "licenses": [{"id": 1}], "images": images, "annotations": annotations, **more})
    )
    return path


def test_coco_captions_find_their_pictures(tmp_path: Path) -> None:
    annotations = [{"image_id": 10 + n % 2, "id": n, "caption": f"caption {n}"} for n in range(5)]
    path = coco(tmp_path, annotations)
    result, dataset = imported(path, pictures=tmp_path / "val2017")
    assert (result.format, result.captions) == ("COCO captions", 5)
    assert dataset.records[0].captions == ("caption 0", "caption 2", "caption 4")
    assert dataset.records[0].id == "10"


def test_coco_boxes_give_the_names_of_their_categories(tmp_path: Path) -> None:
    annotations = [{"image_id": 10 + n, "id": n, "category_id": 1 + m} for n in range(2) for m in range(1 + n)]
    path = coco(tmp_path, annotations, categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}])
    _, dataset = imported(path, pictures=tmp_path / "val2017")
    assert [record.captions[0] for record in dataset.records] == ["cat", "cat, dog"]


def test_webdataset_shards_are_read_as_a_stream(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for shard in range(2):
        with tarfile.open(tmp_path / f"source/shard-{shard:06}.tar", "w") as archive:
            for number in range(3):
                parts = {
                    "jpg": picture_bytes(number),
                    "txt": b"a text",
                    "json": json.dumps({"year": 1900 + number}).encode(),
                }
                for extension, content in parts.items():
                    info = tarfile.TarInfo(f"{shard}{number}.{extension}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
    result, dataset = imported(tmp_path / "source")
    assert (result.format, result.taken) == ("WebDataset", 6)
    assert dataset.records[1].metadata["year"] == 1901


def test_a_dataset_made_here_comes_back_the_same(folder: Callable[..., Path], tmp_path: Path) -> None:
    rows = [{**row, "kind": "coin", "object": number // 3} for number, row in enumerate(numbered(30))]
    _, first = imported(folder(rows), group="object")
    tuneclip.import_dataset(first.path, to="again", project=tmp_path)
    again = tuneclip.open_dataset("again", tmp_path)
    assert again.records == first.records


def test_several_captions_and_templates_join_without_repeating(folder: Callable[..., Path]) -> None:
    row = {"file_name": "a.jpg", "title": "a coin", "kinds": ["coin", "a coin", " "], "metal": "gold"}
    _, dataset = imported(folder([row]), caption=("title", "kinds"), template=("{metal} coin", "a {kinds}"))
    assert dataset.records[0].captions == ("a coin", "coin", "gold coin", "a coin, a coin")


def test_groups_stay_together(folder: Callable[..., Path]) -> None:
    rows = [{**row, "object": f"object {number // 4}"} for number, row in enumerate(numbered(80))]
    _, dataset = imported(folder(rows), group="object")
    by_group: dict[str, set[str]] = {}
    for record in dataset.records:
        by_group.setdefault(record.group, set()).add(record.split)
    assert len(by_group) == 20
    assert all(len(splits) == 1 for splits in by_group.values())


def test_a_split_column_is_kept_and_validation_is_carved_from_train_alone(folder: Callable[..., Path]) -> None:
    rows = [{**row, "split": "test" if number < 20 else "train"} for number, row in enumerate(numbered(100))]
    result, _ = imported(folder(rows))
    assert result.splits["test"] == 20
    assert 1 <= result.splits["validation"] <= 20


def test_ids_come_from_their_column_else_from_a_unique_one_else_from_the_path(folder: Callable[..., Path]) -> None:
    rows = [{**row, "id": f"find {number}", "code": number + 7} for number, row in enumerate(numbered(3))]
    source = folder(rows)
    assert [record.id for record in imported(source)[1].records] == ["find 0", "find 1", "find 2"]
    named = tuneclip.import_dataset(source, to="named", id="code", project=source.parent)
    assert [row["id"] for row in lines(Path(named.path) / "metadata.jsonl")] == ["7", "8", "9"]
    source = folder([{**row, "id": "same"} for row in numbered(3)])
    tuneclip.import_dataset(source, to="paths", project=source.parent)
    records = tuneclip.open_dataset("paths", source.parent).records
    assert [record.id for record in records] == ["000.jpg", "001.jpg", "002.jpg"]


def test_one_column_has_one_kind_and_every_row_has_every_column(folder: Callable[..., Path]) -> None:
    rows = numbered(4)
    for row, more in zip(rows, [{"a": 1, "n": 1}, {"a": "x", "n": 1.5}, {"b": True}, {"empty": None}], strict=True):
        row.update(more)
    result, dataset = imported(folder(rows))
    kept = [{name: record.metadata[name] for name in ("a", "b", "n")} for record in dataset.records]
    assert kept[:2] == [{"a": "1", "b": None, "n": 1.0}, {"a": "x", "b": None, "n": 1.5}]
    assert [type(row["n"]) for row in kept[:2]] == [float, float]
    assert "empty" not in dataset.records[0].metadata
    assert result.columns == ["file_name", "text", "a", "n", "b", "empty"]


def test_dry_run_says_what_it_understood_and_writes_nothing(folder: Callable[..., Path]) -> None:
    source = folder(numbered(5))
    result = tuneclip.import_dataset(source, to="d", dry_run=True, project=source.parent / "project")
    assert (result.format, result.understood) == ("JSON Lines", "picture: file_name; captions: text")
    assert [record["captions"] for record in result.first] == [["picture 0"], ["picture 1"], ["picture 2"]]
    assert not (source.parent / "project").exists()


def test_the_same_import_again_gives_the_same_bytes(folder: Callable[..., Path]) -> None:
    source = folder(numbered(12))
    _, dataset = imported(source)
    before = {path.name: path.read_bytes() for path in sorted(dataset.path.rglob("*")) if path.is_file()}
    _, dataset = imported(source)
    assert before == {path.name: path.read_bytes() for path in sorted(dataset.path.rglob("*")) if path.is_file()}


def test_another_import_of_the_same_name_is_refused(folder: Callable[..., Path]) -> None:
    source = folder(numbered(5))
    imported(source)
    with pytest.raises(TuneclipError, match="'d' exists already, made with another seed"):
        imported(source, seed=1)


def test_json_answers_with_the_contract_and_people_get_a_table(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(numbered(10))
    command = ["import", str(source), "--to", "d", "--project", str(source.parent)]
    for more in (["--json"], [], ["--dry-run"]):
        with pytest.raises(SystemExit) as stop:
            main([*command, *more])
        assert not stop.value.code
        written = capsys.readouterr().out
        if more == ["--json"]:
            answer = json.loads(written)
            assert set(answer) >= {"dataset", "path", "taken", "skipped", "splits", "format", "captions", "columns"}
            assert (answer["dataset"], answer["taken"]) == ("d", 10)
        else:
            assert "10 records with 10 captions" in written or "nothing was written" in written


def test_groups_that_the_source_itself_tears_are_said(
    folder: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**row, "object": 1, "split": ("train", "test")[number % 2]} for number, row in enumerate(numbered(4))]
    imported(folder(rows), group="object")
    assert "1 groups stand in several splits" in caplog.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800 half"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["0.jpg", "1.jpg", "2.png", "gone.jpg", "broken.jpg"])
records = st.dictionaries(st.sampled_from(["a", "b", "id", "text", "x_file_name"]), json_values) | json_values


@given(st.lists(st.tuples(names, records), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_whatever_the_records_hold_the_counts_add_up(rows: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as scratch:
        source = Path(scratch)
        for number, name in enumerate(("0.jpg", "1.jpg", "2.png")):
            draw(source / name, number)
        (source / "broken.jpg").write_bytes(picture_bytes()[:200])
        first = {"file_name": "0.jpg", "text": "a sound one"}
        found = [first] + [row | {"file_name": name} if isinstance(row, dict) else row for name, row in rows]
        (source / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
        result = tuneclip.import_dataset(source, to="d", caption="text", project=source)
        path = Path(result.path)
        kept, skipped = lines(path / "metadata.jsonl"), lines(path / "skipped.jsonl")
        assert len(kept) + len(skipped) + result.merged == len(found)
        assert len({row["id"] for row in kept}) == len(kept) == result.taken
        assert len({frozenset(row["metadata"]) for row in kept}) == 1
        assert all((path / row["file_name"]).is_file() and row["text"] for row in kept)
