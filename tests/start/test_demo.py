"""The demo: the whole line, small."""

import json
from pathlib import Path

import pytest

import tuneclip
from tuneclip.errors import TuneclipError


@pytest.mark.slow
def test_the_demo_runs_the_whole_line_and_again_without_redoing_it(tmp_path: Path) -> None:
    first = tuneclip.demo("here", finds=120, epochs=1, project=tmp_path)
    assert Path(first.report).is_file()
    assert {score.model for score in first.scores} == {"starter", "tuned"}
    assert all(len(found.hits) == 5 for found in first.searches)
    weights = tmp_path / "here" / "models" / "tuned" / "model.safetensors"
    made = weights.stat().st_mtime_ns
    tuneclip.demo("here", finds=120, epochs=1, project=tmp_path)
    assert weights.stat().st_mtime_ns == made


def test_the_demo_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(json.dumps("mine"))
    with pytest.raises(TuneclipError, match="the folder is not empty"):
        tuneclip.demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
