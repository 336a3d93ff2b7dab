"""How much memory there is, and how much a batch of any size takes: memory = a + b · batch."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

MARGIN = 0.1
"""Share of the free memory that is left alone: other programs grow too, and so does a long run's heap."""
UNLIMITED = 1 << 60
"""What cgroup v1 says where there is no limit is the largest multiple of a page in 63 bits; none has this much."""
PROGRAM = 0.6e9
"""Bytes of Python, PyTorch, transformers and a dataset's records, before there is a model (measured, rounded up)."""
SAMPLE_SECONDS = 0.005


@dataclass(frozen=True)
class Memory:
    """What the device's memory is, and what of it a new process can have, in bytes."""

    total: int
    free: int


@dataclass(frozen=True)
class Line:
    """A quantity that grows with the batch: `fixed` + `per_picture` · pictures."""

    fixed: float
    per_picture: float

    def at(self, pictures: float) -> float:
        """Its value for so many pictures."""
        return self.fixed + self.per_picture * pictures

    def largest(self, limit: float) -> int:
        """How many pictures stay within `limit`; 0 where not even one does."""
        if self.per_picture <= 0:
            return sys.maxsize if self.fixed <= limit else 0
        return max(0, int((limit - self.fixed) / self.per_picture))


def fit_line(pictures: Sequence[int], values: Sequence[float]) -> Line:
    """The line through measured values by least squares; it never falls, and through one size it is level."""
    slope, fixed = np.polyfit(pictures, values, 1) if len(set(pictures)) > 1 else (0.0, max(values))
    if slope <= 0:
        return Line(float(max(values)), 0.0)
    return Line(float(fixed), float(slope))


def usable(memory: Memory) -> float:
    """Bytes that a run may take: what is free, less the margin."""
    return memory.free * (1 - MARGIN)


def device_memory(device: str) -> Memory:
    """The memory in which a step on `device` lives: the card's own, or the machine's as far as this container may."""
    import torch

    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        return Memory(total, free)
    machine = machine_memory()
    if device == "mps":
        total = torch.mps.recommended_max_memory()
        return Memory(total, min(machine.free, total - torch.mps.driver_allocated_memory()))
    return machine


def machine_memory(root: Path = Path("/")) -> Memory:
    """The machine's memory within the limits of the control groups, v1 and v2, that this process is in.

    Caches of files count as free: the kernel gives them up when a program asks.
    """
    import psutil

    whole = psutil.virtual_memory()
    total, free = whole.total, whole.available
    for limit, used in control_groups(root):
        total, free = min(total, limit), min(free, max(0, limit - used))
    return Memory(total, free)


def control_groups(root: Path = Path("/")) -> Iterator[tuple[int, int]]:
    """Each control group's (limit, use without cached files) in bytes, where it has a limit.

    The names of the files: https://docs.kernel.org/admin-guide/cgroup-v2.html and …/cgroup-v1/memory.html.
    """
    listing = root / "proc/self/cgroup"
    for line in listing.read_text().splitlines() if listing.is_file() else []:
        _, controllers, path = line.split(":", 2)
        second = controllers == ""
        if not second and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("" if second else "memory")
        names = ("memory.max", "memory.current", "inactive_file")
        if not second:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        inside = top / path.lstrip("/")
        for folder in [inside, *inside.parents]:
            if folder.is_relative_to(top):
                yield from _group(folder, *names)


def _group(folder: Path, limit_name: str, use_name: str, cache_name: str) -> Iterator[tuple[int, int]]:
    try:
        limit, used = (folder / limit_name).read_text().strip(), int((folder / use_name).read_text())
        caches = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return
    if limit.isdigit() and int(limit) < UNLIMITED:
        yield int(limit), max(0, used - int(caches.get(cache_name, 0)))


class Meter:
    """Time and peak of memory of each phase of some work: `mark(name)` ends the phase before and begins the next.

    On the CPU the memory is what of the whole process is resident, sampled on a thread (the operating system keeps only
    one peak for a process's whole life); on a GPU what PyTorch has taken of the card.
    """

    def __init__(self, device: str):
        self.peaks: dict[str, int] = {}
        """Bytes by phase; the largest where a phase came more than once."""
        self._device, self._marks, self._done = device, [("start", time.perf_counter())], threading.Event()
        self._highest = highest_ever(device)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def mark(self, phase: str) -> None:
        """From here on it is `phase`."""
        self._sample()
        highest = highest_ever(self._device)
        if highest > self._highest:  # between two samples: what is fast, or holds the interpreter's lock
            self._highest = self.peaks[self._marks[-1][0]] = highest
        self._marks.append((phase, time.perf_counter()))
        self._sample()

    def seconds(self, phase: str) -> list[float]:
        """How long each phase of that name took, in order; the last mark only ends the one before it."""
        return [end - begin for (name, begin), (_, end) in pairwise(self._marks) if name == phase]

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        phase, now = self._marks[-1][0], resident(self._device)
        self.peaks[phase] = max(now, self.peaks.get(phase, 0))


def highest_ever(device: str) -> int:
    """The most bytes that this process has held since it began, as the system knows it; 0 where that is not to be had.

    Not `ru_maxrss`, which on Linux begins with the peak of the process that started this one.
    """
    status = Path("/proc/self/status")
    if device != "cpu" or not status.is_file():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) * 1024


@cache
def _process() -> Any:
    import psutil

    return psutil.Process()


def resident(device: str) -> int:
    """Bytes that this process holds now: of the machine's memory, or of the GPU's."""
    if device == "cpu":
        return int(_process().memory_info().rss)
    import torch

    return int(torch.cuda.memory_reserved() if device == "cuda" else torch.mps.driver_allocated_memory())


@dataclass(frozen=True)
class Demand:
    """The peak of a run's memory: the highest of a few lines over the pictures that are in the towers at once."""

    lines: tuple[Line, ...]
    """One for each phase: step, validation, checkpoint."""
    waiting: float = 0.0
    """Bytes of a picture of the whole batch that waits for its turn: its inputs, in all that is prepared ahead."""

    def peak(self, batch_size: int, micro_batch_size: int) -> float:
        """Bytes of a run with these sizes."""
        return self.line(micro_batch_size).at(micro_batch_size) + self.waiting * (batch_size - micro_batch_size)

    def line(self, micro_batch_size: int) -> Line:
        """The line that is highest there, of a run whose whole batch is in the towers at once."""
        highest = max(self.lines, key=lambda line: line.at(micro_batch_size))
        return Line(highest.fixed, highest.per_picture + self.waiting)

    def largest_batch(self, limit: float) -> int:
        """Pictures of the largest batch that fits into `limit` bytes all at once; 0 where not even one does."""
        return min(Line(line.fixed, line.per_picture + self.waiting).largest(limit) for line in self.lines)

    def largest_micro_batch(self, limit: float, batch_size: int) -> int:
        """Pictures that may be in the towers at once so that a batch of this size fits into `limit` bytes."""
        return min(line.largest(limit - self.waiting * batch_size) for line in self.lines)


def rough_demand(model: Any, *, precision: str, longest: int) -> Demand:
    """A guess, without a measurement, that errs upwards: the memory of full fine-tuning with texts of `longest` tokens.

    A transformer layer keeps 34 · s · h + 5 · a · s² bytes of a sequence for the backward pass, in 16 bits (Korthikanti
    et al., arXiv 2205.05198); CLIP's activation, made of three operations, adds 6 · s · h. Weights, gradients and two
    moments are 16 bytes a parameter; a checkpoint copies weights and moments twice while it is written, 24 more.
    """
    wider = 2.0 if precision == "fp32" else 1.5  # under autocast norms and sums stay in 32 bits
    parameters = sum(weight.numel() for weight in model.parameters())
    vision, text = model.config.vision_config, model.config.text_config
    patches = (vision.image_size // vision.patch_size) ** 2 + 1
    per_picture = wider * (_kept_bytes(vision, patches) + _kept_bytes(text, longest))
    return Demand((Line(PROGRAM + 16 * parameters, per_picture), Line(PROGRAM + 40 * parameters, 0.0)))


def _kept_bytes(tower: Any, length: int) -> float:
    layer = length * tower.hidden_size * 40 + 5 * tower.num_attention_heads * length**2
    return float(tower.num_hidden_layers * layer)


def even_part(batch_size: int, fitting: int) -> int:
    """The size of the fewest equal parts of a batch of which each has at most `fitting` pictures."""
    parts = -(-batch_size // max(1, min(fitting, batch_size)))
    return -(-batch_size // parts)
