"""The nouns that travel between rooms: small, frozen, without behaviour that touches disk, clock or device."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Record:
    """One picture of a dataset with everything that is known of it."""

    id: str
    """Unique in its dataset; never a content hash (archives are full of twins)."""
    picture: str
    """Path of the picture, relative to the dataset's folder, with forward slashes."""
    captions: tuple[str, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    """Flat: nested fields have dotted names (`findspot.latitude`)."""
    group: str = ""
    """Pictures of one group (one object, one series) never fall into different splits; defaults to the id."""
    split: str = "train"


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result; `score` is a cosine in [-1, 1]."""

    id: str
    score: float
    path: str
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    captions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """One measured figure with its 95 % bootstrap interval over `n` queries."""

    model: str
    metric: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much the second model is above the first, paired over the same resamples (95 % interval)."""

    models: tuple[str, str]
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a diagnosis saw: its number, the reason, and what to do."""

    code: str
    number: float
    reason: str
    remedy: str
