"""The picture tower while it learns: a start that knows about pictures, and a pass that may leave patches out.

A plain vision transformer learns slowly from few pictures; the start takes some of that away. The patch filters begin
as a whitening of real patches (as in Jordan, "94% on CIFAR-10 in 3.29 seconds", arXiv 2404.00498), the positions as
sines and cosines, the attention as in Trockman and Kolter, "Mimetic initialization" (arXiv 2305.09828).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel

from .shape import encode_states

MEAN, DEVIATION = (0.47, 0.45, 0.41), (0.27, 0.26, 0.28)  # of the training crops, per colour, of pixels in 0…1


def normalise(crops: Tensor) -> Tensor:
    """Turn uint8 crops (pictures, height, width, 3) into what the preprocessor makes, (pictures, 3, height, width)."""
    pixels = crops.permute(0, 3, 1, 2).float() / 255
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(DEVIATION).view(3, 1, 1)


@torch.no_grad()
def _whiten(model: CLIPModel, crops: Tensor) -> None:
    """Patch filters whose outputs over `crops` are uncorrelated, with the faintest directions held down."""
    filters = model.vision_model.embeddings.patch_embedding.weight
    side, width = filters.shape[-1], filters.shape[0]
    patches = functional.unfold(normalise(crops), side, stride=side).transpose(1, 2).flatten(0, 1)
    patches = patches - patches.mean(0)
    strength, direction = torch.linalg.eigh(patches.T @ patches / len(patches))
    strength, direction = strength.flip(0)[:width], direction.flip(1)[:, :width]
    rotation = torch.linalg.qr(torch.randn(width, width)).Q
    filters.copy_((rotation @ (direction / (strength.sqrt() + 0.05)).T * 0.5).view_as(filters))


@torch.no_grad()
def _place(model: CLIPModel) -> None:
    """Positions as sines and cosines of row and column (Vaswani et al., arXiv 1706.03762), in two dimensions."""
    table = model.vision_model.embeddings.position_embedding.weight  # (1 + patches, width); the first is the summary's
    side, quarter = round((len(table) - 1) ** 0.5), table.shape[1] // 4
    row, column = torch.meshgrid(torch.arange(float(side)), torch.arange(float(side)), indexing="ij")
    rate = 100 ** -(torch.arange(quarter) / quarter)
    waves = [wave(axis.flatten()[:, None] * rate) for axis in (row, column) for wave in (torch.sin, torch.cos)]
    table[1:] = 0.3 * torch.cat(waves, dim=1)
    table[0] = 0


def _split(width: int, diagonal: float, noise: float, rank: int) -> tuple[Tensor, Tensor]:
    """Two factors (rank, width) and (width, rank) whose product is near `diagonal` times the identity."""
    mixture = torch.randn(width, width) * noise / width**0.5 + diagonal * torch.eye(width)
    left, strength, right = torch.linalg.svd(mixture)
    root = strength[:rank].sqrt()
    return right[:rank] * root[:, None], left[:, :rank] * root


@torch.no_grad()
def _mimic(model: CLIPModel) -> None:
    """Attention to what is alike, and values that take the mean away, as trained transformers have."""
    for layer in model.vision_model.encoder.layers:
        attention = layer.self_attn
        width, rank = attention.embed_dim, attention.head_dim
        for head in range(attention.num_heads):
            rows = slice(head * rank, (head + 1) * rank)
            keys, queries = _split(width, 0.7, 0.7, rank)
            attention.k_proj.weight[rows], attention.q_proj.weight[rows] = keys, queries.T
        values, out = _split(width, -0.4, 0.4, width)
        attention.v_proj.weight.copy_(values)
        attention.out_proj.weight.copy_(out)


def initialise(model: CLIPModel, crops: Tensor) -> None:
    """Give the picture tower its start; `crops` are some hundreds of training pictures, uint8."""
    _whiten(model, crops)
    _place(model)
    _mimic(model)


def kept_patches(pictures: int, patches: int, kept: int) -> Tensor | None:
    """Which patches (pictures, kept) of each picture stay in, by chance; None where all do.

    Leaving out half of them nearly doubles the speed: Li et al., FLIP (arXiv 2212.00794).
    """
    return torch.rand(pictures, patches).topk(kept, dim=1).indices if kept < patches else None


def summaries(model: CLIPModel, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
    """The tower's summary (pictures, width) before the projection, from all patches or from those `kept`."""
    tower = model.vision_model
    table = tower.embeddings.position_embedding.weight
    patches = tower.embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2) + table[1:]
    if kept is not None:
        patches = patches.gather(1, kept[..., None].expand(-1, -1, patches.shape[2]))
    first = (tower.embeddings.class_embedding + table[0]).to(patches.dtype).expand(len(patches), 1, -1)
    states = tower.pre_layrnorm(torch.cat([first, patches], dim=1))
    pooled: Tensor = tower.post_layernorm(encode_states(tower.encoder, states, causal=False)[:, 0])
    return pooled


@torch.inference_mode()
def picture_embeddings(model: CLIPModel, crops: Tensor) -> Tensor:
    """Unit-length embeddings (pictures, 256) of uint8 crops, from all patches."""
    model.eval()
    parts = []
    for part in torch.split(crops, 250):
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(model.visual_projection(summaries(model, normalise(part))))
    model.train()
    return functional.normalize(torch.cat(parts).float(), dim=-1)
