"""What is LanceDB's own: processes beside each other, kills, damage, full disks."""

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from tuneclip.errors import TuneclipError
from tuneclip.vectors import lancedb
from tuneclip.vectors.collection import Collection, Origin, Row, open_collection

ORIGIN = Origin("tiny", "0123456789abcdef", 4, "finds")


def some(count: int, field: str = "ware") -> list[Row]:
    rng = np.random.default_rng(0)
    return [Row(f"find {n}", rng.normal(size=4), f"{n}.jpg", {field: n}, content=f"{n}") for n in range(count)]


def write(root: Path, writer: int, together: Barrier) -> None:
    collection = open_collection("finds", root, origin=ORIGIN)
    for start in range(0, 60, 10):
        rows = some(60, f"field {start // 20}")[start : start + 10]
        together.wait()
        collection.upsert(rows)
    collection.update_seen([row.id for row in some(60)[writer::2]], 1)


def test_two_writers_at_once_leave_every_picture_once(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    writers = [context.Process(target=write, args=(tmp_path, number, together)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    collection = open_collection("finds", tmp_path)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert collection.count() == len(collection.contents()) == 60
    assert set(collection.fields()) == {"field 0", "field 1", "field 2"}


def test_a_kill_between_two_writes_costs_nothing_that_was_written(tmp_path: Path):
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_lancedb import ORIGIN, open_collection, some
collection = open_collection("finds", {str(tmp_path)!r}, origin=ORIGIN)
for start in range(0, 40, 10):
    collection.upsert(some(40)[start : start + 10])
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert open_collection("finds", tmp_path).count() == 40


def test_what_another_process_writes_is_seen_at_once(tmp_path: Path):
    one, two = open_collection("finds", tmp_path, origin=ORIGIN), open_collection("finds", tmp_path)
    one.upsert(some(3))
    assert two.count() == 3
    two.upsert(some(5, "new"))
    assert one.count("new >= 3") == 2


def damaged(root: Path, pattern: str) -> Collection:
    collection = open_collection("finds", root, origin=ORIGIN)
    collection.upsert(some(5))
    for path in (root / "vectors" / "finds.lance").glob(pattern):
        path.write_bytes(path.read_bytes()[:20])
    return collection


@pytest.mark.parametrize("pattern", ["data/*.lance", "_versions/*"])
def test_damaged_files_are_one_clear_line(tmp_path: Path, pattern: str):
    damaged(tmp_path, pattern)
    with pytest.raises(
        TuneclipError, match=r"finds.*Next: move that folder away and run `tuneclip index` again"
    ) as caught:
        open_collection("finds", tmp_path).nearest([1, 0, 0, 0], 1)
    assert ".rs" not in str(caught.value)


def test_a_creation_that_was_cut_short_is_made_good(tmp_path: Path):
    (tmp_path / "vectors" / "finds.lance" / "_versions").mkdir(parents=True)
    with pytest.raises(TuneclipError, match="there is no collection 'finds'"):
        open_collection("finds", tmp_path)
    assert open_collection("finds", tmp_path, origin=ORIGIN).count() == 0


def test_a_table_of_somebody_else_is_left_alone(tmp_path: Path):
    import lancedb

    lancedb.connect(tmp_path / "vectors").create_table("finds", [{"id": 1}])
    with pytest.raises(TuneclipError, match="no collection of tuneclip"):
        open_collection("finds", tmp_path, origin=ORIGIN)


def test_a_file_in_the_place_of_the_database_is_one_clear_line(tmp_path: Path):
    (tmp_path / "vectors").touch()
    with pytest.raises(TuneclipError, match="a file is where the vectors should be"):
        open_collection("finds", tmp_path, origin=ORIGIN)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_clear_line_and_what_was_written_stays(small_disk: Path):
    origin = Origin("tiny", "0123456789abcdef", 256)
    collection = open_collection("finds", small_disk, origin=origin)
    collection.upsert([Row(f"{n}", np.eye(256)[n], f"{n}.jpg") for n in range(256)])
    (small_disk / "filler").write_bytes(bytes(2**20 + 2**19))
    with pytest.raises(TuneclipError, match=r"the disk is full.*Next: free some space"):
        collection.upsert([Row(f"new {n}", np.eye(256)[n], f"{n}.jpg") for n in range(256)])
    assert collection.count() == 256


@pytest.mark.parametrize(("writes", "files"), [(3, 3), (9, 1)])
def test_files_are_put_together_only_after_many_writes(tmp_path: Path, monkeypatch, writes: int, files: int):
    monkeypatch.setattr(lancedb, "COMMITS", 6)
    collection = open_collection("finds", tmp_path, origin=ORIGIN)
    for number in range(writes):
        collection.upsert(some(60)[5 * number : 5 * number + 5])
    collection.optimize()
    assert collection._table.stats()["fragment_stats"]["num_fragments"] == files
    assert collection.count() == len(collection.nearest(np.ones(4), 60)) == 5 * writes
