import copy
from pathlib import Path

import pytest
import torch

from tuneclip.model.open import load_model
from tuneclip.training import quick


@pytest.fixture
def both(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[torch.nn.Module, torch.nn.Module]:
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(quick, "slow_products", lambda: True)
    plain = load_model(tiny_model).model.train()
    fast = copy.deepcopy(plain)
    quick.quicken(fast)
    return plain, fast


def step(model: torch.nn.Module, *, half: bool = False) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randn(4, 3, 32, 32, generator=random)
    ids = torch.tensor([[1, 10 + i, 20 + i, 3] for i in range(4)])
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        output = model(input_ids=ids, pixel_values=pixels, return_loss=True)
    output.loss.backward()
    return {"loss": output.loss.detach(), **{name: weight.grad for name, weight in model.named_parameters()}}


def gradient(found: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.flatten() for name, value in found.items() if name != "loss"])


def test_loss_and_every_gradient_stay_what_they_were(both: tuple[torch.nn.Module, torch.nn.Module]) -> None:
    plain, fast = (step(model) for model in both)
    for name, value in plain.items():
        torch.testing.assert_close(fast[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_with_autocast_they_differ_by_no_more_than_its_rounding(both: tuple[torch.nn.Module, torch.nn.Module]) -> None:
    exact = gradient(step(both[0]))
    for model in both:
        model.zero_grad()
    plain, fast = ((gradient(step(model, half=True)) - exact).norm() for model in both)
    assert 0 < fast <= 1.2 * plain


def test_a_quickened_model_is_saved_as_the_plain_one(both: tuple[torch.nn.Module, torch.nn.Module]) -> None:
    plain, fast = (model.state_dict() for model in both)
    assert plain.keys() == fast.keys()
    assert all(torch.equal(plain[name], fast[name]) for name in plain)


def test_two_steps_of_a_quickened_model_are_the_same_to_the_bit(both: tuple[torch.nn.Module, torch.nn.Module]) -> None:
    first = step(both[1])
    both[1].zero_grad()
    second = step(both[1])
    assert all(torch.equal(first[name], second[name]) for name in first)
