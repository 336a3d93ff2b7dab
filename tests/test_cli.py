"""The command line as its user meets it: exit codes, one-line messages, one JSON object."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuneclip.verbs import VERBS


def tuneclip(*arguments: object, cwd: Path | None = None, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tuneclip", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | environment)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = tuneclip(verb, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout


def test_wrong_usage_exits_with_two() -> None:
    for arguments in (["fly"], ["train"], ["train", "x", "--model", "y"], ["search", "c", "-k", "many"]):
        assert tuneclip(*arguments).returncode == 2


def test_what_cannot_be_done_exits_with_one_and_one_line(tmp_path: Path) -> None:
    done = tuneclip("train", "nothing", "--model", "starter", "--to", "x", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_json_is_one_object_on_stdout(tmp_path: Path) -> None:
    done = tuneclip("doctor", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["tuneclip"]


def test_a_flag_beats_the_environment_and_that_beats_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "tuneclip.toml").write_text('[train]\nmodel = "from-file"\n')
    arguments = ["train", "nothing", "--to", "x", "--project", tmp_path]

    def named(*more: str, **environment: str) -> str:
        for folder in ("from-file", "from-environment", "from-flag"):
            (tmp_path / "models" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "datasets" / "nothing").mkdir(parents=True, exist_ok=True)
        rows = [
            {"file_name": "a.png", "text": "x", "captions": ["x"], "id": i, "group": i, "split": "train"} for i in "ab"
        ]
        text = "".join(json.dumps(row | {"metadata": {}}) + "\n" for row in rows)
        (tmp_path / "datasets" / "nothing" / "metadata.jsonl").write_text(text)
        (tmp_path / "datasets" / "nothing" / "dataset.json").write_text("{}")
        return tuneclip(*arguments, *more, **environment).stderr

    assert "models/from-file" in named()
    assert "models/from-environment" in named(TUNECLIP_TRAIN_MODEL="from-environment")
    assert "models/from-flag" in named("--model", "from-flag", TUNECLIP_TRAIN_MODEL="from-environment")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_exits_with_130_and_one_line_that_says_how_to_go_on(project: Path) -> None:
    picture = project / "datasets" / "small" / "pictures" / "020.png"
    picture.unlink()
    os.mkfifo(picture)  # whose end never comes: the index waits there
    command = [sys.executable, "-m", "tuneclip", "index", "small", "--model", "tiny"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else a child of a background shell ignores it
    process = subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    writer = None
    while writer is None and process.poll() is None:
        with contextlib.suppress(OSError):  # nobody reads yet
            writer = os.open(picture, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    if writer is not None:
        os.close(writer)
    lines = said.strip().splitlines()
    assert (process.returncode, lines[-1].partition(":")[0]) == (130, "stopped"), said
    assert "Next: the same command again" in lines[-1]
    assert "Traceback" not in said


def test_a_broken_project_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tuneclip.toml").write_text("[train\n")
    done = tuneclip("doctor", "--project", tmp_path)
    assert (done.returncode, "not valid TOML" in done.stderr) == (1, True)


def test_a_folder_that_cannot_be_written_is_one_clear_message(project: Path) -> None:
    (project / "runs").write_text("a file where a folder is needed")
    done = tuneclip("train", "small", "--model", "tiny", "--to", "x", cwd=project)
    assert done.returncode == 1
    assert "a file is where a folder is needed" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_one_clear_message_and_loses_nothing(project: Path, tmp_path: Path) -> None:
    runs = project / "runs"
    runs.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", runs]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        done = tuneclip("train", "small", "--model", "tiny", "--to", "x", cwd=project)
        assert done.returncode == 1
        assert "the disk is full" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (project / "models" / "x").exists()
    finally:
        subprocess.run(["umount", runs], check=True)
    again = tuneclip("train", "small", "--model", "tiny", "--to", "x", cwd=project)
    assert again.returncode == 0, again.stderr
