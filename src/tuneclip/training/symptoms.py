"""What a step shows of a run's health: cheap figures for its metrics, without judgement (that is `diagnose`)."""

import math
from typing import Any

import torch

from tuneclip.model.encode import unit
from tuneclip.training.losses import positives
from tuneclip.training.order import Keys
from tuneclip.training.step import Stepped

ROWS = 128
"""Rows of a batch that are looked at: the cost stays a few milliseconds, whatever the batch."""
LOOKS_PER_EPOCH = 16
WATCHED = 16
"""Entries of each moving tensor that are watched for movement."""


def symptoms(
    keys: Keys, stepped: Stepped, *, loss: str, model: torch.nn.Module, before: torch.Tensor | None
) -> dict[str, float]:
    """What a step's row of the metrics says of its health; the close look where `before` is what `watch` returned.

    `keys` are of the whole batch, in the order of the embeddings; `loss` is the family's, "softmax" or "sigmoid".
    """
    seen = levels(keys, loss)
    return seen if before is None else seen | measured(keys, stepped) | update(before, model)


def due(step: int, steps_per_epoch: int) -> bool:
    """Whether step number `step` (from 0) is one that is looked at closely: the first, then some sixteen an epoch."""
    return step % max(1, steps_per_epoch // LOOKS_PER_EPOCH) == 0


def levels(keys: Keys, loss: str) -> dict[str, float]:
    """`chance`, the loss of a model that cannot tell the batch's pairs apart, and `floor`, that of a perfect one.

    `loss` is "softmax" or "sigmoid". Chance is ln(batch) for the softmax, and for the sigmoid the loss of the best
    constant logit, about ln(batch) + 1; the softmax's floor is the entropy of the targets, above zero with twins.
    """
    belongs = positives(keys.pictures, keys.captions).sum(1).double()  # (batch,) how many belong to each
    size = len(keys)
    if loss == "softmax":
        return {"chance": math.log(size), "floor": belongs.log().mean().item()}
    share = belongs.sum().item() / size**2
    entropy = -sum(p * math.log(p) for p in (share, 1 - share) if p > 0)
    return {"chance": size * entropy, "floor": 0.0}


def measured(keys: Keys, stepped: Stepped) -> dict[str, float]:
    """How the batch's embeddings lie, by name; {} where they are not finite.

    `pairs` is how many were looked at; `pair_auc` the chance that a picture's own caption is nearer to it than another
    one of the batch (1/2: no relation); `twins` the share of pairs with a twin in the batch; `picture_cosine` and
    `text_cosine` the mean cosine between different pictures and different captions; `picture_rank` and `text_rank` the
    effective rank (RankMe, arXiv 2210.02885) of the embeddings after their mean is taken away, since CLIP's embeddings
    lie in a narrow cone.
    """
    pictures, texts = unit(stepped.pictures[:ROWS]).cpu(), unit(stepped.texts[:ROWS]).cpu()
    if len(pictures) < 2 or not bool(torch.isfinite(pictures).all() & torch.isfinite(texts).all()):
        return {}
    belongs = positives(keys.pictures[:ROWS], keys.captions[:ROWS])
    seen = {"pairs": len(pictures), "pair_auc": _auc(pictures @ texts.T, belongs)}
    seen |= {"twins": (belongs.sum(1) > 1).double().mean().item()}
    for name, vectors, names in (("picture", pictures, keys.pictures), ("text", texts, keys.captions)):
        own = vectors[list({key: row for row, key in enumerate(names[:ROWS])}.values())]
        if len(own) > 1:
            seen |= {f"{name}_cosine": _mean_cosine(own), f"{name}_rank": _effective_rank(own)}
    return {name: value for name, value in seen.items() if value is not None}


def watch(model: torch.nn.Module) -> torch.Tensor:
    """A few entries of every moving matrix, (entries,): what `update` compares. Gains near one would hide the rest."""
    moving = [p for p in model.parameters() if p.requires_grad]
    chosen = [p for p in moving if p.ndim >= 2] or moving
    return torch.cat([p.detach().flatten()[:WATCHED].float() for p in chosen])


def update(before: torch.Tensor, model: torch.nn.Module) -> dict[str, float]:
    """`update`: how far the step moved the watched entries, as a share of their length; 0 where all is at rest."""
    moved = watch(model) - before
    return {"update": (moved.norm() / before.norm().clamp_min(1e-12)).item()}


def _auc(cosines: torch.Tensor, belongs: torch.Tensor) -> Any:
    """Mean over pictures of the share of other captions that lie further away than the own one; None without others.

    Ties count half.
    """
    own, others = cosines.diagonal()[:, None], ~belongs
    ahead = ((own > cosines).double() + 0.5 * (own == cosines).double()) * others
    counted = others.sum(1)
    rows = counted > 0
    return (ahead.sum(1)[rows] / counted[rows]).mean().item() if bool(rows.any()) else None


def _mean_cosine(vectors: torch.Tensor) -> float:
    """The mean cosine between different rows, from the length of their sum: no matrix of all pairs."""
    count = len(vectors)
    total = vectors.double().sum(0).square().sum().item()
    return (total - count) / (count * (count - 1))


def _effective_rank(vectors: torch.Tensor) -> float:
    centred = vectors - vectors.mean(0)
    gram = centred @ centred.T
    values = torch.linalg.eigvalsh(gram.double()).clamp_min(0).sqrt()
    shares = values / values.sum().clamp_min(1e-12)
    return math.exp(-(shares * shares.clamp_min(1e-12).log()).sum().item())
