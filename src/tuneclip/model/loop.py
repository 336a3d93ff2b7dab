"""The training loop: steps, validation, checkpoints. Deterministic given the seed, resumable after any step."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from tuneclip.errors import TuneclipError
from tuneclip.model import hyperparameters
from tuneclip.model.adapt import Adaptation
from tuneclip.model.batches import Batch
from tuneclip.model.checkpoint import Position, load_checkpoint, save_checkpoint, save_weights
from tuneclip.model.losses import MAX_LOGIT_SCALE
from tuneclip.model.plan import Plan
from tuneclip.model.step import backward
from tuneclip.progress import track
from tuneclip.project import METRICS, write_text

logger = logging.getLogger("tuneclip")
CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
CHECKPOINT_SHARE = 0.02
"""Writing checkpoints takes no more than about this share of the time, however large the model is."""

Validate = Callable[[], dict[str, float]]


class Loop:
    """One run in one folder. `validate` returns scores by name, of which `mean_recall` chooses the best epoch."""

    def __init__(self, adaptation: Adaptation, plan: Plan, folder: Path, validate: Validate):
        self.plan, self.folder = plan, folder
        self._config, self._validate = plan.config, validate
        self._device = torch.device(plan.device)
        self._adaptation, self._model = adaptation, adaptation.loaded.model
        self._optimizer = hyperparameters.optimizer(self._model, plan.config, plan.learning_rate)
        self.position = Position()
        self._rows: list[dict[str, Any]] = []
        self._saved_at, self._pause = time.monotonic(), plan.config.checkpoint_seconds

    def resume(self) -> bool:
        """Go to where the last checkpoint was written; False where there is none."""
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return False
        self.position = load_checkpoint(path, self._model, self._optimizer)
        done = self._step_number()
        lines = (
            (self.folder / METRICS).read_text(encoding="utf-8").splitlines()
            if (self.folder / METRICS).is_file()
            else []
        )
        self._rows = [row for row in map(_parsed, lines) if _belongs(row, done, self.position.epoch)]
        return True

    def run(self) -> None:
        """Train to the end or to the early stop; on Ctrl-C the checkpoint is written first."""
        started = time.monotonic() - self.position.seconds
        try:
            if not self.position.curve:
                self._finish_epoch(0, {})
            for epoch, batch in track(self._batches(), "training", self.plan.steps, completed=self._step_number()):
                self._step(batch)
                self.position.seconds = time.monotonic() - started
                if self.position.batch == self.plan.steps_per_epoch:
                    self._end_epoch(epoch)
                elif time.monotonic() - self._saved_at > self._pause:
                    self._save()
        except KeyboardInterrupt:
            self._save()
            raise

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        while self.position.epoch < self._config.num_epochs and not self._stopped_early():
            epoch = self.position.epoch + 1
            for batch in self._adaptation.batches.epoch(epoch, self.plan.batch_size, start=self.position.batch):
                yield epoch, batch

    def _stopped_early(self) -> bool:
        waited = self.position.epoch - self.position.best_epoch
        return self._config.early_stopping and waited >= self._config.early_stopping_epochs

    def _step_number(self) -> int:
        return self.position.epoch * self.plan.steps_per_epoch + self.position.batch

    def _step(self, batch: Batch) -> None:
        number = self._step_number()
        rate = hyperparameters.rate_at(
            number, self.plan.steps, peak=self.plan.learning_rate, warmup=self._config.warmup
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        stepped = backward(
            self._adaptation, batch, autocast=hyperparameters.autocast(self.plan.precision, self._device)
        )
        if not math.isfinite(stepped.loss):
            raise TuneclipError(
                f"the loss is {stepped.loss} at step {number + 1}",
                where=self.folder,
                hint="lower learning_rate in the config and train anew",
            )
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._config.gradient_clip)
        self._optimizer.step()
        scale = self._model.get_parameter("logit_scale")
        with torch.no_grad():
            scale.clamp_(max=math.log(MAX_LOGIT_SCALE))
        self.position.batch += 1
        self.position.epoch_losses.append(stepped.loss)
        self._note(
            {
                "kind": "step",
                "step": number + 1,
                "epoch": self.position.epoch + 1,
                "loss": stepped.loss,
                "learning_rate": rate,
                "temperature": scale.exp().item(),
                "gradient_norm": norm.item(),
                "chance": math.log(len(batch)),
            }
        )

    def _end_epoch(self, epoch: int) -> None:
        losses = self.position.epoch_losses
        self.position.epoch, self.position.batch, self.position.epoch_losses = epoch, 0, []
        self._finish_epoch(epoch, {"loss": sum(losses) / len(losses)})

    def _finish_epoch(self, epoch: int, row: dict[str, Any]) -> None:
        """Validate, keep the weights if they are the best so far, write the checkpoint; epoch 0 is the base."""
        self._model.eval()
        scores = self._validate()
        value = scores.get("mean_recall", float(epoch))
        self.position.curve.append(value)
        better = value > self.position.best_value
        if better:
            self.position.best_epoch, self.position.best_value = epoch, value
            save_weights(self.folder / BEST, self._model)
        row = {"kind": "epoch", "epoch": epoch, **row, **{f"validation_{k}": v for k, v in scores.items()}}
        self._note({**row, "best": better, "seconds": round(self.position.seconds, 2)})
        self._save()
        logger.info(_epoch_line(row, self._config.num_epochs, better=better))

    def _note(self, row: dict[str, Any]) -> None:
        self._rows.append(row)

    def _save(self) -> None:
        began = time.monotonic()
        write_text(self.folder / METRICS, "".join(json.dumps(row) + "\n" for row in self._rows))
        save_checkpoint(self.folder / CHECKPOINT, self._model, self._optimizer, self.position)
        self._saved_at = time.monotonic()
        self._pause = max(self._config.checkpoint_seconds, (self._saved_at - began) / CHECKPOINT_SHARE)


def _parsed(line: str) -> dict[str, Any]:
    """A line of the metrics; empty where a kill tore it."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return row if isinstance(row, dict) else {}


def _belongs(row: dict[str, Any], steps: int, epochs: int) -> bool:
    """Whether a row was written before the checkpoint; the others will be written again."""
    if row.get("kind") == "step":
        return bool(row["step"] <= steps)
    return bool(row) and bool(row["epoch"] <= epochs)


def _epoch_line(row: dict[str, Any], epochs: int, *, better: bool) -> str:
    parts = [f"epoch {row['epoch']}/{epochs}" if row["epoch"] else "before training"]
    parts += [f"loss {row['loss']:.4f}"] if "loss" in row else []
    shown = {"validation_t2i_recall@10": "text→picture recall@10", "validation_mean_recall": "mean recall"}
    parts += [f"{name} {row[key]:.1%}" for key, name in shown.items() if key in row]
    return " · ".join(parts) + (" · best so far" if better and row["epoch"] else "")
