"""tuneclip's own step: the plan, the recipe and the loop that `tuneclip train` runs."""

import tempfile
import time
from itertools import chain, count, repeat
from pathlib import Path

from tuneclip.data.load import open_dataset
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.adapt import adapt
from tuneclip.training.loop import Loop
from tuneclip.training.plan import make_plan

from .worker import Task, Turns, read_task

MANY_EPOCHS = 100_000
"""So many that the schedule's cosine stays at its peak while we look."""


def config(task: Task) -> TrainingConfig:
    """The task as a training config."""
    return TrainingConfig(
        recipe="blocks" if task.recipe == "blocks" else "full",
        batch_size=task.batch_size,
        micro_batch_size=task.micro_batch_size,
        blocks=task.blocks,
        views=1,
        num_epochs=MANY_EPOCHS,
        learning_rate=task.learning_rate,
        betas=task.betas,
        eps=task.eps,
        weight_decay=task.weight_decay,
        gradient_clip=task.gradient_clip,
        warmup=0.0,
        augment=False,
        interpolate=False,
        precision="bf16" if task.precision == "bf16" else "fp32",
    )


def main(task: Task, turns: Turns, folder: Path) -> None:
    """One step of the loop at each turn, on one batch in memory or on the next of the feed."""
    loaded, dataset = load_model(task.model), open_dataset(task.dataset)
    plan = make_plan(config(task), dataset, loaded)
    started = time.perf_counter()
    adaptation = adapt(loaded, dataset, plan)
    epochs = (adaptation.batches.epoch(epoch, plan.batch_size) for epoch in count(1))
    batches = chain.from_iterable(epochs) if task.feed else repeat(next(next(epochs)))
    loop = Loop(adaptation, plan, folder, dict)
    turns.ready(("torch", "transformers", "tuneclip"), prepared_seconds=time.perf_counter() - started)
    while True:
        turns.begin()
        loop._step(next(batches))
        turns.end(loss=loop.position.epoch_losses[-1])


if __name__ == "__main__":
    line = Turns()
    with tempfile.TemporaryDirectory() as place:
        main(read_task(), line, Path(place))
