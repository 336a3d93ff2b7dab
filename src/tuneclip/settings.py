"""Every option of every verb, once. Import-light; the command line, the Python functions and the docs come from here.

Order of precedence: the default here < `tuneclip.toml` of the project < environment (`TUNECLIP_TRAIN_MODEL=…`) < flag.
"""

from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

Recipe = Literal["full"]


def argument(text: str, default: Any = MISSING) -> Any:
    """A positional argument of a verb."""
    return _described(text, "argument", default)


def option(text: str, default: Any = MISSING, *, letter: str | None = None) -> Any:
    """A `--flag` of a verb; without a default it must be given; `letter` adds a short form."""
    return _described(text, "option", default, letter)


def _described(text: str, kind: str, default: Any, letter: str | None = None) -> Any:
    metadata = {"help": text, "kind": kind, "letter": letter}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def described(settings: type) -> list[Field[Any]]:
    """The fields of a settings class in the order in which they are documented."""
    return list(fields(settings))


@dataclass(frozen=True)
class Demo:
    """Options of `tuneclip demo`."""

    folder: Path = argument("New folder that becomes the demo's project.", default=Path("tuneclip-demo"))
    finds: int = option("How many finds to draw.", default=1500)
    epochs: int = option("How many epochs to train.", default=4)
    seed: int = option("Seed of the drawings and of the training.", default=0)


@dataclass(frozen=True)
class Import:
    """Options of `tuneclip import`."""

    source: Path = argument("Folder or file: pictures with metadata.jsonl or CSV, a JSON list, Hugging Face parquet.")
    to: str = option("Name of the new dataset.")
    pictures: Path | None = option("Folder that the records' picture paths start from.", default=None)
    caption: tuple[str, ...] = option("Column(s) that hold captions; lists give several captions.", default=())
    template: tuple[str, ...] = option('Caption(s) made from fields, like "{material} {category}".', default=())
    id: str | None = option("Column that holds a unique id.", default=None)
    group: str | None = option("Column whose equal values must stay in one split.", default=None)
    records: str | None = option("Where the list of records lies in a JSON file, as a dotted path.", default=None)
    seed: int = option("Seed of the splits, where the source has none.", default=0)
    dry_run: bool = option("Show what was understood of the first records; write nothing.", default=False)


@dataclass(frozen=True)
class Train:
    """Options of `tuneclip train`."""

    dataset: str = argument("Dataset to learn from: its name or its folder.")
    model: str = option("Model to start from: `starter`, a model of the project, a folder, or a Hub id.")
    to: str = option("Name of the new model.")
    recipe: Recipe = option("What is trained: `full` moves every weight of both towers.", default="full")
    config: Path | None = option("Training config, JSON or TOML; `{}` keeps all defaults.", default=None)
    batch_size: int | None = option("Pictures in a step; wins over the config.", default=None)
    resume: bool = option("Go on with the interrupted run of this name.", default=False)


@dataclass(frozen=True)
class Compare:
    """Options of `tuneclip compare`."""

    dataset: str = argument("Dataset to measure on: its name or its folder.")
    models: tuple[str, ...] = option("Models to compare, the first is the one that the others are held against.")
    split: str | None = option("Split to measure on (default: test, else validation).", default=None)
    phrases: Path | None = option("File with one phrase a line; shown per model in the report.", default=None)
    report: Path | None = option("Where to write the HTML report.", default=None)
    seed: int = option("Seed of the bootstrap.", default=0)


@dataclass(frozen=True)
class Index:
    """Options of `tuneclip index`."""

    dataset: str = argument("Dataset whose pictures are embedded: its name or its folder.")
    model: str = option("Model that embeds them.")
    to: str | None = option("Name of the collection (default: the dataset's name).", default=None)
    store: str | None = option("Where the collection lives (default: the project's own database).", default=None)


@dataclass(frozen=True)
class Search:
    """Options of `tuneclip search`."""

    collection: str = argument("Collection to search.")
    text: str | None = argument("What to look for, in words.", default=None)
    picture: Path | None = option("A picture to look for instead of words.", default=None)
    k: int = option("How many hits.", default=10, letter="k")
    where: str | None = option(
        """Filter over metadata, like "category = 'coin' and period.start < -300".""", default=None
    )
    model: str | None = option("Model that must have made the collection (default: the one it names).", default=None)


@dataclass(frozen=True)
class Doctor:
    """Options of `tuneclip doctor`: none of its own."""


@dataclass(frozen=True)
class TrainingConfig:
    """The training config (JSON or TOML). A value of None means: what fits the base model."""

    model_name: str | None = option("Base model; `--model` wins.", default=None)
    embeddings_size: int | None = option("Checked against the model's embedding dimension.", default=None)
    batch_size: int | None = option("Pictures in a step.", default=None)
    num_epochs: int = option("Passes over the training pictures.", default=6)
    early_stopping: bool = option("Stop when validation recall no longer rises.", default=True)
    early_stopping_epochs: int = option("Epochs without a rise before stopping.", default=3)
    learning_rate: float | None = option("Peak learning rate.", default=None)
    betas: tuple[float, float] = option("AdamW's betas.", default=(0.9, 0.98))
    eps: float = option("AdamW's epsilon.", default=1e-6)
    weight_decay: float = option("AdamW's weight decay on matrices (gains and biases have none).", default=0.1)
    warmup: float = option("Share of the steps over which the learning rate rises.", default=0.1)
    gradient_clip: float = option("Largest norm of the gradient.", default=1.0)
    augment: bool = option("Vary the pictures on the fly.", default=True)
    precision: Literal["auto", "fp32", "bf16"] = option("Arithmetic of the step; weights stay fp32.", default="auto")
    seed: int = option("Seed of order, augmentation and dropout.", default=0)
    checkpoint_seconds: float = option("Time between two checkpoints within an epoch.", default=60.0)
