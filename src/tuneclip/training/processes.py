"""Several processes as one run: who this one is, and what it exchanges with the others. Alone, all of it costs nothing.

Nothing here averages. Each process embeds its share of a batch, all see all embeddings and compute the loss of the
whole batch, and what the towers of each have of its gradient is added up: the sum is the gradient of one process with
the whole batch, which the mean over processes (as of DistributedDataParallel) is not.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from tuneclip.errors import TuneclipError
from tuneclip.model.retrieval import Vectors
from tuneclip.training.validate import Embed

T = TypeVar("T")
PATIENCE = timedelta(hours=12)
"""How long a process waits for another that is at work; one that died ends the others at once (torchrun sees to it)."""
BUCKET = 8_000_000
"""Numbers that are added up at once: few messages, and little memory beside the gradient."""


@dataclass(frozen=True)
class Team:
    """A process among those of its run. Every method is called by all of them, in the same order."""

    rank: int = 0
    world: int = 1

    @property
    def is_writer(self) -> bool:
        """Whether this is the one process that writes files."""
        return self.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """What `Batches.epoch` takes."""
        return self.rank, self.world

    def rows(self, total: int) -> slice:
        """Which of `total` rows are this process's: contiguous, sizes as of `numpy.array_split`."""
        return _shares(total, self.world)[self.rank]

    def gather(self, own: torch.Tensor, total: int) -> torch.Tensor:
        """All processes' rows in order, (total, …) on the device of `own`, without gradient; `own` are this one's."""
        if self.world == 1:
            return own
        shares = _shares(total, self.world)
        padded = own.new_zeros(shares[0].stop, *own.shape[1:], device=_device())
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in shares]
        torch.distributed.all_gather(parts, padded)
        rows = [part[: share.stop - share.start] for part, share in zip(parts, shares, strict=True)]
        return torch.cat(rows).to(own.device)

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Make each gradient its sum over all processes; one that no process has stays None."""
        if self.world == 1:
            return
        own = list(parameters)
        present = torch.tensor([float(weight.grad is not None) for weight in own], device=_device())
        torch.distributed.all_reduce(present)
        for bucket in _buckets([weight for weight, known in zip(own, present.tolist(), strict=True) if known]):
            gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in bucket]
            flat = torch.cat([gradient.flatten() for gradient in gradients]).to(_device())
            torch.distributed.all_reduce(flat)
            for weight, summed in zip(bucket, torch.split(flat, [weight.numel() for weight in bucket]), strict=True):
                weight.grad = summed.view_as(weight).to(weight.device)

    def begin_alike(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give all processes the writer's values."""
        if self.world == 1:
            return
        for weight in parameters:
            values = weight.detach().to(_device())
            torch.distributed.broadcast(values, src=0)
            weight.data.copy_(values)

    def any(self, flag: bool) -> bool:
        """Whether it is so on at least one process."""
        if self.world == 1:
            return flag
        seen = torch.tensor(float(flag), device=_device())
        torch.distributed.all_reduce(seen)
        return bool(seen.item())

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.world > 1:
            torch.distributed.barrier()

    def on_writer(self, work: Callable[[], T]) -> T:
        """What `work` returns on the writer, which does it alone when all have come here; the others get a copy."""
        if self.world == 1:
            return work()
        self.wait()
        answer: list[Any] = [work() if self.is_writer else None]
        torch.distributed.broadcast_object_list(answer, src=0)
        return answer[0]  # type: ignore[no-any-return]

    @contextmanager
    def writer_first(self) -> Iterator[None]:
        """The block runs on the writer, then on the others: they find what it left on the disk."""
        if not self.is_writer:
            self.wait()
        yield
        if self.is_writer:
            self.wait()

    def shared(self, embed: Embed) -> Embed:
        """The same vectors on every process, of which each embeds its share."""
        if self.world == 1:
            return embed

        def together(paths: Sequence[Path], texts: Sequence[str]) -> tuple[Vectors, Vectors]:
            pictures, captions = embed(paths[self.rows(len(paths))], texts[self.rows(len(texts))])
            return self._gathered(pictures, len(paths)), self._gathered(captions, len(texts))

        return together

    def _gathered(self, vectors: Vectors, total: int) -> Vectors:
        return np.asarray(self.gather(torch.from_numpy(np.ascontiguousarray(vectors)), total).numpy())


ALONE = Team()


def team_here() -> Team:
    """The processes that torchrun or `accelerate launch` started with this one; `ALONE` where there are no others.

    Through Accelerate, which chooses NCCL for GPUs and gloo for processors. Raises TuneclipError when fewer work
    together than were started: Accelerate then says nothing, and each would train, and write, as if it were alone.
    """
    wanted = int(os.environ.get("WORLD_SIZE", "1"))
    if wanted == 1 or "RANK" not in os.environ:
        return ALONE
    from accelerate import PartialState

    on_processor = not torch.cuda.is_available()
    if not on_processor and int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > torch.cuda.device_count():
        raise TuneclipError(
            f"{os.environ['LOCAL_WORLD_SIZE']} processes, but {torch.cuda.device_count()} GPU",
            expected="one GPU for each process",
            hint="start fewer with --nproc-per-node, or hide the GPUs with CUDA_VISIBLE_DEVICES=''",
        )
    state = PartialState(cpu=on_processor, timeout=PATIENCE)
    if state.num_processes != wanted:
        raise TuneclipError(
            f"{state.num_processes} of {wanted} processes work together",
            hint="start them with: torchrun --standalone --nproc-per-node 2 -m tuneclip train …",
        )
    return Team(state.process_index, state.num_processes)


def _device() -> torch.device:
    """Where the exchanged numbers have to lie: NCCL takes those on the GPU, gloo those in memory."""
    return torch.device("cuda" if torch.distributed.get_backend() == "nccl" else "cpu")


def _shares(total: int, world: int) -> list[slice]:
    sizes = [total // world + (rank < total % world) for rank in range(world)]
    return [slice(sum(sizes[:rank]), sum(sizes[: rank + 1])) for rank in range(world)]


def _buckets(parameters: Sequence[torch.nn.Parameter]) -> Iterator[list[torch.nn.Parameter]]:
    bucket: list[torch.nn.Parameter] = []
    for weight in parameters:
        bucket.append(weight)
        if sum(held.numel() for held in bucket) >= BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket
