"""The verb `estimate`: what a training would take here, from a few real steps of it on the user's own data."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuneclip.data.load import Dataset, open_dataset
from tuneclip.model.open import Loaded, load_model
from tuneclip.project import Project
from tuneclip.settings import Estimate, Recipe
from tuneclip.training.batches import AHEAD, KEPT_BYTES
from tuneclip.training.config import merged, read_config
from tuneclip.training.energy import Energy, energies
from tuneclip.training.interpolate import open_probe, pictures_encoded
from tuneclip.training.loop import CHECKPOINT_SHARE
from tuneclip.training.memory import Memory, device_memory, even_part, fit_line, usable
from tuneclip.training.plan import Plan, make_plan
from tuneclip.training.precision import PICTURES
from tuneclip.training.rehearsal import (
    KEEPING,
    SMALL,
    Epoch,
    Outcome,
    attempt,
    careful_size,
    demand_of,
    rehearsal_of,
    smallest_attempt,
)
from tuneclip.training.validate import LIMIT

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
STEPS = 3 + AHEAD
"""Steps of a rehearsal: the first warms up, the last ones have no pictures to prepare beside them, the others count."""
VALIDATED, VALIDATED_AT_ONCE = 96, 256
"""Pictures that a rehearsal validates: some, or with kept activations as many as go through the model at once."""
COSTLIEST: Recipe = "full"
"""The recipe that `auto` is estimated as: it moves the most."""
BUDGET_SECONDS = 25.0
"""The second rehearsal's batch is halved until it is thought to take no longer."""


@dataclass(frozen=True)
class Need:
    """The device's memory, and what a run takes of it: `fixed_bytes` + `bytes_per_picture` · micro_batch_size."""

    fixed_bytes: int
    bytes_per_picture: int
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Seconds:
    """Where a run's time goes."""

    start: float
    """Libraries, model, records."""
    prepare: float
    """Activations that `blocks` and `head` compute once, where no earlier run has left them."""
    train: float
    """All steps."""
    validate: float
    """Before the first epoch, after each one, and of the mixture where there is a probe to choose it by."""
    save: float
    """Checkpoints."""
    sweep: float
    """Mixtures of base and tuned weights after training."""
    search: float = 0.0
    """Trying the recipes, with `auto`: at most as long as the run itself."""


@dataclass(frozen=True)
class Estimated:
    """What a training would take here. Times are for all epochs; an early stop only shortens them."""

    dataset: str
    model: str
    recipe: str
    device: str
    precision: str
    pictures: int
    batch_size: int
    micro_batch_size: int
    epochs: int
    steps: int
    """Optimizer updates of all epochs."""
    seconds_per_epoch: float
    """Steps, validation and checkpoint of one epoch."""
    seconds_total: float
    pictures_per_second: float
    """In training, pictures prepared beside it."""
    peak_memory_bytes: int
    largest_batch_size: int
    """Pictures that fit into the free memory all at once, at most those that there are to learn from."""
    fits: bool
    fitting_micro_batch_size: int
    """What `micro_batch_size` would let this batch fit."""
    memory: Need
    seconds: Seconds
    energy: tuple[Energy, ...]
    """Of this machine, then what others would take; rough."""

    def show(self, console: "Console") -> None:
        """A sentence and a table for people."""
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value in _rows(self):
            table.add_row(name, value)
        console.print(_sentence(self))
        console.print(table)
        if not self.fits:
            console.print(
                f'This does not fit: set "micro_batch_size": {self.fitting_micro_batch_size} in the config (the same '
                "gradient, somewhat slower), or leave it to --batch-size auto."
            )


def estimate(options: Estimate, project: Project) -> Estimated:
    """Run a few real steps of the training at two batch sizes, each in a fresh process, and say what all of it takes.

    Raises TuneclipError for whatever `train` would raise it for, and when not even two pictures fit into memory.
    """
    config = merged(
        read_config(options.config), model=options.model, recipe=options.recipe, batch_size=options.batch_size
    )
    dataset, loaded = open_dataset(options.dataset, project), load_model(str(config.model_name), project)
    named = dataclasses.replace(config, recipe=COSTLIEST) if config.recipe == "auto" else config
    plan = make_plan(named, dataset, loaded)
    if isinstance(config.batch_size, int) and config.batch_size > plan.records:
        logger.info("a batch of %d is more than the %d pictures: each step takes all", config.batch_size, plan.records)
    probe = open_probe(plan, dataset, project)
    memory = device_memory(plan.device)
    outcomes = measure(plan, dataset, loaded, memory=memory)
    result = conclude(plan, dataset, outcomes, memory=memory, probe=len(probe) if probe else 0)
    return _with_search(result) if config.recipe == "auto" else result


def measure(plan: Plan, dataset: Dataset, loaded: Loaded, *, memory: Memory) -> list[Outcome]:
    """Two rehearsals: a small one, and one as near to the plan's batch as memory and patience allow."""
    small = max(2, min(SMALL, plan.micro_batch_size // 2))
    rehearsal = rehearsal_of(plan, dataset, loaded, batch_size=small)
    validated = VALIDATED_AT_ONCE if plan.config.recipe in KEEPING else VALIDATED
    rehearsal = dataclasses.replace(rehearsal, steps=STEPS, validation=validated)
    logger.info("rehearsing %d steps with batch %d", STEPS, small)
    first = smallest_attempt(rehearsal, memory)
    size = careful_size(first, plan.micro_batch_size, memory)
    while size >= 4 * small and STEPS * size * _seconds_per_picture(first) > BUDGET_SECONDS:
        size //= 2
    while size > first.micro_batch_size:
        parts = 2 if plan.micro_batch_size < plan.batch_size else 1
        logger.info("rehearsing %d steps with batch %d", STEPS, parts * size)
        larger = dataclasses.replace(rehearsal, batch_size=parts * size, micro_batch_size=size)
        second = attempt(larger.decided(first))
        if second is not None:
            return [first, second]
        size //= 2
    return [first]


def conclude(plan: Plan, dataset: Dataset, outcomes: Sequence[Outcome], *, memory: Memory, probe: int = 0) -> Estimated:
    """The estimate that follows from the rehearsals; `probe` pictures tell what the model forgets."""
    demand, last = demand_of(outcomes, plan.records), outcomes[-1]
    line = demand.line(plan.micro_batch_size)
    limit = usable(memory)
    peak = demand.peak(plan.batch_size, plan.micro_batch_size)
    fitting = even_part(plan.batch_size, max(2, demand.largest_micro_batch(limit, plan.batch_size)))
    seconds, epoch = spend(plan, outcomes, dataset.splits.get("validation", 0), probe=probe)
    total = sum(dataclasses.astuple(seconds))
    return Estimated(
        dataset=dataset.name,
        model=str(plan.config.model_name),
        recipe=plan.config.recipe,
        device=plan.device,
        precision=last.precision,
        pictures=plan.records,
        batch_size=plan.batch_size,
        micro_batch_size=plan.micro_batch_size,
        epochs=plan.config.num_epochs,
        steps=plan.steps,
        seconds_per_epoch=round(epoch, 2),
        seconds_total=round(total, 1),
        pictures_per_second=round(plan.records * plan.config.num_epochs / seconds.train, 2),
        peak_memory_bytes=int(peak + min(mapped(plan, last), max(0.0, limit - peak))),
        largest_batch_size=min(demand.largest_batch(limit), plan.records),
        fits=peak <= limit,
        fitting_micro_batch_size=fitting,
        memory=Need(int(line.fixed), int(line.per_picture), memory.total, memory.free),
        seconds=Seconds(*(round(value, 2) for value in dataclasses.astuple(seconds))),
        energy=energies(plan.device, total, last.operations * plan.records * plan.config.num_epochs),
    )


def spend(plan: Plan, outcomes: Sequence[Outcome], held: int, *, probe: int = 0) -> tuple[Seconds, float]:
    """Where the time of a run goes, and the seconds of one of its epochs; `held` pictures are for validation."""
    last, epochs = outcomes[-1], plan.config.num_epochs
    train = training(plan, outcomes)
    each = train / epochs
    measured = min(held, LIMIT)
    validation = last.validation_seconds / max(last.validated, 1) * measured
    within = min(each / max(plan.config.checkpoint_seconds, 1e-3), CHECKPOINT_SHARE * each / last.save_seconds)
    saving = last.save_seconds * (1 + within)
    mixture = last.mixture_seconds / max(last.validated, 1)
    seconds = Seconds(
        start=last.start_seconds + decision(plan, outcomes[0]),
        prepare=preparation(plan, outcomes, measured),
        train=train,
        validate=(epochs + (2 if probe else 1)) * validation,
        save=epochs * saving + last.save_seconds,
        sweep=pictures_encoded(plan, held, probe) * mixture,
    )
    return seconds, each + validation + saving


def preparation(plan: Plan, outcomes: Sequence[Outcome], validated: int) -> float:
    """Seconds until the first step: where a recipe keeps activations, each view of each picture is encoded once."""
    line = fit_line([o.pictures for o in outcomes], [o.prepare_seconds for o in outcomes])
    if plan.config.recipe not in KEEPING:
        return line.at(plan.records)
    last, views = outcomes[-1], _views(plan)
    kept = (last.first_validation_seconds - last.validation_seconds) / max(last.validated, 1) * validated
    return line.fixed + views / min(views, 2) * line.per_picture * plan.records + max(kept, 0.0)


def mapped(plan: Plan, outcome: Outcome) -> float:
    """Bytes of kept activations that are in memory where it suffices; they count to a process, and hinder nobody."""
    views = _views(plan)
    return outcome.mapped_bytes / outcome.pictures * plan.records * views / min(views, 2)


def _views(plan: Plan) -> int:
    """Views of each picture of which `blocks` and `head` keep the activations."""
    return min(plan.config.views, plan.config.num_epochs) if plan.config.augment else 1


def decision(plan: Plan, first: Outcome) -> float:
    """Seconds in which the run times its step in each precision; none where one was chosen."""
    timed = min(plan.micro_batch_size, PICTURES) / min(first.micro_batch_size, PICTURES)
    return first.decide_seconds * timed


def training(plan: Plan, outcomes: Sequence[Outcome]) -> float:
    """Seconds of all epochs' steps; later epochs find the first one's pictures in memory, as far as there is room."""
    first, later = (_epoch_seconds(plan, [o.epochs[number] for o in outcomes], outcomes) for number in (0, -1))
    wanted = outcomes[-1].kept_bytes / outcomes[-1].pictures * plan.records
    found = min(1.0, KEPT_BYTES / wanted) if wanted else 1.0
    return first + (plan.config.num_epochs - 1) * (found * later + (1 - found) * first)


def _epoch_seconds(plan: Plan, epochs: Sequence[Epoch], outcomes: Sequence[Outcome]) -> float:
    """Seconds of an epoch with the plan's batch: as measured, else along the line through both rehearsals.

    A batch in several parts takes as many times what a rehearsal in two parts took as it has more pictures.
    """
    last = outcomes[-1]
    if plan.micro_batch_size < plan.batch_size:
        return epochs[-1].feed + epochs[-1].steady * plan.records / last.batch_size
    pictures = plan.records / plan.steps_per_epoch  # batches are as even as can be, so most are smaller than asked for
    step = fit_line([o.batch_size for o in outcomes], [epoch.steady for epoch in epochs]).at(pictures)
    return epochs[-1].feed + step * plan.steps_per_epoch


def _with_search(result: Estimated) -> Estimated:
    """The same of a run with recipe `auto`, whose trials take at most as long again."""
    seconds = dataclasses.replace(result.seconds, search=round(result.seconds_total, 2))
    total = result.seconds_total + seconds.search
    return dataclasses.replace(result, recipe="auto", seconds=seconds, seconds_total=round(total, 1))


def _seconds_per_picture(outcome: Outcome) -> float:
    steps = sum(epoch.steady for epoch in outcome.epochs) / outcome.batch_size
    return steps + outcome.prepare_seconds / outcome.pictures


def _sentence(result: Estimated) -> str:
    need, epochs = result.memory, "1 epoch" if result.epochs == 1 else f"{result.epochs} epochs"
    return (
        f"About {_duration(result.seconds_total)}: {epochs} of {_duration(result.seconds_per_epoch)}; "
        f"peak {_size(result.peak_memory_bytes)} of {_size(need.total_bytes)} ({_size(need.free_bytes)} free); "
        f"batches up to {result.largest_batch_size:,} fit; about {result.energy[0].watt_hours:.2g} Wh."
    )


def _rows(result: Estimated) -> list[tuple[str, str]]:
    seconds, need = result.seconds, result.memory
    once = {
        "start": seconds.start,
        "prepare": seconds.prepare,
        "sweep of mixtures": seconds.sweep,
        "search": seconds.search,
    }
    others = [f"{item.device} {item.watt_hours:.2g} Wh in {_duration(item.seconds)}" for item in result.energy[1:]]
    parts = "" if result.micro_batch_size == result.batch_size else f", {result.micro_batch_size} at once"
    return [
        ("recipe", f"{result.recipe} · {result.precision} on {result.device} · batch {result.batch_size}{parts}"),
        ("steps", f"{result.steps:,} with {result.pictures:,} pictures · {result.pictures_per_second:.1f} pictures/s"),
        ("of the time", f"training {_duration(seconds.train)} · validation {_duration(seconds.validate)}"),
        ("once", " · ".join(f"{name} {_duration(value)}" for name, value in once.items() if value >= 1)),
        ("memory", f"{_size(need.fixed_bytes)} + {need.bytes_per_picture / 1e6:.1f} MB a picture at once"),
        ("elsewhere", f"very roughly, at least: {'; '.join(others)}"),
    ]


def _duration(seconds: float) -> str:
    """Like "2 min 5 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
