"""A contender's side of the encoding benchmark: at each turn a folder of JPEGs becomes vectors in a file."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from peers.worker import Turns

BATCH = 32
"""Pictures at once, the default of sentence-transformers."""
PHRASE = "two dogs running over the snow in winter"


@dataclass(frozen=True)
class Job:
    """What every contender does alike."""

    model: str
    """A folder in transformers' layout."""
    export: str
    """The same model in sentence-transformers' layout."""
    pictures: str
    """A folder of JPEGs; their order is that of their names."""
    vectors: str
    """The file to write: (n, dim) float32, unit length."""
    precision: str = "fp32"
    threads: int = 2

    @property
    def paths(self) -> list[Path]:
        """The pictures."""
        return sorted(Path(self.pictures).glob("*.jpg"))


def read_job() -> Job:
    """The job that this process was started with."""
    job = Job(**json.loads(sys.argv[1]))
    torch.set_num_threads(job.threads)
    return job


def work(job: Job, packages: tuple[str, ...], phrase: Callable[[], Any], folder: Callable[[], Any]) -> None:
    """Embed a phrase, which makes the contender ready, then `folder` at each turn; it returns (n, dim)."""
    turns = Turns()
    phrase()
    turns.ready(packages)
    while True:
        turns.begin()
        np.save(job.vectors, np.asarray(folder(), dtype=np.float32))
        turns.end()


def batches(paths: Sequence[Path]) -> list[Sequence[Path]]:
    """The pictures in groups of `BATCH`."""
    return [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]
