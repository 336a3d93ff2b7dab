"""Training: the right loss and gradient, the best epoch, resuming to the same result, clear refusals."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, CLIPModel

import tuneclip
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.adapt import Normalise, adapt
from tuneclip.training.plan import make_plan
from tuneclip.training.step import backward

CONFIG = {"num_epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "early_stopping": False, "precision": "fp32"}


def write_config(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG | values))
    return path


def keep_the_last_epoch(project: Path) -> None:
    """Without a validation split no epoch is better than another."""
    path = project / "datasets" / "small" / "metadata.jsonl"
    path.write_text(path.read_text().replace('"validation"', '"train"'))


def losses(project: Path, name: str) -> list[float]:
    lines = (project / "runs" / name / "metrics.jsonl").read_text().splitlines()
    return [row["loss"] for row in map(json.loads, lines) if row["kind"] == "step"]


def weights(project: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(project / "models" / name / "model.safetensors")


@pytest.mark.parametrize("base", ["tiny_model", "starter"])
def test_loss_and_gradient_are_those_of_a_plain_reference_step(
    base: str, small_dataset: Path, request: pytest.FixtureRequest
) -> None:
    loaded = load_model(request.getfixturevalue(base) if base == "tiny_model" else base)
    dataset = open_dataset(small_dataset)
    distinct = dataset.records[:12]
    config = TrainingConfig(batch_size=12, augment=False, precision="fp32")
    plan = make_plan(config, dataset, loaded)
    adaptation = adapt(loaded, dataclasses.replace(dataset, given=distinct), plan)
    batch = next(adaptation.batches.epoch(1, 12))
    loss = backward(adaptation, batch, autocast=nullcontext()).loss

    reference = CLIPModel.from_pretrained(loaded.path, dtype=torch.float32)
    by_picture = {record.picture: record for record in distinct}
    chosen = [
        next(c for c in by_picture[p].captions if c == k) for p, k in zip(batch.pictures, batch.captions, strict=True)
    ]
    tokenizer = AutoTokenizer.from_pretrained(loaded.path)
    tokens = tokenizer(chosen, padding="max_length", max_length=loaded.context, truncation=True, return_tensors="pt")
    plain = reference(
        **tokens, pixel_values=Normalise(loaded.preprocessing)(batch.picture_inputs), return_loss=True
    ).loss
    plain.backward()
    assert loss == pytest.approx(plain.item(), abs=1e-5)
    for (name, ours), theirs in zip(loaded.model.named_parameters(), reference.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_training_learns_and_leaves_a_model_that_transformers_opens(project: Path) -> None:
    config = write_config(project, num_epochs=12)
    trained = tuneclip.train("small", model="tiny", to="tuned", config=config, project=project)
    recall = {score.metric: score for score in trained.scores}["t2i_recall@1"]
    assert trained.best_epoch > 0
    assert recall.value > 0.25 > recall.low - 0.3  # chance is 0.08
    model = CLIPModel.from_pretrained(project / "models" / "tuned")
    assert model.logit_scale.exp().item() <= 100
    manifest = json.loads((project / "models" / "tuned" / "tuneclip.json").read_text())
    assert manifest["base"]["name"] == "tiny"
    assert manifest["config"]["learning_rate"] == 1e-3
    assert manifest["fingerprint"] == tuneclip.open_model("tuned", project).fingerprint


def test_siglip_models_train_with_their_own_loss(project: Path, tiny_siglip: Path) -> None:
    config = write_config(project, num_epochs=1)
    keep_the_last_epoch(project)
    trained = tuneclip.train("small", model=str(tiny_siglip), to="tuned", config=config, project=project)
    assert trained.epochs == 1
    assert not torch.equal(
        weights(project, "tuned")["logit_bias"], load_file(tiny_siglip / "model.safetensors")["logit_bias"]
    )


def test_a_run_that_is_killed_and_resumed_ends_as_the_undisturbed_one(project: Path) -> None:
    config = write_config(project, checkpoint_seconds=0.0, augment=True)
    tuneclip.train("small", model="tiny", to="calm", config=config, project=project)
    command = [sys.executable, "-m", "tuneclip", "train", "small", "--model", "tiny", "--to", "killed"]
    command += ["--config", str(config), "--project", str(project)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    checkpoint, deadline = project / "runs" / "killed" / "checkpoint.safetensors", time.monotonic() + 60
    while not checkpoint.is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (project / "models" / "killed").exists()
    tuneclip.train("small", model="tiny", to="killed", config=config, resume=True, project=project)
    assert losses(project, "killed") == losses(project, "calm")
    for name, tensor in weights(project, "calm").items():
        assert torch.equal(tensor, weights(project, "killed")[name]), name


def test_resuming_a_finished_run_gives_its_result_again(project: Path) -> None:
    config = write_config(project, num_epochs=1)
    first = tuneclip.train("small", model="tiny", to="tuned", config=config, project=project)
    assert tuneclip.train("small", model="tiny", to="tuned", config=config, resume=True, project=project) == first


def test_resume_without_anything_to_resume_begins(project: Path) -> None:
    trained = tuneclip.train(
        "small", model="tiny", to="new", config=write_config(project, num_epochs=1), resume=True, project=project
    )
    assert trained.epochs == 1


def test_an_existing_model_is_never_overwritten(project: Path) -> None:
    with pytest.raises(TuneclipError, match="model 'tiny' exists"):
        tuneclip.train("small", model="tiny", to="tiny", project=project)


def test_an_interrupted_run_is_neither_lost_nor_resumed_with_other_settings(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tuneclip.training.loop.Loop._end_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            tuneclip.train("small", model="tiny", to="cut", config=write_config(project), project=project)
    with pytest.raises(TuneclipError, match="add --resume"):
        tuneclip.train("small", model="tiny", to="cut", config=write_config(project), project=project)
    other = write_config(project, learning_rate=1e-4)
    with pytest.raises(TuneclipError, match=r"learning_rate was 0\.001, now 0\.0001"):
        tuneclip.train("small", model="tiny", to="cut", config=other, resume=True, project=project)


def test_what_was_decided_is_taken_over_and_may_be_given_outright(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    config = write_config(project, precision="auto", batch_size=None)
    with monkeypatch.context() as patch:
        patch.setattr("tuneclip.training.train.timed_precision", lambda *_: "bf16")
        patch.setattr("tuneclip.training.loop.Loop._end_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            tuneclip.train("small", model="tiny", to="cut", config=config, project=project)
    tuneclip.train("small", model="tiny", to="cut", config=config, batch_size=16, resume=True, project=project)
    settled = json.loads((project / "models" / "cut" / "tuneclip.json").read_text())["config"]
    assert (settled["precision"], settled["batch_size"]) == ("bf16", 16)


def test_the_config_beside_the_model_gives_the_same_model_again(project: Path) -> None:
    first = tuneclip.train("small", model="tiny", to="first", config=write_config(project), project=project)
    resolved = project / "models" / "first" / "training.json"
    again = tuneclip.train("small", to="again", config=resolved, project=project)
    assert (again.best_epoch, again.findings) == (first.best_epoch, first.findings)
    for name, tensor in weights(project, "first").items():
        assert torch.equal(tensor, weights(project, "again")[name]), name


def test_the_best_epoch_is_not_encoded_once_more_for_its_intervals(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(project, num_epochs=2, interpolate=False)
    fresh = tuneclip.train("small", model="tiny", to="kept", config=config, project=project)
    monkeypatch.setattr("tuneclip.training.train.kept", lambda _: {})
    measured = tuneclip.train("small", model="tiny", to="measured", config=config, project=project)
    assert [s.value for s in measured.scores] == [s.value for s in fresh.scores]
    assert not (project / "runs" / "kept" / "best-ranks.json").exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_says_what_to_do(project: Path) -> None:
    model = project / "models" / "sick"
    shutil.copytree(project / "models" / "tiny", model)
    from safetensors.torch import save_file

    tensors = load_file(model / "model.safetensors")
    tensors["visual_projection.weight"][0, 0] = float("nan")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TuneclipError, match="the loss is nan at step 1"):
        tuneclip.train("small", model="sick", to="tuned", config=write_config(project), project=project)


def test_no_epoch_better_than_the_base_keeps_the_base_and_says_so(project: Path) -> None:
    config = write_config(project, num_epochs=1, learning_rate=0.0)
    trained = tuneclip.train("small", model="tiny", to="same", config=config, project=project)
    assert trained.best_epoch == 0
    assert "no_gain" in {finding.code for finding in trained.findings}
    for name, tensor in weights(project, "same").items():
        assert torch.equal(tensor, weights(project, "tiny")[name]), name


def test_a_dataset_without_validation_keeps_the_last_epoch_and_says_so(project: Path) -> None:
    keep_the_last_epoch(project)
    trained = tuneclip.train(
        "small", model="tiny", to="tuned", config=write_config(project, num_epochs=2), project=project
    )
    assert (trained.best_epoch, trained.scores) == (2, ())
    assert "no_validation" in {finding.code for finding in trained.findings}


def test_early_stopping_waits_its_epochs(project: Path) -> None:
    config = write_config(project, num_epochs=9, learning_rate=0.0, early_stopping=True, early_stopping_epochs=2)
    trained = tuneclip.train("small", model="tiny", to="tuned", config=config, project=project)
    assert (trained.best_epoch, trained.epochs) == (0, 2)


def test_a_wrong_embeddings_size_is_refused(project: Path) -> None:
    config = write_config(project, embeddings_size=512)
    with pytest.raises(TuneclipError, match="embeddings_size is 512"):
        tuneclip.train("small", model="tiny", to="tuned", config=config, project=project)
