"""`--recipe auto`: try the recipes briefly on the user's own data, and keep the one that learns it best."""

import dataclasses
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import Encoder
from tuneclip.model.open import load_model
from tuneclip.project import Project, read_json, write_text
from tuneclip.settings import Recipe, TrainingConfig
from tuneclip.training.adapt import RECIPES, adapt
from tuneclip.training.loop import Loop
from tuneclip.training.plan import make_plan
from tuneclip.training.settled import TRIALS
from tuneclip.training.validate import Ranks, Validation, summary

logger = logging.getLogger("tuneclip")
VALIDATED = 500
"""Pictures that a trial is measured on at most."""
FEWEST = 16
"""Pictures of a trial where the training pictures are so few that the search costs nothing."""
PASSES = {"full": 3.0, "lora": 3.0, "blocks": 0.75, "head": 0.1}
"""What a picture costs in a step, in encodings: forwards once and backwards twice as much, of the part that moves."""
KEPT = ("blocks", "head")
"""Recipes that encode each view of a picture once more, before the first step."""


@dataclass(frozen=True)
class Tried:
    """One trial: a short run of its own, with warm-up and cosine, on some of the training pictures."""

    recipe: str
    rung: int
    """0 is the first, in which all recipes run."""
    pictures: int
    seconds: float
    mean_recall: float
    """On validation, after the last step."""
    margin: float
    """Half of the 95 % interval of `mean_recall`."""


@dataclass(frozen=True)
class Choice:
    """Which recipe, and why."""

    recipe: Recipe
    reason: str
    base_mean_recall: float
    tried: tuple[Tried, ...]


@dataclass(frozen=True)
class Trial:
    """A trial with the ranks that it ended with, which later trials are compared with, paired."""

    tried: Tried
    ranks: Ranks


Try = Callable[[str, int, int], Trial]
"""Runs a recipe in a rung on so many pictures."""


def recipe_of(config: TrainingConfig, dataset: Dataset, project: Project, folder: Path) -> Choice | None:
    """What `choose_recipe` chose where the config leaves it to it; None where it names a recipe."""
    return choose_recipe(config, dataset, project, folder) if config.recipe == "auto" else None


def choose_recipe(config: TrainingConfig, dataset: Dataset, project: Project, folder: Path) -> Choice:
    """Successive halving over the recipes, on validation recall (Jamieson & Talwalkar, arXiv 1502.07943).

    All recipes learn from the same few pictures; the better half goes on to twice as many; the last one is the choice.
    Each trial begins anew with the recipe's own rate and a schedule of its own, so that the run which follows is that
    of the recipe named outright. What a trial costs is counted in pictures, not seconds, so that the same seed chooses
    the same; all trials together cost at most what one run of the chosen recipe costs. Finished trials stay in
    `folder`; a search that was killed goes on after them.

    Raises TuneclipError where there is no validation split to choose by.
    """
    validation = Validation(dataset, limit=VALIDATED)
    base = load_model(str(config.model_name), project)
    base_ranks = validation.ranks(Encoder(base).both)
    if not base_ranks:
        raise TuneclipError(
            "recipe auto chooses by validation recall, and there is no validation split",
            where=dataset.path,
            hint="import the dataset anew so that it gets one, or name a recipe",
        )
    pictures = first_rung(config, len(dataset.split("train")), len(validation))

    def run(recipe: str, rung: int, size: int) -> Trial:
        path = folder / TRIALS / f"{rung}-{recipe}.json"
        if path.is_file():
            return _read(path)
        part, trial_config = some_of(dataset, size, config.seed), _for_trial(config, recipe)
        began = time.monotonic()
        with _quietly():
            ranks = _ranks_after(trial_config, part, validation, project, work=folder / TRIALS / f".{recipe}")
        mean, margin = summary(ranks)["mean_recall"], 1.96 * validation.standard_error(ranks)
        trial = Trial(Tried(recipe, rung, size, round(time.monotonic() - began, 2), mean, margin), ranks)
        _write(path, trial)
        logger.info("  %s", _line(trial.tried))
        return trial

    trials = halve(list(RECIPES), run, pictures, most=len(dataset.split("train")))
    choice = _choice(trials, validation, summary(base_ranks)["mean_recall"])
    logger.info("recipe auto chose %s", choice.reason)
    return choice


def halve(contenders: Sequence[str], run: Try, pictures: int, *, most: int) -> list[Trial]:
    """Run rung after rung, each with the better half of the one before and twice its pictures, at most `most`.

    The trials in order; the best of the last rung has won. Equal recalls: the one named first. A recipe that cannot be
    tried (a loss that is not finite) is out; raises what the last one raised when none can.
    """
    trials: list[Trial] = []
    rung, left = 0, list(contenders)
    while len(left) > 1 or not trials:
        logger.info("trying %s on %d pictures each", ", ".join(left), pictures)
        done = _ran(left, run, rung, pictures)
        trials += done
        ranking = sorted(done, key=lambda trial: -trial.tried.mean_recall)
        left = [trial.tried.recipe for trial in ranking[: max(1, len(left) // 2)]]
        rung, pictures = rung + 1, min(2 * pictures, most)
    return trials


def first_rung(config: TrainingConfig, records: int, validated: int) -> int:
    """Pictures of a first trial, so many that all trials together cost no more than a run of whichever recipe wins."""
    names = list(RECIPES)
    allowed = []
    for pair in combinations(names, max(1, len(names) // 2)):
        per_picture = sum(cost(config, name, 1, 1) for name in names) + 2 * sum(cost(config, n, 1, 1) for n in pair)
        measuring = validated * (1 + len(names) + len(pair))
        run = min(cost(config, name, records, config.num_epochs) for name in pair)
        allowed.append((run - measuring) / per_picture)
    return min(max(int(min(allowed)), FEWEST), records)


def some_of(dataset: Dataset, size: int, seed: int) -> Dataset:
    """The dataset with `size` of its training pictures and no others; a larger size has those of a smaller one."""
    records = dataset.split("train")
    chosen = np.sort(np.random.default_rng((seed, 2)).permutation(len(records))[:size])
    return Dataset(dataset.name, dataset.path, tuple(records[i] for i in chosen))


def again(values: dict[str, Any] | None) -> Choice | None:
    """The choice that `dataclasses.asdict` made these JSON values of."""
    return Choice(**{**values, "tried": tuple(Tried(**t) for t in values["tried"])}) if values else None


def _ran(recipes: Iterable[str], run: Try, rung: int, pictures: int) -> list[Trial]:
    done, failed = [], None
    for recipe in recipes:
        try:
            done.append(run(recipe, rung, pictures))
        except TuneclipError as error:
            logger.info("%s is out: %s", recipe, error)
            failed = error
    if not done and failed:
        raise failed
    return done


def cost(config: TrainingConfig, recipe: str, pictures: int, epochs: int) -> float:
    """Encodings of a run, or what takes as long."""
    views = min(config.views, epochs) if config.augment else 1
    once = views if recipe in KEPT else 0
    return pictures * (once + epochs * PASSES.get(recipe, PASSES["full"]))


def _for_trial(config: TrainingConfig, recipe: str) -> TrainingConfig:
    return dataclasses.replace(
        config,
        recipe=cast("Recipe", recipe),
        num_epochs=1,
        batch_size=None if config.batch_size == "auto" else config.batch_size,
        early_stopping=False,
        interpolate=False,
        probe=None,
        trackers=(),
        checkpoint_seconds=1e9,
    )


def _ranks_after(
    config: TrainingConfig, part: Dataset, validation: Validation, project: Project, *, work: Path
) -> Ranks:
    """The validation ranks after a run on `part`, of which nothing else stays."""
    loaded = load_model(str(config.model_name), project)
    plan = make_plan(config, part, loaded)
    adaptation = adapt(loaded, part, plan)
    shutil.rmtree(work, ignore_errors=True)
    try:
        Loop(adaptation, plan, work, dict).run()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return validation.ranks(adaptation.embed)


def _choice(trials: list[Trial], validation: Validation, base: float) -> Choice:
    last = [trial for trial in trials if trial.tried.rung == trials[-1].tried.rung]
    best, *others = sorted(last, key=lambda trial: -trial.tried.mean_recall)
    reason = (
        f"{best.tried.recipe}: validation recall {best.tried.mean_recall:.1%} after {best.tried.pictures:,} pictures"
    )
    for other in others:
        behind = best.tried.mean_recall - other.tried.mean_recall
        margin = 1.96 * validation.standard_error(best.ranks, other.ranks)
        clear = "" if behind > margin else ", which is within the noise"
        reason += f", {behind:.1%} (± {margin:.1%}) above {other.tried.recipe}{clear}"
    reason += f"; the base has {base:.1%}"
    return Choice(cast("Recipe", best.tried.recipe), reason, base, tuple(trial.tried for trial in trials))


def _line(tried: Tried) -> str:
    recall = f"recall {tried.mean_recall:6.1%} ± {tried.margin:.1%}"
    return f"{tried.recipe:<6}  {tried.pictures:>7,} pictures  {tried.seconds:>5.0f} s  {recall}"


@contextmanager
def _quietly() -> Iterator[None]:
    """A trial's own messages would drown the search's."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _write(path: Path, trial: Trial) -> None:
    ranks = {way: found.tolist() for way, found in trial.ranks.items()}
    write_text(path, json.dumps({**dataclasses.asdict(trial.tried), "ranks": ranks}))


def _read(path: Path) -> Trial:
    values = read_json(path)
    ranks = {way: np.array(found, np.int64) for way, found in values.pop("ranks").items()}
    return Trial(Tried(**values), ranks)
