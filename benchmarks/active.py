"""How soon ratings make a classifier: python benchmarks/active.py [--quick] [--json] [--noise SHARE] [--data DIR].

Simulated raters on labelled pictures. For each class its name is the prompt; the pictures of the data set are split at
random into a pool, from which pages are rated, and a held-out half, which is never rated and on which average
precision, precision and recall are measured. A rater says yes (+1, one time in four +0.5) or no (-1 or -0.5) by the
label; with --noise some ratings are the wrong way round. Embeddings are the starter's and are kept between runs.

- tuneclip: the functions behind `tuneclip label` (fit, choose, find_threshold), in its pages of five.
- naive: the published loop: BCE and SGD from the prompt, the nearest are rated next, in the same
  pages; its learning rate (0.1) is, of 0.01, 0.1, 1 and 10, the one that served it best.

The figures:
- ratings_to_reach_naive_50: over the classes the median of the number of ratings after which tuneclip's average
  precision is at least that of the naive loop after 50; looked at every page, and 0 where the prompt suffices.
- share_below_prompt: of all (class, round), the share whose average precision is below that of the prompt alone.
- coverage_of_80_interval: of all intervals for precision and recall (each class, each round, where there is one), the
  share that held the figure of the held-out half.
"""

import argparse
import json
import os
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet

from peers.environment import CACHE
from tuneclip.learn.choose import choose
from tuneclip.learn.fit import Fit, Ground, explore, fit, ground
from tuneclip.learn.prompt import PHRASINGS
from tuneclip.learn.rounds import BATCH
from tuneclip.learn.threshold import Threshold, find_threshold
from tuneclip.model.open import STARTER, fingerprint, open_model

KEPT = CACHE / "active"
NAIVE_LAST, LAST = 50, 60
LOOKS = 20  # ratings after which the threshold is tried
SETS = {
    "grocery": ("grocery/test.parquet", "coarse_label"),
    "tiny-imagenet": ("tiny-imagenet/validation.parquet", "label"),
    "fashion": ("fashion/test.parquet", "description"),
}
Floats = npt.NDArray[np.float32]
Truth = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Row:
    """What happened to one class."""

    dataset: str
    label: str
    seed: int
    held_out_positives: int
    prompt: float
    """Average precision of the prompt alone."""
    ours: dict[int, float]
    """Average precision after so many ratings."""
    naive: dict[int, float]
    reached: int | None
    """Ratings after which ours is at least what the naive loop is after 50; none: not by the last."""
    below: int
    """Rounds in which ours is below the prompt alone."""
    rounds: int
    held: int
    """Intervals that held the truth."""
    intervals: int


@dataclass(frozen=True)
class Task:
    """A class to find, by a rater of whose ratings a share is wrong, on one split into halves."""

    dataset: str
    label: str
    seed: int
    noise: float


@dataclass(frozen=True, eq=False)
class Half:
    """Vectors (n, dim) and which of them are of the class."""

    vectors: Floats
    truth: Truth


def main() -> None:
    """Run, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ten classes of each data set, one split")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--noise", type=float, default=0.0, help="share of ratings that are the wrong way round")
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA"), help="folder of data sets ($DATA)")
    options = parser.parse_args()
    if options.data is None:
        sys.exit(
            "which data? --data DIR, or the variable DATA; DIR holds " + ", ".join(path for path, _ in SETS.values())
        )
    rows: list[Row] = []
    for name in SETS:
        vectors, labels = embedded(options.data, name)
        classes = [label for label, count in Counter(labels).most_common() if count >= 20][
            : 10 if options.quick else 40
        ]
        prompts = embedded_prompts(classes)
        for seed in range(1 if options.quick else 3):
            for label in classes:
                task = Task(name, label, seed, options.noise)
                rows.append(simulate(task, prompts[label], Half(vectors, labels == label)))
            print(f"{name}: split {seed + 1} done", file=sys.stderr)
    result = summary(rows) | {"noise": options.noise, "rows": [asdict(row) for row in rows]}
    if options.json:
        print(json.dumps(result))
        return
    for row in rows:
        print(
            f"{row.dataset:14} {row.label:24} prompt {row.prompt:.3f}  naive@50 {row.naive[50]:.3f}  ours@20 "
            f"{row.ours[20]:.3f}  @50 {row.ours[50]:.3f}  reached {row.reached}  held {row.held}/{row.intervals}"
        )
    print({key: value for key, value in result.items() if key != "rows"})


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The three figures and what stands behind them."""
    reached = [LAST + BATCH if row.reached is None else row.reached for row in rows]
    by_set = {
        name: {
            "prompt": statistics.median(row.prompt for row in rows if row.dataset == name),
            "naive_50": statistics.median(row.naive[NAIVE_LAST] for row in rows if row.dataset == name),
            "ours_50": statistics.median(row.ours[NAIVE_LAST] for row in rows if row.dataset == name),
            "classes_above_prompt_at_50": sum(row.ours[NAIVE_LAST] > row.prompt for row in rows if row.dataset == name),
            "classes": sum(row.dataset == name for row in rows),
        }
        for name in SETS
    }
    return {
        "ratings_to_reach_naive_50": statistics.median(reached),
        "share_below_prompt": sum(row.below for row in rows) / sum(row.rounds for row in rows),
        "coverage_of_80_interval": sum(row.held for row in rows) / max(1, sum(row.intervals for row in rows)),
        "mean_average_precision": {
            "prompt": statistics.fmean(row.prompt for row in rows),
            "naive_50": statistics.fmean(row.naive[NAIVE_LAST] for row in rows),
            "ours": {count: statistics.fmean(row.ours[count] for row in rows) for count in (10, 20, 30, 40, 50, 60)},
        },
        "median_by_dataset": by_set,
    }


def simulate(task: Task, prompt: Floats, whole: Half) -> Row:
    """Both loops on one class and one split."""
    order = np.random.default_rng(task.seed).permutation(len(whole.truth))
    half = len(order) // 2
    pool, held_out = (Half(whole.vectors[part], whole.truth[part]) for part in (order[:half], order[half:]))
    ratings = rate(pool.truth, task.noise, task.seed)
    base = average_precision(held_out, prompt)
    ours, below, held, intervals = {0: base}, 0, 0, 0
    known = ground(prompt, pool.vectors)
    for rated, fitted in ours_loop(known, pool, ratings):
        ours[len(rated)] = average_precision(held_out, fitted.w)
        if len(rated) % LOOKS == 0:
            below += ours[len(rated)] < base
            rest = np.delete(pool.vectors, rated, axis=0)
            found = find_threshold(known, fitted, pool.vectors[rated], ratings[rated].tolist(), rest)
            hits = holds(found, fitted, held_out)
            held, intervals = held + sum(hits), intervals + len(hits)
    naive = {len(rated): average_precision(held_out, fitted.w) for rated, fitted in naive_loop(known, pool, ratings)}
    reached = next((count for count, value in ours.items() if value >= naive[NAIVE_LAST]), None)
    return Row(
        dataset=task.dataset,
        label=task.label,
        seed=task.seed,
        held_out_positives=int(held_out.truth.sum()),
        prompt=base,
        ours=ours,
        naive=naive,
        reached=reached,
        below=below,
        rounds=LAST // LOOKS,
        held=held,
        intervals=intervals,
    )


def rate(truth: Truth, noise: float, seed: int) -> npt.NDArray[np.float64]:
    """What the rater would say of each picture."""
    random = np.random.default_rng(seed)
    wrong, soft = random.random(len(truth)) < noise, random.random(len(truth)) < 0.25
    return np.where(truth ^ wrong, 1.0, -1.0) * np.where(soft, 0.5, 1.0)


def ours_loop(known: Ground, pool: Half, ratings: npt.NDArray[np.float64]) -> Iterator[tuple[list[int], Fit]]:
    """The pictures rated so far and the fit to them, every page; pages as `tuneclip.learn.rounds` has them."""
    rated: list[int] = []
    fitted = fit(known, pool.vectors[:0], [])
    while len(rated) < LAST:
        free = np.ones(len(pool.vectors), bool)
        free[rated] = False
        exploring = explore(known, pool.vectors[rated], ratings[rated].tolist()).scores(pool.vectors)
        page = choose(fitted.scores(pool.vectors), free, BATCH, seed=len(rated) // BATCH, exploring=exploring)
        rated = rated + page.tolist()
        fitted = fit(known, pool.vectors[rated], ratings[rated].tolist())
        yield rated, fitted


def naive_loop(known: Ground, pool: Half, ratings: npt.NDArray[np.float64]) -> Iterator[tuple[list[int], Fit]]:
    """The same for the textbook's loop, every page."""
    rated: list[int] = []
    fitted = fit(known, pool.vectors[:0], [], optimizer="sgd")
    while len(rated) < NAIVE_LAST:
        scores = fitted.scores(pool.vectors)
        scores[rated] = -np.inf
        rated = rated + np.argsort(-scores, kind="stable")[: min(BATCH, NAIVE_LAST - len(rated))].tolist()
        fitted = fit(known, pool.vectors[rated], ratings[rated].tolist(), optimizer="sgd")
        yield rated, fitted


def holds(found: Threshold, fitted: Fit, held_out: Half) -> list[bool]:
    """For each interval whether it holds the held-out half's figure; a precision of nothing is 0."""
    positive = fitted.scores(held_out.vectors) >= found.threshold
    hits = int((positive & held_out.truth).sum())
    truths = ((found.precision, hits / max(1, int(positive.sum()))), (found.recall, hits / int(held_out.truth.sum())))
    return [estimate.low <= truth <= estimate.high for estimate, truth in truths if estimate is not None]


def average_precision(half: Half, w: npt.ArrayLike) -> float:
    """The mean of the precision at each positive, best first."""
    order = np.argsort(-(half.vectors @ np.asarray(w, np.float64)), kind="stable")
    hit = half.truth[order]
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())


def embedded(data: Path, name: str) -> tuple[Floats, npt.NDArray[np.str_]]:
    """The starter's vectors and the labels of a data set, from the cache if they are there."""
    path, column = SETS[name]
    table = pyarrow.parquet.read_table(data / path)
    words = [str(value).split(" - ")[2 if name == "fashion" else 0].lower() for value in table[column].to_pylist()]
    kept = KEPT / f"{name}-{len(words)}-{fingerprint(STARTER)}.npy"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        print(f"{name}: embedding {len(words):,} pictures, once", file=sys.stderr)
        vectors = open_model("starter").pictures(picture["bytes"] for picture in table["image"].to_pylist())
        np.save(temporary := kept.with_suffix(".partial.npy"), vectors)
        temporary.replace(kept)
    return np.load(kept), np.array(words)


def embedded_prompts(labels: Sequence[str]) -> dict[str, Floats]:
    """Each label's direction, as `tuneclip.learn.prompt` makes it."""
    encoder = open_model("starter", few=True)
    vectors = encoder.texts([phrasing.replace("{}", label) for label in labels for phrasing in PHRASINGS])
    means = vectors.reshape(len(labels), len(PHRASINGS), -1).mean(axis=1)
    return {label: mean / np.linalg.norm(mean) for label, mean in zip(labels, means, strict=True)}


if __name__ == "__main__":
    main()
