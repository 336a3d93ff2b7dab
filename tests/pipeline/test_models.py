"""The table of models."""

import io
import json
from pathlib import Path

from rich.console import Console

import tuneclip


def test_models_tell_lineage_figures_verdict_and_collections(ran: Path) -> None:
    tiny, made = tuneclip.models(project=ran).models
    assert (tiny.name, tiny.lineage, tiny.newest) == ("tiny", (), False)
    assert (made.name, made.lineage, made.dataset, made.newest) == ("small-1", ("tiny",), "small", True)
    assert made.collections == ("small",)
    assert "better than tiny" in made.gate
    assert {score.n for score in made.scores} == {12, 24}


def test_the_table_marks_the_newest_and_says_where_rollback_goes(ran: Path) -> None:
    shown = io.StringIO()
    tuneclip.models(project=ran).show(Console(file=shown, width=160))
    assert "→  small-1" in shown.getvalue()
    assert "tuneclip rollback goes back to tiny" in shown.getvalue()


def test_a_model_that_was_not_made_here_and_a_torn_one_are_shown_too(ran: Path) -> None:
    (ran / "models" / "torn").mkdir()
    (ran / "models" / "torn" / "model.safetensors").write_bytes(b"")
    (ran / "models" / "torn" / "tuneclip.json").write_text("{")
    names = [model.name for model in tuneclip.models(project=ran).models]
    assert names == ["tiny", "torn", "small-1"]


def test_a_project_without_models_says_what_to_type(tmp_path: Path) -> None:
    shown = io.StringIO()
    tuneclip.models(project=tmp_path).show(Console(file=shown, width=160))
    assert "tuneclip train" in shown.getvalue()
    assert json.dumps(tuneclip.models(project=tmp_path).models) == "[]"
