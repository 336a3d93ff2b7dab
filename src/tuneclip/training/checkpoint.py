"""Where a run stands: weights, moments and position, in one safetensors file that is replaced whole."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from tuneclip.errors import TuneclipError
from tuneclip.project import write_bytes

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Position:
    """How far a run is; everything else of it follows from the seed."""

    epoch: int = 0
    """Epochs that are finished, validation included."""
    batch: int = 0
    """Batches done of the next epoch."""
    best_epoch: int = 0
    best_value: float = -1.0
    """Mean validation recall of the best epoch; epoch 0 is the base."""
    epoch_losses: list[float] = field(default_factory=list)
    """Losses of the batches done of the next epoch."""
    curve: list[float] = field(default_factory=list)
    """Mean validation recall of the base and of every finished epoch."""
    seconds: float = 0.0
    loss_scale: dict[str, float] = field(default_factory=dict)
    """State of the loss scaling, with fp16."""


def save_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, position: Position) -> None:
    """Replace the checkpoint at `path`; a kill leaves the old one or the new one."""
    tensors: dict[str, torch.Tensor] = {f"weight/{name}": weight for name, weight in moving(model).items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"moment/{number}/{key}": state[key] for key in MOMENTS}
    write_bytes(path, save(_copies(tensors), metadata={"position": json.dumps(asdict(position))}))


def load_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Position:
    """Put model and optimizer back to where `path` was written; raises TuneclipError when it is torn."""
    try:
        with safe_open(path, framework="pt") as file:
            position = Position(**json.loads(file.metadata()["position"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise TuneclipError(
            f"the checkpoint cannot be read: {error}", where=path, hint="remove it and train anew"
        ) from error
    _put(model, {name.removeprefix("weight/"): t for name, t in tensors.items() if name.startswith("weight/")})
    states: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("moment/"):
            _, number, key = name.split("/")
            states.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    return position


def moving(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that training changes, by name: what a checkpoint has to hold."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save_weights(path: Path, model: torch.nn.Module) -> None:
    """Replace the moving weights at `path`."""
    write_bytes(path, save(_copies(moving(model))))


def load_weights(path: Path, model: torch.nn.Module) -> None:
    """Put the moving weights at `path` into the model."""
    from safetensors.torch import load_file

    _put(model, load_file(path))


def _copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors as safetensors takes them: on the CPU, contiguous, none sharing memory with another."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _put(model: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    own = moving(model)
    if own.keys() != weights.keys():
        raise TuneclipError("the saved weights are of another recipe", hint="remove the run's folder and train anew")
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(weights[name])
