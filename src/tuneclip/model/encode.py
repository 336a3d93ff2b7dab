"""Pictures and texts to unit vectors: decoding beside the model, batches, order. The arithmetic is an engine's."""

import os
import platform
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from tuneclip.data.picture import load_picture
from tuneclip.errors import TuneclipError
from tuneclip.model.open import Loaded, fingerprint
from tuneclip.model.preprocess import Preprocessing

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    Picture = Path | bytes | Image | npt.NDArray[np.uint8]

Vectors = npt.NDArray[np.float32]
K = TypeVar("K")
GROUPS_AHEAD = 3
"""Groups of pictures being decoded or embedded at once: memory stays flat, and the processor has always work."""
HANDFUL = 16
"""Up to so many pictures are embedded with what there is; for more it pays to make the faster encoder first."""

SAMPLE = 256
"""Pictures on which a faster encoder is compared with the exact one."""


class Engine(Protocol):
    """The two towers of a model on a device, as functions of prepared inputs."""

    kind: str
    """How it computes, for people: "torch on cuda", "ONNX int8" …"""
    parallel: bool
    """Whether each call uses one core, so that several calls should run beside each other in the decoding threads."""
    batch: int
    """Pictures of a call that make it fastest."""

    def pictures(self, values: Vectors) -> Vectors:
        """(n, 3, height, width) of preprocessed pictures to (n, dim) of unit length."""
        ...

    def texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) of unit length; texts that are too long are cut and keep their end token."""
        ...


class Source(Protocol):
    """A model that can be made into an engine: a checkpoint in memory, or graphs on the disk."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    @property
    def path(self) -> Path:
        """The model's folder."""
        ...

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """What is done to its pictures."""
        ...

    def engine(self, device: str | None = None) -> Engine:
        """The model's towers on a device, by default on the best one."""
        ...


class Encoder:
    """A model as a function from pictures and texts to unit vectors; remembers which model it is."""

    def __init__(
        self,
        source: Source,
        device: str | None = None,
        *,
        faster: "Callable[[Sequence[Picture]], Source | None] | None" = None,
    ):
        """Encode with `source`; before the first larger work `faster` may offer another one for the same model.

        `faster` is given the first pictures of that work. An encoder of a model that is being trained (`Loaded`) sees
        its weights of now.
        """
        self.name, self.path, self.dimension = source.name, source.path, source.dimension
        self.preprocessing = source.preprocessing
        self._engine, self._faster = source.engine(device), faster

    @cached_property
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and preprocessing; vectors of different fingerprints must not be mixed."""
        return fingerprint(self.path)

    @property
    def kind(self) -> str:
        """How it computes now, for people: "torch on cpu", "ONNX fp32", "ONNX int8"."""
        return self._engine.kind

    def pictures(self, pictures: Iterable["Picture"], batch_size: int | None = None) -> Vectors:
        """(n, dim) float32 of unit length, in the order given; decoding runs beside encoding.

        Takes paths, encoded bytes, Pillow images, or what `pixels` made of them, from a generator too. Raises
        TuneclipError that names an unreadable picture.
        """
        source = iter(pictures)
        if self._faster is not None:
            source = chain(self._settle(list(islice(source, SAMPLE))), source)
        size = batch_size or self._engine.batch * (4 * processors() if self._engine.parallel else 1)
        rows: list[Vectors] = []
        for _, found in self.stream((None, group) for group in iter(lambda: list(islice(source, size)), [])):
            rows.append(np.stack([_vector(one) for one in found]))
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def stream(
        self, groups: "Iterable[tuple[K, Sequence[Picture]]]"
    ) -> "Iterator[tuple[K, list[Vectors | TuneclipError]]]":
        """For each (key, pictures) the key and, per picture, its (dim,) unit vector or why it cannot be read; in order.

        Work on the next groups goes on while the caller uses these; memory stays flat however many there are.
        """
        source, waiting = iter(groups), deque[tuple[K, list[Future[list[Any]]]]]()
        pool = ThreadPoolExecutor(min(processors(), 32))
        try:
            while True:
                for key, pictures in islice(source, GROUPS_AHEAD - len(waiting)):
                    waiting.append((key, self._submit(pool, pictures)))
                if not waiting:
                    return
                key, parts = waiting.popleft()
                yield key, self._finish([one for part in parts for one in part.result()])
        finally:
            pool.shutdown(cancel_futures=True)

    def texts(self, texts: Sequence[str], batch_size: int | None = None) -> Vectors:
        """(n, dim) float32 of unit length, in the order given; longer texts are cut to the model's context."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        size = batch_size or (32 if self._engine.parallel else 256)
        chosen = [order[start : start + size] for start in range(0, len(order), size)]
        vectors = np.zeros((len(texts), self.dimension), np.float32)

        def embed(part: list[int]) -> None:
            vectors[part] = self._engine.texts([texts[i] for i in part])

        if self._engine.parallel and len(chosen) > 1:
            with ThreadPoolExecutor(min(processors(), len(chosen))) as pool:
                list(pool.map(embed, chosen))
        else:
            list(map(embed, chosen))
        return vectors

    def both(self, pictures: Iterable["Picture"], texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """The vectors of pictures and of texts, as `pictures` and `texts` give them."""
        return self.pictures(pictures), self.texts(texts)

    def pixels(self, pictures: Iterable["Picture"]) -> list[npt.NDArray[np.uint8]]:
        """Each picture decoded, resized and cropped, (height, width, 3): to keep what is encoded more than once."""
        with ThreadPoolExecutor(processors()) as pool:
            return list(pool.map(self._pixels, pictures))

    def _settle(self, first: "list[Picture]") -> "list[Picture]":
        """Take the faster source, if there is one, once there are more than a handful of pictures."""
        if len(first) > HANDFUL and self._faster is not None:
            better = self._faster(first)
            self._engine, self._faster = better.engine() if better else self._engine, None
        return first

    def _submit(self, pool: ThreadPoolExecutor, pictures: "Sequence[Picture]") -> list[Future[list[Any]]]:
        """Start work on a group in parts that keep every core busy: on vectors, or for torch on prepared pixels."""
        step = max(1, min(self._engine.batch, 8))
        parts = (pictures[start : start + step] for start in range(0, len(pictures), step))
        return [pool.submit(self._embed if self._engine.parallel else self._prepared, part) for part in parts]

    def _finish(self, found: list[Any]) -> "list[Vectors | TuneclipError]":
        if self._engine.parallel:
            return found
        return self._embedded(found)

    def _embed(self, pictures: "Sequence[Picture]") -> "list[Vectors | TuneclipError]":
        return self._embedded(self._prepared(pictures))

    def _embedded(self, prepared: list[Any]) -> "list[Vectors | TuneclipError]":
        """Prepared pixels to vectors, in batches of the engine's size; errors stay where they are."""
        good = [values for values in prepared if not isinstance(values, TuneclipError)]
        step = self._engine.batch
        parts = (np.stack(good[start : start + step]) for start in range(0, len(good), step))
        vectors = chain.from_iterable(self._engine.pictures(part) for part in parts)
        return [one if isinstance(one, TuneclipError) else next(vectors) for one in prepared]

    def _prepared(self, pictures: "Sequence[Picture]") -> list[Any]:
        """For each picture (3, height, width) float32, or the TuneclipError that says why it cannot be read."""
        return [self._prepare(picture) for picture in pictures]

    def _prepare(self, picture: "Picture") -> Vectors | TuneclipError:
        try:
            return self.preprocessing.normalise(self._pixels(picture))
        except TuneclipError as error:
            return error

    def _pixels(self, picture: "Picture") -> npt.NDArray[np.uint8]:
        if isinstance(picture, np.ndarray):
            return picture
        return self.preprocessing.resize(load_picture(picture, least=self.preprocessing.least))


def _vector(found: Vectors | TuneclipError) -> Vectors:
    if isinstance(found, TuneclipError):
        raise found
    return found


def tokenize(loaded: Loaded, texts: list[str]) -> Any:
    """Token ids and mask (batch, longest text) as transformers takes them; cut texts keep their end token."""
    return loaded.tokenizer(
        texts, padding=loaded.family.padding, truncation=True, max_length=loaded.context, return_tensors="pt"
    )


def unit(vectors: "torch.Tensor") -> "torch.Tensor":
    """The same directions in float32 at length 1."""
    import torch

    return torch.nn.functional.normalize(vectors.float(), dim=-1)


def best_device() -> str:
    """The fastest kind of device here: "cuda", "mps" or "cpu"."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def has_accelerator() -> bool:
    """Whether torch finds a graphics processor here; torch is only asked where the system shows signs of one."""
    signs = [
        "/dev/nvidiactl",
        "/dev/kfd",
        "/dev/dxg",
        str(Path(os.environ.get("SYSTEMROOT", "/")) / "System32/nvcuda.dll"),
    ]
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    return (apple or any(Path(sign).exists() for sign in signs)) and best_device() != "cpu"


def processors() -> int:
    """How many processor cores this process may use: its affinity, and its control group's quota (Linux)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(count, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no such group, or "max"
        return count
