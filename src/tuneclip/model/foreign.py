"""Open an export as its users will: by the other library, from the exported files alone."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneclip.model.encode import Vectors, unit
from tuneclip.model.fast import TOKENIZER, open_session
from tuneclip.model.graph import INT8, PICTURE, TEXT
from tuneclip.model.layouts import CLIP_MODULE
from tuneclip.model.open import Loaded
from tuneclip.model.preprocess import read_preprocessing

if TYPE_CHECKING:
    from PIL.Image import Image

GROUP = 16
"""Pictures or texts of a call."""


@dataclass(frozen=True)
class Foreign:
    """A model in another library's hands."""

    library: str
    """Name and version of what computes."""
    pictures: "Callable[[Sequence[Image]], Vectors]"
    """RGB pictures to (n, dim) of unit length."""
    texts: Callable[[Sequence[str]], Vectors]
    """(n, dim) of unit length."""
    note: str = ""
    """What this reading does not show, in one sentence."""


def read_hf(folder: Path, loaded: Loaded) -> Foreign:
    """By transformers' Auto classes; pictures by Pillow, which the checkpoint was trained with, not by torchvision."""
    import torch
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    model = AutoModel.from_pretrained(folder, **local).eval()
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil", **local)
    tokenizer = AutoTokenizer.from_pretrained(folder, **local)

    @torch.inference_mode()
    def pictures(group: "Sequence[Image]") -> Vectors:
        pixels = processor(images=list(group), return_tensors="pt")
        return unit(model.get_image_features(**pixels).pooler_output).numpy()

    @torch.inference_mode()
    def texts(group: Sequence[str]) -> Vectors:
        tokens = tokenizer(list(group), padding=loaded.family.padding, truncation=True, return_tensors="pt")
        return unit(model.get_text_features(**tokens).pooler_output).numpy()

    return Foreign(f"transformers {version('transformers')}", _in_groups(pictures), _in_groups(texts))


def read_sentence_transformers(folder: Path, loaded: Loaded) -> Foreign:
    """By SentenceTransformer where the library is installed, else by transformers from the files that it would read."""
    if find_spec("sentence_transformers") is None:
        note = "sentence-transformers is not installed here, so transformers read the files that it would read"
        return replace(read_hf(folder / CLIP_MODULE, loaded), note=note)
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found,unused-ignore]

    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    pillow: dict[str, Any] = {"backend": "pil"}  # as `read_hf`: torchvision's resizing is not quite the checkpoint's
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True, processor_kwargs=pillow)

    def encode(group: Sequence[Any]) -> Vectors:
        found = model.encode(list(group), batch_size=GROUP, show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, np.float32)

    return Foreign(f"sentence-transformers {version('sentence-transformers')}", encode, encode)


def read_onnx(folder: Path, loaded: Loaded) -> Foreign:
    """By ONNX Runtime and tokenizers, the float32 graphs."""
    return _read_graphs(folder, loaded, (PICTURE, TEXT), GROUP)


def read_int8(folder: Path, loaded: Loaded) -> Foreign:
    """As `read_onnx`, the int8 graphs; one picture or text at a time, so that no vector depends on its neighbours."""
    return _read_graphs(folder, loaded, (INT8[PICTURE], INT8[TEXT]), 1)


READERS: dict[str, Callable[[Path, Loaded], Foreign]] = {
    "hf": read_hf,
    "sentence-transformers": read_sentence_transformers,
    "onnx": read_onnx,
}


def _read_graphs(folder: Path, loaded: Loaded, graphs: tuple[str, str], group: int) -> Foreign:
    from tokenizers import Tokenizer

    picture, text = (open_session(folder / name, 2) for name in graphs)
    tokenizer, preprocessing = Tokenizer.from_file(str(folder / TOKENIZER)), read_preprocessing(folder)
    masked = is_masked(loaded)

    def pictures(some: "Sequence[Image]") -> Vectors:
        return _first(picture.run(["embeddings"], {"pixel_values": preprocessing(list(some))}))

    def texts(some: Sequence[str]) -> Vectors:
        encoded = tokenizer.encode_batch(list(some))
        ids = np.array([one.ids for one in encoded], np.int64)
        mask = np.array([one.attention_mask for one in encoded], np.int64) if masked else np.ones_like(ids)
        return _first(text.run(["embeddings"], {"input_ids": ids, "attention_mask": mask}))

    library = f"onnxruntime {version('onnxruntime')}"
    return Foreign(library, _in_groups(pictures, group), _in_groups(texts, group))


def is_masked(loaded: Loaded) -> bool:
    """Whether the text tower is told which tokens are padding."""
    return "attention_mask" in loaded.tokenizer("a", padding=loaded.family.padding, max_length=loaded.context)


def _first(outputs: Any) -> Vectors:
    return np.asarray(outputs[0], np.float32)


def _in_groups(embed: Callable[[Sequence[Any]], Vectors], size: int = GROUP) -> Callable[[Sequence[Any]], Vectors]:
    def whole(inputs: Sequence[Any]) -> Vectors:
        return np.concatenate([embed(inputs[start : start + size]) for start in range(0, len(inputs), size)])

    return whole
