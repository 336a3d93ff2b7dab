"""Stage B: the picture tower learns from the teacher, from the map into the texts' space, and from the texts themselves.

Four losses on the same crops: the map's embedding (cosine), the teacher's standardised features through a throw-away
layer (Romero et al., FitNets, arXiv 1412.6550), the teacher's similarities to a bank of texts (Wu et al., TinyCLIP,
arXiv 2309.12314), and the truth: own captions and own class. Matrices inside the layers learn by Muon (Jordan et al.,
2024, github.com/KellerJordan/Muon), all else by AdamW; the weights kept are a running mean.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPModel

from .shape import text_embeddings
from .sources import Source
from .teacher import FEATURES, Views
from .text import Captions, Map, Prompts, Validation
from .tower import initialise, kept_patches, normalise, picture_embeddings, summaries


@dataclass(frozen=True)
class StudentSettings:
    """How stage B learns. The rate is flat after the warm-up, so `steps` may be changed until the cooling begins."""

    steps: int = 5000
    pictures: int = 256  # in a step
    kept: int = 32  # patches of 64 that a picture keeps at first
    whole_from: float = 0.8  # share of the steps after which all patches stay in
    cool_from: float = 0.5  # share of the steps after which the rate falls to nothing in a straight line
    warm_up: int = 100
    rate: float = 1e-3  # AdamW
    matrix_rate: float = 0.02  # Muon
    decay: float = 0.05  # AdamW; Muon's is set so that both pull alike
    averaging: float = 0.998
    bank: int = 768  # captions of other pictures
    check_every: int = 400
    save_every: int = 100
    seed: int = 0


SHARES = {"flickr8k": 0.45, "tiny-imagenet": 0.47, "grocery": 0.08}  # of a step's pictures


@dataclass(frozen=True)
class Lesson:
    """The pictures of one step; those with captions come first."""

    crops: Tensor  # (pictures, 96, 96, 3), uint8
    features: Tensor  # (pictures, 1280)
    captioned: NDArray[np.int64]  # which captioned pictures
    classes: Tensor  # class of each of the other pictures


class Pictures:
    """All views of the training pictures, to draw lessons from."""

    def __init__(self, sources: list[Source], views: list[Views], labels: list[str]) -> None:
        place = {label: number for number, label in enumerate(labels)}
        self.views = {source.name: view for source, view in zip(sources, views, strict=True)}
        self.classes = {
            source.name: np.array([place[label] for label in source.classes], dtype=np.int64) for source in sources
        }

    def draw(self, pictures: int, random: np.random.Generator) -> Lesson:
        """One random view of each of `pictures` different pictures, mirrored half of the time."""
        chosen, crops, features = {}, [], []
        for name, share in SHARES.items():
            views = self.views[name]
            count, each = views.crops.shape[:2]
            chosen[name] = np.sort(random.choice(count, round(pictures * share), replace=False))
            view = random.integers(0, each, len(chosen[name]))
            crop = views.crops[chosen[name], view]
            mirrored = random.random(len(crop)) < 0.5
            crop[mirrored] = crop[mirrored, :, ::-1]
            crops.append(torch.from_numpy(crop))
            features.append(torch.from_numpy(views.features[chosen[name], view].astype(np.float32)))
        classes = [self.classes[name][rows] for name, rows in chosen.items() if len(self.classes[name])]
        captioned = next(rows for name, rows in chosen.items() if not len(self.classes[name]))
        return Lesson(torch.cat(crops), torch.cat(features), captioned, torch.from_numpy(np.concatenate(classes)))

    def some(self, name: str, count: int) -> Tensor:
        """Every n-th picture of a source, about `count` of them, one view each."""
        crops = self.views[name].crops
        return torch.from_numpy(np.ascontiguousarray(crops[:: max(1, len(crops) // count), 1]))


@dataclass(frozen=True)
class Texts:
    """Embeddings of every caption and of every class by the text tower, which rests during this stage."""

    captions: Tensor  # (captions, 256)
    names: Tensor  # (classes, 256): the mean over names and templates
    starts: NDArray[np.int64]  # a picture's first caption
    counts: NDArray[np.int64]
    sharpness: float  # factor on a similarity before softmax

    @classmethod
    @torch.inference_mode()
    def of(cls, model: CLIPModel, captions: Captions, prompts: Prompts) -> Texts:
        """By the text tower of `model`."""
        whole = torch.cat([text_embeddings(model, part) for part in torch.from_numpy(captions.tokens[0]).split(1000)])
        each = torch.cat([text_embeddings(model, part) for part in torch.from_numpy(prompts.tokens).split(1000)])
        own = zip(prompts.starts, prompts.counts, strict=True)
        names = torch.stack([each[start : start + count].mean(0) for start, count in own])
        sharpness = float(model.logit_scale.exp())
        return cls(whole, functional.normalize(names, dim=-1), captions.starts, captions.counts, sharpness)

    def bank(self, pictures: NDArray[np.int64], others: int, random: np.random.Generator) -> Tensor:
        """One own caption for each of `pictures`, then `others` at random, then every class."""
        own = self.starts[pictures] + (random.random(len(pictures)) * self.counts[pictures]).astype(np.int64)
        more = random.integers(0, len(self.captions), others)
        return torch.cat([self.captions[torch.from_numpy(np.concatenate([own, more]))], self.names])


def losses(embeddings: Tensor, guess: Tensor, lesson: Lesson, bank: Tensor, texts: Texts, goal: Map) -> dict[str, Tensor]:
    """The four losses; `embeddings` (pictures, 256) are of unit length, `guess` (pictures, 1280) is of the features."""
    with torch.no_grad():
        target, standard = goal(lesson.features), goal.standardise(lesson.features).clamp(-4, 4)
        taught = functional.log_softmax(texts.sharpness * target @ bank.T, dim=1)
    similar = texts.sharpness * embeddings @ bank.T
    count = len(lesson.captioned)
    own = functional.cross_entropy(similar[:count, :count], torch.arange(count), label_smoothing=0.1)
    kind = functional.cross_entropy(similar[count:, -len(texts.names) :], lesson.classes, label_smoothing=0.1)
    learnt = functional.log_softmax(similar, dim=1)
    return {
        "cosine": 4 * (1 - (embeddings * target).sum(1)).mean(),
        "features": (guess - standard).square().mean(),
        "similarities": functional.kl_div(learnt, taught, log_target=True, reduction="batchmean"),
        "captions": 0.25 * own,
        "classes": 0.25 * kind,
    }


def _optimisers(model: CLIPModel, head: nn.Module, settings: StudentSettings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for all else that learns."""
    inside = [weight for weight in model.vision_model.encoder.parameters() if weight.ndim == 2]
    known = {id(weight) for weight in inside}
    learning = [*model.vision_model.parameters(), *model.visual_projection.parameters(), *head.parameters()]
    rest = [weight for weight in learning if id(weight) not in known]
    groups = [
        {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": settings.decay},
        {"params": [weight for weight in rest if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    decay = settings.decay * settings.rate / settings.matrix_rate
    return [
        torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98)),
        torch.optim.Muon(inside, lr=settings.matrix_rate, weight_decay=decay, momentum=0.95, nesterov=True),
    ]


def pace(step: int, settings: StudentSettings) -> float:
    """The share of the full rate at `step`: up, flat, down (Hägele et al., arXiv 2405.18392)."""
    left = (settings.steps - step) / (settings.steps * (1 - settings.cool_from))
    return max(0.0, min(1.0, (step + 1) / settings.warm_up, left))


class Student:
    """A run of stage B: what learns, its running mean, its optimisers and the step it has reached."""

    def __init__(self, model: CLIPModel, pictures: Pictures, settings: StudentSettings) -> None:
        self.model, self.settings, self.step = model, settings, 0
        torch.manual_seed(settings.seed)
        initialise(model, torch.cat([pictures.some(name, 500) for name in ("flickr8k", "tiny-imagenet")]))
        self.head = nn.Linear(model.config.vision_config.hidden_size, FEATURES)
        self.optimisers = _optimisers(model, self.head, settings)
        self.mean = copy.deepcopy(model).requires_grad_(False)

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on."""
        return {
            "model": self.model.state_dict(), "mean": self.mean.state_dict(), "head": self.head.state_dict(),
            "optimisers": [one.state_dict() for one in self.optimisers], "step": self.step,
        }  # fmt: skip

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned in an earlier process."""
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.head.load_state_dict(state["head"])
        for one, kept in zip(self.optimisers, state["optimisers"], strict=True):
            one.load_state_dict(kept)
        self.step = state["step"]

    def learn(self, lesson: Lesson, bank: Tensor, texts: Texts, goal: Map) -> dict[str, float]:
        """One step; returns the losses."""
        settings = self.settings
        kept = settings.kept if self.step < settings.whole_from * settings.steps else 64
        with torch.autocast("cpu", torch.bfloat16):
            pooled = summaries(self.model, normalise(lesson.crops), kept_patches(len(lesson.crops), 64, kept))
            embeddings, guess = self.model.visual_projection(pooled), self.head(pooled)
        parts = losses(functional.normalize(embeddings.float(), dim=-1), guess.float(), lesson, bank, texts, goal)
        torch.stack(list(parts.values())).sum().backward()
        factor = pace(self.step, settings)
        for one, rate in zip(self.optimisers, (settings.rate, settings.matrix_rate), strict=True):
            for group in one.param_groups:
                group["lr"] = rate * factor
            nn.utils.clip_grad_norm_([weight for group in one.param_groups for weight in group["params"]], 5.0)
            one.step()
            one.zero_grad()
        self.step += 1
        self._average()
        return {name: part.item() for name, part in parts.items()}

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running mean towards the weights; short at first, so that the start is forgotten."""
        share = min(self.settings.averaging, self.step / (self.step + 10))
        for mean, weight in zip(self.mean.vision_model.parameters(), self.model.vision_model.parameters(), strict=True):
            mean.lerp_(weight, 1 - share)
        self.mean.visual_projection.weight.lerp_(self.model.visual_projection.weight, 1 - share)


def write_beside(state: object, path: Path) -> None:
    """Save with torch so that a kill leaves either the old file or the new one."""
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)
