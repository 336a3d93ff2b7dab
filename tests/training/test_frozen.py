"""What the resting half says, computed once: exact, complete or absent, found again, and never stale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tiny import BASE, PICTURE, save_tokenizer
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import tokenize
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.adapt import KEPT_AS, Adaptation, adapt
from tuneclip.training.batches import Batch
from tuneclip.training.losses import LOSSES, logits, positives
from tuneclip.training.plan import make_plan
from tuneclip.training.towers import ACTIVATIONS, Towers, cut_blocks, cut_head, whole

TEXTS = ["a red bowl", "a small black bronze coin, an old green lamp", "x", "the"]


@pytest.fixture(scope="session")
def tiny_metaclip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import CLIPImageProcessorPil, MetaClip2Config, MetaClip2Model

    folder = tmp_path_factory.mktemp("models") / "tiny-metaclip"
    text = {**BASE, "vocab_size": save_tokenizer(folder, 24), "max_position_embeddings": 24}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 3}
    config = MetaClip2Config(text_config=text, vision_config=BASE | PICTURE, projection_dim=24)
    MetaClip2Model(config).save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


FAMILIES = ["tiny_model", "tiny_siglip", "tiny_metaclip"]


@pytest.mark.parametrize("base", FAMILIES)
@pytest.mark.parametrize("cut", ["1 block", "2 blocks", "head"])
def test_the_moving_half_of_what_the_resting_half_says_is_the_whole_model(
    base: str, cut: str, request: pytest.FixtureRequest
) -> None:
    loaded = load_model(request.getfixturevalue(base))
    pixels = torch.randint(0, 255, (4, 32, 32, 3), dtype=torch.uint8)
    tokens = dict(tokenize(loaded, TEXTS))
    towers = whole(loaded.model, loaded.preprocessing)
    halves = (cut_head if cut == "head" else lambda *a: cut_blocks(*a, int(cut[0])))(loaded.model, loaded.preprocessing)
    kept = {**tokens, ACTIVATIONS: halves.resting.texts(tokens)}
    for moving in (halves.moving, halves.at_rest()):
        assert torch.equal(moving.pictures(halves.resting.pictures(pixels)), towers.pictures(pixels))
        assert torch.equal(moving.texts(kept), towers.texts(tokens))


def test_more_blocks_than_the_model_has_are_refused(tiny_model: Path) -> None:
    loaded = load_model(tiny_model)
    with pytest.raises(TuneclipError, match="at most 2"):
        cut_blocks(loaded.model, loaded.preprocessing, 3)


def gradients(adaptation: Adaptation, towers: Towers, batch: Batch) -> dict[str, torch.Tensor]:
    model = adaptation.loaded.model
    model.zero_grad()
    scores = logits(model, towers.pictures(batch.picture_inputs), towers.texts(batch.text_inputs))
    loss = LOSSES[adaptation.loaded.family.loss](scores, positives(batch.pictures, batch.captions))
    loss.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad and p.grad is not None}
    return {"loss": loss.detach(), **found}


@pytest.mark.parametrize("base", ["tiny_model", "tiny_siglip"])
@pytest.mark.parametrize(
    "case", [("blocks", np.float32, 1e-5), ("blocks", np.float16, 2e-2), ("head", np.float32, 1e-5)]
)
def test_training_from_kept_activations_equals_running_the_frozen_part_each_step(
    base: str, case: tuple[Any, Any, float], small_dataset: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    recipe, dtype, tolerance = case
    monkeypatch.setitem(KEPT_AS, recipe, dtype)
    loaded, dataset = load_model(request.getfixturevalue(base)), open_dataset(small_dataset)
    config = TrainingConfig(batch_size=8, blocks=1, views=2, precision="fp32")
    live = adapt(load_model(request.getfixturevalue(base)), dataset, make_plan(config, dataset, loaded))
    config = TrainingConfig(batch_size=8, blocks=1, views=2, precision="fp32", recipe=recipe)
    kept = adapt(loaded, dataset, make_plan(config, dataset, loaded))
    for epoch in (1, 2):
        ours = gradients(kept, kept.towers, next(kept.batches.epoch(epoch, 8)))
        theirs = gradients(live, live.towers, next(live.batches.epoch(epoch, 8)))
        for name, gradient in ours.items():
            torch.testing.assert_close(gradient, theirs[name], atol=tolerance, rtol=tolerance, msg=name)


def test_views_are_seen_in_turn(small_dataset: Path, tiny_model: Path) -> None:
    loaded, dataset = load_model(tiny_model), open_dataset(small_dataset)
    config = TrainingConfig(batch_size=24, views=2, recipe="head", avoid_twins=False)
    batches = adapt(loaded, dataset, make_plan(config, dataset, loaded)).batches
    seen = []
    for epoch in (1, 2, 3):
        batch = next(batches.epoch(epoch, 24))
        seen.append(batch.picture_inputs[np.argsort(batch.pictures)])
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("base", ["tiny_model", "tiny_siglip"])
def test_validation_from_kept_activations_gives_the_encoders_vectors(
    base: str, small_dataset: Path, request: pytest.FixtureRequest
) -> None:
    from tuneclip.model.encode import Encoder

    loaded, dataset = load_model(request.getfixturevalue(base)), open_dataset(small_dataset)
    config = TrainingConfig(recipe="blocks", blocks=1, augment=False)
    adaptation = adapt(loaded, dataset, make_plan(config, dataset, loaded))
    paths = [dataset.picture_path(record) for record in dataset.records[24:]]
    pictures, texts = adaptation.embed(paths, TEXTS)
    encoder = Encoder(loaded, "cpu")
    np.testing.assert_allclose(pictures, encoder.pictures(paths), atol=2e-3)
    np.testing.assert_allclose(texts, encoder.texts(TEXTS), atol=2e-3)
