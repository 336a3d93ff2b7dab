"""One decoding pass over the pictures of a dataset: what can be seen of each, small enough to hold for all."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tuneclip.data.load import Dataset
from tuneclip.data.picture import decode, read_bytes
from tuneclip.errors import TuneclipError

if TYPE_CHECKING:
    from PIL.Image import Image

THUMB = 16
"""Edge of the thumbnail that blankness and twins are judged by: 768 bytes a picture, 77 MB for 100,000."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a picture; a `problem` says why it could not be decoded, and then there is nothing else."""

    digest: bytes = b""
    """Of the file's bytes; equal for exact twins."""
    size: tuple[int, int] = (0, 0)
    """Width and height in pixels, upright."""
    thumb: npt.NDArray[np.uint8] | None = None
    """(THUMB, THUMB, 3) RGB, averaged over areas, aspect not kept."""
    problem: str = ""


def look_at(dataset: Dataset) -> Iterator[Look]:
    """A look at each record's picture, in order; several are decoded at once and few are held."""
    workers = min(8, os.cpu_count() or 1)
    waiting: deque[Future[Look]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for record in dataset.records:
            waiting.append(pool.submit(_look, dataset.picture_path(record)))
            if len(waiting) >= 8 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def look_at_bytes(data: bytes) -> Look:
    """A look at one encoded picture."""
    try:
        image = decode(data).image
    except TuneclipError as error:
        return Look(problem=error.what)
    return Look(blake2b(data, digest_size=16).digest(), image.size, _thumb(image))


def _look(path: Path) -> Look:
    try:
        return look_at_bytes(read_bytes(path))
    except TuneclipError as error:
        return Look(problem=error.what)


def _thumb(image: "Image") -> npt.NDArray[np.uint8]:
    from PIL.Image import Resampling

    return np.asarray(image.resize((THUMB, THUMB), Resampling.BOX))
