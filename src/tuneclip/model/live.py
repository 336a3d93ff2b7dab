"""The engine of a checkpoint in memory: torch on a graphics processor, or on the CPU where there are no graphs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tuneclip.model.encode import Vectors, best_device, tokenize, unit
from tuneclip.model.open import Loaded

BATCH = {"cuda": 256, "mps": 64, "cpu": 32}
"""Pictures of a call to begin with; halved where the device's memory does not hold so many."""
HALF_COSINE = 0.9995
"""Half precision is used where the first batch's smallest cosine to float32 is this large."""


class TorchEngine:
    """Both towers with the weights of now. `half` lets a graphics processor compute in fp16 where that is as good."""

    parallel = False

    def __init__(self, loaded: Loaded, device: str | None = None, *, half: bool = False):
        self.device = torch.device(device or best_device())
        self.kind, self.batch = f"torch on {self.device.type}", BATCH.get(self.device.type, 32)
        self._loaded, self._model = loaded, loaded.model.to(self.device)
        self._half: bool | None = None if half and self.device.type != "cpu" else False  # None: not yet compared

    @torch.inference_mode()
    def pictures(self, values: Vectors) -> Vectors:
        """(n, 3, height, width) of preprocessed pictures to (n, dim) of unit length."""
        pixels = torch.from_numpy(values)
        if self.device.type == "cuda":
            pixels = pixels.pin_memory()
        return np.concatenate([self._embed(part) for part in torch.split(pixels, self.batch)])

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) of unit length; texts that are too long are cut and keep their end token."""
        output = self._model.get_text_features(**tokenize(self._loaded, list(texts)).to(self.device))
        return _numpy(unit(output.pooler_output))

    def _embed(self, pixels: torch.Tensor) -> Vectors:
        """As `pictures`; where memory runs out, in halves, and from then on with smaller batches."""
        try:
            on_device = pixels.to(self.device, non_blocking=True)
            if self._half is None:
                self._half = self._is_as_good_in_half(on_device)
            return _numpy(self._forward(on_device, half=self._half))
        except torch.OutOfMemoryError:
            if len(pixels) == 1:
                raise
            self.batch = max(1, len(pixels) // 2)
        return np.concatenate([self._embed(part) for part in torch.split(pixels, self.batch)])

    def _forward(self, pixels: torch.Tensor, *, half: bool) -> torch.Tensor:
        with torch.autocast(self.device.type, dtype=torch.float16, enabled=half):
            output = self._model.get_image_features(pixel_values=pixels)
        return unit(output.pooler_output)

    def _is_as_good_in_half(self, pixels: torch.Tensor) -> bool:
        try:
            exact, half = (self._forward(pixels, half=half) for half in (False, True))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # this device or this torch has no such arithmetic
            return False
        return bool((exact * half).sum(-1).min() >= HALF_COSINE)  # NaN is not


def _numpy(vectors: torch.Tensor) -> Vectors:
    values: Any = vectors.cpu().numpy()
    return np.asarray(values, dtype=np.float32)
