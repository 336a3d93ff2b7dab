"""Recall on a fixed sample of pictures: the measure by which the best epoch and the best mixture are chosen."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
from tuneclip.project import write_text
from tuneclip.records import Score

LIMIT = 2_000
"""Pictures measured at most: a recall of one half is then known to about ± 2 points, in seconds."""
CUTOFFS = (1, 5, 10)
BEST_RANKS = "best-ranks.json"

Embed = Callable[[Sequence[Path], Sequence[str]], tuple[Vectors, Vectors]]
"""Pictures and texts to unit vectors."""
Ranks = dict[str, Indices]
"""For both ways, "t2i" and "i2t", the rank of each query's first right answer; empty where nothing can be measured."""


class Validation:
    """A fixed sample of a split, measured again and again; empty where the dataset has no such split."""

    def __init__(self, dataset: Dataset, split: str = "validation", *, limit: int = LIMIT):
        records = [record for record in dataset.records if record.split == split]
        chosen = np.sort(np.random.default_rng(0).permutation(len(records))[:limit])
        self.name = dataset.name
        self.paths = [dataset.picture_path(records[i]) for i in chosen]
        self._pairs = pair_up([records[i].captions for i in chosen])
        groups = [records[i].group or records[i].id for i in chosen]
        self._groups = np.unique(groups, return_inverse=True)[1] if groups else np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def measurable(self) -> bool:
        """Whether there are two captioned pictures to tell apart."""
        return len(np.unique(self._pairs.picture)) > 1

    def ranks(self, embed: Embed) -> Ranks:
        """Who is found first for whom, with the embeddings of now; {} where there is nothing to tell apart."""
        if not self.measurable:
            return {}
        pictures, texts = embed(self.paths, self._pairs.texts)
        return {
            "t2i": text_to_picture_ranks(pictures, texts, self._pairs),
            "i2t": picture_to_text_ranks(pictures, texts, self._pairs),
        }

    def scores(self, embed: Embed, *, keep: Path | None = None) -> dict[str, float]:
        """As `summary`, of the embeddings of now; the best ranks so far stay in the folder `keep` (see `kept`)."""
        ranks = self.ranks(embed)
        scores = summary(ranks)
        if keep and scores and scores["mean_recall"] > summary(kept(keep)).get("mean_recall", -1.0):
            rows = {way: values.tolist() for way, values in ranks.items()}
            write_text(keep / BEST_RANKS, json.dumps(rows))
        return scores

    def standard_error(self, ranks: Ranks, other: Ranks | None = None) -> float:
        """One standard error of `mean_recall`, or of its paired difference from that of `other`.

        Queries of one group of pictures count as one observation: the mean's variance is that of the groups' summed
        influences (cluster-robust: Liang & Zeger, Biometrika 73, 1986). Infinite where there is a single group.
        """
        influence = np.zeros(int(self._groups.max()) + 1)
        for way, pictures in (("t2i", self._pairs.picture), ("i2t", np.unique(self._pairs.picture))):
            credit = _credits(ranks[way]) - (_credits(other[way]) if other else 0.0)
            np.add.at(influence, self._groups[pictures], (credit - credit.mean()) / len(credit) / len(ranks))
        count = len(influence)
        return math.sqrt(count / (count - 1) * float(np.sum(influence**2))) if count > 1 else math.inf


def summary(ranks: Mapping[str, Indices]) -> dict[str, float]:
    """Recalls, MRR and `mean_recall` (both ways, all cut-offs), by name; {} of no ranks."""
    if not ranks:
        return {}
    scores = {f"{way}_recall@{k}": recall_at(found, k) for way, found in ranks.items() for k in CUTOFFS}
    mean = sum(scores.values()) / len(scores)
    return {"mean_recall": mean, **scores, **{f"{way}_mrr": mean_reciprocal_rank(r) for way, r in ranks.items()}}


def intervals(ranks: Mapping[str, Indices], model: str) -> list[Score]:
    """The recalls with Wilson's 95 % interval, which takes the queries for independent; `compare` does better."""
    return [
        Score(model, f"{way}_recall@{k}", recall_at(found, k), *wilson(recall_at(found, k), len(found)), len(found))
        for (way, found), k in chain.from_iterable([(item, k) for k in CUTOFFS] for item in ranks.items())
    ]


def kept(folder: Path) -> Ranks:
    """The ranks of the best epoch that `scores` kept; {} where there are none."""
    path = folder / BEST_RANKS
    if not path.is_file():
        return {}
    return {way: np.array(found, np.int64) for way, found in json.loads(path.read_text(encoding="utf-8")).items()}


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share of n (J. Am. Stat. Assoc. 22, 1927); z = 1.96 gives 95 %."""
    middle, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (max(0.0, (middle - spread) / (1 + z * z / n)), min(1.0, (middle + spread) / (1 + z * z / n)))


def _credits(ranks: Indices) -> NDArray[np.float64]:
    """(queries,) the share of the cut-offs within which each query was answered; their mean is the way's recall."""
    return np.asarray(np.mean([ranks <= k for k in CUTOFFS], axis=0), np.float64)
