"""The two figures that choose: text→picture recall@10 and zero-shot top-1, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer

from .shape import text_embeddings
from .sources import Source
from .words import FOR_JUDGING, encode


def found_at_10(texts: Tensor, pictures: Tensor, truth: Tensor) -> Tensor:
    """Whether each text's own picture is among its ten nearest; ties count against."""
    scores = texts @ pictures.T
    return (scores >= scores.gather(1, truth[:, None])).sum(1) <= 10


def interval(hits: Tensor, groups: Tensor, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the share of `hits`, by drawing `groups` (pictures) anew with replacement.

    Captions of one picture stand and fall together, so pictures are drawn, not captions (cluster bootstrap:
    Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8).
    """
    count = int(groups.max()) + 1
    right = np.bincount(groups.numpy(), weights=hits.double().numpy(), minlength=count)
    all_of = np.bincount(groups.numpy(), minlength=count)
    drawn = np.random.default_rng(0).integers(0, count, (draws, count))
    low, high = np.quantile(right[drawn].sum(1) / all_of[drawn].sum(1), (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True)
class Judge:
    """The texts of a captioned and of a classed split, and which picture or class is right."""

    captions: Tensor  # (captions, length)
    picture: Tensor  # of each caption
    prompts: list[Tensor]  # one (classes, length) a template
    label: Tensor  # of each picture, as an index into the prompts

    @classmethod
    def of(cls, tokenizer: CLIPTokenizer, captioned: Source, classed: Source) -> Judge:
        """From a split of Flickr8k and a split of Tiny-ImageNet."""
        captions = [caption for own in captioned.captions for caption in own]
        counts = [len(own) for own in captioned.captions]
        names = sorted(set(classed.classes))
        place = {name: number for number, name in enumerate(names)}
        prompts = [encode(tokenizer, [template.format(name) for name in names]) for template in FOR_JUDGING]
        return cls(
            torch.from_numpy(encode(tokenizer, captions)),
            torch.from_numpy(np.repeat(np.arange(len(counts)), counts)),
            [torch.from_numpy(one) for one in prompts],
            torch.tensor([place[name] for name in classed.classes]),
        )

    @torch.inference_mode()
    def hits(self, model: CLIPModel, captioned: Tensor, classed: Tensor) -> tuple[Tensor, Tensor]:
        """Which captions find their picture among ten, and which pictures their class, from picture embeddings."""
        texts = torch.cat([text_embeddings(model, part) for part in torch.split(self.captions, 500)])
        names = torch.stack([text_embeddings(model, one) for one in self.prompts]).sum(0)
        nearest = (classed @ functional.normalize(names, dim=-1).T).argmax(1)
        return found_at_10(texts, captioned, self.picture), nearest == self.label

    def figures(self, model: CLIPModel, captioned: Tensor, classed: Tensor) -> dict[str, float]:
        """Recall@10 and top-1."""
        found, right = self.hits(model, captioned, classed)
        return {
            "recall_at_10": round(float(found.float().mean()), 4),
            "top_1": round(float(right.float().mean()), 4),
        }

    def with_intervals(self, model: CLIPModel, captioned: Tensor, classed: Tensor) -> dict[str, dict[str, float]]:
        """The same with 95 % intervals."""
        found, right = self.hits(model, captioned, classed)
        groups = {"recall_at_10": (found, self.picture), "top_1": (right, torch.arange(len(right)))}
        figures = {}
        for name, (hits, group) in groups.items():
            low, high = interval(hits, group)
            value = float(hits.float().mean())
            figures[name] = {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
        return figures
