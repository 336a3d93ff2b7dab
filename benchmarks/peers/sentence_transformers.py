"""sentence-transformers' training: its trainer with its symmetric in-batch loss, texts padded to the batch's longest.

Its loss has a fixed scale (20 by default); here it is the model's own temperature, so that the losses can be compared.
"""

import tempfile
from typing import Any

from .transformers import Take, arguments  # first: it makes torchvision importable
from .worker import Task, Turns, load_material, read_task

from datasets import Dataset  # isort: skip
from sentence_transformers import (  # isort: skip
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator  # isort: skip
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss  # isort: skip

EPOCH = 1000
"""Steps in an epoch of theirs."""


def batch_of(model: Any, task: Task) -> dict[str, Any]:
    """The material as their collator would hand it over: pictures prepared, texts tokenised by their model."""
    pixels, captions = load_material(task)
    columns = {"picture": {"pixel_values": pixels, "modality": "image"}, "text": model.preprocess(captions)}
    return {f"{column}_{key}": value for column, values in columns.items() for key, value in values.items()}


def main(task: Task, turns: Turns, folder: str) -> None:
    """Their training, which never ends."""
    model = SentenceTransformer(task.model, device=task.device)
    scale = model[0].auto_model.logit_scale.exp().item()
    directions = ("query_to_doc", "doc_to_query")
    loss = MultipleNegativesRankingLoss(model, scale=scale, directions=directions, partition_mode="per_direction")
    take, batch = Take(turns), batch_of(model, task)

    class Prepared(SentenceTransformerDataCollator):  # type: ignore[misc]
        """Their collator, which has done its work beforehand."""

        def __call__(self, features: Any) -> dict[str, Any]:
            """The one batch."""
            return dict(batch)

    class Watched(SentenceTransformerTrainer):  # type: ignore[misc]
        """Their trainer, which remembers the loss."""

        def compute_loss(self, *values: Any, **options: Any) -> Any:
            """Their loss, as it is."""
            value = super().compute_loss(*values, **options)
            take.loss = (value[0] if isinstance(value, tuple) else value).detach()
            return value

    rows = task.batch_size * EPOCH
    trainer = Watched(
        model=model,
        args=SentenceTransformerTrainingArguments(**arguments(task, folder)),
        train_dataset=Dataset.from_dict({"picture": ["a picture"] * rows, "text": ["a text"] * rows}),
        data_collator=Prepared(model.preprocess),
        loss=loss,
        callbacks=[take],
    )
    turns.ready(("torch", "transformers", "sentence-transformers"))
    trainer.train()


if __name__ == "__main__":
    line = Turns()
    with tempfile.TemporaryDirectory() as place:
        main(read_task(), line, place)
