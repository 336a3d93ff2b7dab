"""transformers' training: its contrastive example (`run_clip.py`), that is its Trainer, texts padded to the context."""

import tempfile
from typing import Any

import torch
from torch.utils.data import IterableDataset

from .worker import Task, Turns, load_material, open_torchvision, read_task

open_torchvision()
from transformers import (  # noqa: E402 - needs torchvision
    AutoTokenizer,
    CLIPModel,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

MANY_STEPS = 10**7


class Endless(IterableDataset[dict[str, Any]]):
    """One batch in memory, over and over."""

    def __init__(self, batch: dict[str, Any]):
        self._batch = batch

    def __iter__(self) -> Any:
        while True:
            yield self._batch


class Take(TrainerCallback):  # type: ignore[misc]
    """Waits for a turn before each step of their loop and answers after it."""

    def __init__(self, turns: Turns):
        self.turns, self.loss = turns, torch.zeros(())

    def on_step_begin(self, *arguments: Any, **options: Any) -> None:
        """Their loop has the batch and is about to work on it."""
        self.turns.begin()

    def on_step_end(self, *arguments: Any, **options: Any) -> None:
        """The weights are updated."""
        self.turns.end(loss=self.loss.item())


def arguments(task: Task, folder: str) -> dict[str, Any]:
    """Their training arguments: the task's, and their defaults."""
    return {
        "output_dir": folder,
        "use_cpu": task.device == "cpu",
        "max_steps": MANY_STEPS,
        "per_device_train_batch_size": task.batch_size,
        "learning_rate": task.learning_rate,
        "lr_scheduler_type": "constant",
        "adam_beta1": task.betas[0],
        "adam_beta2": task.betas[1],
        "adam_epsilon": task.eps,
        "weight_decay": task.weight_decay,
        "max_grad_norm": task.gradient_clip,
        "bf16": task.precision == "bf16",
        "remove_unused_columns": False,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def main(task: Task, turns: Turns, folder: str) -> None:
    """Their training, which never ends."""
    pixels, captions = load_material(task)
    model, tokenizer = CLIPModel.from_pretrained(task.model), AutoTokenizer.from_pretrained(task.model)
    texts = tokenizer(captions, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    batch = {"pixel_values": pixels, **texts, "return_loss": True}
    take = Take(turns)

    class Watched(Trainer):  # type: ignore[misc]
        """Their Trainer, which remembers the loss."""

        def compute_loss(self, *values: Any, **options: Any) -> Any:
            """Their loss, as it is."""
            loss = super().compute_loss(*values, **options)
            take.loss = (loss[0] if isinstance(loss, tuple) else loss).detach()
            return loss

    trainer = Watched(
        model=model,
        args=TrainingArguments(**arguments(task, folder)),
        train_dataset=Endless(batch),
        data_collator=lambda rows: rows[0],
        callbacks=[take],
    )
    turns.ready(("torch", "transformers", "accelerate"))
    trainer.train()


if __name__ == "__main__":
    line = Turns()
    with tempfile.TemporaryDirectory() as place:
        main(read_task(), line, place)
