"""What moves in training and how fast: parameter groups, learning rate, schedule and precision, fitted to the base."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from tuneclip.model.open import Loaded
from tuneclip.settings import TrainingConfig

SIZES = ((30e6, 1e-4), (200e6, 5e-6), (math.inf, 3e-6))
"""Peak learning rate by number of parameters, for bases that do not name their own: small ones, B/32 and B/16, larger.
The larger two from FLYP (arXiv 2212.00638), the first from docs/experiments.md."""
RECIPE_RATES = {"full": 1.0, "lora": 40.0, "blocks": 6.0, "head": 30.0}
"""A recipe's peak rate as a multiple of what `full` has on the same base: less moves, so it may move faster.
LoRA's is CLIP-LoRA's 2e-4 (arXiv 2405.18541) over FLYP's 5e-6 on the same base; the others: docs/experiments.md."""
STEPS_PER_EPOCH = 25
BATCH_SIZES = (128, 64, 32, 16)
SHORT_SEQUENCE = 128


def learning_rate(config: TrainingConfig, loaded: Loaded) -> float:
    """The config's, else what the base's manifest names, else what its size asks for, times the recipe's multiple."""
    if config.learning_rate is not None:
        return config.learning_rate
    named = loaded.manifest.get("fine_tuning", {}).get("learning_rate")
    parameters = sum(p.numel() for p in loaded.model.parameters())
    full = float(named) if named else next(rate for limit, rate in SIZES if parameters < limit)
    return full * RECIPE_RATES[config.recipe]


def batch_size(config: TrainingConfig, records: int) -> int:
    """The config's, else the largest usual one that leaves some 25 steps in an epoch; at most all records."""
    fitting = next((size for size in BATCH_SIZES if size * STEPS_PER_EPOCH <= records), BATCH_SIZES[-1])
    return min(config.batch_size if isinstance(config.batch_size, int) else fitting, records)


def optimizer(model: torch.nn.Module, config: TrainingConfig, rate: float) -> torch.optim.AdamW:
    """AdamW over all parameters; gains, biases, the class token and the temperature have no weight decay."""
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim >= 2 else plain).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=config.betas, eps=config.eps, fused=True)


def rate_at(step: int, total: int, *, peak: float, warmup: float) -> float:
    """The learning rate of step `step` of `total`: linear warm-up over a share of the steps, then a cosine to zero."""
    rising = max(1, round(total * warmup))
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))


def precision(config: TrainingConfig, device: torch.device) -> str:
    """The arithmetic of a step, "bf16" or "fp32": the config's, else bf16 where the hardware multiplies it.

    On processors without it autocast is several times slower than fp32 (docs/experiments.md).
    """
    if config.precision != "auto":
        return config.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    able = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "fp32"


def choose_attention(model: Any, device: str) -> None:
    """Plain attention on processors for short sequences, where torch's fused one is slower; the numbers are the same.

    Measured on two cores: a training step of the starter (65 patches) is 1.3 times as fast (docs/experiments.md).
    Longer sequences keep the fused one, which does not hold the (patches, patches) matrices for the backward pass.
    """
    vision = model.config.vision_config
    patches = (vision.image_size // vision.patch_size) ** 2
    if device == "cpu" and patches <= SHORT_SEQUENCE:
        model.set_attn_implementation("eager")


def autocast(kind: str, device: torch.device) -> AbstractContextManager[Any]:
    """The context in which the towers run; weights and loss stay fp32."""
    halves = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device.type, halves[kind]) if kind in halves else nullcontext()
