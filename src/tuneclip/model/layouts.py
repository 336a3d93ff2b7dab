"""How a model lies on the disk for other libraries: one function per layout, each with all that the library needs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip.model.fast import TOKENIZER
from tuneclip.model.graph import quantise, write_graphs
from tuneclip.model.open import Loaded
from tuneclip.model.preprocess import FILES
from tuneclip.project import read_json, write_json, write_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PREPROCESSOR = FILES[0]
CLIP_MODULE = "0_CLIPModel"
PROCESSORS = {"clip": "CLIPImageProcessor", "metaclip_2": "CLIPImageProcessor", "siglip": "SiglipImageProcessor"}
"""The picture processor of a family, for checkpoints that do not name theirs (those of 2021 and 2022)."""
NEWER = ("backend", "is_local", "local_files_only")
"""Entries of transformers 5 in tokenizer_config.json that transformers 4 takes for arguments of its tokenizers."""
_BACKENDS = re.compile(r"(Fast|Pil)$")
_MODULES = [
    {"idx": 0, "name": "0", "path": CLIP_MODULE, "type": "sentence_transformers.models.CLIPModel"},
    {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"},
]


def write_hf(loaded: Loaded, folder: Path) -> None:
    """The layout of transformers, float32, in a form that its releases 4 and 5 both read.

    Activation, temperature and bias are in the config and the weights. There is no processor_config.json: releases of
    sentence-transformers before 5 stumble over it, and transformers does without.
    """
    loaded.model.cpu().save_pretrained(folder)
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", config | {"torch_dtype": config.get("dtype", "float32")})  # 4's name of it
    _write_preprocessor(loaded, folder)
    _write_tokenizer(loaded, folder)


def write_sentence_transformers(loaded: Loaded, folder: Path) -> None:
    """The layout of a CLIP model in sentence-transformers; vectors come out at unit length.

    Its releases 2.7.0, 3.4.1 and 6.2.0 read the family "clip" with CLIP's own tokenizer; the other families 6.2.0,
    whose CLIP module takes any such model (all tried; what lies between was not).
    """
    (folder / CLIP_MODULE).mkdir()
    write_hf(loaded, folder / CLIP_MODULE)
    if loaded.family.padding != "longest":  # what the library does by itself
        padding = {"text": {"padding": loaded.family.padding}}
        write_json(folder / CLIP_MODULE / "sentence_bert_config.json", {"processing_kwargs": padding})
    (folder / "1_Normalize").mkdir()
    write_json(folder / "modules.json", _MODULES)


def write_onnx(loaded: Loaded, folder: Path) -> None:
    """Graphs of both towers in float32 and int8 (see `graph`), the tokenizer, and the settings for pictures.

    The tokenizer cuts and pads by itself, as the graph wants it.
    """
    write_graphs(loaded, folder)
    quantise(folder)
    _write_preprocessor(loaded, folder)
    tokenizer: Any = loaded.tokenizer
    backend = tokenizer.backend_tokenizer
    full = loaded.family.padding == "max_length"
    backend.enable_truncation(loaded.context)
    backend.enable_padding(
        pad_id=tokenizer.pad_token_id or 0,
        pad_token=tokenizer.pad_token or "",
        length=loaded.context if full else None,
    )
    backend.save(str(folder / TOKENIZER))


LAYOUTS: dict[str, Callable[[Loaded, Path], None]] = {
    "hf": write_hf,
    "sentence-transformers": write_sentence_transformers,
    "onnx": write_onnx,
}


def _write_preprocessor(loaded: Loaded, folder: Path) -> None:
    """The checkpoint's own picture settings as preprocessor_config.json, whichever file they came from."""
    source = next(loaded.path / name for name in FILES if (loaded.path / name).is_file())
    raw = read_json(source)
    values = dict(raw.get("image_processor", raw))
    kind = values.get("image_processor_type") or PROCESSORS[loaded.model.config.model_type]
    write_json(folder / PREPROCESSOR, values | {"image_processor_type": _BACKENDS.sub("", kind)})


def _write_tokenizer(loaded: Loaded, folder: Path) -> None:
    """The tokenizer's files, those of today and, for CLIP's own, those of before."""
    tokenizer: Any = loaded.tokenizer
    tokenizer.backend_tokenizer.no_truncation()  # what the last call set would stay in the file
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.model_max_length = min(tokenizer.model_max_length, loaded.context)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = {key: value for key, value in read_json(path).items() if key not in NEWER}
    if config.get("tokenizer_class") == "TokenizersBackend":  # the name since transformers 5
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_json(path, config)
    write_json(folder / "special_tokens_map.json", _specials(tokenizer))
    if (folder / TOKENIZER).is_file():
        _write_older_tokenizer(folder)


def _specials(tokenizer: "PreTrainedTokenizerBase") -> dict[str, str]:
    named = ((f"{name}_token", getattr(tokenizer, f"{name}_token", None)) for name in ("bos", "eos", "unk", "pad"))
    return {name: str(token) for name, token in named if token is not None}


def _write_older_tokenizer(folder: Path) -> None:
    """Byte pairs as text lines, in tokenizer.json (tokenizers before 0.20) and in files of their own (the slow one)."""
    whole = read_json(folder / TOKENIZER)
    model = whole["model"]
    pairs = model.get("merges")
    if pairs is None or any(" " in part for pair in pairs if not isinstance(pair, str) for part in pair):
        return
    model["merges"] = [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]
    write_json(folder / TOKENIZER, whole)
    vocabulary = model["vocab"] | {token["content"]: token["id"] for token in whole["added_tokens"]}
    write_json(folder / "vocab.json", vocabulary)
    write_text(folder / "merges.txt", "\n".join(["#version: 0.2", *model["merges"]]) + "\n")
