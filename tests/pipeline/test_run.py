"""Pipelines as their user meets them: what runs, what is skipped, what moves on, what a kill costs."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console
from small_run import GOOD, QUICK, settings

import tuneclip
from tuneclip.pipeline.newest import newest
from tuneclip.project import Project


def statuses(result: object) -> list[str]:
    return [step.status for step in result.steps]  # type: ignore[attr-defined]


def command(project: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tuneclip", "run", "--project", str(project), "--json", "--set", *settings(), *more]


def test_a_better_model_becomes_the_newest_and_its_vectors_can_be_searched(ran: Path) -> None:
    assert newest(Project(ran)) == "small-1"
    assert tuneclip.search("small", "a red clay bowl", project=ran).model == "small-1"


def test_what_is_shown_ends_with_the_search_to_type(ran: Path) -> None:
    shown = io.StringIO()
    tuneclip.run(set=settings(), project=ran).show(Console(file=shown, width=160))
    assert shown.getvalue().splitlines()[-1] == 'Next: tuneclip search small "WORDS"'


def test_the_second_run_does_nothing(ran: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (ran / "models").rglob("*")}
    assert statuses(tuneclip.run(set=settings(), project=ran)) == ["skipped"] * 3
    assert {path: path.stat().st_mtime_ns for path in (ran / "models").rglob("*")} == before


def test_a_newest_model_that_every_run_sets_anew_does_not_defeat_skipping(ran: Path) -> None:
    assert statuses(tuneclip.run(set=settings(newest_model="tiny"), project=ran)) == ["skipped"] * 3
    assert newest(Project(ran)) == "small-1"


def test_the_next_run_with_a_new_config_starts_from_the_newest_model(ran: Path) -> None:
    config = json.dumps(GOOD | {"num_epochs": 1, "seed": 1})
    tuneclip.run(set=settings(model_config=config), project=ran)
    made = json.loads((ran / "models" / "small-2" / "tuneclip.json").read_text())
    assert [one["name"] for one in made["lineage"]] == ["tiny", "small-1"]


def test_a_model_that_got_worse_is_kept_but_not_taken_and_the_run_says_why(ran: Path) -> None:
    spoilt = settings(model_config=json.dumps(GOOD | {"learning_rate": 1.0, "num_epochs": 1}))
    result = tuneclip.run(set=spoilt, project=ran)
    assert "small-1, which stays the newest" in result.steps[1].why
    assert (newest(Project(ran)), (ran / "models" / "small-2").is_dir()) == ("small-1", True)
    assert statuses(tuneclip.run(set=spoilt, project=ran)) == ["skipped"] * 3


def test_a_new_picture_is_learnt_and_embedded(ran: Path) -> None:
    dataset = ran / "datasets" / "small"
    shutil.copy(dataset / "pictures" / "000.png", dataset / "pictures" / "new.png")
    row = json.loads((dataset / "metadata.jsonl").read_text().splitlines()[0])
    with (dataset / "metadata.jsonl").open("a") as file:
        file.write(json.dumps(row | {"id": "new", "group": "new", "file_name": "pictures/new.png"}) + "\n")
    result = tuneclip.run(set=settings(), project=ran)
    assert statuses(result) == ["done"] * 3
    assert result.steps[0].why == "new since the last time: dataset, model"


def test_a_model_that_was_removed_is_made_again_under_its_name(ran: Path) -> None:
    tuneclip.rollback(project=ran)
    shutil.rmtree(ran / "models" / "small-1")
    result = tuneclip.run(set=settings(), project=ran)
    assert (result.steps[0].status, result.steps[0].made) == ("done", "small-1")


def test_a_model_of_the_user_is_never_replaced(ran: Path) -> None:
    (ran / "models" / "small-7").mkdir()
    (ran / "models" / "small-7" / "mine.txt").write_text("mine")
    result = tuneclip.run(set=settings(model_config=json.dumps(GOOD | {"num_epochs": 1})), project=ran)
    assert result.steps[0].made == "small-8"
    assert (ran / "models" / "small-7" / "mine.txt").read_text() == "mine"


def test_a_failed_step_is_told_in_json_with_exit_code_one_and_earlier_steps_stay(ran: Path) -> None:
    (ran / "two.toml").write_text(
        '[[steps]]\nname = "copies"\nverb = "augment"\noptions = { dataset = "small", to = "more", copies = 1 }\n'
        '[[steps]]\nname = "learn"\nverb = "train"\noptions = { dataset = "{copies}", model = "none", to = "x" }\n'
    )
    run = [sys.executable, "-m", "tuneclip", "run", "two", "--project", str(ran), "--json"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    steps = json.loads(done.stdout)["steps"]
    assert (done.returncode, [step["status"] for step in steps]) == (1, ["done", "failed"])
    assert "step 'learn': there is no model 'none'" in done.stderr.splitlines()[-1]
    assert (ran / "datasets" / "more").is_dir()


def test_a_second_run_of_the_same_pipeline_at_once_is_refused(ran: Path) -> None:
    with FileLock(Project(ran).pipelines / "train-and-embed.lock"):
        done = subprocess.run(command(ran), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "running already" in done.stderr


def test_an_unknown_config_key_is_refused_before_anything_starts(project: Path) -> None:
    with pytest.raises(tuneclip.TuneclipError, match=r"unknown config key 'epochs'.*'num_epochs'"):
        tuneclip.run(set=settings(model_config='{"epochs": 3}'), project=project)
    assert not list((project / "runs").glob("small*"))


def test_python_takes_variables_as_a_dict(ran: Path) -> None:
    variables = {"dataset": "small", "base_model": "tiny", "model_config": GOOD}
    assert statuses(tuneclip.run(set=variables, project=ran)) == ["skipped"] * 3


def forget(project: Path, step: str, *, begun: bool) -> None:
    """As if the process had been killed before it wrote down that the step had ended."""
    path = Project(project).pipelines / "train-and-embed.json"
    steps = json.loads(path.read_text())["steps"]
    kept = [one for one in steps if one["step"] != step]
    kept += [one | {"finished": False} for one in steps if one["step"] == step and begun]
    path.write_text(json.dumps({"steps": kept}))


def test_a_kill_between_a_model_and_the_note_of_it_makes_no_second_model(ran: Path) -> None:
    tuneclip.rollback(project=ran)
    forget(ran, "train", begun=True)
    result = tuneclip.run(set=settings(), project=ran)
    assert (result.steps[0].why, result.steps[0].made) == ("goes on where it was broken off", "small-1")
    assert not (ran / "models" / "small-2").exists()


def test_a_kill_between_moving_on_and_the_note_of_it_moves_on_once(ran: Path) -> None:
    forget(ran, "gate", begun=False)
    assert statuses(tuneclip.run(set=settings(), project=ran)) == ["skipped"] * 3
    assert tuneclip.models(project=ran).earlier == ("tiny",)


def progress(project: Path) -> tuple[int, int]:
    """How far a run has come: lines of the training's log, and steps that have ended."""
    log, state = project / "runs" / "small-1" / "metrics.jsonl", Project(project).pipelines / "train-and-embed.json"
    lines = len(log.read_bytes().splitlines()) if log.is_file() else 0
    return lines, sum(step["finished"] for step in json.loads(state.read_text())["steps"]) if state.is_file() else 0


@pytest.mark.slow
def test_killed_again_and_again_a_run_ends_as_the_undisturbed_one(project: Path, ran_once: Path) -> None:
    (project / "tuneclip.toml").write_text(QUICK)
    for moment in ((3, 0), (0, 1), (0, 2)):
        with (project / "log").open("w") as log:
            process = subprocess.Popen(command(project), stdout=log, stderr=log, env=os.environ)
        deadline = time.monotonic() + 240
        while process.poll() is None and time.monotonic() < deadline:
            if all(now >= then for now, then in zip(progress(project), moment, strict=True)):
                break
            time.sleep(0.01)
        process.kill()
        process.wait()
    subprocess.run(command(project), capture_output=True, check=True)
    for name in ("models/small-1/model.safetensors", "models/small-1/training.json"):
        assert (project / name).read_bytes() == (ran_once / name).read_bytes()
    assert newest(Project(project)) == newest(Project(ran_once)) == "small-1"
    vectors, undisturbed = (tuneclip.open_collection("small", root) for root in (project, ran_once))
    assert vectors.contents() == undisturbed.contents()
    assert not (project / "models" / "small-2").exists()
