"""Pictures and texts to unit vectors."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from tuneclip.data.picture import load_picture
from tuneclip.model.open import Loaded, fingerprint

if TYPE_CHECKING:
    from PIL.Image import Image

    Picture = Path | bytes | Image

DECODERS = 2
"""Threads that decode ahead of the model: Pillow lets go of the interpreter's lock while it decodes."""
BATCH = {"cuda": 256, "mps": 64, "cpu": 32}


class Encoder:
    """A model as a function from pictures and texts to unit vectors; remembers which model it is."""

    def __init__(self, loaded: Loaded, device: str | None = None):
        self.name, self.path = loaded.name, loaded.path
        self.dimension = loaded.dimension
        self.device = torch.device(device or best_device())
        self._loaded = loaded
        self._model = loaded.model.to(self.device)

    @cached_property
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and preprocessing; vectors of different fingerprints must not be mixed."""
        return fingerprint(self.path)

    def pictures(self, pictures: Iterable["Picture"], batch_size: int | None = None) -> npt.NDArray[np.float32]:
        """(n, dim) float32 of unit length, in the order given; decoding runs beside encoding.

        Takes paths, encoded bytes or Pillow images. Raises TuneclipError that names an unreadable picture.
        """
        size = batch_size or BATCH[self.device.type]
        rows = [self._embed_pictures(values) for values in self._prepared(pictures, size)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)

    def texts(self, texts: Sequence[str], batch_size: int = 256) -> npt.NDArray[np.float32]:
        """(n, dim) float32 of unit length, in the order given; longer texts are cut to the model's context."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            vectors[chosen] = self._embed_texts([texts[i] for i in chosen])
        return vectors

    def _prepared(self, pictures: Iterable["Picture"], size: int) -> Iterator[npt.NDArray[np.float32]]:
        """Batches of pixel values, the next one being decoded while the model works on this one."""
        source = iter(pictures)
        waiting: deque[list[Future[npt.NDArray[np.float32]]]] = deque()
        with ThreadPoolExecutor(DECODERS) as pool:

            def submit() -> None:
                if batch := list(islice(source, size)):
                    waiting.append([pool.submit(self._prepare, picture) for picture in batch])

            submit()
            submit()
            while waiting:
                values = np.stack([future.result() for future in waiting.popleft()])
                submit()
                yield values

    def _prepare(self, picture: "Picture") -> npt.NDArray[np.float32]:
        preprocessing = self._loaded.preprocessing
        return preprocessing.normalise(preprocessing.resize(load_picture(picture)))

    @torch.inference_mode()
    def _embed_pictures(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        output = self._model.get_image_features(pixel_values=torch.from_numpy(values).to(self.device))
        return unit(output.pooler_output).cpu().numpy()

    @torch.inference_mode()
    def _embed_texts(self, texts: list[str]) -> npt.NDArray[np.float32]:
        output = self._model.get_text_features(**tokenize(self._loaded, texts).to(self.device))
        return unit(output.pooler_output).cpu().numpy()


def tokenize(loaded: Loaded, texts: list[str]) -> Any:
    """Token ids and mask (batch, longest text) as transformers takes them; cut texts keep their end token."""
    return loaded.tokenizer(
        texts, padding=loaded.family.padding, truncation=True, max_length=loaded.context, return_tensors="pt"
    )


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """The same directions in float32 at length 1."""
    return torch.nn.functional.normalize(vectors.float(), dim=-1)


def best_device() -> str:
    """The fastest kind of device here: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
