"""Which files of a folder count."""

from pathlib import Path

import pytest
from drawn import draw

from tuneclip.data.walk import files_below


def test_hidden_files_and_datasets_made_here_are_passed_over(tmp_path: Path) -> None:
    kept = [draw(tmp_path / name) for name in ("a/1.jpg", "b.jpg", "c/d/1.jpg")]
    for name in (
        ".cache/1.jpg",
        "a/.2.jpg",
        "datasets/d/pictures/1.jpg",
        "datasets/.d.partial/1.jpg",
        "__MACOSX/1.jpg",
    ):
        draw(tmp_path / name)
    (tmp_path / "datasets/d/dataset.json").write_text("{}")
    assert list(files_below(tmp_path)) == kept
    assert len(list(files_below(tmp_path / "datasets/d"))) == 2


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    draw(tmp_path / "real/1.jpg")
    source = tmp_path / "source"
    source.mkdir()
    try:
        (source / "linked").symlink_to(tmp_path / "real")
        (tmp_path / "real/back").symlink_to(source)
    except OSError:
        pytest.skip("needs symbolic links")
    assert list(files_below(source)) == [source / "linked/1.jpg"]
