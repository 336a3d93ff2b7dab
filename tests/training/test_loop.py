"""The loop: precision and its failures, and an interrupt that tears nothing."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from test_step import ready
from test_train import losses, weights, write_config

import tuneclip
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training import hyperparameters, precision
from tuneclip.training.adapt import adapt
from tuneclip.training.loop import MAX_SKIPPED, Loop, patient
from tuneclip.training.plan import make_plan


def loop(project: Path, **config: Any) -> Loop:
    dataset, loaded = open_dataset(project / "datasets" / "small"), load_model(project / "models" / "tiny")
    plan = make_plan(TrainingConfig(batch_size=4, micro_batch_size=4, **config), dataset, loaded)
    return Loop(adapt(loaded, dataset, plan), plan, project / "runs" / "tried", dict)


def rows(project: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project / "runs" / name / "metrics.jsonl").read_text().splitlines()]


def test_fp16_trains_with_a_scaled_loss_and_keeps_the_scale_for_resuming(project: Path) -> None:
    trained = loop(project, precision="fp16", num_epochs=1)
    trained.run()
    kinds = [row["kind"] for row in trained.rows if "step" in row]  # the first ones may overflow
    assert (len(kinds), kinds[-1]) == (6, "step")
    again = loop(project, precision="fp16", num_epochs=1)
    assert again.resume()
    assert again.position.loss_scale["scale"] == trained.position.loss_scale["scale"] > 1


def test_a_step_that_overflows_in_fp16_is_passed_over_and_counted(project: Path) -> None:
    tried = loop(project, precision="fp16", num_epochs=1)
    tried._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    tried._manner = tried._manner.__class__(4, 0.0, tried._team, tried._scaler.scale)
    before = {name: weight.clone() for name, weight in tried._model.named_parameters()}
    tried.run()
    kinds = [row["kind"] for row in tried.rows if "step" in row]
    assert kinds == ["skipped"] * 6
    assert all(torch.equal(weight, before[name]) for name, weight in tried._model.named_parameters())
    assert tried.position.loss_scale["scale"] == 2.0**34


def test_fp16_that_never_has_a_finite_step_ends_with_advice(project: Path) -> None:
    tried = loop(project, precision="fp16", num_epochs=9)
    with torch.no_grad():
        tried._model.get_parameter("visual_projection.weight")[0, 0] = float("inf")
    with pytest.raises(TuneclipError, match="is nan at step"):
        tried.run()
    assert [row["kind"] for row in tried.rows].count("skipped") == MAX_SKIPPED


def test_the_precision_of_a_processor_is_timed_and_nothing_else_changes(
    tiny_model: Path, small_dataset: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    loaded, dataset = load_model(tiny_model), open_dataset(small_dataset)
    plan = make_plan(TrainingConfig(batch_size=8), dataset, loaded)
    adaptation, state = adapt(loaded, dataset, plan), torch.get_rng_state()
    assert plan.precision == "bf16"
    monkeypatch.setattr(precision, "_seconds", lambda *arguments: {"fp32": 1.0, "bf16": 2.0}[arguments[2]])
    assert precision.timed_precision(adaptation, plan) == "fp32"
    monkeypatch.undo()
    with caplog.at_level("INFO", "tuneclip"):
        assert precision.timed_precision(adaptation, plan) in ("fp32", "bf16")
    assert "s in bf16" in caplog.text
    assert torch.equal(torch.get_rng_state(), state)
    assert all(weight.grad is None for weight in loaded.model.parameters())


@pytest.mark.parametrize("idle", [False, True])
def test_weights_that_should_move_and_have_no_gradient_are_named(project: Path, caplog, idle: bool) -> None:
    tried = loop(project, num_epochs=1)
    if idle:
        tried._model.register_parameter("idle", torch.nn.Parameter(torch.ones(3)))
    tried.run()
    assert ("1 weights should move and have no gradient (idle …)" in caplog.text) is idle
    assert ("should move" in caplog.text) is idle


def test_a_precision_that_was_asked_for_is_not_timed(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    tuneclip.train("small", model="tiny", to="t", config=write_config(project, num_epochs=1), project=project)
    assert "s in bf16" not in caplog.text


def test_a_precision_that_cannot_run_here_is_refused(
    tiny_model: Path, small_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adaptation, _ = ready(tiny_model, small_dataset)
    plan = make_plan(TrainingConfig(precision="fp16"), open_dataset(small_dataset), adaptation.loaded)

    def refuse(*_: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(hyperparameters, "autocast", refuse)
    with pytest.raises(TuneclipError, match="fp16 does not run on cpu here: no such kernel"):
        precision.timed_precision(adaptation, plan)


def test_an_interrupt_waits_for_the_step_and_resumes_to_the_same_weights(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(project, recipe="lora")
    tuneclip.train("small", model="tiny", to="calm", config=config, project=project)
    update, calls = Loop._update, []

    def interrupted(self: Loop) -> tuple[float, float]:
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return update(self)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_update", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tuneclip.train("small", model="tiny", to="cut", config=config, project=project)
    assert len(losses(project, "cut")) == 2
    tuneclip.train("small", model="tiny", to="cut", config=config, resume=True, project=project)
    assert losses(project, "cut") == losses(project, "calm")
    for name, tensor in weights(project, "calm").items():
        assert torch.equal(tensor, weights(project, "cut")[name]), name


def test_a_second_interrupt_does_not_wait() -> None:
    before = signal.getsignal(signal.SIGINT)
    with patient() as asked:
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
