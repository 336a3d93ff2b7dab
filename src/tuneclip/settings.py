"""Every option of every verb, once. Import-light; the command line, the Python functions and the docs come from here.

Order of precedence: the default here < `tuneclip.toml` of the project < environment (`TUNECLIP_TRAIN_MODEL=…`) < flag.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

Recipe = Literal["full", "lora", "blocks", "head", "auto"]
BatchSize = int | Literal["auto"]
Engine = Literal["openai", "bedrock", "local"]
Format = Literal["hf", "sentence-transformers", "onnx"]
Tracker = Literal["tensorboard", "wandb", "mlflow", "trackio"]
T = TypeVar("T")


def argument(text: str, default: Any = MISSING) -> Any:
    """A positional argument of a verb."""
    return _described(text, "argument", default)


def option(text: str, default: Any = MISSING, *, letter: str | None = None) -> Any:
    """A `--flag` of a verb; without a default it must be given; `letter` adds a short form."""
    return _described(text, "option", default, letter)


def _described(text: str, kind: str, default: Any, letter: str | None = None) -> Any:
    metadata = {"help": text, "kind": kind, "letter": letter}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def from_python(kind: type[T], *arguments: Any, **options: Any) -> T:
    """The settings of class `kind` as a Python caller gives them: text for a path, one text or a list for several."""
    given = kind(*arguments, **options)
    hints = get_type_hints(kind)
    fitting: dict[str, Any] = {}
    for known in fields(given):  # type: ignore[arg-type]
        value, hint = getattr(given, known.name), hints[known.name]
        if get_origin(hint) is tuple:
            several = _as_texts(value) if isinstance(value, Mapping) else value
            fitting[known.name] = (several,) if isinstance(several, str | Path) else tuple(several or ())
        elif value is not None and Path in (hint, *get_args(hint)):
            fitting[known.name] = Path(value)
    return replace(given, **fitting)  # type: ignore[type-var]


def _as_texts(named: Mapping[str, Any]) -> list[str]:
    """Names with values as they stand on the command line: `name=value`, a table as JSON."""
    return [f"{name}={json.dumps(value) if isinstance(value, Mapping) else value}" for name, value in named.items()]


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
    url: str | None = option("Column with links to the pictures, for records whose file is not here.", default=None)
    records: str | None = option("Where the list of records lies in a JSON file, as a dotted path.", default=None)
    seed: int = option("Seed of the splits, where the source has none.", default=0)
    dry_run: bool = option("Show what was understood of the first records; write nothing.", default=False)


@dataclass(frozen=True)
class Sample:
    """Options of `tuneclip sample`."""

    dataset: str = argument("Dataset to take from: its name or its folder.")
    to: str = option("Name of the new dataset.")
    margin: float | None = option("Margin of error, a share like 0.025; says how many are enough.", default=None)
    size: int | None = option("How many records, instead of a margin.", default=None)
    by: str | None = option("Column whose values keep their shares, like `object.material`.", default=None)
    diverse: bool = option("Records that differ as much as can be, by their embeddings.", default=False)
    model: str | None = option("Model whose embeddings `--diverse` looks at (default: starter).", default=None)
    seed: int = option("Seed of the draw.", default=0)


@dataclass(frozen=True)
class Augment:
    """Options of `tuneclip augment`."""

    dataset: str = argument("Dataset whose training pictures are varied: its name or its folder.")
    copies: int = option("How many varied copies each training picture gets.")
    to: str | None = option("Name of the new dataset; without it only the preview is drawn.", default=None)
    preview: Path | None = option("Where to draw a contact sheet of a few pictures with their copies.", default=None)
    seed: int = option("Seed of the variations.", default=0)


@dataclass(frozen=True)
class Caption:
    """Options of `tuneclip caption`."""

    dataset: str = argument("Dataset to caption: its name or its folder.")
    template: tuple[str, ...] = option('Caption(s) made from fields, like "{material} {category}".', default=())
    lines: bool = option("One caption that has all fields as lines.", default=False)
    keep: bool = option("Keep the captions that there are, behind the new ones.", default=False)
    to: str | None = option("Name of a new dataset (default: the captions are changed in place).", default=None)
    model: str = option("Model whose tokens are counted.", default="starter")
    engine: Engine | None = option("Captions by a multimodal model: who asks it.", default=None)
    prompt: str | None = option("What the model is asked; may name fields (default: one sentence).", default=None)
    engine_model: str | None = option("The multimodal model (default: OPENAI_MODEL, BEDROCK_MODEL).", default=None)
    limit: int | None = option("Ask for the first so many records only.", default=None)
    max_side: int = option("Pictures are sent with this longer side at most, in pixels.", default=768)
    max_tokens: int = option("Longest answer, in the model's tokens.", default=300)
    yes: bool = option("Do not ask before the model is asked.", default=False)
    connections: int = option("openai: how many pictures are asked for at once.", default=8)
    retries: int = option("openai: how often to try a picture again in this run.", default=6)
    wait_seconds: float = option("openai: wait before the first retry; each further one doubles it.", default=1.0)
    timeout_seconds: float = option("openai: wait for one answer.", default=120.0)
    submit: bool = option("bedrock: write the requests, upload them and start the job; no more.", default=False)
    poll: bool = option("bedrock: say how the jobs stand; no more.", default=False)
    collect: bool = option("bedrock: fetch the answers of finished jobs and caption the dataset.", default=False)
    s3: str | None = option("bedrock: where requests and answers lie, s3://BUCKET/PREFIX.", default=None)
    role: str | None = option("bedrock: ARN of the role that jobs run as (default: BEDROCK_ROLE_ARN).", default=None)
    part_records: int = option("bedrock: most pictures of one job.", default=50_000)
    part_megabytes: float = option("bedrock: largest file of requests.", default=900.0)
    poll_seconds: float = option("bedrock: pause between two looks at a job.", default=30.0)


@dataclass(frozen=True)
class Check:
    """Options of `tuneclip check`."""

    dataset: str = argument("Dataset to look through: its name or its folder.")
    model: str = option("Model that the captions must fit.", default="starter")
    report: Path | None = option("Where to write an HTML page that shows each finding.", default=None)
    fix: bool = option("Make a new dataset without what can safely be left out; needs --to.", default=False)
    to: str | None = option("Name of the new dataset.", default=None)


@dataclass(frozen=True)
class Download:
    """Options of `tuneclip download`."""

    dataset: str = argument("Dataset whose records name pictures by link: its name or its folder.")
    connections: int = option("How many pictures to fetch at once from one host.", default=4)
    retries: int = option("How often to try a picture again in this run.", default=4)
    wait_seconds: float = option("Wait before the first retry; each further one doubles it.", default=1.0)
    max_megabytes: float = option("Largest picture to take.", default=50.0)
    max_seconds: float = option("Longest time for one picture.", default=300.0)
    allow_private: bool = option("Fetch from private and local addresses too.", default=False)


@dataclass(frozen=True)
class Train:
    """Options of `tuneclip train`."""

    dataset: str = argument("Dataset to learn from: its name or its folder.")
    to: str = option("Name of the new model.")
    model: str | None = option(
        "Model to start from: `starter`, a model of the project, a folder, or a Hub id (default: the config's).",
        default=None,
    )
    recipe: Recipe | None = option("What moves; `auto` tries them on your data; wins over the config.", default=None)
    config: Path | None = option("Training config, JSON or TOML; `{}` keeps all defaults.", default=None)
    batch_size: BatchSize | None = option("Pictures in a step, or `auto`; wins over the config.", default=None)
    resume: bool = option("Go on with the interrupted run of this name.", default=False)


@dataclass(frozen=True)
class Estimate:
    """Options of `tuneclip estimate`."""

    dataset: str = argument("Dataset to learn from: its name or its folder.")
    model: str | None = option(
        "Model to start from: `starter`, a model of the project, a folder, or a Hub id (default: the config's).",
        default=None,
    )
    recipe: Recipe | None = option("What moves; wins over the config.", default=None)
    config: Path | None = option("Training config, JSON or TOML; `{}` keeps all defaults.", default=None)
    batch_size: BatchSize | None = option("Pictures in a step, or `auto`; wins over the config.", default=None)


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
class Export:
    """Options of `tuneclip export`."""

    model: str = argument("Model to export: `starter`, a model of the project, a folder, or a Hub id.")
    to: Path = option("New folder of the export.")
    format: Format = option("Library that is to open it.")
    push: str | None = option(
        "Repository of the Hub (`owner/name`) to upload it to; the token is HF_TOKEN's.", default=None
    )


@dataclass(frozen=True)
class Index:
    """Options of `tuneclip index`."""

    dataset: str = argument("Dataset whose pictures are embedded: its name or its folder.")
    model: str = option("Model that embeds them.")
    to: str | None = option("Name of the collection (default: the dataset's name).", default=None)
    store: str | None = option("Where the collection lives (default: the project's own database).", default=None)
    texts: bool = option("Embed the captions too, into a collection of their own, COLLECTION-texts.", default=False)


@dataclass(frozen=True)
class Reindex:
    """Options of `tuneclip reindex`."""

    collection: str = argument("Collection to move to another store, or to embed by another model.")
    to_store: str | None = option("Store that it moves to: a folder or a URI.", default=None)
    model: str | None = option("Model that embeds it anew, from its dataset.", default=None)
    to: str | None = option("Name of the result (default: it takes the old one's place).", default=None)
    remove_old: bool = option("Delete the older versions that earlier runs and this one leave.", default=False)


@dataclass(frozen=True)
class Forget:
    """Options of `tuneclip forget`."""

    collection: str = argument("Collection to delete for good, seen marks included; the dataset stays.")


@dataclass(frozen=True)
class Search:
    """Options of `tuneclip search`."""

    collection: str = argument("Collection to search.")
    text: str | None = argument("What to look for, in words.", default=None)
    picture: tuple[Path, ...] = option("Picture(s) to look for; `photo.jpg^0.5` counts half.", default=())
    plus: tuple[str, ...] = option("Further words to look for; `snow^0.5` counts half.", default=())
    minus: tuple[str, ...] = option("Words for what it shall not be; counts half, `red^1` fully.", default=())
    like: tuple[str, ...] = option("Id(s) of pictures in the collection to find more of.", default=())
    vector: tuple[Path, ...] = option(
        "File(s) with a vector of the collection's model: .npy, or a list in JSON.", default=()
    )
    words: str | None = option("Words that captions or metadata should have; joins full text in.", default=None)
    k: int = option("How many hits.", default=10, letter="k")
    where: str | None = option(
        """Filter over metadata, like "category = 'coin' and period.start < -300".""", default=None
    )
    html: Path | None = option("Where to write a page that shows the pictures found.", default=None)
    model: str | None = option("Model that must have made the collection (default: the one it names).", default=None)


@dataclass(frozen=True)
class Map:
    """Options of `tuneclip map`."""

    collection: str = argument("Collection to draw as a map, with its duplicates and outliers.")
    where: str | None = option("Filter over metadata, as `search` has it; the map is of these pictures.", default=None)
    size: int = option("Most points of the map; of a larger collection a random part is drawn.", default=100_000)
    duplicates: float | None = option(
        "Cosine from which pictures are duplicates (default: from the cosines of random pairs).", default=None
    )
    outliers: int = option("How many outliers to list.", default=20)
    html: Path | None = option("Where to write a page with the map and the pictures listed.", default=None)
    seed: int = option("Seed of the map.", default=0)


@dataclass(frozen=True)
class Serve:
    """Options of `tuneclip serve`."""

    port: int = option("Port to listen on; 0 takes a free one.", default=8863)  # TUNE on a telephone's keys
    host: str = option("Address to listen on; any but this machine's own needs a token.", default="127.0.0.1")
    open: bool = option("Open the page in a browser, where a person sits at the terminal.", default=True)
    token: str | None = option(
        "Token that every request must show (default: none on this machine's own address, else made and told once).",
        default=None,
    )


@dataclass(frozen=True)
class Label:
    """Options of `tuneclip label`."""

    collection: str = argument("Collection whose pictures are rated.")
    prompt: str = argument("What the classifier is to find, in words; the first pictures are those nearest to it.")
    to: str | None = option("Name of the classifier (default: made from the prompt).", default=None)
    port: int = option("Port to listen on; 0 takes a free one.", default=0)
    host: str = option("Address to listen on; any but this machine's own needs a token.", default="127.0.0.1")
    open: bool = option("Open the page in a browser, where a person sits at the terminal.", default=True)
    token: str | None = option(
        "Token that every request must show (default: none on this machine's own address, else made and told once).",
        default=None,
    )


@dataclass(frozen=True)
class Run:
    """Options of `tuneclip run`."""

    pipeline: str = argument("Pipeline: a TOML file, or one that comes along.", default="train-and-embed.toml")
    set: tuple[str, ...] = option("A variable's value for this run, as name=value.", default=())


@dataclass(frozen=True)
class Models:
    """Options of `tuneclip models`: none of its own."""


@dataclass(frozen=True)
class Rollback:
    """Options of `tuneclip rollback`."""

    to: str | None = option("Model that becomes the newest (default: the one before).", default=None)


@dataclass(frozen=True)
class Classify:
    """Options of `tuneclip classify`."""

    classifier: str = argument("Classifier: its name or its file.")
    pictures: tuple[str, ...] = argument("Pictures, or folders of them.", default=())
    collection: str | None = option("Collection to classify instead; nothing needs to be embedded.", default=None)
    dataset: str | None = option("Dataset to classify instead.", default=None)
    texts: Path | None = option("File of texts to classify instead, one a line.", default=None)
    threshold: float | None = option("Score that makes a positive (default: the classifier's own).", default=None)
    k: int = option("How many lines the table has; `--json` has all.", default=20, letter="k")


@dataclass(frozen=True)
class Doctor:
    """Options of `tuneclip doctor`: none of its own."""


@dataclass(frozen=True)
class TrainingConfig:
    """The training config (JSON or TOML). A value of None means: what fits the base model."""

    model_name: str | None = option("Base model; `--model` wins.", default=None)
    embeddings_size: int | None = option("Checked against the model's embedding dimension.", default=None)
    recipe: Recipe = option(
        "What moves: `full` both towers, `lora` low-rank additions, `blocks` the last blocks, `head` the projections.",
        default="full",
    )
    batch_size: BatchSize | None = option("Pictures in a step; `auto` takes what fits.", default=None)
    micro_batch_size: int | None = option("Pictures in memory at once; the gradient stays the batch's.", default=None)
    num_epochs: int = option("Passes over the training pictures.", default=6)
    early_stopping: bool = option("Stop when validation recall no longer rises.", default=True)
    early_stopping_epochs: int = option("Epochs without a rise before stopping.", default=3)
    learning_rate: float | None = option("Peak learning rate.", default=None)
    betas: tuple[float, float] = option("AdamW's betas.", default=(0.9, 0.98))
    eps: float = option("AdamW's epsilon.", default=1e-6)
    weight_decay: float = option("AdamW's weight decay on matrices (gains and biases have none).", default=0.1)
    warmup: float = option("Share of the steps over which the learning rate rises.", default=0.1)
    gradient_clip: float = option("Largest norm of the gradient.", default=1.0)
    lora_rank: int = option("`lora`: rank of the additions to q, k and v.", default=2)
    lora_alpha: float = option("`lora`: the additions are scaled by alpha / rank.", default=1.0)
    lora_dropout: float = option("`lora`: dropout before the additions.", default=0.25)
    blocks: int = option("`blocks`: how many of the last blocks of each tower move.", default=2)
    views: int = option("`blocks` and `head`: varied views kept of each picture.", default=4)
    head_penalty: float = option("`head`: pull of the projections towards the base's.", default=1.0)
    distillation: float = option("Weight of staying near the base's embeddings.", default=0.0)
    avoid_twins: bool = option("Batches without two pictures of the same caption, where that can be.", default=True)
    hard_negatives: float = option("Share of a batch that is mined for being alike.", default=0.0)
    interpolate: bool = option("Afterwards seek the best mixture of base and tuned weights.", default=True)
    probe: str | None = option("Dataset on which forgetting is measured.", default=None)
    augment: bool = option("Vary the pictures on the fly.", default=True)
    precision: Literal["auto", "fp32", "bf16", "fp16"] = option(
        "Arithmetic of the step; weights stay fp32.", default="auto"
    )
    trackers: tuple[Tracker, ...] = option("Where else the figures go.", default=())
    seed: int = option("Seed of order, augmentation and dropout.", default=0)
    checkpoint_seconds: float = option("Time between two checkpoints within an epoch.", default=60.0)
