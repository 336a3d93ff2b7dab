"""open_clip's training: its own epoch loop (`open_clip_train.train`) over a loader that waits for each turn.

The optimizer is grouped and made as its `main.py` does it, texts come from its own tokenizer, padded to the context.
"""

import json
import math
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from .worker import Task, Turns, load_material, open_torchvision, read_task

open_torchvision()
import open_clip  # noqa: E402 - needs torchvision
from open_clip_train.train import train_one_epoch  # noqa: E402
from transformers import CLIPConfig  # noqa: E402

MODULES = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
"""Of a block: transformers' names, open_clip's names."""


def convert(weights: dict[str, torch.Tensor], layers: dict[str, int]) -> dict[str, torch.Tensor]:
    """Weights under open_clip's names; q, k and v become one matrix, the projections are transposed."""
    visual, text = "vision_model.embeddings", "text_model.embeddings"
    made = {
        "logit_scale": weights["logit_scale"],
        "text_projection": weights["text_projection.weight"].T,
        "visual.proj": weights["visual_projection.weight"].T,
        "visual.class_embedding": weights[f"{visual}.class_embedding"],
        "visual.conv1.weight": weights[f"{visual}.patch_embedding.weight"],
        "visual.positional_embedding": weights[f"{visual}.position_embedding.weight"],
        "token_embedding.weight": weights[f"{text}.token_embedding.weight"],
        "positional_embedding": weights[f"{text}.position_embedding.weight"],
    }
    for kind in ("weight", "bias"):
        made[f"visual.ln_pre.{kind}"] = weights[f"vision_model.pre_layrnorm.{kind}"]
        made[f"visual.ln_post.{kind}"] = weights[f"vision_model.post_layernorm.{kind}"]
        made[f"ln_final.{kind}"] = weights[f"text_model.final_layer_norm.{kind}"]
        for tower, prefix in (("vision", "visual."), ("text", "")):
            for number in range(layers[tower]):
                old, new = f"{tower}_model.encoder.layers.{number}", f"{prefix}transformer.resblocks.{number}"
                parts = [weights[f"{old}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
                made[f"{new}.attn.in_proj_{kind}"] = torch.cat(parts)
                for theirs, ours in MODULES.items():
                    made[f"{new}.{ours}.{kind}"] = weights[f"{old}.{theirs}.{kind}"]
    return {name: tensor.contiguous() for name, tensor in made.items()}


def load(folder: Path) -> open_clip.CLIP:
    """The model of a folder in transformers' layout as open_clip's own class."""
    config = CLIPConfig(**json.loads((folder / "config.json").read_text()))
    vision, text = config.vision_config, config.text_config
    model = open_clip.CLIP(
        embed_dim=config.projection_dim,
        quick_gelu=True,
        output_dict=True,
        vision_cfg={
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            "width": vision.hidden_size,
            "layers": vision.num_hidden_layers,
            "head_width": vision.hidden_size // vision.num_attention_heads,
            "mlp_ratio": vision.intermediate_size / vision.hidden_size,
        },
        text_cfg={
            "context_length": text.max_position_embeddings,
            "vocab_size": text.vocab_size,
            "width": text.hidden_size,
            "heads": text.num_attention_heads,
            "layers": text.num_hidden_layers,
            "mlp_ratio": text.intermediate_size / text.hidden_size,
        },
    )
    layers = {"vision": vision.num_hidden_layers, "text": text.num_hidden_layers}
    weights = convert(load_file(folder / "model.safetensors"), layers)
    model.load_state_dict(weights)
    return model


def optimizer(model: torch.nn.Module, task: Task) -> torch.optim.Optimizer:
    """As `open_clip_train/main.py` makes it for `--opt adamw`."""
    plain, rest = list[torch.nn.Parameter](), list[torch.nn.Parameter]()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            gain = parameter.ndim < 2 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))
            (plain if gain else rest).append(parameter)
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": rest, "weight_decay": task.weight_decay}]
    return torch.optim.AdamW(groups, lr=task.learning_rate, betas=task.betas, eps=task.eps)


class Watched(open_clip.ClipLoss):  # type: ignore[misc]
    """Their loss, which remembers its value."""

    seen: torch.Tensor

    def forward(self, *arguments: Any, **options: Any) -> dict[str, torch.Tensor]:
        """Their loss, as it is."""
        losses: dict[str, torch.Tensor] = super().forward(*arguments, **options)
        self.seen = losses["contrastive_loss"].detach()
        return losses


class Loader:
    """One batch in memory, handed out at each turn; what lies between two batches is a step of their loop."""

    num_samples, num_batches = 10**9, 10**9

    def __init__(self, batch: tuple[torch.Tensor, torch.Tensor], turns: Turns, loss: Watched):
        self._batch, self._turns, self._loss, self.dataloader = batch, turns, loss, self

    def set_epoch(self, epoch: int) -> None:
        """Nothing to shuffle."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            self._turns.begin()
            yield self._batch
            self._turns.end(loss=self._loss.seen.item())


def main(task: Task, turns: Turns) -> None:
    """Their epoch, which never ends."""
    pixels, captions = load_material(task)
    model = load(Path(task.model)).to(task.device)
    if task.recipe == "blocks":
        model.lock_image_tower(unlocked_groups=task.blocks + 1)  # the projection is a group of its own
        model.lock_text_tower(unlocked_layers=task.blocks + 1)
    texts = open_clip.SimpleTokenizer(context_length=model.context_length)(captions)
    arguments = Namespace(
        device=task.device, precision="amp_bf16" if task.precision == "bf16" else "fp32", distill=False, accum_freq=1,
        skip_scheduler=True, horovod=False, grad_clip_norm=task.gradient_clip, rank=0, local_rank=0, world_size=1,
        log_every_n_steps=100, batch_size=task.batch_size, wandb=False,
    )  # fmt: skip
    loss = Watched()
    data = {"train": Loader((pixels, texts), turns, loss)}
    turns.ready(("torch", "open_clip_torch"), moving=sum(p.numel() for p in model.parameters() if p.requires_grad))
    assert math.isclose(model.logit_scale.exp().item(), 1 / 0.07, rel_tol=1e-3)
    train_one_epoch(model, data, loss, 0, optimizer(model, task), None, None, None, arguments)


if __name__ == "__main__":
    line = Turns()
    main(read_task(), line)
