"""A contender's side of the benchmark: what it is to do, and how it takes turns with the others.

The process reads a line for each turn and answers with a line of JSON: the seconds that it took, the loss of a step.
While another one works it waits for its next line and uses no processor.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .memory import peak_memory


@dataclass(frozen=True)
class Task:
    """What every contender does alike."""

    model: str
    """A folder in transformers' layout."""
    material: str
    """A file that `save_material` wrote."""
    dataset: str
    """The same pairs as a dataset of tuneclip."""
    recipe: str = "full"
    """"full", or "blocks": the last `blocks` blocks of each tower and the projections move."""
    precision: str = "fp32"
    batch_size: int = 32
    micro_batch_size: int | None = None
    feed: bool = False
    """Whether tuneclip takes each batch from its feed, which prepares further ones meanwhile, not one in memory."""
    device: str = "cpu"
    threads: int = 2
    blocks: int = 2
    learning_rate: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.1
    gradient_clip: float = 1.0


def read_task() -> Task:
    """The task that this process was started with."""
    task = Task(**json.loads(sys.argv[1]))
    torch.set_num_threads(task.threads)
    return task


class Turns:
    """The contender's end of the line: `begin` waits for a turn, `end` answers with its seconds and its loss."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what libraries print must not fall among the answers
        self._started, self._worked = 0.0, 0.0

    def ready(self, packages: tuple[str, ...], **more: Any) -> None:
        """Say that the model is loaded, and what is about to run."""
        self._answer({"versions": {name: version(name) for name in packages}, **more})

    def begin(self) -> None:
        """Wait for the next turn; ends the process when there is none any more."""
        if not sys.stdin.readline():
            raise SystemExit(0)
        self._started, self._worked = time.perf_counter(), time.process_time()

    def end(self, **values: float) -> None:
        """Answer with the seconds, the peak of memory and these values; the turn is over."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds, worked = time.perf_counter() - self._started, time.process_time() - self._worked
        self._answer({"seconds": seconds, "processor_seconds": worked, "peak_memory_bytes": peak_memory(), **values})

    def _answer(self, values: dict[str, Any]) -> None:
        print(json.dumps(values), file=self._answers, flush=True)


def save_material(path: Path, pixels: torch.Tensor, captions: list[str]) -> None:
    """Keep the pairs of a batch: (batch, 3, height, width) normalised float32 pixels, and their captions."""
    save_file({"pixels": pixels}, path, metadata={"captions": json.dumps(captions)})


def load_material(task: Task) -> tuple[torch.Tensor, list[str]]:
    """The pairs that `save_material` kept."""
    with safe_open(task.material, framework="pt") as file:
        return file.get_tensor("pixels"), json.loads(file.metadata()["captions"])


def open_torchvision() -> None:
    """Make torchvision importable where no build of it fits this torch: peers import it for its transforms alone."""
    try:
        import_module("torchvision")
    except RuntimeError:
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        LIBRARIES.append(library)


LIBRARIES: list[Any] = []
"""A definition lasts as long as its library object."""
