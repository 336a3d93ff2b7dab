"""Several processes: the gradient and the weights of one, a single writer, and an end of all when one ends.

Run by torchrun this file is the worker that keeps the gradients of two processes.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_step import alike, doubled, gradients, ready
from test_train import losses, weights, write_config

import tuneclip
from tuneclip.training.order import Keys
from tuneclip.training.processes import ALONE, team_here

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
CASES = [(kind, micro, anchor) for kind in ("clip", "siglip") for micro in (None, 2) for anchor in (0.0, 0.5)]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def with_torchrun(*command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*TORCHRUN, *command], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def training(project: Path, name: str, *more: str) -> list[str]:
    return ["-m", "tuneclip", "train", "small", "--model", "tiny", "--to", name, "--project", str(project), *more]


def gradient_of(case: tuple[str, int | None, float], models: dict[str, Path], dataset: Path) -> dict[str, torch.Tensor]:
    kind, micro, anchor = case
    team = team_here()
    adaptation, batch = ready(models[kind], dataset, distillation=anchor)
    with torch.no_grad():
        for weight in adaptation.loaded.model.parameters():
            weight.add_(torch.randn_like(weight) * 0.01)
    whole = dataclasses.replace(batch, whole=Keys(batch.pictures, batch.captions))
    own = whole.part(team.rows(len(whole)))
    assert team.world == 1 or len(own) == 6 - team.rank  # eleven rows
    return gradients(doubled(adaptation), own, team=team, micro_batch_size=micro, distillation=anchor)


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, tiny_siglip: Path, small_dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("gradients")
    done = with_torchrun(__file__, str(folder), str(tiny_model), str(tiny_siglip), str(small_dataset))
    _, errors = done.communicate(timeout=300)
    assert done.returncode == 0, errors
    return folder


@pytest.mark.parametrize("number", range(len(CASES)))
def test_two_processes_have_the_gradient_of_one(
    number: int, of_two: Path, tiny_model: Path, tiny_siglip: Path, small_dataset: Path
) -> None:
    alone = gradient_of(CASES[number], {"clip": tiny_model, "siglip": tiny_siglip}, small_dataset)
    first, second = (load_file(of_two / f"{number}-{rank}.safetensors") for rank in (0, 1))
    alike(first, alone)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_alone_nothing_is_exchanged() -> None:
    rows = torch.ones(3, 2)
    assert ALONE.gather(rows, 3) is rows
    assert ALONE.rows(7) == slice(0, 7)
    assert ALONE.on_writer(lambda: 5) == 5


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one_and_write_once(project: Path) -> None:
    config = write_config(project, micro_batch_size=3, batch_size=7, augment=True, interpolate=False)
    process = with_torchrun(*training(project, "two", "--config", str(config), "--json"))
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert json.loads(output)["model"] == "two"
    assert errors.count("before training") == 1
    tuneclip.train("small", model="tiny", to="one", config=config, project=project)
    assert losses(project, "two") == pytest.approx(losses(project, "one"), abs=1e-4)
    for name, tensor in weights(project, "one").items():
        assert tensor.isfinite().all()
        torch.testing.assert_close(weights(project, "two")[name], tensor, atol=1e-4, rtol=1e-3)


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not path.is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.slow
def test_a_process_that_fails_ends_the_others(project: Path) -> None:
    broken = sorted((project / "datasets" / "small" / "pictures").iterdir())[3]
    broken.write_bytes(broken.read_bytes()[:60])
    process = with_torchrun(*training(project, "two", "--config", str(write_config(project))))
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert broken.name in errors


@pytest.mark.slow
def test_an_interrupt_ends_all_and_the_run_goes_on(project: Path) -> None:
    config = write_config(project, checkpoint_seconds=0.0, num_epochs=30)
    process = with_torchrun(*training(project, "two", "--config", str(config)))
    wait_for(project / "runs" / "two" / "checkpoint.safetensors", process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert errors.count("the same command with --resume goes on from here") == 1
    resumed = with_torchrun(*training(project, "two", "--config", str(config), "--resume"))
    _, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert "resuming after epoch" in errors
    assert len(losses(project, "two")) == 30 * 3


def main(folder: Path, clip: Path, siglip: Path, dataset: Path) -> None:
    for number, case in enumerate(CASES):
        kept = gradient_of(case, {"clip": clip, "siglip": siglip}, dataset)
        save_file(kept, folder / f"{number}-{team_here().rank}.safetensors")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
