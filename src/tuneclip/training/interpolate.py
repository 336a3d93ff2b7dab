"""Forgetting, measured and interpolated away: mixtures of base and tuned weights (WiSE-FT, arXiv 2109.01903)."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuneclip.data.load import Dataset, open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import Encoder
from tuneclip.model.open import Loaded, load_model
from tuneclip.progress import track
from tuneclip.project import METRICS, Project, write_text
from tuneclip.records import Finding
from tuneclip.training.plan import Plan
from tuneclip.training.validate import Embed, Ranks, Validation, summary

logger = logging.getLogger("tuneclip")
ALPHAS = tuple(tenth / 10 for tenth in range(11))
SHARE = 0.1
"""The sweep encodes about this share of the pictures that passed through the towers in training."""
PASSES_PER_STEP = 3
"""A training step costs a picture about three encodings: forwards once, and backwards twice as much."""
FEWEST, MOST = 250, 1_000
"""Pictures of a sample, where there are so many: below, the noise of a recall grows past 3 points."""
PROBED = ("test", "validation")
KIND = "interpolation"
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Point:
    """A mixture of (1 - alpha) base + alpha tuned weights, as measured."""

    alpha: float
    validation_mean_recall: float
    validation_noise: float
    """One standard error of the paired difference from the mixture with the highest validation recall."""
    probe_recall: float | None = None
    """Mean recall on the probe; None without one."""
    probe_noise: float | None = None
    """One standard error of the paired difference from the base on the probe."""


@dataclass(frozen=True)
class Interpolation:
    """The whole sweep, and the mixture that became the model."""

    alpha: float
    pictures: int
    probe: str | None
    probe_pictures: int
    curve: tuple[Point, ...]

    @property
    def chosen(self) -> Point:
        """The point of `alpha`."""
        return next(point for point in self.curve if point.alpha == self.alpha)


@dataclass(frozen=True)
class Curve:
    """Recall along the alphas on one sample."""

    recall: Sequence[float]
    noise: NDArray[np.float64]
    """(alphas, alphas) one standard error of the paired difference of two mixtures."""

    def level_with(self, best: int, among: Sequence[int]) -> list[int]:
        """Those of `among` that are not below `best` by more than one standard error."""
        return [i for i in among if self.recall[best] - self.recall[i] <= self.noise[best, i] + _ROUNDING]


def choose_alpha(own: Curve, probe: Curve | None = None) -> int:
    """The place of the mixture to keep.

    On the own data a mixture may be below the best by its noise (one standard error of the paired difference: Breiman
    et al. 1984) and no more. Without a probe that is the tuned model, or the best where the tuned one is worse than
    that. With one it is the mixture with the highest probe recall; among those that are level with it there, that
    with the highest own recall. Equal ones: the nearest to the tuned model.
    """
    everything = range(len(own.recall))
    best = max(everything, key=lambda i: (own.recall[i], i))
    good = own.level_with(best, everything)
    if probe is None:
        return everything[-1] if everything[-1] in good else best
    general = max(good, key=lambda i: (probe.recall[i], i))
    return max(probe.level_with(general, good), key=lambda i: (own.recall[i], i))


def sample_size(plan: Plan) -> int:
    """How many pictures a mixture is measured on at most, own and probe each, so that the sweep stays a small share."""
    encodings = PASSES_PER_STEP * plan.config.num_epochs * plan.records
    samples = 2 if plan.config.probe else 1
    return min(max(int(SHARE * encodings / len(ALPHAS) / samples), FEWEST), MOST)


def pictures_encoded(plan: Plan, validation: int, probe: int = 0) -> int:
    """What a sweep costs: so many pictures are encoded, for splits of `validation` and `probe` pictures."""
    if not plan.config.interpolate or validation < 2:
        return 0
    limit = sample_size(plan)
    return len(ALPHAS) * (min(validation, limit) + min(probe, limit))


def open_probe(plan: Plan, dataset: Dataset, project: Project) -> Validation | None:
    """The fixed sample of the config's probe, of its test split, else of its validation split; None without a probe.

    Raises TuneclipError where it has nothing to measure on, or is the dataset that is trained on.
    """
    if plan.config.probe is None:
        return None
    probe = open_dataset(plan.config.probe, project)
    if probe.path.resolve() == dataset.path.resolve():
        expected = "a dataset of other pictures, such as the base knows well"
        raise TuneclipError("the probe is the dataset that is trained on", where=probe.path, expected=expected)
    split = next((name for name in PROBED if name in probe.splits), PROBED[0])
    sample = Validation(probe, split, limit=sample_size(plan))
    if not sample.measurable:
        raise TuneclipError(
            f"the probe {probe.name!r} has nothing to measure on",
            where=probe.path,
            expected="a test or validation split with at least two captioned pictures",
        )
    return sample


def interpolate(loaded: Loaded, plan: Plan, dataset: Dataset, probe: Validation | None) -> Interpolation | None:
    """Measure the mixtures of the base and of `loaded.model`, and leave the chosen one in it.

    `loaded.model` is the tuned model, plain again. Mixtures are of all weights that training moved, the temperature
    included; those of alpha 0 and 1 are base and tuned, bit for bit. With `interpolate` off only these two are
    measured, for the probe, and the tuned model stays. None where there is nothing to measure.
    """
    own = Validation(dataset, limit=sample_size(plan))
    alphas = ALPHAS if plan.config.interpolate else ALPHAS[:: len(ALPHAS) - 1]
    if not own.measurable or not (plan.config.interpolate or probe):
        return None
    loaded.model.eval().zero_grad(set_to_none=True)
    ends, encoder = _ends(loaded), Encoder(loaded, plan.device)
    own_embed, probe_embed = _remembering(encoder, own), _remembering(encoder, probe)
    own_ranks: list[Ranks] = []
    probe_ranks: list[Ranks] = []
    for alpha in track(alphas, "mixing weights", len(alphas)):
        _mix(loaded, ends, alpha)
        own_ranks.append(own.ranks(own_embed))
        probe_ranks += [probe.ranks(probe_embed)] if probe else []
    own_curve, probe_curve = _curve(own, own_ranks), _curve(probe, probe_ranks) if probe else None
    chosen = alphas[choose_alpha(own_curve, probe_curve)] if plan.config.interpolate else 1.0
    _mix(loaded, ends, chosen)
    points = _points(alphas, own_curve, probe_curve)
    return Interpolation(chosen, len(own), probe.name if probe else None, len(probe) if probe else 0, points)


def note(interpolation: Interpolation, folder: Path, epoch: int) -> None:
    """Put the curve at the end of the run's metrics, in place of one that an interrupted attempt had left."""
    path = folder / METRICS
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if json.loads(line).get("kind") != KIND]
    for point in interpolation.curve:
        row = {"kind": KIND, "epoch": epoch, "alpha": point.alpha, "chosen": point.alpha == interpolation.alpha}
        row["validation_mean_recall"] = point.validation_mean_recall
        row |= {} if point.probe_recall is None else {"probe_recall": point.probe_recall}
        lines.append(json.dumps(row))
    write_text(path, "".join(line + "\n" for line in lines))


def forgotten(interpolation: Interpolation | None) -> list[Finding]:
    """What the published mixture lost on the probe, where that is beyond its 95 % interval."""
    if interpolation is None or interpolation.probe is None:
        return []
    base, chosen = interpolation.curve[0], interpolation.chosen
    lost = (base.probe_recall or 0.0) - (chosen.probe_recall or 0.0)
    margin = 1.96 * (chosen.probe_noise or 0.0)
    if lost <= margin:
        return []
    reason = (
        f"recall on {interpolation.probe} fell from {base.probe_recall:.1%} to {chosen.probe_recall:.1%} "
        f"(± {margin:.1%})"
    )
    remedy = 'train with a lower learning_rate, with "distillation": 1, or with the recipe lora'
    return [Finding("forgetting", lost, reason, remedy)]


def in_words(interpolation: Interpolation) -> list[str]:
    """Two lines for people: what was chosen and why, and what of the general knowledge stayed."""
    base, tuned, chosen = interpolation.curve[0], interpolation.curve[-1], interpolation.chosen
    own = f"own recall {chosen.validation_mean_recall:.1%}"
    own += f" (base {base.validation_mean_recall:.1%}, tuned {tuned.validation_mean_recall:.1%})"
    what = (
        "the tuned weights as they are"
        if chosen.alpha == 1
        else f"base and tuned weights mixed, alpha {chosen.alpha:g}"
    )
    first = f"{what}: {own}"
    if chosen.probe_recall is None:
        return [first, "forgetting not measured: name a dataset of other pictures as `probe` in the config"]
    general = f"recall on {interpolation.probe} {chosen.probe_recall:.1%}"
    return [first, f"{general} (base {base.probe_recall:.1%}, tuned {tuned.probe_recall:.1%})"]


def _ends(loaded: Loaded) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The weights that differ from the base's, as (base, tuned) on the CPU."""
    base = load_model(loaded.path).model.state_dict()
    ends = {}
    for name, weight in loaded.model.named_parameters():
        tuned = weight.detach().cpu()
        if not torch.equal(base[name], tuned):
            ends[name] = (base[name], tuned.clone())
    return ends


@torch.no_grad()
def _mix(loaded: Loaded, ends: dict[str, tuple[torch.Tensor, torch.Tensor]], alpha: float) -> None:
    own = dict(loaded.model.named_parameters())
    for name, (base, tuned) in ends.items():
        own[name].copy_(torch.lerp(base, tuned, alpha))


def _remembering(encoder: Encoder, sample: Validation | None) -> Embed:
    """Embeds a sample whose pictures are decoded once and kept as uint8 pixels."""
    pixels = encoder.pixels(sample.paths) if sample else []
    return lambda _, texts: encoder.both(pixels, texts)


def _curve(sample: Validation, ranks: list[Ranks]) -> Curve:
    noise = [[sample.standard_error(a, b) if a is not b else 0.0 for b in ranks] for a in ranks]
    return Curve([summary(found)["mean_recall"] for found in ranks], np.array(noise))


def _points(alphas: Sequence[float], own: Curve, probe: Curve | None) -> tuple[Point, ...]:
    best = int(np.argmax(own.recall))
    return tuple(
        Point(
            alpha,
            own.recall[i],
            float(own.noise[best, i]),
            probe.recall[i] if probe else None,
            float(probe.noise[0, i]) if probe else None,
        )
        for i, alpha in enumerate(alphas)
    )


def again(values: dict[str, Any] | None) -> Interpolation | None:
    """The sweep that `dataclasses.asdict` made these JSON values of."""
    return Interpolation(**{**values, "curve": tuple(Point(**p) for p in values["curve"])}) if values else None
