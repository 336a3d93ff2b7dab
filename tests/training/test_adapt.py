"""The recipes: each moves what it says, leaves a plain model, and ends the same however often it was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

import tuneclip
from tuneclip.data.load import Dataset, open_dataset
from tuneclip.model.encode import Encoder
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.adapt import RECIPES, Adaptation, adapt, at_rest
from tuneclip.training.hyperparameters import RECIPE_RATES, learning_rate
from tuneclip.training.losses import LOSSES, logits, positives
from tuneclip.training.plan import make_plan

CONFIG = {"num_epochs": 2, "batch_size": 8, "learning_rate": 1e-2, "early_stopping": False, "precision": "fp32"}
CONFIG |= {"blocks": 1, "interpolate": False, "views": 2}
LAST_BLOCK = ("encoder.layers.1.", "final_layer_norm", "post_layernorm", "model.head.", "projection", "logit_")
MOVING = {
    "full": {"tiny": ("",), "tiny-siglip": ("",)},
    "lora": dict.fromkeys(("tiny", "tiny-siglip"), ("q_proj.weight", "k_proj.weight", "v_proj.weight", "logit_")),
    "blocks": {"tiny": LAST_BLOCK, "tiny-siglip": LAST_BLOCK},
    "head": {
        "tiny": ("projection", "logit_"),
        "tiny-siglip": ("vision_model.head.mlp.fc2", "text_model.head", "logit_"),
    },
}
CASES = [(recipe, base) for recipe in RECIPES for base in ("tiny", "tiny-siglip")]


@pytest.fixture
def both(project: Path, tiny_siglip: Path) -> Path:
    """The project with a SigLIP model too, and without validation, so that the last epoch is the best."""
    shutil.copytree(tiny_siglip, project / "models" / "tiny-siglip")
    metadata = project / "datasets" / "small" / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace('"validation"', '"test"'))
    return project


def write_config(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG | values))
    return path


def weights(project: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(project / "models" / name / "model.safetensors")


def prepare(base: Path, dataset: Dataset, **values: Any) -> Adaptation:
    loaded = load_model(base)
    config = TrainingConfig(**(CONFIG | values))
    return adapt(loaded, dataset, make_plan(config, dataset, loaded))


def step(adaptation: Adaptation, rate: float = 0.1, epoch: int = 1) -> None:
    """One step of plain gradient descent."""
    model = adaptation.loaded.model.train()
    model.zero_grad()
    batch = next(adaptation.batches.epoch(epoch, 8))
    towers = adaptation.towers
    scores = logits(model, towers.pictures(batch.picture_inputs), towers.texts(batch.text_inputs))
    loss = LOSSES[adaptation.loaded.family.loss](scores, positives(batch.pictures, batch.captions))
    (loss if adaptation.penalty is None else loss + adaptation.penalty()).backward()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.grad is not None:
                weight.sub_(rate * weight.grad)


@pytest.mark.parametrize(("recipe", "base"), CASES)
def test_each_recipe_trains_what_it_says_and_not_one_bit_of_the_rest(both: Path, recipe: str, base: str) -> None:
    config = write_config(both, recipe=recipe)
    trained = tuneclip.train("small", model=base, to="tuned", config=config, project=both)
    assert trained.epochs == 2
    before, after = weights(both, base), weights(both, "tuned")
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        wanted = any(part in name for part in MOVING[recipe][base])
        assert torch.equal(tensor, after[name]) != wanted, name


@pytest.mark.parametrize(("recipe", "base"), CASES)
def test_the_finished_model_embeds_in_plain_transformers_as_it_did_in_training(
    both: Path, recipe: str, base: str, tmp_path: Path
) -> None:
    dataset = open_dataset(both / "datasets" / "small")
    adaptation = prepare(both / "models" / base, dataset, recipe=recipe)
    for epoch in (1, 2):
        step(adaptation, epoch=epoch)
    paths, texts = [dataset.picture_path(r) for r in dataset.records[:5]], ["a red clay bowl", "the coin, black"]
    during = adaptation.embed(paths, texts)
    adaptation.finish()
    assert all(weight.requires_grad for weight in adaptation.loaded.model.parameters())
    adaptation.loaded.model.save_pretrained(tmp_path / "saved")
    adaptation.loaded.model.load_state_dict(AutoModel.from_pretrained(tmp_path / "saved").state_dict())
    encoder = Encoder(adaptation.loaded, "cpu")
    tolerance = 2e-3 if recipe == "blocks" else 1e-6
    np.testing.assert_allclose(encoder.pictures(paths), during[0], atol=tolerance)
    np.testing.assert_allclose(encoder.texts(texts), during[1], atol=tolerance)


@pytest.mark.parametrize(("recipe", "base"), CASES)
def test_the_anchor_stays_the_base_while_the_towers_move(both: Path, recipe: str, base: str) -> None:
    dataset = open_dataset(both / "datasets" / "small")
    adaptation = prepare(both / "models" / base, dataset, recipe=recipe, distillation=1.0)
    batch = next(adaptation.batches.epoch(1, 8))
    adaptation.loaded.model.eval()
    with torch.no_grad():
        pictures, texts = adaptation.towers.pictures(batch.picture_inputs), adaptation.towers.texts(batch.text_inputs)
    step(adaptation)
    step(adaptation)
    assert adaptation.anchor is not None
    assert torch.equal(adaptation.anchor.pictures(batch.picture_inputs), pictures)
    assert torch.equal(adaptation.anchor.texts(batch.text_inputs), texts)
    assert not adaptation.anchor.pictures(batch.picture_inputs).requires_grad
    assert not torch.equal(adaptation.towers.pictures(batch.picture_inputs), pictures)


@pytest.mark.parametrize(("recipe", "base"), CASES)
def test_all_that_should_move_gets_a_gradient_from_the_first_steps_on(both: Path, recipe: str, base: str) -> None:
    adaptation = prepare(both / "models" / base, open_dataset(both / "datasets" / "small"), recipe=recipe)
    assert at_rest(adaptation.loaded.model) != ()
    for _ in range(2):
        step(adaptation)
        assert at_rest(adaptation.loaded.model) == ()


def test_a_wanted_parameter_without_a_gradient_is_named(both: Path) -> None:
    adaptation = prepare(both / "models" / "tiny", open_dataset(both / "datasets" / "small"), recipe="blocks")
    stray = "vision_model.encoder.layers.0.mlp.fc1.weight"
    adaptation.loaded.model.get_parameter(stray).requires_grad_()
    step(adaptation)
    assert at_rest(adaptation.loaded.model) == (stray,)


def test_each_recipe_has_a_learning_rate_that_follows_the_bases(both: Path) -> None:
    assert RECIPE_RATES.keys() == RECIPES.keys()
    loaded = load_model(both / "models" / "tiny")
    rates = {recipe: learning_rate(TrainingConfig(recipe=recipe), loaded) for recipe in RECIPES}
    assert rates["lora"] == pytest.approx(40 * rates["full"])


def test_lora_starts_the_same_from_the_same_seed_only(both: Path) -> None:
    dataset, base = open_dataset(both / "datasets" / "small"), both / "models" / "tiny"

    def start(seed: int) -> dict[str, torch.Tensor]:
        return dict(prepare(base, dataset, recipe="lora", seed=seed).loaded.model.named_parameters())

    first, again, other = start(1), start(1), start(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("base", ["tiny", "tiny-siglip"])
def test_the_heads_penalty_is_the_squared_distance_from_the_base_over_the_pictures(both: Path, base: str) -> None:
    adaptation = prepare(
        both / "models" / base, open_dataset(both / "datasets" / "small"), recipe="head", head_penalty=3
    )
    assert adaptation.penalty is not None
    assert adaptation.penalty().item() == 0.0
    moved = adaptation.loaded.model.get_parameter(
        "visual_projection.weight" if base == "tiny" else "text_model.head.weight"
    )
    with torch.no_grad():
        moved[0, :4] += 2.0
    assert adaptation.penalty().item() == pytest.approx(3 / 24 * 4 * 2.0**2)


def kept(project: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (project / "runs" / ".kept").glob("*.npy")}


def test_a_second_run_reads_what_the_first_kept_and_a_changed_picture_or_model_does_not(both: Path) -> None:
    def run(name: str, model: str = "tiny") -> dict[str, int]:
        config = write_config(both, recipe="blocks", num_epochs=1, learning_rate=1e-3 * (1 + len(name)))
        tuneclip.train("small", model=model, to=name, config=config, project=both)
        return kept(both)

    first = run("first")
    assert run("second") == first
    picture = both / "datasets" / "small" / "pictures" / "000.png"
    picture.write_bytes((picture.parent / "001.png").read_bytes())
    changed = run("changed")
    assert len(changed) == len(first) + 1  # the pictures of the one view; texts are what they were
    assert len(run("other", "first")) == len(changed) + 2


def test_a_killed_and_resumed_run_of_blocks_ends_as_the_undisturbed_one(both: Path) -> None:
    config = write_config(both, recipe="blocks", num_epochs=3, checkpoint_seconds=0.0)
    tuneclip.train("small", model="tiny", to="calm", config=config, project=both)
    shutil.rmtree(both / "runs" / ".kept")
    command = [sys.executable, "-m", "tuneclip", "train", "small", "--model", "tiny", "--to", "killed"]
    command += ["--config", str(config), "--project", str(both)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    checkpoint, deadline = both / "runs" / "killed" / "checkpoint.safetensors", time.monotonic() + 60
    while not checkpoint.is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    tuneclip.train("small", model="tiny", to="killed", config=config, resume=True, project=both)
    for name, tensor in weights(both, "calm").items():
        assert torch.equal(tensor, weights(both, "killed")[name]), name
