"""Killed again and again, a run ends bit for bit as if nothing had happened."""

import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from test_processes import TORCHRUN, environment, training
from test_train import losses, weights, write_config

STEPS = 24


def start(project: Path, name: str, config: Path, launcher: list[str]) -> "subprocess.Popen[bytes]":
    command = [*launcher, *training(project, name, "--config", str(config), "--resume")]
    with (project / "log").open("w") as log:
        return subprocess.Popen(command, env=environment(), stdout=log, stderr=log)


def finish(project: Path, name: str, config: Path, launcher: list[str]) -> None:
    code = start(project, name, config, launcher).wait(timeout=300)
    assert code == 0, (project / "log").read_text()


def steps_done(project: Path, name: str) -> int:
    try:
        return len(losses(project, name))
    except FileNotFoundError:
        return -1


def kill_all(process: "subprocess.Popen[bytes]") -> None:
    """The process and all that it started, without a chance to tidy up."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def disturbed(project: Path, config: Path, launcher: list[str], *, kills: int) -> int:
    """Run to the end; killed shortly after each of `kills` moments that are spread over the run. Returns how often."""
    chance, killed = random.Random(11), 0
    for number in range(kills):
        target = -1 if number == 0 else STEPS * number // (kills - 1)
        process = start(project, "killed", config, launcher)
        deadline = time.monotonic() + 240
        while process.poll() is None and steps_done(project, "killed") < target and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 5 if number == 0 else 0.25))
        if process.poll() is None:
            kill_all(process)
            killed += 1
    finish(project, "killed", config, launcher)
    return killed


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    ("recipe", "launcher", "kills"),
    [("full", [sys.executable], 10), ("lora", [sys.executable], 10), ("full", TORCHRUN, 3), ("blocks", TORCHRUN, 3)],
)
def test_a_run_killed_at_random_moments_ends_as_the_undisturbed_one(
    recipe: str, launcher: list[str], kills: int, project: Path
) -> None:
    config = write_config(project, recipe=recipe, num_epochs=4, batch_size=4, checkpoint_seconds=0.0, blocks=1)
    finish(project, "calm", config, launcher)
    assert disturbed(project, config, launcher, kills=kills) >= kills - 1
    assert losses(project, "killed") == losses(project, "calm")
    assert len(losses(project, "calm")) == STEPS
    for name, tensor in weights(project, "calm").items():
        assert torch.equal(tensor, weights(project, "killed")[name]), name
    assert not list((project / "models").glob(".*"))
