"""Varied pictures keep their captions true."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import lines, numbered
from PIL import Image

import tuneclip
from tuneclip.data.augment import _rotated, may_mirror, vary, view
from tuneclip.data.picture import load_picture
from tuneclip.errors import TuneclipError
from tuneclip.records import Record


def grey(width: int = 60, height: int = 40) -> Image.Image:
    return Image.new("RGB", (width, height), (200, 190, 180))


def test_no_view_has_black_corners() -> None:
    darkest = min(np.asarray(vary(grey(), np.random.default_rng(seed), mirror=True)).min() for seed in range(50))
    assert darkest > 90


def test_the_aspect_is_kept() -> None:
    for seed in range(30):
        view = vary(grey(300, 200), np.random.default_rng(seed), mirror=True)
        assert view.width / view.height == pytest.approx(1.5, abs=0.03)


def test_the_same_seed_gives_the_same_view() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8))
    first, again = (vary(noise, np.random.default_rng(7), mirror=True).tobytes() for _ in range(2))
    assert first == again


def test_a_mirror_happens_only_where_it_may() -> None:
    halves = Image.new("RGB", (60, 60), (0, 0, 0))
    halves.paste((255, 255, 255), (30, 0, 60, 60))
    for mirror, seen in ((False, {True}), (True, {True, False})):
        views = [np.asarray(vary(halves, np.random.default_rng(s), mirror=mirror)) for s in range(20)]
        assert {bool(v[:, -5:].mean() > v[:, :5].mean()) for v in views} == seen


@pytest.mark.parametrize(
    ("captions", "metadata", "allowed"),
    [
        (("a horse facing left",), {}, False),
        (("stamped tile",), {}, False),
        (("a bowl", "cup with inscribed foot"), {}, False),
        (("a bowl",), {"inscription": "MI LARTHIA"}, False),
        (("a bowl",), {"inscription": None}, True),
        (("a leftover bright bowl",), {}, True),
    ],
)
def test_sides_and_inscriptions_forbid_the_mirror(
    captions: tuple[str, ...], metadata: dict[str, str], allowed: bool
) -> None:
    assert may_mirror(Record("x", "x.jpg", captions, metadata)) is allowed


def test_one_pixel_is_no_problem() -> None:
    assert vary(grey(1, 1), np.random.default_rng(0), mirror=True).size == (1, 1)


def test_a_flat_background_fills_the_corners_with_its_colour() -> None:
    drawing = Image.new("RGB", (80, 60), (240, 230, 120))
    drawing.paste((10, 10, 10), (30, 55, 50, 59))  # a stroke near the rim, which a reflection would double
    turned = _rotated(drawing, 9.0, (0, 0, 80, 60))
    dark = (np.asarray(turned).max(axis=2) < 60).sum()
    assert 60 < dark <= 80
    assert turned.getpixel((0, 0)) == turned.getpixel((79, 59)) == (240, 230, 120)


def test_a_busy_rim_is_reflected_into_the_corners() -> None:
    random = np.random.default_rng(0)
    busy = Image.fromarray(random.integers(100, 255, (60, 80, 3), dtype=np.uint8))
    assert np.asarray(_rotated(busy, 10.0, (0, 0, 80, 60))).min() >= 100


@pytest.fixture
def finds(folder: Callable[..., Path], tmp_path: Path) -> Path:
    rows = [row | {"series": f"s{i // 3}", "year": i} for i, row in enumerate(numbered(30))]
    tuneclip.import_dataset(folder(rows), to="finds", group="series", project=tmp_path)
    return tmp_path


def test_copies_carry_caption_metadata_and_group_and_stay_in_train(finds: Path) -> None:
    result = tuneclip.augment("finds", to="more", copies=3, project=finds)
    old, new = (tuneclip.open_dataset(name, finds) for name in ("finds", "more"))
    assert result.taken == len(new.records) == len(old.records) + 3 * old.splits["train"]
    assert result.splits == old.splits | {"train": 4 * old.splits["train"]}
    by_id = {record.id: record for record in old.records}
    copies = [record for record in new.records if record.metadata["copy_of"] is not None]
    for copy in copies:
        original = by_id[str(copy.metadata["copy_of"])]
        assert (copy.captions, copy.group, copy.split) == (original.captions, original.group, "train")
        assert copy.metadata["year"] == original.metadata["year"]
        assert copy.id.rpartition("~")[0] == original.id
    assert len(copies) == 3 * old.splits["train"]
    splits_of = {group: {r.split for r in new.records if r.group == group} for group in {r.group for r in new.records}}
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_copies_stay_in_their_split_when_the_dataset_is_imported_again(finds: Path) -> None:
    tuneclip.augment("finds", to="more", copies=2, project=finds)
    tuneclip.import_dataset(finds / "datasets/more", to="third", project=finds)
    third = tuneclip.open_dataset("third", finds)
    assert {record.split for record in third.records if record.metadata["copy_of"]} == {"train"}
    assert third.splits == tuneclip.open_dataset("more", finds).splits


def test_originals_are_unchanged_and_copies_are_not_the_original(finds: Path) -> None:
    tuneclip.augment("finds", to="more", copies=1, project=finds)
    old, new = (tuneclip.open_dataset(name, finds) for name in ("finds", "more"))
    kept = {record.id: new.picture_path(record) for record in new.records}
    for record in old.records:
        assert kept[record.id].samefile(old.picture_path(record))
        if record.split == "train":
            assert kept[f"{record.id}~1"].read_bytes() != kept[record.id].read_bytes()


def test_the_seed_decides_the_copies(finds: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        tuneclip.augment("finds", to=name, copies=2, seed=seed, project=finds)
    first, again, other = (
        [p.read_bytes() for p in sorted((finds / "datasets" / name / "pictures").iterdir())] for name in "abc"
    )
    assert first == again != other


def test_copies_get_no_copies_and_no_id_twice(finds: Path) -> None:
    tuneclip.augment("finds", to="more", copies=1, project=finds)
    result = tuneclip.augment("more", to="most", copies=1, project=finds)
    train = tuneclip.open_dataset("finds", finds).splits["train"]
    assert result.splits["train"] == 3 * train


def test_the_libraries_of_others_open_the_copies(finds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    result = tuneclip.augment("finds", to="more", copies=2, project=finds)
    rows = datasets.load_dataset("imagefolder", data_dir=result.path)["train"]
    datasets.enable_progress_bars()
    assert len(rows) == result.taken
    assert rows["text"][:] == [record.captions[0] for record in tuneclip.open_dataset("more", finds).records]


def test_an_unreadable_picture_has_its_copies_skipped(finds: Path) -> None:
    old = tuneclip.open_dataset("finds", finds)
    broken = old.split("train")[0]
    old.picture_path(broken).write_bytes(b"no picture")
    result = tuneclip.augment("finds", to="more", copies=2, project=finds)
    skipped = [row["record"]["id"] for row in lines(Path(result.path) / "skipped.jsonl")]
    assert skipped == [f"{broken.id}~1", f"{broken.id}~2"]
    assert result.taken + result.skipped == len(old.records) + 2 * old.splits["train"]


@pytest.mark.parametrize("name", ["sheet.jpg", "sheet.png", "deep/sheet.webp"])
def test_a_preview_alone_writes_nothing_else(finds: Path, name: str) -> None:
    result = tuneclip.augment("finds", copies=3, preview=finds / name, project=finds)
    assert (result.dataset, result.splits) == (None, {})
    with Image.open(finds / name) as sheet:
        assert sheet.width > sheet.height / 2
    assert tuneclip.Project(finds).names("datasets") == ["finds"]


def test_the_preview_shows_the_very_copies(finds: Path) -> None:
    tuneclip.augment("finds", to="more", copies=1, preview=finds / "sheet.png", project=finds)
    new = tuneclip.open_dataset("more", finds)
    copy = next(record for record in new.records if record.metadata["copy_of"])
    original = next(record for record in new.records if record.id == copy.metadata["copy_of"])
    drawn = view(load_picture(new.picture_path(original)), copy, seed=0)
    written = load_picture(new.picture_path(copy))
    assert written.size == drawn.size
    assert np.abs(np.asarray(drawn, int) - np.asarray(written, int)).mean() < 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copies": 0, "to": "x"}, "0 copies of each picture; expected 1 or more"),
        ({"copies": 1}, "name the new dataset with --to, or a contact sheet with --preview"),
        ({"copies": 1, "preview": Path("sheet.gif")}, r"one that ends in \.jpg, \.png or \.webp"),
        ({"copies": 1, "to": "finds"}, "cannot replace the one it is made from"),
    ],
)
def test_what_cannot_be_augmented_says_why(finds: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TuneclipError, match=message):
        tuneclip.augment("finds", **options, project=finds)


def test_a_dataset_without_training_pictures_says_so(finds: Path) -> None:
    metadata = finds / "datasets/finds/metadata.jsonl"
    metadata.write_text("".join(line + "\n" for line in metadata.read_text().splitlines() if '"train"' not in line))
    with pytest.raises(TuneclipError, match="no split 'train'"):
        tuneclip.augment("finds", to="x", copies=1, project=finds)
