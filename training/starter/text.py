"""Stage A: the text tower, and a map from the teacher's features into its space, learnt together.

The teacher rests, so that a step costs little more than its texts. What the two reach together bounds what a student
of this teacher can reach with these texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPModel

from .evaluate import Judge
from .lessons import Pictures
from .shape import DIMENSION, text_embeddings
from .teacher import FEATURES
from .words import Captions, Prompts, drop_words


@dataclass(frozen=True)
class TextSettings:
    """How stage A learns."""

    steps: int = 500
    pictures: int = 900  # in a step; the share with captions is that of `lessons.SHARES`
    rate: float = 1.5e-3
    decay: float = 0.1  # three times that for the map
    words_dropped: float = 0.1
    features_dropped: float = 0.2
    sharpness: float = 20.0  # of the softmax at the start; it learns too
    warm_up: int = 60
    more_steps: int = 240  # of the texts alone, afterwards
    more_rate: float = 3e-4
    check_every: int = 100
    seed: int = 0


class Map(nn.Module):
    """Teacher features (pictures, 1280) to unit-length embeddings (pictures, 256), linear but for the length."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, dropped: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.drop = nn.Dropout(dropped)
        self.linear = nn.Linear(FEATURES, DIMENSION)

    def fit(self, features: Tensor) -> None:
        """Take mean and deviation from a sample of features; rare features get a floor under their deviation."""
        self.mean.copy_(features.mean(0))
        self.deviation.copy_(features.std(0) + 0.05)

    def standardise(self, features: Tensor) -> Tensor:
        """Zero mean and nearly unit deviation a feature, over the training pictures."""
        return (features.float() - self.mean) / self.deviation

    def forward(self, features: Tensor) -> Tensor:
        """Unit-length embeddings."""
        return functional.normalize(self.linear(self.drop(self.standardise(features))).float(), dim=-1)


def contrast(pictures: Tensor, texts: Tensor) -> Tensor:
    """The symmetric contrastive loss of CLIP (arXiv 2103.00020) with smoothed labels; row i belongs to row i."""
    similar, own = pictures @ texts.T, torch.arange(len(pictures))
    across = functional.cross_entropy(similar, own, label_smoothing=0.1)
    return (across + functional.cross_entropy(similar.T, own, label_smoothing=0.1)) / 2


def _optimiser(model: CLIPModel, goal: Map, settings: TextSettings) -> torch.optim.Optimizer:
    """AdamW over the text tower, the map and the sharpness."""
    weights = [*model.text_model.parameters(), *model.text_projection.parameters()]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": settings.decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
        {"params": list(goal.parameters()), "weight_decay": 3 * settings.decay},
        {"params": [model.logit_scale], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98))


def _turn(loss: Tensor, optimiser: torch.optim.Optimizer, rate: float) -> None:
    """One step down the gradient of `loss`, held to a length of 1."""
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_([weight for group in optimiser.param_groups for weight in group["params"]], 1.0)
    optimiser.step()


@dataclass(frozen=True)
class Material:
    """What stage A learns from."""

    pictures: Pictures
    captions: Captions
    prompts: Prompts


def _loss(model: CLIPModel, goal: Map, material: Material, settings: TextSettings, step: int) -> Tensor:
    """Contrast of pictures with one caption each, and cross-entropy of the others over one prompt a class."""
    random = np.random.default_rng((settings.seed, step))
    lesson = material.pictures.draw(settings.pictures, random, crops=False)
    captions = drop_words(material.captions.draw(lesson.captioned, random), settings.words_dropped, random)
    prompts = material.prompts.draw(random)
    with torch.autocast("cpu", torch.bfloat16):
        texts = text_embeddings(model, torch.from_numpy(captions))
        names = text_embeddings(model, torch.from_numpy(prompts))
        embeddings = goal(lesson.features)
    embeddings = embeddings * model.logit_scale.exp().clamp(max=100)
    count = len(lesson.captioned)
    kinds = functional.cross_entropy(embeddings[count:] @ names.T, lesson.classes, label_smoothing=0.1)
    return contrast(embeddings[:count], texts) + 0.5 * kinds


def settle(model: CLIPModel, goal: Map, material: Material, settings: TextSettings) -> None:
    """Let the text tower learn on with the map at rest, then take the mean of its weights before and after.

    The mean does better than either end: Wortsman et al., "Model soups" (arXiv 2203.05482).
    """
    learning = [*model.text_model.parameters(), *model.text_projection.parameters()]
    before = [weight.detach().clone() for weight in learning]
    for weight in learning:
        weight.requires_grad_(True)
    optimiser = _optimiser(model, goal, settings)
    goal.requires_grad_(False)
    model.logit_scale.requires_grad_(False)
    for step in range(settings.more_steps):
        falling = 0.5 + 0.5 * math.cos(math.pi * step / settings.more_steps)
        loss = _loss(model, goal, material, settings, settings.steps + step)
        _turn(loss, optimiser, settings.more_rate * min(1.0, (step + 1) / 10) * falling)
    with torch.no_grad():
        for weight, old in zip(learning, before, strict=True):
            weight.lerp_(old, 0.5)


def learn(
    model: CLIPModel, goal: Map, material: Material, settings: TextSettings, *, judge: Judge, held_out: list[Tensor]
) -> Iterator[dict[str, Any]]:
    """Train text tower and map in place; yields a line for the log at every check.

    `held_out`: the teacher's features of the validation pictures, captioned ones and classed ones.
    """
    torch.manual_seed(settings.seed)
    goal.fit(material.pictures.sample_features())
    goal.drop.p = settings.features_dropped
    with torch.no_grad():
        model.logit_scale.fill_(math.log(settings.sharpness))
    optimiser = _optimiser(model, goal, settings)
    for step in range(settings.steps):
        falling = 0.5 + 0.5 * math.cos(math.pi * step / settings.steps)
        goal.train()
        loss = _loss(model, goal, material, settings, step)
        _turn(loss, optimiser, settings.rate * min(1.0, (step + 1) / settings.warm_up) * falling)
        goal.eval()
        if (step + 1) % settings.check_every == 0 or step + 1 == settings.steps:
            with torch.inference_mode():
                figures = judge.figures(model, *(goal(features) for features in held_out))
            yield {"stage": "text", "step": step + 1, "loss": round(loss.item(), 4), **figures}
