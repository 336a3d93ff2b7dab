"""LoRA: without effect at first, all of it moves, merged away without a trace."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from tuneclip.model.encode import tokenize
from tuneclip.model.open import Loaded, load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.lora import attach, merge, without
from tuneclip.training.towers import whole

BASES = ["tiny_model", "tiny_siglip"]
CONFIG = TrainingConfig(lora_dropout=0.25)
PIXELS = torch.randint(0, 255, (4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(params=BASES)
def loaded(request: pytest.FixtureRequest) -> Loaded:
    return load_model(request.getfixturevalue(request.param))


def embeddings(loaded: Loaded) -> torch.Tensor:
    towers = whole(loaded.model, loaded.preprocessing)
    return torch.cat([towers.pictures(PIXELS), towers.texts(dict(tokenize(loaded, ["a red bowl", "the coin"])))])


def shake(model: torch.nn.Module) -> None:
    """Give the additions an effect."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.2, generator=torch.Generator().manual_seed(2))


def test_additions_begin_without_effect_and_alone_may_move(loaded: Loaded) -> None:
    before = embeddings(loaded)
    attach(loaded.model, CONFIG)
    assert torch.equal(embeddings(loaded), before)
    moving = {name: p for name, p in loaded.model.named_parameters() if p.requires_grad}
    places = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in moving if ".lora_" in name}
    assert places == {"q_proj", "k_proj", "v_proj"}
    assert len([name for name in moving if ".lora_" in name]) == 2 * 3 * (2 + 2)
    assert {name for name in moving if ".lora_" not in name} <= {"logit_scale", "logit_bias"}
    assert {p.dtype for p in moving.values()} == {torch.float32}


def test_merging_changes_no_embedding_and_leaves_a_plain_model(loaded: Loaded, tmp_path: Path) -> None:
    names, before = [n for n, _ in loaded.model.named_parameters()], embeddings(loaded)
    tuner = attach(loaded.model, CONFIG)
    shake(loaded.model)
    unmerged = embeddings(loaded)
    assert not torch.allclose(unmerged, before, atol=1e-3)
    merge(tuner)
    assert [name for name, _ in loaded.model.named_parameters()] == names
    assert all(p.requires_grad for p in loaded.model.parameters())
    torch.testing.assert_close(embeddings(loaded), unmerged, atol=5e-6, rtol=1e-4)
    loaded.model.save_pretrained(tmp_path)
    merged, reopened = embeddings(loaded), AutoModel.from_pretrained(tmp_path)
    assert type(reopened) is type(loaded.model)
    loaded.model.load_state_dict(reopened.state_dict())
    assert torch.equal(embeddings(loaded), merged)


def test_the_base_can_be_asked_in_the_middle_of_a_step(loaded: Loaded) -> None:
    before = embeddings(loaded)
    tuner = attach(loaded.model, CONFIG)
    shake(loaded.model)
    loaded.model.train()
    loss = embeddings(loaded).square().sum()
    with without(tuner), torch.no_grad():
        assert torch.equal(embeddings(loaded), before)
    loss.backward()
    moving = [p for n, p in loaded.model.named_parameters() if ".lora_" in n]
    assert all(p.requires_grad and p.grad is not None and p.grad.any() for p in moving)
    assert loaded.model.training
