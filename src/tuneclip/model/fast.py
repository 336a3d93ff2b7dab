"""The engine of a model's ONNX graphs: ONNX Runtime and `tokenizers` alone, one core a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneclip.errors import TuneclipError, one_line
from tuneclip.model.encode import Vectors
from tuneclip.model.graph import INT8, PICTURE, TEXT
from tuneclip.model.preprocess import Preprocessing, read_preprocessing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

TOKENIZER = "tokenizer.json"
BATCH = 4
"""Float32 pictures of a call: larger ones are not faster on one core, and need more memory."""


@dataclass(frozen=True)
class TextFacts:
    """What a text tower expects beside the token ids."""

    context: int
    """How many tokens a text may have, both ends included."""
    full: bool
    """Whether every text is padded to `context`, else to the longest of its batch."""
    pad_id: int
    masked: bool
    """Whether the tower is told which tokens are padding."""


@dataclass(frozen=True)
class Graphs:
    """A model as ONNX graphs in a folder, which its checkpoint is not needed for."""

    name: str
    path: Path
    """The folder of the model itself."""
    folder: Path
    """The folder of the graphs."""
    dimension: int
    text: TextFacts
    precision: str
    """"fp32" or "int8": which of the graphs are used."""

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """What is done to its pictures."""
        return read_preprocessing(self.path)

    def engine(self, device: str | None = None) -> "OnnxEngine":
        """Its towers on the processor, whatever the device."""
        del device
        return OnnxEngine(self)


class OnnxEngine:
    """Both towers by ONNX Runtime; a graph is read when it is first needed. Calls may run beside each other.

    In int8 one picture or text is given at a time, so that its vector does not depend on its neighbours (see `graph`).
    """

    parallel = True

    def __init__(self, graphs: Graphs):
        self.kind, self.batch = f"ONNX {graphs.precision}", 1 if graphs.precision == "int8" else BATCH
        self._graphs, self._alone = graphs, graphs.precision == "int8"
        self._sessions: dict[str, InferenceSession] = {}
        self._lock = Lock()

    def pictures(self, values: Vectors) -> Vectors:
        """(n, 3, height, width) of preprocessed pictures to (n, dim) of unit length."""
        return self._run(PICTURE, {"pixel_values": values})

    def texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) of unit length; texts that are too long are cut and keep their end token."""
        tokens = self.tokens(texts)
        if not self._alone or len(texts) < 2:
            return self._run(TEXT, padded(tokens, self._graphs.text))
        return np.concatenate([self._run(TEXT, padded([ids], self._graphs.text)) for ids in tokens])

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, cut to the context, not padded."""
        return [self._tokenizer.encode(text).ids for text in texts]

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._graphs.folder / TOKENIZER))
        tokenizer.enable_truncation(self._graphs.text.context)
        tokenizer.no_padding()
        return tokenizer

    def _run(self, tower: str, inputs: dict[str, Any]) -> Vectors:
        result: Any = self._session(tower).run(["embeddings"], inputs)[0]
        return np.asarray(result, dtype=np.float32)

    def _session(self, tower: str) -> "InferenceSession":
        with self._lock:
            if tower not in self._sessions:
                name = INT8[tower] if self._alone else tower
                self._sessions[tower] = open_session(self._graphs.folder / name)
            return self._sessions[tower]


def padded(tokens: Sequence[Sequence[int]], facts: TextFacts) -> dict[str, Any]:
    """The text graph's inputs, (n, length) int64 each, of token ids: padded at the right end, and masked there."""
    length = facts.context if facts.full else max(len(ids) for ids in tokens)
    ids = np.full((len(tokens), length), facts.pad_id, np.int64)
    mask = np.zeros_like(ids) if facts.masked else np.ones_like(ids)
    for row, own in enumerate(tokens):
        ids[row, : len(own)] = own
        mask[row, : len(own)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def open_session(path: Path, threads: int = 1) -> "InferenceSession":
    """A graph ready to run; its threads sleep while they wait, since decoding needs the processor too.

    Raises TuneclipError where the file is missing or torn.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no class in common but this
        reason = one_line(error, 200)
        raise TuneclipError(f"the graph cannot be read: {reason}", where=path, hint=f"remove {path.parent}") from error
