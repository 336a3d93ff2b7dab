"""Recall on the validation split, the measure by which the best epoch is chosen."""

import math
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from tuneclip.data.load import Dataset
from tuneclip.model.retrieval import (
    Indices,
    Vectors,
    mean_reciprocal_rank,
    pair_up,
    picture_to_text_ranks,
    recall_at,
    text_to_picture_ranks,
)
from tuneclip.records import Score

LIMIT = 2_000
"""Pictures measured at most: a recall of one half is then known to about ± 2 points, in seconds."""
CUTOFFS = (1, 5, 10)

Embed = Callable[[Sequence[Path], Sequence[str]], tuple[Vectors, Vectors]]
"""Pictures and texts to unit vectors."""


class Validation:
    """A fixed sample of a dataset's validation split, measured again after each epoch; empty without a split."""

    def __init__(self, dataset: Dataset):
        records = [record for record in dataset.records if record.split == "validation"]
        chosen = np.sort(np.random.default_rng(0).permutation(len(records))[:LIMIT])
        self._paths = [dataset.picture_path(records[i]) for i in chosen]
        self._pairs = pair_up([records[i].captions for i in chosen])

    def scores(self, embed: Embed) -> dict[str, float]:
        """Recalls, MRR and `mean_recall` (both ways, all cut-offs), by name; {} where nothing can be measured."""
        if len(self._paths) < 2:
            return {}
        ways = self._ranks(embed)
        scores = {f"{way}_recall@{k}": recall_at(ranks, k) for way, ranks in ways.items() for k in CUTOFFS}
        mean = sum(scores.values()) / len(scores)
        return {"mean_recall": mean, **scores, **{f"{way}_mrr": mean_reciprocal_rank(r) for way, r in ways.items()}}

    def intervals(self, embed: Embed, model: str) -> list[Score]:
        """The recalls with Wilson's 95 % interval, which takes the queries for independent; `compare` does better."""
        if len(self._paths) < 2:
            return []
        ways = self._ranks(embed)
        return [
            Score(model, f"{way}_recall@{k}", recall_at(ranks, k), *wilson(recall_at(ranks, k), len(ranks)), len(ranks))
            for (way, ranks), k in chain.from_iterable([(item, k) for k in CUTOFFS] for item in ways.items())
        ]

    def _ranks(self, embed: Embed) -> dict[str, Indices]:
        pictures, texts = embed(self._paths, self._pairs.texts)
        return {
            "t2i": text_to_picture_ranks(pictures, texts, self._pairs),
            "i2t": picture_to_text_ranks(pictures, texts, self._pairs),
        }


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share of n (J. Am. Stat. Assoc. 22, 1927); z = 1.96 gives 95 %."""
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n)))
