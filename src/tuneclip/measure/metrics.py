"""The figures of a model on some pictures and their captions, query by query (pure NumPy)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tuneclip.model.retrieval import Indices, Pairs, Vectors, picture_to_text_ranks, ranks, text_to_picture_ranks

DEPTHS = (1, 5, 10)
"""The k of recall@k."""
TEMPLATES = ("{}", "a photo of a {}.", "a photo of the {}.", "a close-up photo of a {}.", "a picture of one {}.")
"""Prompts whose mean stands for a label in `zero_shot_top1_ensemble` (prompt ensembling: arXiv 2103.00020, 3.1.4)."""
LABEL_PICTURES = 3
"""From how many pictures with the same caption, in the median, captions are taken for labels."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """One metric, query by query; its figure is the mean or the median of `values`."""

    metric: str
    values: Values
    """(queries,)"""
    groups: Indices
    """(queries,) number of the group that the query's picture belongs to; groups are what is resampled."""
    summary: Literal["mean", "median"] = "mean"

    @property
    def value(self) -> float:
        """The figure."""
        return float(np.mean(self.values) if self.summary == "mean" else np.median(self.values))


def retrieval(pictures: Vectors, texts: Vectors, pairs: Pairs, groups: Indices) -> Iterator[Measurement]:
    """Recall@1/5/10, mean reciprocal rank and median rank: `t2i_…` from text to picture, `i2t_…` back.

    `pictures` (n, dim) and `texts` (distinct captions, dim) have unit length; `groups` (n,) numbers each picture's
    group from 0. A text query is a (picture, caption) pair, a picture query a picture; what is right and how ties
    count is `tuneclip.model.retrieval.ranks`.
    """
    found = text_to_picture_ranks(pictures, texts, pairs)
    yield from _of_ranks("t2i", found, groups[pairs.picture])
    found = picture_to_text_ranks(pictures, texts, pairs)
    yield from _of_ranks("i2t", found, groups[np.unique(pairs.picture)])


def zero_shot(metric: str, pictures: Vectors, labels: Vectors, pairs: Pairs, groups: Indices) -> Measurement:
    """The share of pictures whose own label is strictly nearer than every other one.

    `labels` (distinct captions, dim) stand for `pairs.texts`; every picture has one label (see `are_labels`).
    """
    found = picture_to_text_ranks(pictures, labels, pairs)
    return Measurement(metric, (found == 1).astype(np.float64), groups[pairs.picture])


def are_labels(pairs: Pairs) -> bool:
    """Whether the captions are labels: one a picture, at least two different, each with several pictures as a rule."""
    one_each = len(pairs.picture) == pairs.pictures == len(np.unique(pairs.picture))
    return one_each and len(pairs.texts) >= 2 and bool(np.median(np.bincount(pairs.text)) >= LABEL_PICTURES)


def ensemble(prompts: Vectors) -> Vectors:
    """(labels, dim) of unit length: the mean over templates of (templates, labels, dim) unit vectors."""
    mean = prompts.mean(axis=0)
    length = np.linalg.norm(mean, axis=1, keepdims=True)
    return np.asarray(mean / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)


def chance_recall(pairs: Pairs, k: int, way: str = "t2i") -> float:
    """The recall@k that guessing reaches: the share of queries with a right item among k drawn ones."""
    if way == "t2i":
        right, items = np.bincount(pairs.text)[pairs.text], pairs.pictures
    else:
        right, items = np.unique(pairs.picture, return_counts=True)[1], len(pairs.texts)
    missed = np.ones(len(right))
    for drawn in range(min(k, items)):
        missed *= np.maximum(items - drawn - right, 0) / (items - drawn)
    return float(np.mean(1 - missed))


def query_ranks(pictures: Vectors, texts: Vectors, pairs: Pairs) -> Indices:
    """(distinct captions,) the rank of the best right picture for each distinct caption."""
    return ranks(texts, pictures, pairs.pictures_of_texts())


def _of_ranks(way: str, found: Indices, groups: Indices) -> Iterator[Measurement]:
    for k in DEPTHS:
        yield Measurement(f"{way}_recall@{k}", (found <= k).astype(np.float64), groups)
    yield Measurement(f"{way}_mrr", 1.0 / found, groups)
    yield Measurement(f"{way}_median_rank", found.astype(np.float64), groups, "median")
