"""Who finds whom: ranks and recall of pictures by their captions and back, by relevance sets (pure NumPy).

A caption is right for every picture that carries it, so captions that recur (twins) never count against a model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TIE = 1e-6
"""Cosines nearer than this are equal: single precision leaves up to about 3e-7 between equal vectors."""
_BLOCK = 8_000_000  # similarities held at once: 32 MB, whatever the size of the split

Vectors = NDArray[np.float32]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Every (picture, caption) pair of some pictures; the captions are held once each, twins folded together."""

    texts: tuple[str, ...]
    """The distinct captions in the order of first appearance, in their first spelling."""
    picture: Indices
    """(pairs,) which picture; rising."""
    text: Indices
    """(pairs,) which of `texts`."""
    pictures: int
    """How many pictures there are, also those without a caption."""

    def pictures_of_texts(self) -> list[Indices]:
        """For each distinct caption the pictures that carry it."""
        return _grouped(self.text, self.picture, len(self.texts))

    def texts_of_pictures(self) -> list[Indices]:
        """For each picture its captions (empty where it has none)."""
        return _grouped(self.picture, self.text, self.pictures)


def caption_key(caption: str) -> str:
    """What two captions share when they say the same: ends stripped, white space folded, case folded."""
    return " ".join(caption.split()).casefold()


def pair_up(captions: Sequence[Sequence[str]]) -> Pairs:
    """The pairs of pictures with these captions; a caption that a picture has twice counts once, a blank one never.

    >>> pair_up([["Red bowl", "a bowl"], ["red  bowl "]]).texts
    ('Red bowl', 'a bowl')
    """
    numbers: dict[str, int] = {}
    texts: list[str] = []
    pairs: dict[tuple[int, int], None] = {}
    for picture, own in enumerate(captions):
        for caption in own:
            key = caption_key(caption)
            if not key:
                continue
            if key not in numbers:
                numbers[key] = len(texts)
                texts.append(caption)
            pairs[picture, numbers[key]] = None
    table = np.array(list(pairs), dtype=np.int64).reshape(-1, 2)
    return Pairs(tuple(texts), table[:, 0].copy(), table[:, 1].copy(), len(captions))


def text_to_picture_ranks(pictures: Vectors, texts: Vectors, pairs: Pairs) -> Indices:
    """(pairs,) for each caption of each picture, the rank of the best picture that carries this caption; 1 is first.

    `pictures` (pairs.pictures, dim) and `texts` (len(pairs.texts), dim) have unit length. See `ranks` for ties.
    """
    return ranks(texts, pictures, pairs.pictures_of_texts())[pairs.text]


def picture_to_text_ranks(pictures: Vectors, texts: Vectors, pairs: Pairs) -> Indices:
    """(captioned pictures,) for each picture that has captions, the rank of its best one among the distinct captions.

    Shapes as for `text_to_picture_ranks`; the pictures are `np.unique(pairs.picture)`, in order.
    """
    relevant = pairs.texts_of_pictures()
    captioned = np.unique(pairs.picture)
    return ranks(pictures[captioned], texts, [relevant[i] for i in captioned])


def ranks(queries: Vectors, items: Vectors, relevant: Sequence[Indices]) -> Indices:
    """(n,) for each query the rank of its best relevant item among the items that are not relevant; 1 is first.

    `queries` (n, dim) and `items` (m, dim) are of unit length, `relevant` holds for each query the indices of its
    relevant items, at least one. Ties are scored pessimistically: an irrelevant item whose cosine is equal (to within
    `TIE`) counts as ahead, so that a collapsed model, whose vectors are all the same, finds nothing. Vectors
    that are not finite find nothing either. Memory stays bounded: the similarities are made in blocks.
    """
    if len(relevant) != len(queries):
        raise ValueError(f"{len(queries)} queries but {len(relevant)} relevance sets")
    if any(len(own) == 0 for own in relevant):
        raise ValueError("every query needs a relevant item")
    result = np.empty(len(queries), dtype=np.int64)
    for rows, similarity in _similarities(queries, items):
        own = relevant[rows]
        sizes = np.array([len(indices) for indices in own])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        mine = similarity[np.repeat(np.arange(len(own)), sizes), np.concatenate(own)]
        bar = np.maximum.reduceat(mine, starts) - np.float32(TIE)
        behind = np.count_nonzero(similarity < bar[:, None], axis=1)  # NaN is never behind
        mine_behind = np.add.reduceat(mine < np.repeat(bar, sizes), starts, dtype=np.int64)
        result[rows] = 1 + (len(items) - behind) - (sizes - mine_behind)
    return result


def recall_at(ranks: Indices, k: int) -> float:
    """The share of queries whose rank is k or better; 0 when there are none."""
    return float(np.mean(ranks <= k)) if len(ranks) else 0.0


def mean_reciprocal_rank(ranks: Indices) -> float:
    """The mean of 1/rank; 0 when there are no queries."""
    return float(np.mean(1.0 / ranks)) if len(ranks) else 0.0


def nearest(queries: Vectors, items: Vectors, k: int) -> tuple[Indices, Vectors]:
    """The k items nearest to each query, best first, equal ones in the items' order: (n, k) indices and (n, k) cosines.

    k is cut to the number of items.
    """
    k = min(k, len(items))
    found = np.empty((len(queries), k), dtype=np.int64)
    scores = np.empty((len(queries), k), dtype=np.float32)
    for rows, similarity in _similarities(queries, items):
        found[rows] = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        scores[rows] = np.take_along_axis(similarity, found[rows], axis=1)
    return found, scores


def _similarities(queries: Vectors, items: Vectors) -> Iterator[tuple[slice, Vectors]]:
    """Blocks of rows of the (n, m) cosines, so that the whole never stands in memory; NaN where not finite."""
    queries, items = (np.where(np.isfinite(v), v, np.nan).astype(np.float32) for v in (queries, items))
    step = max(1, _BLOCK // max(1, len(items)))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        with np.errstate(invalid="ignore"):
            yield rows, queries[rows] @ items.T


def _grouped(keys: Indices, values: Indices, count: int) -> list[Indices]:
    """`values` sorted into `count` lists by `keys`."""
    order = np.argsort(keys, kind="stable")
    return np.split(values[order], np.searchsorted(keys[order], np.arange(1, count)))[:count]
