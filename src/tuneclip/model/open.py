"""Find a model by name and load it: the packaged starter, one of the project, a folder, or a Hub id."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip.errors import TuneclipError, one_line
from tuneclip.model.preprocess import Preprocessing, read_preprocessing
from tuneclip.project import MODEL_MANIFEST, Project, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from tuneclip.model.encode import Encoder, Engine
    from tuneclip.model.ready import Sample

STARTER = Path(__file__).parent / "starter"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]
FINGERPRINTED = (
    "*.safetensors",
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "*.model",
)


@dataclass(frozen=True)
class Family:
    """What differs between model families beyond their weights."""

    loss: str
    """"softmax" (CLIP, arXiv 2103.00020) or "sigmoid" (SigLIP, arXiv 2303.15343)."""
    padding: str
    """How texts are padded: "longest" in the batch, or "max_length" where the pooled token is the last one."""


FAMILIES = {
    "clip": Family("softmax", "longest"),
    "metaclip_2": Family("softmax", "longest"),
    "siglip": Family("sigmoid", "max_length"),
}


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in memory with all that belongs to it; weights are float32."""

    name: str
    path: Path
    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    preprocessing: Preprocessing
    family: Family
    manifest: dict[str, Any]
    """Its `tuneclip.json`; empty for a model that was not made here."""

    @property
    def context(self) -> int:
        """How many tokens a text may have, both ends included."""
        return int(self.model.config.text_config.max_position_embeddings)

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        config = self.model.config
        return int(config.projection_dim if hasattr(config, "projection_dim") else config.text_config.projection_size)

    def engine(self, device: str | None = None) -> "Engine":
        """Its towers on a device, with its weights of now; by default on the fastest, in half precision if as good."""
        from tuneclip.model.live import TorchEngine

        return TorchEngine(self, device, half=device is None)


def open_model(
    name: str | Path, project: Project | str | Path = ".", *, sample: "Sample | None" = None, few: bool = False
) -> "Encoder":
    """The encoder of a model: "starter", a model of the project, a folder in transformers' layout, or a Hub id.

    On a processor it is ONNX Runtime, made before the first larger work (see docs/encoder.md); `sample` says that such
    work is to come, and on which pictures int8 is to be checked; `few` that it is a query or two, for which what is
    there is taken. On a graphics processor, and until then, it is torch. Raises TuneclipError when there is no such
    model, when it has no safetensors weights or cannot be loaded, or is of an unknown family.
    """
    from tuneclip.model.ready import open_encoder

    place = project if isinstance(project, Project) else Project(Path(project))
    folder = locate(str(name), place)
    _family(folder)
    return open_encoder(str(name), folder, place, sample=sample, few=few)


def load_model(name: str | Path, project: Project | str | Path = ".") -> Loaded:
    """As `open_model`, but the checkpoint itself, for training. Weights are float32 and on the CPU."""
    folder = locate(str(name), project if isinstance(project, Project) else Project(Path(project)))
    family = _family(folder)
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        reason = one_line(error, 300)
        raise TuneclipError(f"the model cannot be loaded: {reason}", where=folder) from error
    manifest = folder / MODEL_MANIFEST
    known = read_json(manifest) if manifest.is_file() else {}
    return Loaded(str(name), folder, model.eval(), tokenizer, read_preprocessing(folder), family, known)


def locate(name: str, project: Project) -> Path:
    """The folder of a model; a Hub id is fetched into the Hub's own cache (safetensors and JSON only)."""
    if name == "starter" and name not in project.names("models"):
        return STARTER
    inside = project.model(name)
    if inside.is_dir():
        return _with_weights(inside)
    if HUB_ID.fullmatch(name) and not name.startswith("."):
        return _with_weights(_from_hub(name))
    known = ", ".join(["starter", *project.names("models")])
    raise TuneclipError(
        f"there is no model {name!r}", expected=f"one of {known}, a folder, or a Hub id like owner/name"
    )


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (LocalEntryNotFoundError, RepositoryNotFoundError, HfHubHTTPError, OSError) as error:
        reason = one_line(error, 200)
        raise TuneclipError(f"model {name!r} is neither here nor could it be fetched from the Hub: {reason}") from error


def _with_weights(folder: Path) -> Path:
    if any(folder.glob("*.safetensors")):
        return folder
    foreign = {".bin", ".pt", ".pth", ".ckpt", ".h5"}
    other = sorted(p.name for p in folder.iterdir() if p.suffix in foreign) if folder.is_dir() else []
    found = f", found only {', '.join(other)}" if other else ""
    raise TuneclipError(
        f"the model has no weights{found}",
        where=folder,
        expected="model.safetensors",
        hint="save it with model.save_pretrained(FOLDER), which writes safetensors",
    )


def _family(folder: Path) -> Family:
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in FAMILIES:
        raise TuneclipError(
            f"unknown model family {kind!r}", where=folder / "config.json", expected=" or ".join(FAMILIES)
        )
    return FAMILIES[kind]


def fingerprint(folder: Path) -> str:
    """Identify a model's embeddings: a hash over weights, config, tokenizer and preprocessing (16 hex digits)."""
    paths = sorted({path for pattern in FINGERPRINTED for path in folder.glob(pattern)})
    stats = [path.stat() for path in paths]
    return _hash(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in zip(paths, stats, strict=True)))


@lru_cache(maxsize=8)
def _hash(files: tuple[tuple[Path, int, int], ...]) -> str:
    """The hash of files; while size and time of each are the same they are not read again (weights are large)."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
