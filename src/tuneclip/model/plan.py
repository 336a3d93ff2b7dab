"""What a run is to do, resolved: config, base and data come together, and nothing is left to be chosen."""

import dataclasses
import hashlib
import logging
from dataclasses import dataclass
from typing import Any

import torch

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.model import hyperparameters
from tuneclip.model.batches import batches_per_epoch
from tuneclip.model.encode import best_device
from tuneclip.model.open import Loaded, fingerprint
from tuneclip.project import METADATA
from tuneclip.settings import TrainingConfig

logger = logging.getLogger("tuneclip")


@dataclass(frozen=True)
class Plan:
    """What a run is to do, resolved: nothing in it is left to be chosen."""

    config: TrainingConfig
    records: int
    batch_size: int
    micro_batch_size: int
    """Pictures that pass through the towers at once; the gradient is the batch's all the same."""
    learning_rate: float
    precision: str
    device: str

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer updates in an epoch."""
        return batches_per_epoch(self.records, self.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer updates of the whole run, if it is not stopped early."""
        return self.config.num_epochs * self.steps_per_epoch


def make_plan(config: TrainingConfig, dataset: Dataset, loaded: Loaded) -> Plan:
    """The plan of training `loaded` on the train split of `dataset`.

    Raises TuneclipError for fewer than two pictures and for an `embeddings_size` that the model does not have.
    """
    records = len(dataset.split("train"))
    if records < 2:
        raise TuneclipError(
            f"{records} pictures to learn from", where=dataset.path, expected="at least 2 in the train split"
        )
    if config.embeddings_size not in (None, loaded.dimension):
        raise TuneclipError(
            f"embeddings_size is {config.embeddings_size}",
            where=loaded.name,
            expected=f"{loaded.dimension}, as this model has",
        )
    device = best_device()
    hyperparameters.choose_attention(loaded.model, device)
    size = hyperparameters.batch_size(config, records)
    plan = Plan(
        config,
        records,
        size,
        min(config.micro_batch_size or size, size),
        hyperparameters.learning_rate(config, loaded),
        hyperparameters.precision(config, torch.device(device)),
        device,
    )
    logger.info(
        "training %s on %d pictures, recipe %s: %d epochs of %d steps, batch %d, learning rate %g, %s on %s",
        loaded.name, records, config.recipe, config.num_epochs, plan.steps_per_epoch, size,
        plan.learning_rate, plan.precision, device,
    )  # fmt: skip
    return plan


def resolved(plan: Plan, dataset: Dataset, loaded: Loaded) -> dict[str, Any]:
    """All that decides the run's result, as plain JSON values."""
    values = dataclasses.asdict(plan.config)
    values |= {
        "batch_size": plan.batch_size,
        "micro_batch_size": plan.micro_batch_size,
        "learning_rate": plan.learning_rate,
        "precision": plan.precision,
    }
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return {
        "recipe": plan.config.recipe,
        "config": values,
        "device": plan.device,
        "dataset": {"name": dataset.name, "fingerprint": _dataset_fingerprint(dataset)},
        "base": {"name": loaded.name, "fingerprint": fingerprint(loaded.path)},
    }


def _dataset_fingerprint(dataset: Dataset) -> str:
    path = dataset.path / METADATA
    content = path.read_bytes() if path.is_file() else repr(dataset.records).encode()
    return hashlib.sha256(content).hexdigest()[:16]
