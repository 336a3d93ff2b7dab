"""A step: the gradient of the whole batch, in parts as at once, whatever the recipe, loss, dropout or precision."""

import dataclasses
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from tuneclip.data.load import open_dataset
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.adapt import Adaptation, Towers, adapt
from tuneclip.training.batches import Batch
from tuneclip.training.checkpoint import moving
from tuneclip.training.hyperparameters import autocast
from tuneclip.training.plan import make_plan
from tuneclip.training.step import Manner, Stepped, backward
from tuneclip.training.towers import Normalise

FAMILIES = ["tiny_model", "tiny_siglip"]
ROWS = 11


def ready(model: Path, dataset: Path, **config: Any) -> tuple[Adaptation, Batch]:
    """A model with its recipe and a batch of eleven, twins among them."""
    loaded, data = load_model(model), open_dataset(dataset)
    torch.manual_seed(0)
    settings = TrainingConfig(batch_size=24, micro_batch_size=24, avoid_twins=False, precision="fp32", **config)
    adaptation = adapt(loaded, data, make_plan(settings, data, loaded))
    batch = next(iter(adaptation.batches.epoch(1, 24))).part(slice(0, ROWS))
    return adaptation, dataclasses.replace(batch, whole=None)


def gradients(adaptation: Adaptation, batch: Batch, precision: str = "fp32", **manner: Any) -> dict[str, torch.Tensor]:
    step(adaptation, batch, precision, **manner)
    return {name: p.grad.clone() for name, p in moving(adaptation.loaded.model).items() if p.grad is not None}


def step(adaptation: Adaptation, batch: Batch, precision: str = "fp32", **manner: Any) -> Stepped:
    adaptation.loaded.model.zero_grad()
    torch.manual_seed(3)
    context = autocast(precision, torch.device("cpu"))
    return backward(adaptation, batch, autocast=context, manner=Manner(**manner))


def doubled(adaptation: Adaptation) -> Adaptation:
    """The whole model in float64 (but for the loss), where rounding hides nothing."""
    model: Any = adaptation.loaded.model.double()
    pixels = Normalise(adaptation.loaded.preprocessing)
    pictures = lambda inputs: model.get_image_features(pixel_values=pixels(inputs).double()).pooler_output  # noqa: E731
    return dataclasses.replace(adaptation, towers=Towers(pictures, adaptation.towers.texts))


def alike(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], tolerance: float = 1e-6) -> None:
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(
            ours[name], gradient, atol=tolerance, rtol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("size", [1, 2, 4, 5, 10])  # 11 = 5 + 5 + 1 = 10 + 1
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_in_parts_has_the_gradient_of_the_whole_batch(
    family: str, size: int, small_dataset: Path, request: pytest.FixtureRequest
) -> None:
    adaptation, batch = ready(request.getfixturevalue(family), small_dataset)
    plain = gradients(adaptation, batch)
    for name, gradient in gradients(adaptation, batch, micro_batch_size=size).items():
        assert (gradient - plain[name]).norm() <= 3e-6 * max(1.0, plain[name].norm().item()), name
    exact = doubled(adaptation)
    plain = gradients(exact, batch)
    assert max(gradient.abs().max() for gradient in plain.values()) > 1e-2
    alike(gradients(exact, batch, micro_batch_size=size), plain)


def test_it_is_not_the_gradient_of_small_batches_added_up(tiny_model: Path, small_dataset: Path) -> None:
    adaptation, batch = ready(tiny_model, small_dataset)
    plain = gradients(adaptation, batch)
    adaptation.loaded.model.zero_grad()
    for rows in (slice(0, 5), slice(5, 11)):
        backward(adaptation, dataclasses.replace(batch.part(rows), whole=None), autocast=nullcontext())
    name = "visual_projection.weight"
    added = adaptation.loaded.model.get_parameter(name).grad
    assert (added / 2 - plain[name]).norm() > 0.1 * plain[name].norm()


@pytest.mark.parametrize("recipe", ["lora", "head", "blocks"])
def test_parts_are_exact_with_each_recipe_anchor_and_penalty(
    recipe: str, tiny_model: Path, small_dataset: Path
) -> None:
    adaptation, batch = ready(
        tiny_model, small_dataset, recipe=recipe, lora_dropout=0.0, blocks=1, distillation=0.7, views=1
    )
    with torch.no_grad():
        for weight in moving(adaptation.loaded.model).values():
            weight.add_(torch.randn_like(weight) * 0.01)
    plain = gradients(adaptation, batch, distillation=0.7)
    alike(gradients(adaptation, batch, distillation=0.7, micro_batch_size=4), plain)
    without = gradients(adaptation, batch)
    assert any(not torch.allclose(without[name], plain[name], atol=1e-5) for name in plain)


def test_distillation_pulls_towards_the_anchor(tiny_model: Path, small_dataset: Path) -> None:
    adaptation, batch = ready(tiny_model, small_dataset, distillation=1.0)
    assert step(adaptation, batch, distillation=5.0).loss == pytest.approx(step(adaptation, batch).loss, abs=1e-5)
    opposite = Towers(lambda x: -adaptation.towers.pictures(x), lambda x: -adaptation.towers.texts(x))
    away = dataclasses.replace(adaptation, anchor=opposite)
    assert step(away, batch, distillation=5.0).loss == pytest.approx(step(adaptation, batch).loss + 10, abs=1e-4)


def with_dropout(model: Path, dataset: Path, recipe: str) -> tuple[Adaptation, Batch]:
    adaptation, batch = ready(model, dataset, recipe=recipe, lora_dropout=0.25)
    for module in adaptation.loaded.model.modules():
        if hasattr(module, "dropout") and isinstance(module.dropout, float):
            module.dropout = 0.1
    with torch.no_grad():
        for weight in moving(adaptation.loaded.model).values():
            weight.add_(torch.randn_like(weight) * 0.01)
    adaptation.loaded.model.train()
    return adaptation, batch


@pytest.mark.parametrize("recipe", ["full", "lora"])
def test_dropout_drops_the_same_in_both_passes(recipe: str, tiny_model: Path, small_dataset: Path) -> None:
    adaptation, batch = with_dropout(tiny_model, small_dataset, recipe)
    seen: list[torch.Tensor] = []

    def noted(tower: Any) -> Any:
        return lambda inputs: seen.append(tower(inputs)) or seen[-1]  # type: ignore[func-returns-value]

    watched = Towers(noted(adaptation.towers.pictures), noted(adaptation.towers.texts))
    step(dataclasses.replace(adaptation, towers=watched), batch, micro_batch_size=4)
    first, second = seen[:6], seen[6:]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(b.requires_grad and not a.requires_grad for a, b in zip(first, second, strict=True))
    seen.clear()
    step(dataclasses.replace(adaptation, towers=watched), batch.part(slice(0, 4)))
    adaptation.loaded.model.eval()
    step(dataclasses.replace(adaptation, towers=watched), batch.part(slice(0, 4)))
    assert not torch.equal(seen[0], seen[2])


def test_parts_with_dropout_have_the_gradient_of_their_own_masks(tiny_model: Path, small_dataset: Path) -> None:
    """With the masks that the parts drew, found by moving a weight a little (float64): the slope is the gradient."""
    adaptation, batch = with_dropout(tiny_model, small_dataset, "full")
    name = "vision_model.encoder.layers.0.self_attn.v_proj.weight"
    gradient = gradients(adaptation, batch, micro_batch_size=4)[name]
    weight, size = adaptation.loaded.model.get_parameter(name), 1e-2
    direction = gradient / gradient.norm()
    losses = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(sign * size * direction)
        losses.append(step(adaptation, batch, micro_batch_size=4).loss)
        with torch.no_grad():
            weight.sub_(sign * size * direction)
    assert (losses[0] - losses[1]) / (2 * size) == pytest.approx(gradient.norm().item(), rel=0.02)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_parts_in_half_precision_have_nearly_the_same_gradient(
    precision: str, tiny_model: Path, small_dataset: Path
) -> None:
    """Autocast keeps cast weights; those cast in the pass without a graph must not reach the second pass."""
    adaptation, batch = ready(tiny_model, small_dataset)
    plain, parted = gradients(adaptation, batch, precision), gradients(adaptation, batch, precision, micro_batch_size=4)
    assert parted.keys() == plain.keys()
    for name, gradient in plain.items():
        if gradient.norm() > 1e-3:
            assert (parted[name] - gradient).norm() < 0.03 * gradient.norm(), name


def test_only_one_part_is_normalised_and_in_the_towers_at_once(tiny_model: Path, small_dataset: Path) -> None:
    adaptation, batch = ready(tiny_model, small_dataset)
    sizes: list[tuple[int, torch.dtype]] = []

    def pictures(inputs: torch.Tensor) -> torch.Tensor:
        sizes.append((len(inputs), inputs.dtype))
        return adaptation.towers.pictures(inputs)

    step(dataclasses.replace(adaptation, towers=Towers(pictures, adaptation.towers.texts)), batch, micro_batch_size=4)
    assert sizes == [(4, torch.uint8), (4, torch.uint8), (3, torch.uint8)] * 2


def test_what_a_step_saw_is_the_whole_batch(tiny_model: Path, small_dataset: Path) -> None:
    adaptation, batch = ready(tiny_model, small_dataset)
    whole, parted = step(adaptation, batch), step(adaptation, batch, micro_batch_size=3)
    assert parted.pictures.shape == (ROWS, 24)
    torch.testing.assert_close(parted.texts, whole.texts, atol=1e-6, rtol=1e-5)
    assert parted.loss == pytest.approx(whole.loss, abs=1e-6)
    assert not parted.pictures.requires_grad
