"""The step `gate`: a new model becomes the newest only if it finds more on the validation split, beyond chance."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.newest import move_on, newest
from tuneclip.project import MODEL_MANIFEST, Project, read_json
from tuneclip.settings import option
from tuneclip.verbs import Verb

logger = logging.getLogger("tuneclip")
RECALL = "_recall@"


@dataclass(frozen=True)
class Gate:
    """Options of the step `gate`."""

    dataset: str = option("Dataset to measure on.")
    model: str = option("The new model.")
    newest: str = option("The model to beat, where the project has no newest one.")
    moves: str = option("The variable that becomes the new model's name.")
    split: str = option("Split to measure on.", default="validation")
    seed: int = option("Seed of the bootstrap.", default=0)


@dataclass(frozen=True)
class Decision:
    """What the gate decided. The figures are of the mean recall (both ways, at 1, 5 and 10)."""

    model: str
    newest: str
    """The model to beat."""
    better: bool
    why: str
    standing: float
    """Mean recall of the model to beat."""
    value: float
    """How much the new model is above it, with the 95 % interval."""
    low: float
    high: float


GATE = Verb("gate", "tuneclip.pipeline.gate", "gate", Gate, "Take a new model only if it is better.")


def to_beat(options: Gate, project: Project) -> str:
    """The model that the new one would replace: the project's newest, else the one given."""
    return newest(project, options.moves) or options.newest


def gate(options: Gate, project: Project) -> Decision:
    """Measure the new model against the newest, paired, and move on if the whole interval lies above 0.

    Both are measured on the same queries; mean recall is what the training chose its epoch by, too. Raises
    TuneclipError when the dataset has no such split or a model cannot be opened.
    """
    standing = to_beat(options, project)
    value, gain, low, high = mean_recall_gain((standing, options.model), options, project)
    better = low > 0
    why = (
        f"mean recall {value:.1%} → {value + gain:.1%}, {gain * 100:+.1f} points [{low * 100:+.1f}, {high * 100:+.1f}]"
    )
    if better:
        move_on(project, options.model, before=standing, variable=options.moves)
        why = f"{options.model} is better than {standing} and is the newest now: {why}"
    else:
        fault = "worse than" if high < 0 else "not clearly better than"
        why = f"{options.model} is {fault} {standing}, which stays the newest: {why}{_hint(options.model, project)}"
    return Decision(options.model, standing, better, why, value, gain, low, high)


def mean_recall_gain(models: Sequence[str], options: Gate, project: Project) -> tuple[float, float, float, float]:
    """Mean recall of the first model, and how much the second is above it, with the bounds of its 95 % interval."""
    import numpy as np

    from tuneclip.data.load import open_dataset
    from tuneclip.measure.bootstrap import replicates
    from tuneclip.measure.evaluate import choose_part, embed, measure
    from tuneclip.model.open import open_model

    part = choose_part(open_dataset(options.dataset, project), options.split)
    measured = []
    for name in models:
        seen = embed(part, open_model(name, project), name=name)
        measured.append([one for one in measure(part, seen) if RECALL in one.metric])
    drawn = replicates([*measured[0], *measured[1]], seed=options.seed)
    count = len(measured[0])
    low, high = np.percentile((drawn[:, count:] - drawn[:, :count]).mean(axis=1), (2.5, 97.5))
    first, second = (float(np.mean([one.value for one in own])) for own in measured)
    return first, second - first, float(low), float(high)


def _hint(model: str, project: Project) -> str:
    """Why a training that brought nothing brought nothing, as far as it told."""
    path = project.model(model) / MODEL_MANIFEST
    trained = (read_json(path).get("trained") if path.is_file() else None) or {}
    if trained.get("best_epoch") == 0:
        return "; no epoch was better than the start, so the new model is the old one"
    try:
        findings = [finding["code"] for finding in trained.get("findings", [])]
    except (KeyError, TypeError) as error:
        raise TuneclipError("a model's manifest is torn", where=path) from error
    return f"; its training found {', '.join(findings)}" if findings else ""
