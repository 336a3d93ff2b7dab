"""Arrays that are computed once and kept on disk: complete or absent, found again by all that decides them."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import DTypeLike, NDArray

from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import beside, read_json, write_json
from tuneclip.training.order import Indices

logger = logging.getLogger("tuneclip")
SAVED_SECONDS = 10.0
"""Time between two notes of how far a computation is; a killed one goes on from the last."""
SPARE = 1.05
"""Room that must be free on the disk, as a multiple of what will be written."""

LOCK = ".lock"

Activations = NDArray[Any]
Piece = tuple[Indices, Activations]
"""Rows of a kept array, and what they hold."""


@dataclass(frozen=True)
class Job:
    """An array to be kept: what decides it, how large it is, and how its pieces are made."""

    what: str
    decided_by: dict[str, Any]
    """Two jobs with the same values here have the same result."""
    shape: tuple[int, ...]
    dtype: DTypeLike
    pieces: int
    make: Callable[[int], Iterator[Piece]]
    """The pieces from a number on, always the same ones."""

    @property
    def name(self) -> str:
        """What the file is called: a hash of all that decides it."""
        return digest(json.dumps(self.decided_by, sort_keys=True))[:20]

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


def keep(jobs: Sequence[Job], folder: Path) -> list[Activations]:
    """The arrays of the jobs, memory-mapped and read-only; those that are not in `folder` yet are computed first.

    They appear there complete or not at all; a killed computation goes on where it was, and of several processes one
    computes while the others wait. Raises TuneclipError when the disk has not enough room for all of them.
    """
    missing = [job for job in jobs if not _file(folder, job).is_file()]
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(missing, folder)
    if missing:
        size = sum(job.size for job in missing) / 1e6
        logger.info("running the part at rest once; %s MB of what it says are kept in %s", f"{size:,.1f}", folder)
        with FileLock(folder / LOCK):
            for job in missing:
                if not _file(folder, job).is_file():
                    _compute(job, folder)
    return [np.load(_file(folder, job), mmap_mode="r") for job in jobs]


def _file(folder: Path, job: Job) -> Path:
    return folder / f"{job.name}.npy"


def _check_room(missing: Sequence[Job], folder: Path) -> None:
    needed = int(sum(job.size for job in missing) * SPARE)
    free = shutil.disk_usage(folder).free + sum(_reserved(beside(_file(folder, job))) for job in missing)
    if needed <= free:
        return
    old = sum(path.stat().st_size for path in folder.glob("*.npy"))
    earlier = f"remove what earlier runs left in that folder ({old / 1e9:,.1f} GB), " if old else ""
    raise TuneclipError(
        f"the disk has no room for the activations of the part at rest: {needed / 1e9:,.1f} GB, {free / 1e9:,.1f} free",
        where=folder,
        hint=f"{earlier}lower `views` in the config, set `augment` to false, or take --recipe lora",
    )


def _reserved(path: Path) -> int:
    """Bytes on the disk that an interrupted computation already has."""
    return path.stat().st_blocks * 512 if path.is_file() and hasattr(os.stat_result, "st_blocks") else 0


def _compute(job: Job, folder: Path) -> None:
    path = _file(folder, job)
    partial, note = beside(path), beside(path.with_suffix(".json"))
    done = int(read_json(note)["done"]) if partial.is_file() and note.is_file() else 0
    mode: Any = "r+" if done else "w+"
    memory = np.lib.format.open_memmap(partial, mode=mode, dtype=np.dtype(job.dtype), shape=job.shape)
    _reserve(partial, job)
    saved = time.monotonic()
    for rows, values in track(job.make(done), job.what, job.pieces, completed=done):
        memory[rows] = _narrowed(values, job)
        done += 1
        if time.monotonic() - saved > SAVED_SECONDS:
            memory.flush()
            write_json(note, {"done": done})
            saved = time.monotonic()
    memory.flush()
    del memory
    write_json(path.with_suffix(".json"), {"what": job.what, "shape": job.shape, **job.decided_by})
    partial.replace(path)
    note.unlink(missing_ok=True)


def _reserve(path: Path, job: Job) -> None:
    """Take the room on the disk now: a full disk would later kill the process that writes to mapped memory."""
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _narrowed(values: Activations, job: Job) -> Activations:
    dtype = np.dtype(job.dtype)
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= float(np.finfo(dtype).max):
        raise TuneclipError(
            f"activations of {largest:g} cannot be kept in {dtype}", hint="train with --recipe lora or full"
        )
    return values.astype(dtype)


def digest(text: str) -> str:
    """What stands for a text in a name."""
    return hashlib.sha256(text.encode()).hexdigest()
