"""The contrastive objectives: exact, and aware that captions repeat and pictures come with several captions."""

from collections.abc import Sequence

import torch
from torch.nn import functional

MAX_LOGIT_SCALE = 100.0
"""CLIP clamps its learned temperature here (arXiv 2103.00020, section 2.5)."""


def positives(pictures: Sequence[str], captions: Sequence[str]) -> torch.Tensor:
    """Which pairs of a batch belong together: (batch, batch) bool, symmetric, true on the diagonal.

    Picture i and caption j belong together when i and j are the same picture or carry the same caption; keys are
    compared as they are. Without twins this is the identity, and both losses are the published ones.
    """
    same = torch.zeros(len(pictures), len(pictures), dtype=torch.bool)
    for keys in (pictures, captions):
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        codes = torch.tensor([numbers[key] for key in keys])
        same |= codes[:, None] == codes[None, :]
    return same


def softmax_loss(logits: torch.Tensor, belongs: torch.Tensor) -> torch.Tensor:
    """CLIP's symmetric cross-entropy with the target spread evenly over all that belong together.

    `logits` (batch, batch) are temperature-scaled cosines, pictures in rows; `belongs` is the matrix of `positives`.
    With an identity it is arXiv 2103.00020, figure 3; with twins the targets of UniCL (arXiv 2204.03610, eq. 3).
    """
    targets = belongs.to(logits.dtype)
    to_texts = -(functional.log_softmax(logits, dim=1) * (targets / targets.sum(1, keepdim=True))).sum(1)
    to_pictures = -(functional.log_softmax(logits, dim=0) * (targets / targets.sum(0, keepdim=True))).sum(0)
    return (to_texts.mean() + to_pictures.mean()) / 2


def sigmoid_loss(logits: torch.Tensor, belongs: torch.Tensor) -> torch.Tensor:
    """SigLIP's pairwise loss (arXiv 2303.15343, algorithm 1); `logits` hold scale and bias already.

    A twin is a positive. Summed over texts, averaged over pictures.
    """
    signs = belongs.to(logits.dtype) * 2 - 1
    return -functional.logsigmoid(signs * logits).sum() / logits.shape[0]


LOSSES = {"softmax": softmax_loss, "sigmoid": sigmoid_loss}


def logits(model: torch.nn.Module, pictures: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """(batch, batch) logits in float32 of two (batch, dim) matrices of any length, with the model's scale and bias."""
    cosines = functional.normalize(pictures.float(), dim=-1) @ functional.normalize(texts.float(), dim=-1).T
    scaled = cosines * model.get_parameter("logit_scale").exp()
    bias = dict(model.named_parameters()).get("logit_bias")
    return scaled if bias is None else scaled + bias
