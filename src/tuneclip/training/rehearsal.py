"""Try a few real steps out in a process of its own: what they take, or that the memory does not suffice."""

import dataclasses
import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tuneclip.errors import TuneclipError
from tuneclip.model.encode import tokenize
from tuneclip.training.batches import AHEAD, KEPT_BYTES
from tuneclip.training.memory import Demand, Line, Memory, device_memory, even_part, fit_line, rough_demand, usable

if TYPE_CHECKING:
    from tuneclip.data.load import Dataset
    from tuneclip.model.open import Loaded
    from tuneclip.training.plan import Plan

logger = logging.getLogger("tuneclip")
KILLED = -9
"""What the system's out-of-memory killer leaves."""
SMALL = 8
"""Pictures of the first rehearsal: little enough to fit nearly everywhere."""
KEEPING = ("blocks", "head")
"""Recipes that compute the frozen part once and keep its activations."""
SAMPLE = 256
"""Captions of which the longest stands for all."""
GRADIENT_AND_MOMENTS = 12
"""Bytes of a moving parameter beside itself."""
CAREFUL = 0.7
"""A rehearsal may take this share of what is free, by a guess that errs upwards."""


@dataclass(frozen=True)
class Rehearsal:
    """A short run of the real training loop, as plain values that go to another process."""

    dataset: str
    model: str
    config: dict[str, Any]
    """A whole `TrainingConfig`, resolved."""
    batch_size: int
    micro_batch_size: int
    steps: int
    """In each of its one or two epochs."""
    validation: int
    """Pictures that are validated, at most."""

    def decided(self, outcome: "Outcome") -> "Rehearsal":
        """The same with the precision that an earlier one decided on."""
        return dataclasses.replace(self, config={**self.config, "precision": outcome.precision})


@dataclass(frozen=True)
class Epoch:
    """Seconds of an epoch: until its first batch, and of each step with the wait for the batch after it."""

    feed: float
    steps: tuple[float, ...]

    @property
    def steady(self) -> float:
        """Of a step in the middle: warmed up, and with pictures being prepared beside it."""
        return median(self.steps[1:-AHEAD] or self.steps[1:] or self.steps)


@dataclass(frozen=True)
class Outcome:
    """What a rehearsal took; seconds, and bytes of the device's memory."""

    batch_size: int
    micro_batch_size: int
    start_seconds: float
    """From nothing to a model in memory: Python, libraries, weights, records."""
    prepare_seconds: float
    """Applying the recipe; `blocks` and `head` compute the frozen part of one view of each picture here."""
    decide_seconds: float
    """Timing a step in each precision, where nobody chose one."""
    precision: str
    pictures: int
    """Training pictures of the rehearsal, to which `prepare_seconds` belongs."""
    epochs: tuple[Epoch, ...]
    """The first, and one for all later ones, which find pictures in memory."""
    first_validation_seconds: float
    """Of the base, before training; where activations are kept, they are computed here."""
    validation_seconds: float
    validated: int
    """Pictures to which `validation_seconds` and `mixture_seconds` belong."""
    mixture_seconds: float
    """Measuring a mixture of weights after training, on pictures that are decoded already."""
    save_seconds: float
    waiting_bytes: float
    """What a picture takes that waits for its step: its inputs, in each batch that is prepared ahead."""
    kept_bytes: int
    """What the decoded pictures take that stay in memory."""
    mapped_bytes: int
    """What of activations on the disk is in memory as long as nobody else wants it."""
    peaks: dict[str, int]
    """By phase: "prepare", "feed", "step", "validate", "save" and so on."""
    moving: int
    """Parameters that training changes."""
    operations: float
    """Floating-point operations of a training picture."""


def rehearsal_of(plan: "Plan", dataset: "Dataset", loaded: "Loaded", *, batch_size: int) -> Rehearsal:
    """A rehearsal of the plan with another batch, all of it in memory at once; some steps, no validation."""
    config = dataclasses.asdict(plan.config) | {"learning_rate": plan.learning_rate}
    return Rehearsal(str(dataset.path.resolve()), str(loaded.path.resolve()), config, batch_size, batch_size, 3, 0)


def attempt(rehearsal: Rehearsal) -> Outcome | None:
    """What the rehearsal took, in a fresh process; None when there was not enough memory for it.

    Raises TuneclipError for whatever a run would raise it for.
    """
    command = [sys.executable, "-m", "tuneclip.training.rehearse"]
    question = json.dumps(dataclasses.asdict(rehearsal))
    done = subprocess.run(command, input=question, capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode == KILLED:
        return None
    if done.returncode != 0:
        raise RuntimeError(f"a rehearsal of {rehearsal.steps} steps failed:\n{done.stderr}")
    answer = json.loads(done.stdout.splitlines()[-1])
    if "error" in answer:
        raise TuneclipError(**answer["error"])
    if "outcome" not in answer:
        return None
    values = answer["outcome"]
    epochs = tuple(Epoch(each["feed"], tuple(each["steps"])) for each in values.pop("epochs"))
    return Outcome(**values, epochs=epochs)


def _environment() -> dict[str, str]:
    """The environment of this process, with this package's folder, and without what makes a process one of several."""
    package = str(Path(__file__).parents[2])
    several = {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT"}
    own = {key: value for key, value in os.environ.items() if key not in several}
    return own | {"PYTHONPATH": os.pathsep.join(filter(None, [package, own.get("PYTHONPATH")]))}


def demand_of(outcomes: Sequence[Outcome], records: int) -> Demand:
    """The memory of a run with so many pictures, from rehearsals: each phase's peak as a line over the batch."""
    waiting, kept = outcomes[-1].waiting_bytes, kept_per_picture(outcomes)
    sizes = [outcome.micro_batch_size for outcome in outcomes]
    own = [waiting * o.batch_size + min(kept * o.pictures, KEPT_BYTES) + o.mapped_bytes for o in outcomes]
    rows = [[o.peaks[phase] - less for o, less in zip(outcomes, own, strict=True)] for phase in outcomes[-1].peaks]
    lines = (fit_line(sizes, row) for row in rows)
    stays = min(kept * records, KEPT_BYTES)
    return Demand(tuple(Line(line.fixed + stays, line.per_picture) for line in lines), waiting)


def kept_per_picture(outcomes: Sequence[Outcome]) -> float:
    """Bytes of a decoded picture that stays in memory; with kept activations, while they are made."""
    last = outcomes[-1]
    if not last.mapped_bytes:
        return last.kept_bytes / last.pictures
    peaks = [outcome.peaks["prepare"] - outcome.mapped_bytes for outcome in outcomes]
    return fit_line([outcome.pictures for outcome in outcomes], peaks).per_picture


def careful_size(first: Outcome, wanted: int, memory: Memory) -> int:
    """`wanted`, halved until it fits by a guess from a smaller rehearsal that counts all else that it took to pictures.

    A batch that is too large would not fail alone: the system may end other programs, or swap for minutes.
    """
    fixed = first.peaks["prepare"] + GRADIENT_AND_MOMENTS * first.moving
    each = max(first.peaks["step"] - fixed, 1) / first.micro_batch_size
    while wanted > first.micro_batch_size and fixed + each * wanted > CAREFUL * memory.free:
        wanted //= 2
    return max(wanted, first.micro_batch_size)


def smallest_attempt(rehearsal: Rehearsal, memory: Memory) -> Outcome:
    """As `attempt`, with two pictures where the rehearsal does not fit; raises TuneclipError where not even they do."""
    outcome = attempt(rehearsal)
    if outcome is None and rehearsal.batch_size > 2:
        outcome = attempt(dataclasses.replace(rehearsal, batch_size=2, micro_batch_size=2))
    if outcome is None:
        raise TuneclipError(
            f"not even two pictures fit into {memory.free / 1e9:.1f} GB of free memory",
            where=rehearsal.model,
            expected="a smaller model, or more memory",
            hint="close other programs, or try --recipe lora or --recipe head",
        )
    return outcome


def measured_micro_batch(plan: "Plan", dataset: "Dataset", loaded: "Loaded") -> int:
    """Pictures that pass through the towers at once: the whole batch, or the fewest equal parts of it that fit.

    Two short rehearsals give the memory as a line over the batch. The batch itself stays what it is, and so does the
    number of updates. Raises TuneclipError when not even two pictures fit.
    """
    memory = device_memory(plan.device)
    logger.info("trying how many pictures fit into %.1f GB of free memory", memory.free / 1e9)
    outcomes = [smallest_attempt(rehearsal_of(plan, dataset, loaded, batch_size=min(SMALL, plan.batch_size)), memory)]
    size = careful_size(outcomes[0], min(4 * SMALL, plan.batch_size), memory)
    if size > outcomes[0].batch_size:
        larger = rehearsal_of(plan, dataset, loaded, batch_size=size).decided(outcomes[0])
        outcomes += filter(None, [attempt(larger)])
    return at_once(plan, demand_of(outcomes, plan.records), memory)


def guessed_micro_batch(plan: "Plan", dataset: "Dataset", loaded: "Loaded") -> int:
    """As `measured_micro_batch` by a guess that errs upwards and takes no time: the whole batch where it surely fits.

    Recipes that keep the frozen part's activations need so much less that the whole batch is taken.
    """
    if plan.config.recipe in KEEPING:
        return plan.batch_size
    memory = device_memory(plan.device)
    records = dataset.split("train")
    some = [caption for record in records[:: len(records) // SAMPLE + 1] for caption in record.captions[:1]]
    longest = int(tokenize(loaded, some)["input_ids"].shape[1]) if some else loaded.context
    demand = rough_demand(loaded.model, precision=plan.precision, longest=longest)
    return at_once(plan, demand, memory)


def at_once(plan: "Plan", demand: Demand, memory: Memory) -> int:
    """The plan's batch, or the fewest equal parts of it of which one fits into what may be used of the memory."""
    fitting = demand.largest_micro_batch(usable(memory), plan.batch_size)
    micro = even_part(plan.batch_size, max(2, fitting))
    if micro < plan.batch_size:
        logger.info(
            "batch %d passes through the towers %d pictures at once, as %.1f GB of memory are free: the same gradient",
            plan.batch_size, micro, memory.free / 1e9,
        )  # fmt: skip
    return micro
