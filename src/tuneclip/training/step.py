"""The gradient of one batch: exactly that of the whole batch, however much of it passes through the towers at once.

Gradient caching (GradCache, arXiv 2101.06983): the batch goes through each tower in parts and without a graph, the loss
of all embeddings gives the gradient of each embedding, and with it every part goes through the tower a second time, now
with a graph that is dropped after the part's backward pass. Accumulating the losses of small batches instead would be
another loss, one with fewer negatives. Several processes meet at the same seam (`tuneclip.training.processes`).
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from tuneclip.training.adapt import Adaptation, Towers
from tuneclip.training.batches import Batch
from tuneclip.training.checkpoint import moving
from tuneclip.training.losses import LOSSES, logits, positives
from tuneclip.training.processes import ALONE, Team


@dataclass(frozen=True)
class Manner:
    """How a run takes its steps."""

    micro_batch_size: int | None = None
    """Pictures that pass through the towers at once; None for all of this process's."""
    distillation: float = 0.0
    """Weight of staying near the anchor's embeddings."""
    team: Team = ALONE
    scaled: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss
    """Multiplies the loss, and with it the gradient: fp16 would lose small ones (`torch.amp.GradScaler.scale`)."""


@dataclass(frozen=True)
class Stepped:
    """What a step saw; the gradients are in the parameters."""

    loss: float
    """Of the whole batch, distillation and penalties included."""
    pictures: torch.Tensor
    """(batch, dim) float32 embeddings of any length, detached; of the whole batch, in the order of `Batch.keys`."""
    texts: torch.Tensor
    """As `pictures`."""


def backward(
    adaptation: Adaptation, batch: Batch, *, autocast: AbstractContextManager[Any], manner: Manner | None = None
) -> Stepped:
    """Add the gradient of the batch's loss to the moving parameters, the same on all processes.

    `batch` has this process's rows. The loss's own parameters (temperature, bias, what the penalty holds) get their
    gradient on the writer alone before everything is added up.
    """
    manner = manner or Manner()
    team, keys = manner.team, batch if manner.team.world == 1 else batch.keys
    parts = _parts(len(batch), manner.micro_batch_size or len(batch))
    anchors = _anchors(adaptation, batch, parts, autocast) if manner.distillation else ()
    passes = [_Pass(embed, parts, adaptation) for embed in _embedders(adaptation, adaptation.towers, batch, autocast)]
    seen = [team.gather(own, len(keys)) for own in (*(one.forward() for one in passes), *anchors)]
    pictures, texts = (embeddings.requires_grad_() for embeddings in seen[:2])
    loss = batch_loss(adaptation, keys, pictures, texts)
    for near, anchor in zip((pictures, texts), seen[2:], strict=False):
        loss = loss + manner.distillation / 2 * distance(near, anchor)
    manner.scaled(loss).backward(inputs=None if team.is_writer else [pictures, texts])  # type: ignore[no-untyped-call]
    for one, embeddings in zip(passes, (pictures, texts), strict=True):
        assert embeddings.grad is not None
        one.backward(embeddings.grad[team.rows(len(keys))])
    team.sum_gradients(moving(adaptation.loaded.model).values())
    return Stepped(loss.item(), pictures.detach().float(), texts.detach().float())


def batch_loss(adaptation: Adaptation, keys: Any, pictures: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """The loss of a whole batch from its embeddings, a scalar in float32; `keys` has the `pictures` and `captions`."""
    belongs = positives(keys.pictures, keys.captions).to(pictures.device)
    loss = LOSSES[adaptation.loaded.family.loss](logits(adaptation.loaded.model, pictures, texts), belongs)
    return loss if adaptation.penalty is None else loss + adaptation.penalty()


def distance(embeddings: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Mean of 1 - cosine to the frozen base's embeddings of the same inputs (arXiv 2409.07582), a scalar in float32."""
    return (1 - functional.cosine_similarity(embeddings.float(), anchors.float(), dim=-1)).mean()


Embedder = Callable[[slice], torch.Tensor]


def _parts(rows: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, rows, max(1, size))]


def _embedders(
    adaptation: Adaptation, towers: Towers, batch: Batch, autocast: AbstractContextManager[Any]
) -> tuple[Embedder, Embedder]:
    """Both towers as functions of which rows.

    Each call enters autocast anew: it keeps the cast weights until it is left, and those cast without a graph would
    leave the second pass without a gradient.
    """
    device = _device(adaptation)

    def pictures(rows: slice) -> torch.Tensor:
        with autocast:
            return towers.pictures(_moved(batch.picture_inputs[rows], device))

    def texts(rows: slice) -> torch.Tensor:
        with autocast:
            return towers.texts({name: _moved(values[rows], device) for name, values in batch.text_inputs.items()})

    return pictures, texts


@torch.no_grad()
def _anchors(
    adaptation: Adaptation, batch: Batch, parts: list[slice], autocast: AbstractContextManager[Any]
) -> tuple[torch.Tensor, ...]:
    if adaptation.anchor is None:
        return ()
    return tuple(
        _joined([embed(rows) for rows in parts], adaptation)
        for embed in _embedders(adaptation, adaptation.anchor, batch, autocast)
    )


class _Pass:
    """One tower over this process's rows: forward for the embeddings, then backward with their gradient.

    With one part the graph of the first pass is kept; with several each part is embedded again, with the random
    generators as they were, so that dropout drops the same.
    """

    def __init__(self, embed: Embedder, parts: list[slice], adaptation: Adaptation):
        self._embed, self._parts, self._adaptation = embed, parts, adaptation
        self._generators: list[tuple[torch.Tensor, ...]] = []
        self._kept: torch.Tensor | None = None

    def forward(self) -> torch.Tensor:
        """(rows, dim) embeddings without a graph, in at least float32."""
        if len(self._parts) == 1:
            self._kept = self._embed(self._parts[0])
            return _joined([self._kept.detach()], self._adaptation)
        embeddings = []
        with torch.no_grad():
            for rows in self._parts:
                self._generators.append(generators(_device(self._adaptation)))
                embeddings.append(self._embed(rows))
        return _joined(embeddings, self._adaptation)

    def backward(self, gradient: torch.Tensor) -> None:
        """Add to the tower's parameters what `gradient` (rows, dim) of its embeddings gives them."""
        if self._kept is not None:
            _propagate(self._kept, gradient)
            return
        for rows, states in zip(self._parts, self._generators, strict=True):
            replay(states, _device(self._adaptation))
            _propagate(self._embed(rows), gradient[rows])


def _propagate(embeddings: torch.Tensor, gradient: torch.Tensor) -> None:
    if embeddings.requires_grad:  # else nothing of this tower moves
        torch.autograd.backward(embeddings, gradient.to(embeddings.dtype))


def _joined(parts: list[torch.Tensor], adaptation: Adaptation) -> torch.Tensor:
    if not parts:
        return torch.zeros(0, adaptation.loaded.dimension, device=_device(adaptation))
    whole = torch.cat(parts)
    return whole.to(torch.promote_types(whole.dtype, torch.float32))


def _moved(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """On the device; to a GPU while it is still at work on what came before."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def _device(adaptation: Adaptation) -> torch.device:
    device: torch.device = adaptation.loaded.model.get_parameter("logit_scale").device
    return device


def generators(device: torch.device) -> tuple[torch.Tensor, ...]:
    """The state of the random generators that a step on `device` draws from."""
    own = {"cuda": torch.cuda, "mps": torch.mps}.get(device.type)
    return (torch.get_rng_state(),) if own is None else (torch.get_rng_state(), own.get_rng_state())


def replay(states: tuple[torch.Tensor, ...], device: torch.device) -> None:
    """Put the generators back to `states`."""
    torch.set_rng_state(states[0])
    if len(states) > 1:
        {"cuda": torch.cuda, "mps": torch.mps}[device.type].set_rng_state(states[1])
