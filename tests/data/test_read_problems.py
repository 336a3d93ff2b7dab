"""What goes wrong on the way in is said once, clearly, and nothing is lost."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drawn import draw, lines, numbered, picture_bytes

import tuneclip
from tuneclip.cli import main
from tuneclip.errors import TuneclipError


def bring(source: Path, **options: object) -> tuple[object, Path]:
    project = source.parent / "project"
    result = tuneclip.import_dataset(source, to="d", project=project, **options)
    return result, project / "datasets" / "d"


def test_each_record_that_is_not_taken_is_listed_once_with_its_reason(
    folder: Callable[..., Path], caplog: object
) -> None:
    rows = [*numbered(6), {"file_name": "gone.jpg", "text": "x"}, {"text": "no picture"}]
    rows[2]["text"] = ""
    source = folder(rows, [row["file_name"] for row in numbered(6)])
    (source / "004.jpg").write_bytes(picture_bytes(4)[:300])
    with (source / "metadata.jsonl").open("a") as file:
        file.write('{"file_name": "000.jpg"\n[1]\n')
    result, path = bring(source)
    assert (result.taken, result.skipped) == (4, 6)
    reasons = [row["reason"] for row in lines(path / "skipped.jsonl")]
    for reason, start in zip(
        reasons,
        (
            "no caption",
            "damaged picture",
            "no such picture: gone",
            "no picture named",
            "not valid JSON",
            "not an object",
        ),
        strict=True,
    ):
        assert reason.startswith(start)
    assert "skipped 6 of 10 records" in caplog.text


def test_two_hundred_damaged_pictures_among_three_hundred_are_counted(tmp_path: Path) -> None:
    chance = random.Random(1)
    for number in range(300):
        data = picture_bytes(number, size=(40, 30))
        if number >= 100:
            keep = len(data) * (number % 10) // 10
            flipped = bytes(byte ^ (255 if chance.random() < 0.02 else 0) for byte in data)
            data = data[:keep] if number % 2 else flipped
        (tmp_path / f"{number:03}.jpg").write_bytes(data)
    rows = [{"file": f"{number:03}.jpg", "title": f"noise {number}"} for number in range(300)]
    (tmp_path / "m.json").write_text(json.dumps(rows))
    result, path = bring(tmp_path / "m.json")
    assert len(lines(path / "metadata.jsonl")) + len(lines(path / "skipped.jsonl")) == 300
    assert result.skipped >= 90


def test_rows_of_one_unreadable_picture_are_all_skipped(folder: Callable[..., Path]) -> None:
    rows = [{"file_name": "a.jpg", "text": f"caption {n}"} for n in range(3)]
    source = folder([*rows, {"file_name": "b.jpg", "text": "b"}], ["a.jpg", "b.jpg"])
    (source / "a.jpg").write_bytes(b"no picture")
    result, _ = bring(source)
    assert (result.taken, result.merged, result.skipped) == (1, 0, 3)


def error_of(source: Path, **options: object) -> str:
    with pytest.raises(TuneclipError) as error:
        bring(source, **options)
    assert "\n" not in str(error.value)
    assert not (source.parent / "project/datasets/d").exists()
    return str(error.value)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    assert "the folder is empty" in error_of(tmp_path / "source")


def test_a_source_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "fashion").mkdir()
    assert "did you mean fashion?" in error_of(tmp_path / "fashoin")


@pytest.mark.parametrize("option", ["caption", "id", "group", "template"])
def test_an_unknown_column_names_those_there_are_and_the_nearest(folder: Callable[..., Path], option: str) -> None:
    source = folder([{"file_name": "a.jpg", "title": "a", "object": {"material": "clay"}}])
    value = "{titel}" if option == "template" else "titel"
    message = error_of(source, **{option: value})
    assert "no column 'titel'" in message
    assert "one of file_name, title, object.material" in message
    assert "did you mean 'title'?" in message


def test_a_column_that_first_stands_in_a_late_row_is_known(folder: Callable[..., Path]) -> None:
    rows = numbered(150)
    rows[149]["late"] = "here"
    result, _ = bring(folder(rows), caption=("late",))
    assert (result.taken, result.skipped) == (1, 149)


def test_no_column_for_captions_asks_which(folder: Callable[..., Path]) -> None:
    message = error_of(folder([{"file_name": "a.jpg", "colour": "red"}]))
    assert "--caption or --template" in message
    assert "colour" in message


def test_no_column_for_pictures_names_the_columns(folder: Callable[..., Path]) -> None:
    assert "columns: text, year" in error_of(folder([{"text": "a", "year": 3}], []))


def test_links_that_cannot_be_fetched_are_said(folder: Callable[..., Path]) -> None:
    assert "by link (image_url)" in error_of(folder([{"text": "a", "image_url": "s3://a/1.jpg"}], []))


def test_nothing_taken_is_an_error_with_the_first_reasons(folder: Callable[..., Path]) -> None:
    message = error_of(folder(numbered(5), ["other.jpg"]))
    assert "nothing could be taken" in message
    assert "metadata.jsonl, record 1: no such picture: 000.jpg" in message


def test_an_ambiguous_picture_is_an_error_that_names_both(folder: Callable[..., Path]) -> None:
    message = error_of(folder([{"file_name": "1.jpg", "text": "one"}], ["a/1.jpg", "b/1.jpg"]))
    assert "a/1.jpg or " in message
    assert "b/1.jpg" in message


def test_an_id_that_stands_twice_is_an_error_that_names_both_rows(folder: Callable[..., Path]) -> None:
    message = error_of(folder([{**row, "code": 7} for row in numbered(2)]), id="code")
    assert "the id '7' stands twice" in message
    assert "record 1 and metadata.jsonl, record 2" in message


def test_several_lists_ask_for_records_and_a_wrong_one_names_the_nearest(tmp_path: Path) -> None:
    draw(tmp_path / "1.jpg")
    record = [{"file": "1.jpg", "text": "x"}]
    path = tmp_path / "finds.json"
    path.write_text(json.dumps({"finds": record, "inner": {"people": [{"name": "y"}]}}))
    assert "finds (1), inner.people (1)" in error_of(path)
    assert "did you mean --records finds?" in error_of(path, records="fnds")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"{", "not valid JSON"),
        ("a.json", b"[]", "no records"),
        ("a.csv", "a,b\n\xfc,1".encode("latin-1"), "not UTF-8"),
        ("a.csv", b"a,a\n1,2", "'a' stands twice"),
        ("a.parquet", b"PAR1", "not a parquet file"),
        ("a.tar", b"x" * 600, "damaged tar file"),
        ("a.docx", b"x", "cannot read .docx files"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason in error_of(tmp_path / name)


def test_pictures_without_any_metadata_say_what_is_expected(tmp_path: Path) -> None:
    draw(tmp_path / "source/1.jpg")
    assert "1 pictures without metadata" in error_of(tmp_path / "source")


def test_a_picture_above_the_class_folders_is_skipped(tmp_path: Path) -> None:
    draw(tmp_path / "source/cat/1.jpg", 1)
    draw(tmp_path / "source/stray.jpg", 2)
    result, path = bring(tmp_path / "source")
    assert (result.taken, lines(path / "skipped.jsonl")[0]["reason"]) == (1, "no caption")


def test_several_tables_without_splits_ask_for_one(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "source" / name).write_text("file,text\n1.jpg,x\n")
    assert "several metadata files: a.csv, b.csv" in error_of(tmp_path / "source")


def test_a_project_that_cannot_be_written_exits_one(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(numbered(2))
    (source.parent / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(["import", str(source), "--to", "d", "--project", str(source.parent / "file")])
    assert stop.value.code == 1
    assert "a file is where a folder is needed" in capsys.readouterr().err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 KiB; skipped where none may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_said_and_leaves_nothing_torn(
    small_disk: Path, folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(numbered(400))
    with pytest.raises(SystemExit) as stop:
        main(["import", str(source), "--to", "d", "--project", str(small_disk)])
    assert stop.value.code == 1
    assert "the disk is full" in capsys.readouterr().err
    assert list((small_disk / "datasets").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_import_leaves_no_dataset_and_runs_again(folder: Callable[..., Path]) -> None:
    source = folder(numbered(1000))
    project = source.parent / "project"
    torn = project / "datasets/.d.partial/pictures"
    command = [sys.executable, "-m", "tuneclip", "import", str(source), "--to", "d", "--project", str(project)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (torn.is_dir() and len(list(torn.iterdir())) > 20):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (project / "datasets/d").exists()
    result, path = bring(source)
    assert (result.taken, len(list((path / "pictures").iterdir()))) == (1000, 1000)
    assert [entry.name for entry in (project / "datasets").iterdir()] == ["d"]


def test_a_kill_between_the_two_renames_loses_nothing(folder: Callable[..., Path]) -> None:
    source = folder(numbered(5))
    _, path = bring(source)
    path.rename(path.parent / ".d.old")  # as a kill would leave it
    (source / "metadata.jsonl").write_text('{"file_name": "gone.jpg", "text": "x"}\n')
    with pytest.raises(TuneclipError, match="nothing could be taken"):
        bring(source)
    assert len(lines(path / "metadata.jsonl")) == 5
