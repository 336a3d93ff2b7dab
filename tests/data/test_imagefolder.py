"""Hugging Face's own library opens a dataset of ours with the same count and the same texts."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn import draw, lines, numbered

import tuneclip

AWKWARD = [
    "test.jpg",
    "train-1.png",
    "val set/eval.JPG",
    "dev/validation.gif",
    "img2test3.jpg",
    "data.csv.jpg",
    "Ägäis größe.jpg",
    "日本語.png",
    "a b/c.jpg",
    "x/c.jpg",
    "y/C.jpg",
    "..jpg",
]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library writes its cache here and shows no bars."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def opened(path: Path, *, by_name: bool) -> Any:
    from datasets import load_dataset

    splits = load_dataset("imagefolder", data_dir=str(path)) if by_name else load_dataset(str(path))
    assert set(splits) == {"train"}
    return splits["train"]


def bring(source: Path, **options: Any) -> Path:
    return Path(tuneclip.import_dataset(source, to="test", project=source.parent, **options).path)


@pytest.mark.parametrize("by_name", [True, False])
def test_awkward_names_are_all_there(folder: Callable[..., Path], by_name: bool) -> None:
    path = bring(folder([{"file_name": name, "text": f"the picture {name}"} for name in AWKWARD]))
    rows = opened(path, by_name=by_name)
    assert rows["text"][:] == [row["text"] for row in lines(path / "metadata.jsonl")]
    assert len(rows) == len(AWKWARD)
    assert rows[0]["image"].size == (16, 12)


@pytest.mark.parametrize("count", [1, 2])
def test_few_pictures_are_still_a_dataset_of_pictures(folder: Callable[..., Path], count: int) -> None:
    path = bring(folder(numbered(count)))
    assert [len(opened(path, by_name=by_name)) for by_name in (True, False)] == [count, count]


@pytest.mark.slow
def test_many_pictures_are_all_there(folder: Callable[..., Path]) -> None:
    path = bring(folder(numbered(5500)))
    assert opened(path, by_name=True)["text"][:] == [row["text"] for row in lines(path / "metadata.jsonl")]


def test_columns_that_differ_only_in_late_rows_open(tmp_path: Path) -> None:
    draw(tmp_path / "source/a.jpg")
    common = {"file_name": "a.jpg", "late": None, "date": "2020-01-01", "other_file_name": "gone.jpg", "number": 7}
    rows = [{**common, "text": f"caption {n}", "code": n, "padding": "x" * 20_000} for n in range(1200)]  # 24 MB
    rows[-1] |= {"late": {"deep": ["x", 1]}, "date": "about 1890", "number": 7.5}
    rows[-2] |= {"number": "seven"}
    (tmp_path / "source/metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = bring(tmp_path / "source", id="code")
    metadata = opened(path, by_name=True)["metadata"]
    found = {name: {row[name] for row in metadata} for name in ("late.deep", "number")}
    assert found == {"late.deep": {None, "x; 1"}, "number": {"7", "7.5", "seven"}}
    assert {row["date"][:10] for row in metadata} == {"2020-01-01", "about 1890"}
