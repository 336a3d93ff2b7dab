"""Trackers that people use (TensorBoard, Weights & Biases, MLflow, Trackio), through Accelerate's classes for them.

Off unless the config names them. They get what is on the disk already, never more, so that a run that was killed and
resumed has each step once. Everything stays on this machine unless the tracker's own environment says otherwise.
"""

import importlib.util
import json
import logging
import math
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tuneclip.errors import TuneclipError, one_line
from tuneclip.project import read_json, write_json
from tuneclip.training.diagnose import Rows

logger = logging.getLogger("tuneclip")
STATE = "tracked.json"
"""What a run's folder remembers of its trackers: how far they are, and under which name they know the run."""


@dataclass(frozen=True)
class Place:
    """Where a run's figures go."""

    folder: Path
    """The run's own."""
    id: str
    """Stays the same when the run is resumed."""
    step: int
    """The last step that the trackers have."""


@dataclass(frozen=True)
class Kind:
    """A tracker: the package that it needs, Accelerate's class for it, and the options of that class."""

    package: str
    tracker: str
    options: Callable[[Place], dict[str, Any]]
    named: Callable[[str], str] = str
    """What it calls a figure."""


def _tensorboard(place: Place) -> dict[str, Any]:
    # event files are read in the order of their names, which hold the second: not two in one
    while any((place.folder / "tensorboard").glob(f"events.out.tfevents.{int(time.time())}*")):
        time.sleep(0.05)
    # purge_step: what a killed run had written beyond its last checkpoint is written again
    return {"run_name": "tensorboard", "logging_dir": place.folder, "purge_step": place.step + 1}


def _wandb(place: Place) -> dict[str, Any]:
    mode = os.environ.get("WANDB_MODE", "offline")
    known = {"name": place.folder.name, "id": place.id, "resume": "allow"}
    return {"run_name": "tuneclip", **known, "dir": str(place.folder.parent), "mode": mode}


def _mlflow(place: Place) -> dict[str, Any]:
    import mlflow  # type: ignore[import-not-found,unused-ignore]

    if "MLFLOW_TRACKING_URI" not in os.environ:
        mlflow.set_tracking_uri(f"sqlite:///{place.folder.parent.resolve() / 'mlflow.db'}")
    mlflow.set_experiment("tuneclip")
    runs = mlflow.search_runs(
        experiment_names=["tuneclip"], filter_string=f"tags.tuneclip = '{place.id}'", output_format="list"
    )
    known = {"run_id": runs[0].info.run_id} if runs else {"tags": {"tuneclip": place.id}}
    return {"experiment_name": "tuneclip", "run_name": place.folder.name, **known}


def _trackio(place: Place) -> dict[str, Any]:
    return {"run_name": "tuneclip", "name": f"{place.folder.name}-{place.id}", "resume": "allow"}


KINDS = {
    "tensorboard": Kind("tensorboard", "TensorBoardTracker", _tensorboard),
    "wandb": Kind("wandb", "WandBTracker", _wandb),
    "mlflow": Kind("mlflow", "MLflowTracker", _mlflow, lambda name: name.replace("@", "_at_")),
    "trackio": Kind("trackio", "TrackioTracker", _trackio),
}
"""What the config's `trackers` may name."""


def demand(names: Sequence[str]) -> None:
    """Raise TuneclipError where a tracker's package is missing, with what installs it; call it before any work."""
    for name in names:
        for package in ("accelerate", KINDS[name].package):
            if importlib.util.find_spec(package) is None:
                raise TuneclipError(
                    f"the tracker {name!r} needs the package {package}", hint=f"pip install 'tuneclip[{name}]'"
                )


class Tracking:
    """The trackers of one run; they start with the first rows."""

    def __init__(self, names: Sequence[str], folder: Path, settled: Mapping[str, Any]):
        """`settled` is what decided the run; its config is logged as the hyperparameters, once."""
        demand(names)
        self._names, self._folder, self._settled = names, folder, settled
        self._trackers: dict[str, Any] = {}
        self._started = False
        self._state: dict[str, Any] = {}

    def send(self, rows: Rows) -> None:
        """Log the rows that the trackers do not have yet; `rows` are all of the run, as they are on the disk.

        Raises TuneclipError for a tracker that cannot start. One that fails later is left out from then on, with a
        warning: no run of hours ends for its sake.
        """
        if not self._started:
            self._start()
        step = 0
        for row in rows:
            step = max(step, row["step"]) if row.get("kind") == "step" else step
            if row.get("kind") in ("step", "epoch") and row[row["kind"]] > self._state[row["kind"]]:
                self._state[row["kind"]] = row[row["kind"]]
                for name, tracker in list(self._trackers.items()):
                    named = {KINDS[name].named(key): value for key, value in figures(row).items()}
                    self._try(name, partial(tracker.log, named, step=step))
        write_json(self._folder / STATE, self._state)

    def finish(self) -> None:
        """Close them."""
        for name, tracker in list(self._trackers.items()):
            self._try(name, tracker.finish)
        self._trackers = {}

    def _start(self) -> None:
        from accelerate import PartialState, tracking

        PartialState(cpu=not torch.cuda.is_available())  # without it some of Accelerate's trackers refuse to start
        self._started = True
        path = self._folder / STATE
        known = read_json(path) if path.is_file() else None
        self._state = known or {"id": secrets.token_hex(4), "step": 0, "epoch": -1}
        place = Place(self._folder, self._state["id"], self._state["step"])
        for name in self._names:
            try:
                tracker = getattr(tracking, KINDS[name].tracker)(**KINDS[name].options(place))
                tracker.start()
                if known is None:
                    tracker.store_init_configuration(hyperparameters(self._settled))
            except Exception as error:  # what its libraries raise is theirs to choose
                hint = "mend it, or take it out of `trackers` in the config, and go on with --resume"
                raise TuneclipError(f"the tracker {name} cannot start: {one_line(error, 200)}", hint=hint) from error
            self._trackers[name] = tracker
        if known is None:
            write_json(path, self._state)

    def _try(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # as above
            self._trackers.pop(name, None)
            logger.warning("the tracker %s failed and gets nothing more: %s", name, one_line(error, 200))


def figures(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a step's or an epoch's row by name; those of an epoch that a step has too are called `epoch_…`."""
    known = {key: value for key, value in row.items() if isinstance(value, int | float) and math.isfinite(value)}
    if row["kind"] == "step":
        return {key: value for key, value in known.items() if key != "step"}
    return {f"epoch_{key}" if key in ("loss", "seconds", "best") else key: float(v) for key, v in known.items()}


def hyperparameters(settled: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """What decided the run as flat plain values: the config's keys, the rest by dotted names; None as ""."""
    flat: dict[str, Any] = dict(settled.get("config", {}))
    for key, value in settled.items():
        if isinstance(value, Mapping) and key != "config":
            flat |= {f"{key}.{name}": part for name, part in value.items()}
        elif not isinstance(value, Mapping):
            flat[key] = value
    plain = {key: "" if value is None else value for key, value in flat.items()}
    return {key: v if isinstance(v, str | int | float | bool) else json.dumps(v) for key, v in plain.items()}
