"""The two figures that choose: text→picture recall@10 and zero-shot top-1."""

from __future__ import annotations

import torch
from torch import Tensor


def ranks(texts: Tensor, pictures: Tensor, truth: Tensor) -> Tensor:
    """Rank (1 = best) of each text's own picture among all; ties count against."""
    scores = texts @ pictures.T
    return (scores >= scores.gather(1, truth[:, None])).sum(1)


def recall_at_10(texts: Tensor, pictures: Tensor, truth: Tensor) -> float:
    """Share of texts whose picture is among the first ten."""
    return float((ranks(texts, pictures, truth) <= 10).float().mean())


def top_1(pictures: Tensor, names: Tensor, truth: Tensor) -> float:
    """Share of pictures whose nearest name is their class."""
    return float(((pictures @ names.T).argmax(1) == truth).float().mean())
