"""What a run was given and what was decided for it, in runs/NAME/settings.json: a resumed run decides nothing anew.

The rule is one: a run that goes on has for its config the resolved config of the run that it goes on with, in which
no `auto` and no None is left where something was decided (recipe, batch size, learning rate, precision). So whatever
decides anything does so only where the config leaves it open, and writes its decision into `plan.resolved`.
"""

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import best_device
from tuneclip.model.open import Loaded, fingerprint
from tuneclip.project import EMBEDDED, METADATA, MINED, read_json, write_json
from tuneclip.settings import TrainingConfig
from tuneclip.training.config import config_from
from tuneclip.training.loop import BEST, CHECKPOINT
from tuneclip.training.plan import Plan, plain, resolved
from tuneclip.training.validate import BEST_RANKS

SETTINGS = "settings.json"
TRIALS = "trials"
"""Folder of the recipes' trials: work of an interrupted run, as its checkpoint is."""


def given(config: TrainingConfig, dataset: Dataset, loaded: Loaded) -> dict[str, Any]:
    """What the user gave, as plain JSON values: two runs of which this is equal are one run."""
    return {
        "config": plain(config),
        "device": best_device(),
        "dataset": {"name": dataset.name, "fingerprint": dataset_fingerprint(dataset)},
        "base": {"name": loaded.name, "fingerprint": fingerprint(loaded.path)},
    }


def earlier(folder: Path, now: dict[str, Any], *, resume: bool) -> TrainingConfig | None:
    """The config that the interrupted run in `folder` had settled on; None where nothing was settled yet.

    Begins the folder anew where there is no interrupted run. Raises TuneclipError when there is one that is not to be
    resumed, or that was given something else than `now`.
    """
    if not ((folder / CHECKPOINT).is_file() or (folder / TRIALS).is_dir()):
        shutil.rmtree(folder, ignore_errors=True)
        write_json(folder / SETTINGS, {"given": now})
        return None
    if not resume:
        raise TuneclipError(
            "an interrupted run of this name exists", where=folder, hint="add --resume, or remove that folder"
        )
    before = read_json(folder / SETTINGS)
    decided = before.get("config", {})
    for key, value in now.items():
        changes = _changes(before.get("given", {}).get(key), value, decided if key == "config" else {})
        if changes:
            raise TuneclipError(
                f"the interrupted run had another {key}: {', '.join(changes)}",
                where=folder / SETTINGS,
                hint="resume with the same data and settings, or remove that folder to begin anew",
            )
    return config_from(decided, folder / SETTINGS) if decided else None


def settle(folder: Path, now: dict[str, Any], plan: Plan, *, choice: Any = None) -> dict[str, Any]:
    """Write down what was decided; returns all that decides the run's result, as plain JSON values.

    `choice` is the frozen record of how recipe `auto` chose; without one that of the interrupted run stays.
    """
    chosen = dataclasses.asdict(choice) if choice else read_json(folder / SETTINGS).get("choice")
    settled = {**resolved(plan), "dataset": now["dataset"], "base": now["base"]}
    settled |= {"choice": chosen} if chosen else {}
    write_json(folder / SETTINGS, {"given": now, **settled})
    return settled


def clear(folder: Path) -> None:
    """Remove what only an interrupted run needs."""
    for leftover in (CHECKPOINT, BEST, BEST_RANKS, EMBEDDED, MINED):
        (folder / leftover).unlink(missing_ok=True)
    shutil.rmtree(folder / TRIALS, ignore_errors=True)


def _changes(before: Any, now: Any, decided: dict[str, Any]) -> list[str]:
    """What differs, in words; giving outright what had been decided is no difference."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if before == now else [f"was {before!r}, now {now!r}"]
    return [
        f"{key} was {before.get(key)!r}, now {value!r}"
        for key, value in now.items()
        if before.get(key) != value and (key not in decided or decided[key] != value)
    ]


def dataset_fingerprint(dataset: Dataset) -> str:
    """Identifies the records of a dataset, as they were read (16 hex digits)."""
    path = dataset.path / METADATA
    content = path.read_bytes() if path.is_file() else repr(dataset.records).encode()
    return hashlib.sha256(content).hexdigest()[:16]
