"""Learning rate, batch, schedule and weight decay, fitted to the base."""

from pathlib import Path

import pytest
import torch

from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training import hyperparameters


def test_the_learning_rate_is_the_configs_else_the_manifests_else_by_size(tiny_model: Path) -> None:
    import dataclasses

    loaded = load_model(tiny_model)
    named = dataclasses.replace(loaded, manifest={"fine_tuning": {"learning_rate": 3e-4}})
    assert hyperparameters.learning_rate(TrainingConfig(learning_rate=1e-6), named) == 1e-6
    assert hyperparameters.learning_rate(TrainingConfig(), named) == 3e-4
    assert hyperparameters.learning_rate(TrainingConfig(), loaded) == 1e-4


@pytest.mark.parametrize(("records", "size"), [(16000, 128), (2640, 64), (1200, 32), (100, 16), (5, 5)])
def test_the_batch_leaves_enough_steps(records: int, size: int) -> None:
    assert hyperparameters.batch_size(TrainingConfig(), records) == size


def test_the_schedule_rises_then_falls_to_zero() -> None:
    rates = [hyperparameters.rate_at(step, 100, peak=1.0, warmup=0.1) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.0, abs=1e-9)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_only_matrices_decay(tiny_model: Path) -> None:
    model = load_model(tiny_model).model
    decayed, plain = hyperparameters.optimizer(model, TrainingConfig(), 1e-3).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    assert any(parameter is model.get_parameter("logit_scale") for parameter in plain["params"])
    assert len(decayed["params"]) + len(plain["params"]) == len(list(model.parameters()))


def test_precision_is_fp32_where_it_is_asked_for() -> None:
    assert hyperparameters.precision(TrainingConfig(precision="fp32"), torch.device("cpu")) == "fp32"
    able = torch.cpu.get_capabilities()
    expected = "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"
    assert hyperparameters.precision(TrainingConfig(), torch.device("cpu")) == expected
