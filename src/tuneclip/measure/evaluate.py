"""Measure one model on the pictures and captions of a split."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.measure import metrics
from tuneclip.measure.bootstrap import compare_measurements
from tuneclip.measure.metrics import Measurement
from tuneclip.model.retrieval import Indices, Pairs, Vectors, nearest, pair_up
from tuneclip.progress import track
from tuneclip.records import Hit, Record, Score

if TYPE_CHECKING:
    from tuneclip.model.encode import Encoder

logger = logging.getLogger("tuneclip")
SPLITS = ("test", "validation")
FEW_GROUPS = 30


@dataclass(frozen=True)
class Part:
    """The captioned pictures of one split: what models are measured on."""

    dataset: Dataset
    split: str
    records: tuple[Record, ...]
    pairs: Pairs
    groups: Indices
    """(pictures,) number of each picture's group, from 0."""


@dataclass(frozen=True)
class Embedded:
    """A part as one model sees it; all vectors have unit length."""

    model: str
    pictures: Vectors
    """(pictures, dim)"""
    texts: Vectors
    """(distinct captions, dim)"""
    labels: Vectors | None = None
    """(distinct captions, dim), each the mean over prompt templates; None where captions are not labels."""
    phrases: Vectors | None = None
    """(phrases, dim)"""


def choose_part(dataset: Dataset, split: str | None = None) -> Part:
    """The captioned pictures of `split`, by default of `test`, else of `validation`.

    Raises TuneclipError when there is no such split or when it has fewer than two captioned pictures.
    """
    there = list(dataset.splits)
    split = split or next((name for name in SPLITS if name in there), None)
    if split is None:
        raise TuneclipError(
            f"dataset {dataset.name!r} has neither a test nor a validation split",
            where=dataset.path,
            expected=f"--split and one of {', '.join(there) or 'no splits, it is empty'}",
        )
    everything = dataset.split(split)
    records = tuple(record for record in everything if any(caption.strip() for caption in record.captions))
    if len(records) < len(everything):
        logger.info(
            "%d of %d pictures have no caption and are left out", len(everything) - len(records), len(everything)
        )
    if len(records) < 2:
        raise TuneclipError(
            f"the {split} split of {dataset.name!r} has {len(records)} captioned picture{'s' * (len(records) != 1)}",
            where=dataset.path,
            expected="at least two to tell apart",
            hint=f"name another with --split ({', '.join(s for s in there if s != split) or 'there is no other'})",
        )
    numbers: dict[str, int] = {}
    groups = [numbers.setdefault(record.group or record.id, len(numbers)) for record in records]
    if len(numbers) < FEW_GROUPS:
        logger.info("only %d independent pictures or groups to resample: the intervals are rough", len(numbers))
    return Part(dataset, split, records, pair_up([r.captions for r in records]), np.array(groups, dtype=np.int64))


def embed(part: Part, encoder: "Encoder", *, name: str | None = None, phrases: Sequence[str] = ()) -> Embedded:
    """The part's pictures, its distinct captions, its labels' prompts and the phrases as `encoder` sees them.

    Raises TuneclipError that names a picture which cannot be read, or a model whose vectors are not finite.
    """
    name = name or encoder.name
    paths = [part.dataset.picture_path(record) for record in part.records]
    pictures = encoder.pictures(track(paths, f"{name}: pictures", len(paths)))
    texts = encoder.texts(part.pairs.texts)
    if not (np.isfinite(pictures).all() and np.isfinite(texts).all()):
        raise TuneclipError(
            f"model {name!r} gives vectors that are not finite: its weights are damaged",
            where=encoder.path,
            hint="train it again, with a lower learning_rate if the loss became NaN",
        )
    labels = None
    if metrics.are_labels(part.pairs):
        prompts = [encoder.texts([t.format(label) for label in part.pairs.texts]) for t in metrics.TEMPLATES]
        labels = metrics.ensemble(np.stack(prompts))
    return Embedded(name, pictures, texts, labels, encoder.texts(phrases) if phrases else None)


def measure(part: Part, seen: Embedded) -> Iterator[Measurement]:
    """Every metric of one model, query by query: retrieval both ways; zero-shot accuracy where captions are labels."""
    yield from metrics.retrieval(seen.pictures, seen.texts, part.pairs, part.groups)
    if seen.labels is not None:
        for metric, labels in (("zero_shot_top1", seen.texts), ("zero_shot_top1_ensemble", seen.labels)):
            yield metrics.zero_shot(metric, seen.pictures, labels, part.pairs, part.groups)


def evaluate(encoder: "Encoder", part: Part, *, seed: int = 0) -> Iterator[Score]:
    """The scores of one model on a part, with 95 % intervals; `compare` does the same for several, paired."""
    measured = list(measure(part, embed(part, encoder)))
    yield from compare_measurements({encoder.name: measured}, seed=seed)[0]


def top_hits(part: Part, seen: Embedded, queries: Vectors, k: int) -> list[list[Hit]]:
    """For each query vector (n, dim) the k nearest pictures of the part, best first."""
    found, scores = nearest(queries, seen.pictures, k)
    return [
        [_hit(part, int(i), float(score)) for i, score in zip(row, row_scores, strict=True)]
        for row, row_scores in zip(found, scores, strict=True)
    ]


def _hit(part: Part, index: int, score: float) -> Hit:
    record = part.records[index]
    return Hit(record.id, score, str(part.dataset.picture_path(record)), record.metadata)
