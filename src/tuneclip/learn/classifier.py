"""What a classifier is and how it lies on the disk: one JSON file that people and other programs can read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError
from tuneclip.project import Project, read_json, write_json

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Estimate:
    """An expected share, with the interval that holds the truth with a probability of 80 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Classifier:
    """A linear classifier over the unit vectors of one model: positive where w · x + bias reaches the threshold."""

    name: str
    prompt: str
    collection: str
    model: str
    fingerprint: str
    w: Floats  # (dim,)
    bias: float
    threshold: float
    """In the unit of the scores."""
    precision: Estimate | None
    """Of what the threshold lets through in the collection; None where only one side was rated."""
    recall: Estimate | None
    ratings: Mapping[str, float]
    """The labels that it was fitted to, by id."""
    made: str
    """When, in ISO 8601."""

    def scores(self, vectors: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Scores (n,) of vectors (n, dim) of the same model."""
        return np.asarray(np.asarray(vectors, np.float32) @ self.w, np.float64) + self.bias


def load_classifier(name: str, project: Project) -> Classifier:
    """The classifier of that name in the project, else the file of that path.

    Raises TuneclipError when there is none, or when the file is torn or not a classifier.
    """
    path = _locate(name, project)
    values = read_json(path)
    try:
        return Classifier(
            name=str(values["name"]),
            prompt=str(values["prompt"]),
            collection=str(values["collection"]),
            model=str(values["model"]),
            fingerprint=str(values["fingerprint"]),
            w=_finite(np.asarray(values["w"], dtype=np.float32)),
            bias=float(values["bias"]),
            threshold=float(values["threshold"]),
            precision=_estimate(values["precision"]),
            recall=_estimate(values["recall"]),
            ratings={str(key): float(value) for key, value in values["ratings"].items()},
            made=str(values["made"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TuneclipError(f"not a classifier of tuneclip: {error}", where=path) from error


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Write the classifier as JSON, whole or not at all; `w` comes last, so that people see the rest first."""
    names = ("name", "prompt", "collection", "model", "fingerprint", "made", "threshold")
    values: dict[str, Any] = {name: getattr(classifier, name) for name in names}
    values |= {
        name: (part.__dict__ if (part := getattr(classifier, name)) else None) for name in ("precision", "recall")
    }
    values |= {"ratings": dict(classifier.ratings), "bias": classifier.bias}
    write_json(
        path, values | {"w": [float(f"{weight:.9g}") for weight in classifier.w]}
    )  # 9 digits give a float32 back


def classifiers(project: Project) -> list[str]:
    """The names of the project's finished classifiers, sorted."""
    names = (name.removesuffix(".json") for name in project.names("classifiers") if name.endswith(".json"))
    return sorted(names)


def _locate(name: str, project: Project) -> Path:
    known = classifiers(project)
    if name in known:
        return project.classifier(name)
    if Path(name).is_file():
        return Path(name)
    expected = "one of " + ", ".join(known) if known else "the name of a finished one, or its file"
    raise TuneclipError(f"there is no classifier {name!r}", where=project.root, expected=expected)


def _finite(w: Floats) -> Floats:
    if w.ndim != 1 or not len(w) or not np.isfinite(w).all():
        raise ValueError("w is no vector of finite numbers")
    return w


def _estimate(value: Mapping[str, float] | None) -> Estimate | None:
    return None if value is None else Estimate(float(value["value"]), float(value["low"]), float(value["high"]))
