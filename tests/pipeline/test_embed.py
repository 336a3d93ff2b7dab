"""The step `embed`: one name, whatever model is the newest."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_run import QUICK

import tuneclip
from tiny import save_tiny
from tuneclip.model.open import fingerprint
from tuneclip.pipeline.embed import Embed, embed
from tuneclip.project import Project
from tuneclip.vectors.collection import collections, open_collection
from tuneclip.vectors.rebuild import switch_back
from tuneclip.vectors.versions import older


@pytest.fixture
def embedded(project: Path) -> Project:
    """A project with the collection `small` by the model `tiny`, and another model, `other`."""
    (project / "tuneclip.toml").write_text(QUICK)
    save_tiny(project / "models" / "other", "clip", seed=2)
    assert embed(Embed("small", "tiny", "small"), Project(project)).why == "small is made"
    return Project(project)


def test_one_name_answers_by_the_newest_model_and_one_earlier_version_stays(embedded: Project) -> None:
    save_tiny(embedded.model("other").with_name("third"), "clip", seed=3)
    for before, model in (("tiny", "other"), ("other", "third")):
        why = embed(Embed("small", model, "small"), embedded).why
        assert why == f"small answers by {model} now, no longer by {before}"
        assert tuneclip.search("small", "a red bowl", project=embedded.root).model == model
    assert (collections(embedded), len(older("small", embedded))) == (["small"], 1)
    assert len(list(embedded.vectors.glob("*.lance"))) == 2


def test_the_same_model_only_adds_what_is_new(embedded: Project) -> None:
    rows = embedded.dataset("small") / "metadata.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[1:]))
    assert embed(Embed("small", "tiny", "small", texts=True), embedded).why == "small is brought up to date"
    counts = [open_collection(name, embedded).count() for name in ("small", "small-texts")]
    assert (counts, list(embedded.vectors.glob("*.store.json"))) == ([35, 70], [])


def test_a_collection_of_another_dataset_is_never_replaced(embedded: Project) -> None:
    shutil.copytree(embedded.dataset("small"), embedded.root / "datasets" / "more")
    (embedded.root / "datasets" / "more" / "dataset.json").write_text('{"name": "more"}')
    with pytest.raises(tuneclip.TuneclipError, match=r"'small' holds dataset 'small', not 'more'.*--set collection"):
        embed(Embed("more", "other", "small"), embedded)
    assert open_collection("small", embedded).origin.model == "tiny"


@pytest.mark.parametrize("moment", ["_copy_marks", "switch"])
def test_killed_while_another_model_takes_over_the_old_one_answers_and_the_next_run_ends_it(
    embedded: Project, moment: str
) -> None:
    code = f"""
import os, signal
from pathlib import Path
from tuneclip.pipeline.embed import Embed, embed
from tuneclip.project import Project
from tuneclip.vectors import rebuild
rebuild.{moment} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
embed(Embed("small", "other", "small"), Project(Path({str(embedded.root)!r})))
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (open_collection("small", embedded).origin.model, collections(embedded)) == ("tiny", ["small"])
    half = fingerprint(embedded.model("other"))
    assert not switch_back("small", half, embedded)  # what was only begun is no version to go back to
    embed(Embed("small", "other", "small"), embedded)
    found = open_collection("small", embedded)
    assert (found.origin.model, found.count(), len(older("small", embedded))) == ("other", 36, 1)
