"""What a run is to do, resolved: config, base and data come together, and nothing is left to be chosen."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import best_device
from tuneclip.model.open import Loaded
from tuneclip.settings import TrainingConfig
from tuneclip.training import hyperparameters, rehearsal
from tuneclip.training.order import batches_per_epoch

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
    kept: Path | None = None
    """Folder for activations that are computed once and read again; None: one that goes with the process."""

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer updates in an epoch."""
        return batches_per_epoch(self.records, self.batch_size)

    @property
    def steps(self) -> int:
        """Optimizer updates of the whole run, if it is not stopped early."""
        return self.config.num_epochs * self.steps_per_epoch


def make_plan(config: TrainingConfig, dataset: Dataset, loaded: Loaded, *, kept: Path | None = None) -> Plan:
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
    size = hyperparameters.batch_size(config, records)
    plan = Plan(
        config,
        records,
        size,
        min(config.micro_batch_size or size, size),
        hyperparameters.learning_rate(config, loaded),
        hyperparameters.precision(config, torch.device(device)),
        device,
        kept,
    )
    if config.micro_batch_size is None:
        at_once = rehearsal.measured_micro_batch if config.batch_size == "auto" else rehearsal.guessed_micro_batch
        plan = dataclasses.replace(plan, micro_batch_size=at_once(plan, dataset, loaded))
    logger.info(
        "training %s on %d pictures, recipe %s: %d epochs of %d steps, batch %d, learning rate %g, %s on %s",
        loaded.name, records, config.recipe, config.num_epochs, plan.steps_per_epoch, size,
        plan.learning_rate, plan.precision, device,
    )  # fmt: skip
    return plan


def resolved(plan: Plan) -> dict[str, Any]:
    """All that was decided of the run, as plain JSON values; its `config` can be given again to `--config`."""
    decided = {
        "batch_size": plan.batch_size,
        "micro_batch_size": plan.micro_batch_size,
        "learning_rate": plan.learning_rate,
        "precision": plan.precision,
    }
    values = plain(dataclasses.replace(plan.config, **decided))  # type: ignore[arg-type]
    return {"recipe": plan.config.recipe, "config": values, "device": plan.device}


def plain(config: TrainingConfig) -> dict[str, Any]:
    """The config as JSON has it."""
    values = dataclasses.asdict(config)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
