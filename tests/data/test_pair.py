"""The rules by which a record finds its picture."""

import os
import sys
from pathlib import Path

import pytest
from drawn import draw

from tuneclip.data.pair import PictureFiles, UnpairedError
from tuneclip.errors import TuneclipError


@pytest.mark.parametrize(
    ("file", "given"),
    [
        ("a/1.jpg", "a/1.jpg"),
        ("a/1.jpg", "a\\1.jpg"),
        ("a/1.JPG", "a/1.jpg"),
        ("a/1.jpg", "1.jpg"),
        ("a/1.jpg", "elsewhere/1.jpg"),
        ("a/1.jpg", "1"),
        ("a/1.png", "1.tif"),
        ("été.jpg", "e\u0301te\u0301.jpg"),
        ("no extension", "no extension"),
        ("v1.2.jpg", "v1.2"),
    ],
)
def test_a_picture_is_found_by_path_then_name_then_stem(tmp_path: Path, file: str, given: str) -> None:
    path = draw(tmp_path / file)
    assert PictureFiles([tmp_path]).find(given, "row 1") == path


def test_the_exact_path_wins_over_the_same_name_elsewhere(tmp_path: Path) -> None:
    draw(tmp_path / "a/1.jpg")
    path = draw(tmp_path / "1.jpg")
    assert PictureFiles([tmp_path]).find("1.jpg", "row 1") == path


def test_of_several_names_the_one_with_the_most_folders_in_common_is_meant(tmp_path: Path) -> None:
    draw(tmp_path / "data/cats/1.jpg")
    path = draw(tmp_path / "data/dogs/1.jpg")
    assert PictureFiles([tmp_path]).find("images/dogs/1.jpg", "row 1") == path


@pytest.mark.parametrize("given", ["1.jpg", "1"])
def test_an_ambiguous_name_is_an_error_that_names_both_files(tmp_path: Path, given: str) -> None:
    one, other = draw(tmp_path / "a/1.jpg"), draw(tmp_path / "b/1.jpg")
    with pytest.raises(TuneclipError) as error:
        PictureFiles([tmp_path]).find(given, "row 7")
    assert all(part in str(error.value) for part in (str(one), str(other), "row 7"))


@pytest.mark.parametrize("given", ["gone.jpg", "http://host/1.jpg", "", "..", "x" * 300, "a\0b"])
def test_a_picture_that_is_not_there_is_a_reason_not_a_crash(tmp_path: Path, given: str) -> None:
    draw(tmp_path / "1.jpg")
    with pytest.raises(UnpairedError):
        PictureFiles([tmp_path]).find(given, "row 1")


def test_the_pictures_folder_comes_before_the_folder_of_the_metadata(tmp_path: Path) -> None:
    draw(tmp_path / "meta/1.jpg")
    path = draw(tmp_path / "pictures/1.jpg")
    files = PictureFiles([tmp_path / "pictures", tmp_path / "meta"], first=tmp_path / "pictures")
    assert files.find("1.jpg", "row 1", tmp_path / "meta") == path


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 exist on Linux")
def test_a_file_name_in_another_encoding_does_no_harm(tmp_path: Path) -> None:
    draw(Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfc\xdfe.jpg")))
    path = draw(tmp_path / "a.jpg")
    assert PictureFiles([tmp_path]).find("b/a.jpg", "row 1") == path
