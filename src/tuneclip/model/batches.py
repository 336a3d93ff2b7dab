"""Training batches: which pictures, in which order, with which caption and which view; a pure function of the seed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from tuneclip.data.augment import may_mirror, vary
from tuneclip.data.load import Dataset
from tuneclip.data.picture import load_picture
from tuneclip.model.encode import tokenize
from tuneclip.model.open import Loaded
from tuneclip.model.retrieval import caption_key
from tuneclip.records import Record

AHEAD = 2
"""Batches that are prepared while the model works on one."""
WORKERS = 2


@dataclass(frozen=True)
class Batch:
    """One step's input; `pictures` and `captions` are the keys that say what belongs together."""

    picture_inputs: torch.Tensor
    """(batch, …) what the picture tower takes: (batch, height, width, 3) uint8 pixels, or kept activations."""
    text_inputs: dict[str, torch.Tensor]
    """What the text tower takes, each (batch, …): token ids and mask to the longest text, or kept activations."""
    pictures: tuple[str, ...]
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def part(self, rows: slice) -> "Batch":
        """Some of the batch's pairs; nothing is copied."""
        texts = {name: values[rows] for name, values in self.text_inputs.items()}
        return Batch(self.picture_inputs[rows], texts, self.pictures[rows], self.captions[rows])


def batches_per_epoch(records: int, batch_size: int) -> int:
    """Steps of an epoch: each picture once, in batches as even as can be, none of them with a single picture."""
    return max(1, min(-(-records // batch_size), records // 2))


def epoch_order(records: int, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """The epoch's batches as indices into the records."""
    order = np.random.default_rng((seed, epoch)).permutation(records)
    return list(np.array_split(order, batches_per_epoch(records, batch_size)))


class Batches(Protocol):
    """Where a run's batches come from."""

    def epoch(self, epoch: int, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on; the same ones whenever they are asked for.

        The last batch is never of one picture; a batch's rows are of this process (all of them where it is alone).
        """
        ...


class Feed:
    """Prepares the batches of an epoch on threads, ahead of the model and in order.

    Every random choice comes from (seed, epoch, record), so a run that goes on in the middle of an epoch sees what the
    uninterrupted run would have seen, however many threads there are.
    """

    def __init__(self, dataset: Dataset, records: tuple[Record, ...], loaded: Loaded, *, seed: int, augment: bool):
        self._dataset, self._records, self._loaded = dataset, records, loaded
        self._seed, self._augment = seed, augment
        self._mirror = [may_mirror(record) for record in records]
        size = loaded.preprocessing.crop or loaded.preprocessing.size or (224, 224)
        self._working_edge = max(size) * 3 // 2

    def epoch(self, epoch: int, batch_size: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        order = epoch_order(len(self._records), batch_size, seed=self._seed, epoch=epoch)[start:]
        with ThreadPoolExecutor(WORKERS) as pool:
            waiting = [self._submit(pool, chosen, epoch) for chosen in order[:AHEAD]]
            for position, chosen in enumerate(order):
                pending = waiting.pop(0)
                if position + AHEAD < len(order):
                    waiting.append(self._submit(pool, order[position + AHEAD], epoch))
                pixels = torch.from_numpy(np.stack([future.result() for future in pending]))
                yield self._batch(pixels, chosen, epoch)

    def _submit(self, pool: ThreadPoolExecutor, chosen: Any, epoch: int) -> list[Any]:
        return [pool.submit(self._pixels, int(i), epoch) for i in chosen]

    def _batch(self, pixels: torch.Tensor, chosen: Any, epoch: int) -> Batch:
        captions = [self._caption(int(i), epoch) for i in chosen]
        pictures = tuple(self._records[int(i)].picture for i in chosen)
        keys = tuple(caption_key(caption) for caption in captions)
        return Batch(pixels, dict(tokenize(self._loaded, captions)), pictures, keys)

    def _caption(self, index: int, epoch: int) -> str:
        captions = self._records[index].captions
        return captions[int(np.random.default_rng((self._seed, epoch, index, 0)).integers(len(captions)))]

    def _pixels(self, index: int, epoch: int) -> Any:
        path: Path = self._dataset.picture_path(self._records[index])
        picture = load_picture(path)
        if self._augment:
            random = np.random.default_rng((self._seed, epoch, index, 1))
            picture = vary(picture, random, mirror=self._mirror[index], working_edge=self._working_edge)
        return self._loaded.preprocessing.resize(picture)
