"""The training loop: steps, validation, checkpoints. Deterministic given the seed, resumable after any step."""

import json
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import METRICS, write_text
from tuneclip.training import hyperparameters, symptoms
from tuneclip.training.adapt import Adaptation, at_rest
from tuneclip.training.batches import Batch
from tuneclip.training.checkpoint import Position, load_checkpoint, moving, save_checkpoint, save_weights
from tuneclip.training.losses import MAX_LOGIT_SCALE
from tuneclip.training.mine import Miner
from tuneclip.training.order import Indices
from tuneclip.training.plan import Plan
from tuneclip.training.processes import ALONE, Team
from tuneclip.training.step import Manner, backward
from tuneclip.training.watch import Watch, broken

logger = logging.getLogger("tuneclip")
CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
CHECKPOINT_SHARE = 0.02
"""Writing checkpoints takes no more than about this share of the time, however large the model is."""

MAX_SKIPPED = 25
"""Steps in a row that fp16 may pass over: each halves the loss scale, which starts at 2^16 and is below 1 by then."""

Validate = Callable[[], dict[str, float]]


class Loop:
    """One run in one folder. `validate` returns scores by name, of which `mean_recall` chooses the best epoch.

    Of several processes each runs the same loop on its share of the rows, and all decide alike; one of them writes.
    """

    def __init__(self, adaptation: Adaptation, plan: Plan, folder: Path, validate: Validate, *, team: Team = ALONE):
        if plan.records // plan.steps_per_epoch < team.world:
            raise TuneclipError(
                f"a batch of {plan.records // plan.steps_per_epoch} for {team.world} processes",
                expected="at least one picture for each",
                hint="raise batch_size in the config, or start fewer processes",
            )
        self.plan, self.folder = plan, folder
        self._config, self._validate, self._team = plan.config, validate, team
        self._device = torch.device(plan.device)
        self._adaptation, self._model = adaptation, adaptation.loaded.model
        self._optimizer = hyperparameters.optimizer(self._model, plan.config, plan.learning_rate)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=plan.precision == "fp16")
        sharing = 1 if self._device.type == "cuda" else team.world  # of one memory
        at_once = -(-plan.micro_batch_size // sharing)
        self._manner = Manner(at_once, plan.config.distillation, team, self._scaler.scale)
        self.position = Position()
        self._rows: list[dict[str, Any]] = []
        self.watch = Watch()
        mines = plan.config.hard_negatives and team.is_writer
        self._miner = Miner(folder, records=plan.records, seed=plan.config.seed) if mines else None
        self._saved_at, self._pause = time.monotonic(), plan.config.checkpoint_seconds

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The metrics so far; what a diagnosis judges by."""
        return self._rows

    def resume(self) -> bool:
        """Go to where the last checkpoint was written; False where there is none."""
        path, metrics = self.folder / CHECKPOINT, self.folder / METRICS
        if not path.is_file():
            return False
        self.position = load_checkpoint(path, self._model, self._optimizer)
        self._scaler.load_state_dict(self.position.loss_scale)
        lines = metrics.read_text(encoding="utf-8").splitlines() if metrics.is_file() else []
        done = self._step_number()
        self._rows = [row for row in map(_parsed, lines) if _belongs(row, done, self.position.epoch)]
        self.watch.resumed(self._rows)
        return True

    def run(self) -> None:
        """Train to the end or to the early stop; on Ctrl-C the step is finished and the checkpoint written first."""
        started = time.monotonic() - self.position.seconds
        self._team.begin_alike(moving(self._model).values())
        with patient() as stop_asked:
            if not self.position.curve:
                self._rows += self.watch.opening
                self._finish_epoch(0, {})
            for epoch, batch in track(self._batches(), "training", self.plan.steps, completed=self._step_number()):
                self._step(batch)
                self.position.seconds = time.monotonic() - started
                if self.position.batch == self.plan.steps_per_epoch:
                    self._end_epoch(epoch)
                elif time.monotonic() - self._saved_at > self._pause:
                    self._save()
                if self._team.any(stop_asked()):
                    self._save()
                    raise KeyboardInterrupt
        self._team.wait()
        self.watch.ended()

    def _batches(self) -> Iterator[tuple[int, Batch]]:
        while self.position.epoch < self._config.num_epochs and not self._stopped_early():
            epoch, start = self.position.epoch + 1, self.position.batch
            alike = self._alike(epoch)
            try:
                for batch in self._adaptation.batches.epoch(
                    epoch, self.plan.batch_size, start=start, share=self._team.share, alike=alike
                ):
                    yield epoch, batch
            except TuneclipError:  # of a picture; the steps before it stay done
                self._save()
                raise

    def _alike(self, epoch: int) -> Indices | None:
        """What looks alike to the model of now, where hard negatives are wanted; the same for all processes."""
        if not self._config.hard_negatives:
            return None
        miner, order = self._miner, self._adaptation.batches.order
        return self._team.on_writer(lambda: miner.alike(epoch, order.apart(epoch)) if miner else None)

    def _stopped_early(self) -> bool:
        waited = self.position.epoch - self.position.best_epoch
        return self._config.early_stopping and waited >= self._config.early_stopping_epochs

    def _step_number(self) -> int:
        return self.position.epoch * self.plan.steps_per_epoch + self.position.batch

    def _step(self, batch: Batch) -> None:
        """One update. Its random numbers follow from the seed and the step, so no generator has to be remembered."""
        number = self._step_number()
        rate = hyperparameters.rate_at(
            number, self.plan.steps, peak=self.plan.learning_rate, warmup=self._config.warmup
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(int(np.random.default_rng((self._config.seed, number, self._team.rank)).integers(2**63)))
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        autocast = hyperparameters.autocast(self.plan.precision, self._device)
        stepped = backward(self._adaptation, batch, autocast=autocast, manner=self._manner)
        if self._miner is not None and batch.numbers is not None:
            self._miner.note(batch.numbers, stepped.pictures, stepped.texts)
        closely = symptoms.due(number, self.plan.steps_per_epoch)
        before = symptoms.watch(self._model) if closely else None
        norm, temperature = self._update()
        if number == 1:  # at the very first, additions of low rank have half a gradient
            self._tell_at_rest()
        row = {"step": number + 1, "epoch": self.position.epoch + 1, "loss": stepped.loss, "learning_rate": rate}
        row |= {"temperature": temperature, "gradient_norm": norm}
        kind = self._adaptation.loaded.family.loss
        row |= symptoms.symptoms(batch.keys, stepped, loss=kind, model=self._model, before=before)
        self.position.batch += 1
        if math.isfinite(stepped.loss) and math.isfinite(norm):
            self.position.epoch_losses.append(stepped.loss)
            self._note({"kind": "step", **row})
        else:
            self._skipped(row)

    def _tell_at_rest(self) -> None:
        still = at_rest(self._model)
        if still and self._team.rank == 0:
            shown = ", ".join(still[:3])
            logger.warning("%d weights should move and have no gradient (%s …)", len(still), shown)

    def _update(self) -> tuple[float, float]:
        """Move the weights by the gradient, clipped; returns the gradient's norm before that, and the temperature.

        With fp16 nothing moves where the gradient is not finite (`torch.amp.GradScaler`).
        """
        self._scaler.unscale_(self._optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._config.gradient_clip)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        scale = self._model.get_parameter("logit_scale")
        with torch.no_grad():
            scale.clamp_(max=math.log(MAX_LOGIT_SCALE))
            # read together: each reading waits for the GPU
            norm_value, temperature = torch.stack([norm.float(), scale.exp().float().reshape(())]).tolist()
        return norm_value, temperature

    def _skipped(self, row: dict[str, Any]) -> None:
        """A step whose loss or gradient is not finite: with fp16 it is passed over, unless they all are."""
        what = "gradient" if math.isfinite(row["loss"]) else "loss"
        self._note({"kind": "skipped", "step": row["step"], "epoch": row["epoch"], "reason": what})
        kinds = [earlier["kind"] for earlier in self._rows if "step" in earlier][-MAX_SKIPPED:]
        if self._scaler.is_enabled() and kinds != ["skipped"] * MAX_SKIPPED:
            return
        value = row["loss"] if what == "loss" else row["gradient_norm"]
        raise broken(self._rows, f"the {what} is {value} at step {row['step']}", where=self.folder)

    def _end_epoch(self, epoch: int) -> None:
        losses = self.position.epoch_losses
        self.position.epoch, self.position.batch, self.position.epoch_losses = epoch, 0, []
        self._finish_epoch(epoch, {"loss": sum(losses) / len(losses)} if losses else {})

    def _finish_epoch(self, epoch: int, row: dict[str, Any]) -> None:
        """Validate, keep the weights if they are the best so far, write the checkpoint; epoch 0 is the base."""
        self._model.eval()
        scores = self._validate()
        value = scores.get("mean_recall", float(epoch))
        self.position.curve.append(value)
        better = value > self.position.best_value
        if better:
            self.position.best_epoch, self.position.best_value = epoch, value
            if self._team.is_writer:
                save_weights(self.folder / BEST, self._model)
        row = {"kind": "epoch", "epoch": epoch, **row, **{f"validation_{k}": v for k, v in scores.items()}}
        self._note({**row, "best": better, "seconds": round(self.position.seconds, 2)})
        self._save()
        logger.info(_epoch_line(row, self._config.num_epochs, better=better))

    def _note(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self.watch.noted(self._rows)

    def _save(self) -> None:
        began = time.monotonic()
        if not self._team.is_writer:
            return
        self.position.loss_scale = self._scaler.state_dict()
        write_text(self.folder / METRICS, "".join(json.dumps(row) + "\n" for row in self._rows))
        if self._miner is not None:
            self._miner.save()
        save_checkpoint(self.folder / CHECKPOINT, self._model, self._optimizer, self.position)
        self.watch.saved(self._rows)
        self._saved_at = time.monotonic()
        self._pause = max(self._config.checkpoint_seconds, (self._saved_at - began) / CHECKPOINT_SHARE)


@contextmanager
def patient() -> Iterator[Callable[[], bool]]:
    """Ctrl-C in the block only sets what is yielded, so that no step is torn; a second one does not wait.

    Other threads than the main one get no signals, and there nothing changes.
    """
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            signal.default_int_handler(number, frame)
        asked.append(number)
        logger.info("stopping as soon as this step is done; Ctrl-C again does not wait")

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _parsed(line: str) -> dict[str, Any]:
    """A line of the metrics; empty where a kill tore it."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return row if isinstance(row, dict) else {}


def _belongs(row: dict[str, Any], steps: int, epochs: int) -> bool:
    """Whether a row was written before the checkpoint; the others will be written again."""
    if "step" in row:
        return bool(row["step"] <= steps)
    return bool(row) and bool(row["epoch"] <= epochs)


def _epoch_line(row: dict[str, Any], epochs: int, *, better: bool) -> str:
    parts = [f"epoch {row['epoch']}/{epochs}" if row["epoch"] else "before training"]
    parts += [f"loss {row['loss']:.4f}"] if "loss" in row else []
    shown = {"validation_t2i_recall@10": "text→picture recall@10", "validation_mean_recall": "mean recall"}
    parts += [f"{name} {row[key]:.1%}" for key, name in shown.items() if key in row]
    return " · ".join(parts) + (" · best so far" if better and row["epoch"] else "")
