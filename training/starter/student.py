"""Stage B: the picture tower learns from the teacher, from the map into the texts' space, and from the texts.

Four losses on the same crops: the map's embedding (cosine), the teacher's standardised features through a throw-away
layer (Romero et al., FitNets, arXiv 1412.6550), the teacher's similarities to a bank of texts (Wu et al., TinyCLIP,
arXiv 2309.12314), and the truth: own captions and own class. Matrices inside the layers learn by Muon (Jordan et al.,
2024, github.com/KellerJordan/Muon), all else by AdamW; the weights kept are a running mean.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPModel

from .evaluate import Judge
from .lessons import Lesson, Pictures
from .shape import text_embeddings
from .teacher import FEATURES
from .text import Map
from .tower import initialise, kept_patches, normalise, picture_embeddings, summaries
from .words import Captions, Prompts

PATCHES = 64  # of a picture


@dataclass(frozen=True)
class StudentSettings:
    """How stage B learns. The rate is flat after the warm-up, so `steps` may be changed until the cooling begins."""

    steps: int = 5000
    pictures: int = 192  # in a step
    kept: int = 32  # patches of 64 that a picture keeps at first
    whole_from: float = 0.85  # share of the steps after which all patches stay in
    cool_from: float = 0.5  # share of the steps after which the rate falls to nothing in a straight line
    warm_up: int = 100
    rate: float = 1e-3  # AdamW
    matrix_rate: float = 0.02  # Muon
    decay: float = 0.05  # AdamW; Muon's is set so that both pull alike
    averaging: float = 0.998
    bank: int = 512  # captions of other pictures
    workers: int = 2  # threads, each with its share of a step's pictures
    check_every: int = 400
    save_every: int = 50
    seed: int = 0


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
        with torch.autocast("cpu", torch.bfloat16):
            whole, each = (
                torch.cat([text_embeddings(model, part) for part in torch.split(torch.from_numpy(tokens), 1000)])
                for tokens in (captions.tokens[0], prompts.tokens)
            )
        own = zip(prompts.starts, prompts.counts, strict=True)
        names = torch.stack([each[start : start + count].mean(0) for start, count in own])
        sharpness = float(model.logit_scale.exp())
        return cls(whole, functional.normalize(names, dim=-1), captions.starts, captions.counts, sharpness)

    def bank(self, pictures: NDArray[np.int64], others: int, random: np.random.Generator) -> Tensor:
        """One own caption for each of `pictures`, then `others` at random, then every class."""
        own = self.starts[pictures] + (random.random(len(pictures)) * self.counts[pictures]).astype(np.int64)
        more = random.integers(0, len(self.captions), others)
        return torch.cat([self.captions[torch.from_numpy(np.concatenate([own, more]))], self.names])


@dataclass(frozen=True)
class Classroom:
    """What the student learns from: pictures, texts, and the map from the teacher's features to the texts' space."""

    pictures: Pictures
    texts: Texts
    goal: Map


def losses(embeddings: Tensor, guess: Tensor, lesson: Lesson, bank: Tensor, classroom: Classroom) -> dict[str, Tensor]:
    """The four losses; `embeddings` (pictures, 256) are of unit length, `guess` (pictures, 1280) is of the features."""
    texts, goal = classroom.texts, classroom.goal
    with torch.no_grad():
        target, standard = goal(lesson.features), goal.standardise(lesson.features).clamp(-4, 4)
        taught = functional.log_softmax(texts.sharpness * target @ bank.T, dim=1)
    similar = texts.sharpness * embeddings @ bank.T
    count = len(lesson.captioned)
    kinds = len(texts.names)
    own = functional.cross_entropy(similar[:count, :-kinds], torch.arange(count), label_smoothing=0.1)
    kind = functional.cross_entropy(similar[count:, -kinds:], lesson.classes, label_smoothing=0.1)
    learnt = functional.log_softmax(similar, dim=1)
    return {
        "cosine": 4 * (1 - (embeddings * target).sum(1)).mean(),
        "features": (guess - standard).square().mean(),
        "similarities": functional.kl_div(learnt, taught, log_target=True, reduction="batchmean"),
        "captions": 0.25 * own,
        "classes": 0.25 * kind,
    }


def _optimisers(model: CLIPModel, head: nn.Module, settings: StudentSettings) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, a part of them for each worker, and AdamW for all else that learns."""
    inside = [weight for weight in model.vision_model.encoder.parameters() if weight.ndim == 2]
    known = {id(weight) for weight in inside}
    rest = [weight for weight in learning(model, head) if id(weight) not in known]
    groups = [
        {"params": [weight for weight in rest if weight.ndim > 1], "weight_decay": settings.decay},
        {"params": [weight for weight in rest if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    decay = settings.decay * settings.rate / settings.matrix_rate
    parts = [inside[first :: settings.workers] for first in range(settings.workers)]
    return [
        torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98)),
        *(torch.optim.Muon(part, lr=settings.matrix_rate, weight_decay=decay, momentum=0.95) for part in parts),
    ]


def learning(model: CLIPModel, head: nn.Module) -> list[Tensor]:
    """The weights that learn in this stage."""
    return [*model.vision_model.parameters(), *model.visual_projection.parameters(), *head.parameters()]


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

    def _gradients(self, classroom: Classroom, worker: int) -> tuple[list[Tensor], dict[str, float]]:
        """Gradients and losses over one worker's share of the step's pictures."""
        torch.set_num_threads(1)  # of this worker; its neighbour has the other core
        settings, model = self.settings, self.model
        random = np.random.default_rng((settings.seed, self.step, worker))
        lesson = classroom.pictures.draw(settings.pictures // settings.workers, random)
        bank = classroom.texts.bank(lesson.captioned, settings.bank, random)
        kept = settings.kept if self.step < settings.whole_from * settings.steps else PATCHES
        with torch.autocast("cpu", torch.bfloat16):
            pooled = summaries(model, normalise(lesson.crops), kept_patches(len(lesson.crops), PATCHES, kept))
            embeddings, guess = model.visual_projection(pooled), self.head(pooled)
        embeddings = functional.normalize(embeddings.float(), dim=-1)
        parts = losses(embeddings, guess.float(), lesson, bank, classroom)
        total = torch.stack(list(parts.values())).sum()
        gradients = torch.autograd.grad(
            total, [weight for weight in learning(model, self.head) if weight.requires_grad]
        )
        return list(gradients), {name: part.item() for name, part in parts.items()}

    def _move(self, optimiser: torch.optim.Optimizer) -> None:
        """One step of one optimiser, its gradients held to a length of 5 together."""
        torch.set_num_threads(1)
        nn.utils.clip_grad_norm_([weight for group in optimiser.param_groups for weight in group["params"]], 5.0)
        optimiser.step()

    def learn(self, classroom: Classroom, pool: ThreadPoolExecutor) -> dict[str, float]:
        """One step; returns the losses.

        Each worker is one thread on one core with pictures of its own, so that they meet twice a step and not in
        every matrix product: on a machine with other work to do that doubles the speed.
        """
        settings, workers = self.settings, range(self.settings.workers)
        found = list(pool.map(lambda worker: self._gradients(classroom, worker), workers))
        weights = [weight for weight in learning(self.model, self.head) if weight.requires_grad]
        for weight, *gradients in zip(weights, *(gradients for gradients, _ in found), strict=True):
            weight.grad = torch.stack(gradients).mean(0) if len(gradients) > 1 else gradients[0]
        for optimiser in self.optimisers:
            rate = settings.rate if isinstance(optimiser, torch.optim.AdamW) else settings.matrix_rate
            for group in optimiser.param_groups:
                group["lr"] = rate * pace(self.step, settings)
        list(pool.map(self._move, self.optimisers))
        self.step += 1
        self._average()
        return {name: sum(parts[name] for _, parts in found) / len(found) for name in found[0][1]}

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
    path.with_suffix(".part").replace(path)


@dataclass(frozen=True)
class Checks:
    """Where a run saves itself, and the pictures that it is judged by."""

    checkpoint: Path
    judge_of: Judge
    captioned: Tensor  # (pictures, 96, 96, 3), uint8: the centre of each validation picture
    classed: Tensor

    def judge(self, model: CLIPModel) -> dict[str, float]:
        """Recall@10 and top-1 on the validation pictures."""
        embeddings = [picture_embeddings(model, crops) for crops in (self.captioned, self.classed)]
        return self.judge_of.figures(model, *embeddings)


def train(student: Student, classroom: Classroom, checks: Checks) -> Iterator[dict[str, Any]]:
    """Learn to the last step; yields a line for the log at every check. Saves itself and goes on where it was."""
    settings, began, at_start = student.settings, time.monotonic(), student.step
    sums: dict[str, float] = {}
    pool = ThreadPoolExecutor(settings.workers)
    while student.step < settings.steps:
        parts = student.learn(classroom, pool)
        sums = {name: sums.get(name, 0.0) + part for name, part in parts.items()}
        if student.step % settings.save_every == 0 or student.step == settings.steps:
            write_beside(student.state(), checks.checkpoint)
        if student.step % settings.check_every == 0 or student.step == settings.steps:
            seconds = time.monotonic() - began
            means = {name: round(part / settings.check_every, 4) for name, part in sums.items()}
            speed = round((student.step - at_start) * settings.pictures / seconds)
            yield {"step": student.step, "pictures_a_second": speed, **means, **checks.judge(student.mean)}
            sums = {}


def log(line: dict[str, Any], path: Path) -> None:
    """Append one JSON line to the log and show it."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)
