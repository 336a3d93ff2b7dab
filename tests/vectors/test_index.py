"""The verb `index`: what is embedded, what is kept, what is refused."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tuneclip
from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.vectors.hashes import WAITING, Hashes

COUNTS = ("added", "updated", "removed", "unchanged", "skipped", "total")


def index(project: Path, dataset: str = "small", model: str = "tiny", **options) -> tuple[int, ...]:
    result = tuneclip.index(dataset=dataset, model=model, project=project, **options)
    return tuple(getattr(result, name) for name in COUNTS)


def lines(project: Path) -> list[dict]:
    return [json.loads(line) for line in (project / "datasets/small/metadata.jsonl").read_text().splitlines()]


def rewrite(project: Path, rows: list[dict]) -> None:
    (project / "datasets/small/metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_every_picture_of_every_split_is_stored_with_what_is_known_of_it(project: Path):
    assert index(project) == (36, 0, 0, 0, 0, 36)
    collection = tuneclip.open_collection("small", project)
    assert (collection.count("split = 'train'"), collection.count("split = 'validation'")) == (24, 12)
    (row,) = collection.get(["find-3"])
    assert dict(row.metadata) == {"colour": "green", "shape": "bowl", "number": 3, "split": "train"}
    assert (row.captions, row.seen) == (("a green clay bowl", "the bowl, green"), 0)
    encoder = tuneclip.open_model("tiny", project)
    np.testing.assert_allclose(
        row.vector, encoder.pictures([project / "datasets/small/pictures/003.png"])[0], atol=1e-5
    )
    assert (collection.origin.model, collection.origin.fingerprint) == ("tiny", encoder.fingerprint)


def test_a_second_run_embeds_nothing_and_does_not_even_load_the_model(project: Path):
    index(project)
    code = f"""
import sys, tuneclip
result = tuneclip.index(dataset="small", model="tiny", project={str(project)!r})
assert (result.unchanged, result.total) == (36, 36)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_records_are_never_all_in_memory(project: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(dataset: Dataset) -> None:
        raise AssertionError(f"all records of {dataset.name} were read")

    monkeypatch.setattr(Dataset, "records", property(refuse))
    assert index(project, texts=True)[0] == 36
    assert index(project, texts=True)[0] == 0


def test_only_what_changed_is_written_and_what_left_is_removed(project: Path):
    index(project)
    collection = tuneclip.open_collection("small", project)
    collection.update_seen(["find-1", "find-2"], 1)
    before = {row.id: row for row in collection.get(["find-1", "find-2"])}
    rows = lines(project)
    rows[1]["metadata"] = {"colour": "blue", "height": 7.5}
    shutil.copy(project / "datasets/small/pictures/020.png", project / "datasets/small/pictures/002.png")
    rewrite(
        project,
        [{**row, "metadata": row["metadata"] | {"height": None}} if i != 1 else row for i, row in enumerate(rows)][:-2],
    )
    assert index(project)[2:] == (2, 0, 0, 34)
    described, replaced = collection.get(["find-1", "find-2"])
    assert (described.metadata["colour"], described.seen, replaced.seen) == ("blue", 1, 1)
    np.testing.assert_array_equal(described.vector, before["find-1"].vector)
    assert not np.allclose(replaced.vector, before["find-2"].vector)
    assert index(project) == (0, 0, 0, 34, 0, 34)


def test_metadata_may_get_other_fields_and_other_kinds(project: Path):
    index(project)
    rewrite(
        project,
        [{**row, "metadata": {"number": str(row["metadata"]["number"]), "new": True}} for row in lines(project)],
    )
    assert index(project) == (0, 36, 0, 0, 0, 36)
    collection = tuneclip.open_collection("small", project)
    assert collection.count("number = '7' and new = true") == 1
    with pytest.raises(TuneclipError, match="unknown field 'colour'"):
        collection.count("colour = 'red'")


def test_twins_both_stay(project: Path):
    pictures = project / "datasets/small/pictures"
    for path in sorted(pictures.iterdir())[1:]:
        shutil.copy(pictures / "000.png", path)
    assert index(project) == (36, 0, 0, 0, 0, 36)
    assert len({hit.id for hit in tuneclip.search("small", "a red bowl", k=99, project=project).hits}) == 36


def test_an_unreadable_picture_is_passed_over_and_said(project: Path, caplog: pytest.LogCaptureFixture):
    pictures = project / "datasets/small/pictures"
    (pictures / "004.png").write_bytes((pictures / "004.png").read_bytes()[:60])
    (pictures / "005.png").unlink()
    assert index(project) == (34, 0, 0, 0, 2, 34)
    assert "004.png" in caplog.text
    assert "find-5" in caplog.text
    assert "2 of 36 pictures cannot be read" in caplog.text


def test_a_picture_that_became_unreadable_keeps_its_old_vector(project: Path):
    index(project)
    (project / "datasets/small/pictures/005.png").unlink()
    assert index(project) == (0, 0, 0, 35, 1, 36)


def test_a_dataset_without_one_readable_picture_is_an_error_and_nothing_is_removed(project: Path):
    index(project)
    for path in (project / "datasets/small/pictures").iterdir():
        path.unlink()
    with pytest.raises(TuneclipError, match="no picture of dataset 'small' can be read"):
        index(project)
    assert tuneclip.open_collection("small", project).count() == 36


def test_a_collection_of_another_model_is_refused_with_the_next_command(project: Path, tiny_siglip: Path):
    index(project)
    shutil.copytree(tiny_siglip, project / "models" / "other")
    message = r"made by model 'tiny' .*model 'other' has .*Next: tuneclip index small --model other --to small-other"
    with pytest.raises(TuneclipError, match=message):
        index(project, model="other")
    assert index(project, model="other", to="other") == (36, 0, 0, 0, 0, 36)


def test_another_dataset_does_not_push_out_the_first(project: Path):
    index(project, to="finds")
    shutil.copytree(project / "datasets/small", project / "datasets/copy")
    with pytest.raises(TuneclipError, match="'finds' holds dataset 'small', not 'copy'"):
        index(project, dataset="copy", to="finds")


def test_a_model_given_as_a_folder_is_found_from_anywhere(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project / "models")
    index(project, model="tiny/")
    (project / "models/tiny").rename(project / "elsewhere")
    monkeypatch.chdir(project)
    index(project, model="elsewhere")
    monkeypatch.chdir("/")
    assert tuneclip.search("small", "a coin", project=project).model == str(project / "elsewhere")


def test_a_killed_run_is_finished_by_the_next_one_with_every_picture_once(project: Path):
    code = f"""
import os, signal, tuneclip
from tuneclip.vectors import embed, lancedb
embed.EMBEDDED_AT_ONCE = embed.WRITTEN_AT_ONCE = 8
write, done = lancedb.LanceCollection.upsert, []
def upsert(self, rows):
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, rows)
    done.append(rows)
lancedb.LanceCollection.upsert = upsert
tuneclip.index(dataset="small", model="tiny", project={str(project)!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert index(project) == (20, 0, 0, 16, 0, 36)
    hits = tuneclip.search("small", "a coin", k=100, project=project).hits
    assert len(hits) == len({hit.id for hit in hits}) == 36


def test_another_store_is_remembered_for_the_search(project: Path, tmp_path: Path):
    store = tmp_path / "my store"
    index(project, store=str(store))
    assert (store / "small.lance").is_dir()
    assert len(tuneclip.search("small", "a coin", k=3, project=project).hits) == 3


@pytest.mark.parametrize("name", ["a/b", "", ".."])
def test_a_name_that_is_a_path_is_refused_before_any_work(project: Path, name: str):
    with pytest.raises(TuneclipError, match="cannot be a name"):
        tuneclip.index(dataset="small", model="tiny", to=name or " /", project=project)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_project_that_cannot_be_written_is_one_clear_line(project: Path):
    project.chmod(0o500)
    with pytest.raises(TuneclipError, match="no permission"):
        index(project)


def test_the_result_is_what_json_promises(project: Path):
    command = [sys.executable, "-m", "tuneclip", "index", "small", "--model", "tiny", "--to", "c", "--json"]
    done = subprocess.run(command, check=True, cwd=project, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert result | {"collection": "c", "model": "tiny", "added": 36, "total": 36} == result
    assert result.keys() >= {"store", "updated", "removed", "unchanged", "seconds", "fingerprint", "skipped"}
    assert done.stderr == ""


def test_files_whose_size_and_time_are_unchanged_are_not_read_again(tmp_path: Path):
    path, memory = tmp_path / "x", tmp_path / "hashes.sqlite"
    path.write_bytes(b"one")
    os.utime(path, (10**9, 10**9))
    hashes = Hashes(memory)
    first = hashes.of(path, "x")
    hashes.save()
    path.write_bytes(b"two")
    os.utime(path, (10**9, 10**9))  # nothing but the bytes tells
    assert Hashes(memory).of(path, "x") == first
    os.utime(path, (10**9, 10**9 + 1))
    assert Hashes(memory).of(path, "x") == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("memory", [b"", b"torn {", b"SQLite format 3\0" + 200 * b"torn"])
def test_a_torn_memory_of_hashes_costs_only_time_and_is_made_anew(tmp_path: Path, memory: bytes):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    os.utime(path, (10**9, 10**9))
    (tmp_path / "hashes.sqlite").write_bytes(memory)
    hashes = Hashes(tmp_path / "hashes.sqlite")
    assert hashes.of(path, "x") == hashlib.sha256(b"one").hexdigest()
    hashes.save()
    path.write_bytes(b"two")
    os.utime(path, (10**9, 10**9))
    assert Hashes(tmp_path / "hashes.sqlite").of(path, "x") == hashlib.sha256(b"one").hexdigest()


def test_hashes_are_remembered_while_many_files_are_read_and_take_no_memory(tmp_path: Path):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    os.utime(path, (10**9, 10**9))
    hashes = Hashes(tmp_path / "hashes.sqlite")
    for number in range(WAITING):
        hashes.of(path, f"{number}")
    path.unlink()
    path.write_bytes(b"two")
    os.utime(path, (10**9, 10**9))
    assert (hashes._new, Hashes(tmp_path / "hashes.sqlite").of(path, "7")) == ([], hashes.of(path, "7"))


def test_a_file_that_changed_just_now_is_not_trusted_to_stay(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"one")
    hashes = Hashes(tmp_path / "hashes.sqlite")
    hashes.of(tmp_path / "x", "x")
    hashes.save()
    assert not (tmp_path / "hashes.sqlite").exists()


def test_captions_get_a_collection_of_their_own(project: Path):
    index(project)
    result = tuneclip.index(dataset="small", model="tiny", texts=True, project=project)
    assert (result.unchanged, result.texts.collection, result.texts.added) == (36, "small-texts", 72)
    (hit,) = tuneclip.search("small-texts", "the bowl, red", k=1, project=project).hits
    assert (hit.captions, hit.score) == (("the bowl, red",), pytest.approx(1, abs=1e-5))
    assert hit.path.startswith(str(project / "datasets/small/pictures"))


def test_only_captions_that_changed_are_embedded_again(project: Path):
    index(project, texts=True)
    rows = lines(project)
    rows[0]["captions"] = ["an astrolabe"]
    rows[1]["metadata"] = {"colour": "blue"}
    rewrite(project, rows)
    done = tuneclip.index(dataset="small", model="tiny", texts=True, project=project).texts
    assert (done.added, done.updated, done.removed, done.unchanged, done.total) == (0, 3, 1, 68, 71)
    assert tuneclip.search("small-texts", "an astrolabe", k=1, project=project).hits[0].id == "find-0#0"


def test_the_result_says_how_searches_find(project: Path):
    result = tuneclip.index(dataset="small", model="tiny", project=project)
    assert (result.index.kind, result.index.recall) == ("exact", 1.0)
