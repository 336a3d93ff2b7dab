"""Trackers: off unless asked for, every step once, and a missing package names its install."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.training.trackers import KINDS, Tracking, demand, figures, hyperparameters

CONFIG = {"num_epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32", "interpolate": False}
SETTLED = {
    "recipe": "full",
    "config": {"learning_rate": 1e-3, "betas": [0.9, 0.98], "probe": None},
    "base": {"name": "b"},
}


def write_config(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG | values))
    return path


def logged(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard reads back: by tag, each (step, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def rows(steps: int) -> list[dict[str, Any]]:
    own: list[dict[str, Any]] = [
        {"kind": "facts", "epoch": 0},
        {"kind": "epoch", "epoch": 0, "validation_mean_recall": 0.1},
    ]
    return own + [{"kind": "step", "step": i + 1, "epoch": 1, "loss": 3 - i / 10} for i in range(steps)]


def test_nothing_is_tracked_unless_the_config_says_so(project: Path) -> None:
    tuneclip.train("small", model="tiny", to="plain", config=write_config(project, num_epochs=1), project=project)
    assert not list((project / "runs").rglob("events.out*"))
    assert not (project / "runs" / "plain" / "tracked.json").exists()


def test_tensorboard_has_every_step_and_epoch_once_with_the_config(project: Path) -> None:
    config = write_config(project, trackers=["tensorboard"])
    tuneclip.train("small", model="tiny", to="seen", config=config, project=project)
    run = project / "runs" / "seen"
    known = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    scalars = logged(run / "tensorboard")
    steps = [row for row in known if row["kind"] == "step"]
    assert [step for step, _ in scalars["loss"]] == [row["step"] for row in steps]
    assert [value for _, value in scalars["loss"]] == pytest.approx([row["loss"] for row in steps], rel=1e-6)
    assert [step for step, _ in scalars["validation_mean_recall"]] == [0, 3, 6]
    (file,) = (run / "tensorboard").rglob("hparams.yml")
    assert "learning_rate: 0.001" in file.read_text()


def test_a_killed_and_resumed_run_has_no_step_twice(project: Path) -> None:
    config = write_config(project, trackers=["tensorboard"], checkpoint_seconds=0.0)
    command = [sys.executable, "-m", "tuneclip", "train", "small", "--model", "tiny", "--to", "killed"]
    process = subprocess.Popen(
        [*command, "--config", str(config), "--project", str(project)], stderr=subprocess.DEVNULL
    )
    state, deadline = project / "runs" / "killed" / "tracked.json", time.monotonic() + 120
    while not (state.is_file() and '"step": 0' not in state.read_text()) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    tuneclip.train("small", model="tiny", to="killed", config=config, resume=True, project=project)
    assert [step for step, _ in logged(project / "runs" / "killed" / "tensorboard")["loss"]] == [1, 2, 3, 4, 5, 6]


def test_what_was_logged_before_a_kill_but_not_noted_is_replaced(tmp_path: Path) -> None:
    first = Tracking(["tensorboard"], tmp_path, SETTLED)
    first.send(rows(2))
    noted = (tmp_path / "tracked.json").read_text()
    first.send(rows(5))
    first.finish()
    (tmp_path / "tracked.json").write_text(noted)  # as if killed between the two
    again = Tracking(["tensorboard"], tmp_path, SETTLED)
    again.send(rows(7))
    again.finish()
    assert [step for step, _ in logged(tmp_path / "tensorboard")["loss"]] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.filterwarnings("default")  # their own
@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_every_tracker_takes_the_figures_of_a_run(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip(name)
    tracking = Tracking([name], tmp_path / "run", SETTLED)
    tracking.send([*rows(2), {"kind": "epoch", "epoch": 1, "validation_t2i_recall@10": 0.5}])
    tracking.finish()
    assert "failed" not in caplog.text


def test_a_tracker_that_fails_does_not_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(values: dict[str, float], step: int) -> None:
        raise ConnectionError(f"no more than {step} figures today")

    tracking = Tracking(["tensorboard"], tmp_path, SETTLED)
    tracking.send(rows(1))
    monkeypatch.setattr(tracking._trackers["tensorboard"], "log", refuse)
    tracking.send(rows(2))
    assert "the tracker tensorboard failed and gets nothing more" in caplog.text
    assert json.loads((tmp_path / "tracked.json").read_text())["step"] == 2


def test_a_missing_package_is_named_with_its_install_before_any_work(project: Path) -> None:
    missing = next(name for name in ("trackio", "mlflow", "wandb") if not _here(name))
    with pytest.raises(TuneclipError, match=rf"needs the package {missing}.*pip install 'tuneclip\[{missing}\]'"):
        demand([missing])
    config = write_config(project, trackers=[missing])
    with pytest.raises(TuneclipError, match=missing):
        tuneclip.train("small", model="tiny", to="new", config=config, project=project)
    assert not (project / "runs" / "new").exists()


def _here(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


def test_every_tracker_has_its_extra_and_accelerate_has_its_class() -> None:
    from accelerate import tracking

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, kind in KINDS.items():
        assert any(line.startswith(kind.package) for line in project["optional-dependencies"][name])
        assert hasattr(tracking, kind.tracker)


def test_figures_are_finite_numbers_and_hyperparameters_plain_values() -> None:
    row = {"kind": "epoch", "epoch": 2, "loss": 1.5, "best": True, "validation_mean_recall": float("nan")}
    assert figures(row) == {"epoch": 2.0, "epoch_loss": 1.5, "epoch_best": 1.0}
    flat = hyperparameters(SETTLED)
    assert flat == {"learning_rate": 1e-3, "betas": "[0.9, 0.98]", "probe": "", "recipe": "full", "base.name": "b"}
