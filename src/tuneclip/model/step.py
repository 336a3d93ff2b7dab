"""The gradient of one batch: exactly that of the whole batch, however much of it passes through the towers at once."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

from tuneclip.model.adapt import Adaptation
from tuneclip.model.batches import Batch
from tuneclip.model.losses import LOSSES, logits, positives


@dataclass(frozen=True)
class Stepped:
    """What a step saw; the gradients are in the parameters."""

    loss: float
    """Of the whole batch, penalties included."""
    pictures: torch.Tensor
    """(batch, dim) float32 embeddings of any length, detached."""
    texts: torch.Tensor
    """As `pictures`."""


def backward(adaptation: Adaptation, batch: Batch, *, autocast: AbstractContextManager[Any]) -> Stepped:
    """Add the gradient of the batch's loss to the moving parameters."""
    device = adaptation.loaded.model.get_parameter("logit_scale").device
    with autocast:
        pictures = adaptation.towers.pictures(batch.picture_inputs.to(device))
        texts = adaptation.towers.texts({name: values.to(device) for name, values in batch.text_inputs.items()})
    loss = batch_loss(adaptation, batch, pictures, texts)
    loss.backward()  # type: ignore[no-untyped-call]
    return Stepped(loss.item(), pictures.detach().float(), texts.detach().float())


def batch_loss(adaptation: Adaptation, batch: Batch, pictures: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """The loss of a batch from its embeddings, a scalar in float32."""
    belongs = positives(batch.pictures, batch.captions).to(pictures.device)
    loss = LOSSES[adaptation.loaded.family.loss](logits(adaptation.loaded.model, pictures, texts), belongs)
    return loss if adaptation.penalty is None else loss + adaptation.penalty()
