"""The arithmetic of a step where nobody chose it: on a processor the one in which a real step took less time."""

import dataclasses
import logging
import time

import torch

from tuneclip.errors import TuneclipError
from tuneclip.training import hyperparameters
from tuneclip.training.adapt import Adaptation
from tuneclip.training.batches import Batch
from tuneclip.training.plan import Plan
from tuneclip.training.step import Manner, backward

logger = logging.getLogger("tuneclip")
PICTURES = 32
"""Pictures of a timed step, at most: the whole decision takes a few seconds."""
ROUNDS = 2
CLEARLY = 0.8
"""fp32 has to be this much faster: where it hardly matters, two runs of one seed should not decide differently."""
FROM_PIXELS = ("full", "lora")


def timed_precision(adaptation: Adaptation, plan: Plan) -> str:
    """The plan's precision; but where nobody chose and the processor has bf16, "bf16" or "fp32" as a timed step says.

    The flags of a processor do not tell how fast its bf16 is (docs/experiments.md). Weights, gradients and random
    generators are afterwards what they were. Where activations are kept they were made in the plan's precision, which
    stays. Raises TuneclipError where this torch has no such arithmetic on the device.
    """
    _check(plan)
    timed = plan.config.precision == "auto" and plan.device == "cpu" and plan.precision == "bf16"
    if not timed or plan.config.recipe not in FROM_PIXELS:
        return plan.precision
    batch = next(iter(adaptation.batches.epoch(1, plan.batch_size)))
    few = dataclasses.replace(batch.part(slice(0, min(plan.micro_batch_size, PICTURES))), whole=None)
    with torch.random.fork_rng(devices=[]):
        taken = [{kind: _seconds(adaptation, few, kind) for kind in ("fp32", "bf16")} for _ in range(1 + ROUNDS)]
    adaptation.loaded.model.zero_grad(set_to_none=True)
    best = {kind: min(each[kind] for each in taken[1:]) for kind in taken[0]}  # the first round warms up
    chosen = "fp32" if best["fp32"] < CLEARLY * best["bf16"] else "bf16"
    logger.info(
        "a step of %d pictures takes %.2f s in bf16, %.2f s in fp32: %s", len(few), best["bf16"], best["fp32"], chosen
    )
    return chosen


def _check(plan: Plan) -> None:
    """Raise TuneclipError where this torch cannot run the towers' matrix products and convolutions as planned."""
    device = torch.device(plan.device)
    try:
        with torch.random.fork_rng(devices=[]), hyperparameters.autocast(plan.precision, device):
            patches = torch.nn.Conv2d(3, 8, 4, 4).to(device)(torch.zeros(1, 3, 8, 8, device=device))
            torch.nn.Linear(8, 8).to(device)(patches.flatten(2).mT).sum().backward()
    except RuntimeError as error:
        raise TuneclipError(
            f"{plan.precision} does not run on {plan.device} here: {error}",
            hint='set "precision" to "fp32" or "auto" in the config',
        ) from error


def _seconds(adaptation: Adaptation, batch: Batch, kind: str) -> float:
    adaptation.loaded.model.train()
    began = time.perf_counter()
    backward(adaptation, batch, autocast=hyperparameters.autocast(kind, torch.device("cpu")), manner=Manner())
    return time.perf_counter() - began
