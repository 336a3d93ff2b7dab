"""How sure is a figure, and a difference of two? Bootstrap by group, paired between models (pure NumPy)."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tuneclip.measure.metrics import Measurement, Values
from tuneclip.records import Difference, Score

RESAMPLES = 1000
_BLOCK = 2_000_000  # weights held at once: 16 MB


def compare_measurements(
    measured: Mapping[str, Sequence[Measurement]], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[list[Score], list[Difference]]:
    """Each model's figures and how much every later model is above the first, with 95 % intervals.

    `measured` maps models to the same metrics in the same order over the same groups. Intervals are percentile
    intervals (Efron & Tibshirani 1993, chapter 13) of the cluster bootstrap: whole groups are drawn with replacement
    (Davison & Hinkley 1997, section 3.8), for queries about the same object are not independent. All models and
    metrics see the same draws, so that a difference keeps what the models have in common out of its interval.
    Deterministic by `seed`.
    """
    flat = [measurement for own in measured.values() for measurement in own]
    drawn = replicates(flat, resamples=resamples, seed=seed)
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    names = [model for model, own in measured.items() for _ in own]
    scores = [
        Score(name, m.metric, m.value, float(low[i]), float(high[i]), len(m.values))
        for i, (name, m) in enumerate(zip(names, flat, strict=True))
    ]
    models, count = list(measured), len(flat) // max(1, len(measured))
    differences = []
    for other in range(1, len(models)):
        gain = drawn[:, other * count : (other + 1) * count] - drawn[:, :count]
        low, high = np.percentile(gain, (2.5, 97.5), axis=0)
        for i in range(count):
            value = flat[other * count + i].value - flat[i].value
            pair = (models[0], models[other])
            differences.append(Difference(pair, flat[i].metric, value, float(low[i]), float(high[i])))
    return scores, differences


def replicates(measurements: Sequence[Measurement], *, resamples: int = RESAMPLES, seed: int = 0) -> Values:
    """(resamples, measurements) each figure again on groups drawn with replacement; one draw serves all in a row."""
    groups = 1 + max((int(m.groups.max()) for m in measurements if len(m.groups)), default=0)
    means = [i for i, m in enumerate(measurements) if m.summary == "mean"]
    sums = np.stack([np.bincount(measurements[i].groups, measurements[i].values, groups) for i in means], axis=1)
    sizes = np.stack([np.bincount(measurements[i].groups, minlength=groups) for i in means], axis=1)
    result = np.empty((resamples, len(measurements)))
    largest = max([groups, *(len(m.values) for m in measurements)])
    for rows, weights in _weights(groups, resamples, max(1, _BLOCK // largest), seed):
        result[rows, means] = (weights @ sums) / np.maximum(weights @ sizes, 1)
        for i, measurement in enumerate(measurements):
            if measurement.summary == "median":
                result[rows, i] = _weighted_medians(measurement, weights)
    return result


def _weights(groups: int, resamples: int, block: int, seed: int) -> Iterator[tuple[slice, Values]]:
    """Blocks (rows, groups) of how often each group was drawn; every row sums to the number of groups."""
    random = np.random.default_rng(seed)
    for start in range(0, resamples, block):
        rows = slice(start, min(start + block, resamples))
        height = rows.stop - start
        drawn = random.integers(groups, size=(height, groups)) + np.arange(height)[:, None] * groups
        counts = np.bincount(drawn.ravel(), minlength=height * groups)
        yield rows, counts.reshape(height, groups).astype(np.float64)


def _weighted_medians(measurement: Measurement, weights: Values) -> Values:
    """(rows,) the median of the values, each taken as often as its group was drawn."""
    order = np.argsort(measurement.values, kind="stable")
    values = measurement.values[order]
    running = np.cumsum(weights[:, measurement.groups[order]], axis=1)
    half = running[:, -1:] / 2
    lower, upper = (running >= half).argmax(axis=1), (running > half).argmax(axis=1)
    return np.asarray((values[lower] + values[upper]) / 2)
