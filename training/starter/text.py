"""Stage A: the text tower, and a map from the teacher's features into its space, learnt together."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from .evaluate import recall_at_10, top_1
from .shape import DIMENSION, configuration, text_embeddings
from .sources import Source
from .teacher import FEATURES, Views
from .words import FOR_JUDGING, TEMPLATES, Tokens, all_names, drop_words, encode

CAPTION_TOKENS = 24  # longer captions are cut while learning; 7 % are


@dataclass(frozen=True)
class TextSettings:
    """How stage A learns."""

    steps: int = 1200
    pictures: int = 448  # of captions in a step; as many of classes
    rate: float = 1.5e-3
    decay: float = 0.1
    words_dropped: float = 0.1
    features_dropped: float = 0.2
    hidden: int = 0  # width of the map's hidden layer; 0: a linear map
    seed: int = 0


class Map(nn.Module):
    """Standardised teacher features (pictures, 1280) to unit-length embeddings (pictures, 256)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, hidden: int = 0, dropped: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.drop = nn.Dropout(dropped)
        self.linear = nn.Linear(FEATURES, DIMENSION)
        self.further = nn.Sequential(nn.Linear(FEATURES, hidden), nn.GELU(), nn.Linear(hidden, DIMENSION)) if hidden else None

    def standardise(self, features: Tensor) -> Tensor:
        """Zero mean and unit deviation a feature, over the training pictures."""
        return (features.float() - self.mean) / self.deviation

    def forward(self, features: Tensor) -> Tensor:
        """Unit-length embeddings."""
        standard = self.drop(self.standardise(features))
        out = self.linear(standard)
        if self.further is not None:
            out = out + self.further(standard)
        return functional.normalize(out, dim=-1)


class Prompts:
    """Every class name in every template as tokens, to draw one prompt a class."""

    def __init__(self, tokenizer: CLIPTokenizer, sources: list[Source]) -> None:
        self.names = all_names(sources)
        self.labels = sorted(self.names)
        prompts = [
            [template.format(name) for name in self.names[label] for template in TEMPLATES] for label in self.labels
        ]
        self.tokens = encode(tokenizer, [prompt for own in prompts for prompt in own])
        self.counts = np.array([len(own) for own in prompts])
        self.starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])

    def draw(self, random: np.random.Generator) -> Tokens:
        """One prompt a class, with the class's first name half of the time."""
        first = random.random(len(self.labels)) < 0.5
        pick = (random.random(len(self.labels)) * np.where(first, len(TEMPLATES), self.counts)).astype(int)
        chosen = self.tokens[self.starts + pick]
        return chosen[:, : int((chosen != chosen.max()).sum(1).max()) + 1]


class Captions:
    """The captions of a source as tokens, with and without the full stop at their end."""

    def __init__(self, tokenizer: CLIPTokenizer, source: Source, longest: int = CAPTION_TOKENS) -> None:
        captions = [caption for own in source.captions for caption in own]
        both = encode(tokenizer, captions + [caption.rstrip(" .") for caption in captions], longest)
        self.tokens = both.reshape(2, len(captions), -1)
        counts = np.array([len(own) for own in source.captions])
        self.counts, self.starts = counts, np.concatenate([[0], np.cumsum(counts)[:-1]])
        self.picture = np.repeat(np.arange(len(counts)), counts)  # of each caption

    def draw(self, pictures: np.ndarray, random: np.random.Generator) -> Tokens:
        """One caption for each of `pictures`."""
        pick = self.starts[pictures] + (random.random(len(pictures)) * self.counts[pictures]).astype(int)
        chosen = self.tokens[random.integers(0, 2, len(pick)), pick]
        return chosen[:, : int((chosen != chosen.max()).sum(1).max()) + 1]


@dataclass(frozen=True)
class Validation:
    """What both stages are judged by: texts as tokens, and which picture or class is right."""

    captions: Tensor  # (captions, length)
    picture: Tensor  # of each caption
    prompts: list[Tensor]  # one (classes, length) a template
    label: Tensor  # of each picture, as an index into the prompts

    @classmethod
    def of(cls, tokenizer: CLIPTokenizer, captioned: Source, classed: Source) -> Validation:
        """From a split of Flickr8k and a split of Tiny-ImageNet."""
        captions = [caption for own in captioned.captions for caption in own]
        names = sorted(set(classed.classes))
        place = {name: number for number, name in enumerate(names)}
        return cls(
            torch.from_numpy(encode(tokenizer, captions)),
            torch.from_numpy(np.repeat(np.arange(len(captioned.captions)), [len(own) for own in captioned.captions])),
            [torch.from_numpy(encode(tokenizer, [template.format(name) for name in names])) for template in FOR_JUDGING],
            torch.tensor([place[name] for name in classed.classes]),
        )

    @torch.inference_mode()
    def judge(self, model: CLIPModel, captioned: Tensor, classed: Tensor) -> dict[str, float]:
        """Recall@10 and top-1 of picture embeddings (pictures, 256) against the model's text tower."""
        model.eval()
        texts = torch.cat([text_embeddings(model, part) for part in self.captions.split(500)])
        names = functional.normalize(sum((text_embeddings(model, one) for one in self.prompts), torch.zeros(())), dim=-1)
        model.train()
        return {
            "recall_at_10": round(recall_at_10(texts, captioned, self.picture), 4),
            "top_1": round(top_1(classed, names, self.label), 4),
        }
