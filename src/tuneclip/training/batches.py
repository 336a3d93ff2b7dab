"""Training batches: pictures decoded and varied on threads, beside the model and ahead of it."""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from tuneclip.data.augment import may_mirror, vary
from tuneclip.data.load import Dataset
from tuneclip.data.picture import load_picture
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import tokenize
from tuneclip.model.open import Loaded
from tuneclip.training.ahead import ahead
from tuneclip.training.order import Indices, Keys, Order

AHEAD = 2
"""Batches that are prepared while the model works on one, if they are no larger than AHEAD_BYTES."""
AHEAD_BYTES = 160 * 2**20
"""1,024 pictures of 224 × 224 pixels, and some. With larger batches only a part of the next one waits."""
KEPT_BYTES = 256 * 2**20
"""Decoded pictures that stay in memory: 2,400 photographs for the starter, or 13,900 pictures of 60 × 80 pixels."""
PART = 64
"""Rows that are waited for together."""
WORKERS = min(16, max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2))
"""Threads: Pillow lets go of the interpreter's lock while it decodes."""
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Batch:
    """The rows that this process has of one step's batch; alone, it has them all."""

    picture_inputs: torch.Tensor
    """(rows, …) what the picture tower takes: (rows, height, width, 3) uint8 pixels, or kept activations."""
    text_inputs: dict[str, torch.Tensor]
    """What the text tower takes, each (rows, …): token ids and mask to the longest text, or kept activations."""
    pictures: tuple[str, ...]
    captions: tuple[str, ...]
    """With `pictures` the keys of these rows; equal keys belong together."""
    whole: Keys | None = None
    """The keys of the whole batch, all processes' rows in order; None where these rows are all."""
    numbers: Indices | None = None
    """(batch,) which training records the whole batch has, in the order of `keys`."""

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def keys(self) -> Keys:
        """The keys of the whole batch: what the loss needs to know which pairs belong together."""
        return self.whole or Keys(self.pictures, self.captions)

    def part(self, rows: slice) -> "Batch":
        """Some of these rows; nothing is copied, and `keys` stay those of the whole batch."""
        texts = {name: values[rows] for name, values in self.text_inputs.items()}
        keys = self.pictures[rows], self.captions[rows]
        return Batch(self.picture_inputs[rows], texts, *keys, self.keys, self.numbers)


class Task(NamedTuple):
    """One picture to be prepared: where its pixels go, which record it is, and for which epoch."""

    pixels: Pixels
    row: int
    record: int
    epoch: int


class Batches(Protocol):
    """Where a run's batches come from."""

    order: Order
    """What the batches hold."""

    def epoch(
        self,
        epoch: int,
        batch_size: int,
        *,
        start: int = 0,
        share: tuple[int, int] = (0, 1),
        alike: Indices | None = None,
    ) -> Iterator[Batch]:
        """The batches of an epoch (the first is 1) from number `start` on; the same ones whenever they are asked for.

        `batch_size` is that of the whole batch, never of one picture. Of `share` (rank, processes) a process gets the
        rows `numpy.array_split(whole batch, processes)[rank]`: contiguous, sizes differing by one at most, none at all
        where there are more processes than rows; only these are decoded, and `Batch.keys` still are the whole
        batch's. `alike` is passed on to `Order.batches`.
        """
        ...


class Feed:
    """Prepares the batches of an epoch on threads, ahead of the model and in order.

    Every random choice comes from (seed, epoch, record), so a run that goes on in the middle of an epoch sees what the
    uninterrupted run would have seen, however many threads there are. What stays the same in every epoch, the decoded
    picture shrunk to what its views are cut from, is kept in memory while there is room for it (`KEPT_BYTES`).
    """

    def __init__(self, dataset: Dataset, loaded: Loaded, order: Order, *, augment: bool):
        self.order = order
        self._dataset, self._loaded, self._augment = dataset, loaded, augment
        self._mirror = [may_mirror(record) for record in order.records]
        self._shape = loaded.preprocessing.resize(Image.new("RGB", (64, 64))).shape
        self._working_edge = max(self._shape[:2]) * 3 // 2
        self._kept: dict[int, Image.Image] = {}
        self._room = KEPT_BYTES

    @property
    def kept_bytes(self) -> int:
        """What the decoded pictures that stay in memory take by now, at most `KEPT_BYTES`."""
        return KEPT_BYTES - self._room

    def epoch(
        self,
        epoch: int,
        batch_size: int,
        *,
        start: int = 0,
        share: tuple[int, int] = (0, 1),
        alike: Indices | None = None,
    ) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on.

        Raises TuneclipError, naming the file, at the batch of a picture that cannot be read; those before it are good.
        """
        rank, processes = share
        wholes = self.order.batches(epoch, batch_size, alike)[start:]
        own = [np.array_split(whole, processes)[rank] for whole in wholes]
        prepared = ahead(self._prepare, self._parts(own, epoch), threads=WORKERS, groups_ahead=self._parts_ahead(own))
        with closing(prepared):
            for whole, rows in zip(wholes, own, strict=True):
                pixels = self._empty(0)
                for _ in range(0, len(rows), PART):
                    pixels = next(prepared)[0]
                yield self._batch(torch.from_numpy(pixels), whole, rows, epoch)

    def _parts(self, own: list[Indices], epoch: int) -> Iterator[list[Task]]:
        """What is to be done for each batch, some rows at a time; a batch's memory is taken when its turn comes."""
        for rows in own:
            pixels = self._empty(len(rows))
            tasks = [Task(pixels, row, int(index), epoch) for row, index in enumerate(rows)]
            yield from (tasks[at : at + PART] for at in range(0, len(tasks), PART))

    def _parts_ahead(self, own: list[Indices]) -> int:
        """How many parts are prepared ahead: `AHEAD` batches, or as much of them as `AHEAD_BYTES` holds."""
        largest = max(map(len, own), default=0)
        rows = min(AHEAD * largest, AHEAD_BYTES // int(np.prod(self._shape)))
        return max(1, rows // max(1, min(PART, largest)))

    def _empty(self, rows: int) -> Pixels:
        return np.empty((rows, *self._shape), np.uint8)

    def _batch(self, pixels: torch.Tensor, whole: Indices, rows: Indices, epoch: int) -> Batch:
        captions = [self.order.caption(epoch, int(i)) for i in rows]
        keys = self.order.keys(epoch, rows)
        all_keys = keys if len(whole) == len(rows) else self.order.keys(epoch, whole)
        return Batch(pixels, dict(tokenize(self._loaded, captions)), keys.pictures, keys.captions, all_keys, whole)

    def _prepare(self, task: Task) -> Pixels:
        """Write one picture's pixels to their row; returns all of them."""
        task.pixels[task.row] = self.view(task.record, task.epoch)
        return task.pixels

    def view(self, index: int, epoch: int) -> Pixels:
        """(height, width, 3): record `index` as it is seen in this epoch."""
        picture = self._picture(index)
        if self._augment:
            random = np.random.default_rng((self.order.seed, epoch, index, 1))
            picture = vary(picture, random, mirror=self._mirror[index], working_edge=self._working_edge)
        return self._loaded.preprocessing.resize(picture)

    def _picture(self, number: int) -> Image.Image:
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        try:
            path = self._dataset.picture_path(self.order.records[number])
            picture = load_picture(path, shorter=self._working_edge if self._augment else None)
        except TuneclipError as error:
            hint = f"mend or replace it, then the same command with --resume; tuneclip check {self._dataset.name}"
            raise TuneclipError(error.what, where=error.where, hint=f"{hint} finds all such") from error
        size = 4 * picture.width * picture.height  # Pillow keeps RGB in four bytes
        if size <= self._room:
            self._room -= size
            self._kept[number] = picture
        return picture
