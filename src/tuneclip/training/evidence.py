"""What a run's rows say, in the few figures that the diagnosis judges by. Pure: rows in, figures out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from statistics import fmean
from typing import Any

from tuneclip.training.validate import wilson

Row = Mapping[str, Any]

SIGNIFICANT = 2.0
"""Standard errors beyond which a change of recall is no accident."""
ENOUGH_PAIRS = 1000
NO_WAY = 0.01
"""Where chance and a perfect loss are so near (all captions the same), the loss says nothing."""
PART = 0.125
"""Share of the run that counts as its beginning and as its end."""


@dataclass(frozen=True)
class Facts:
    """What is known before the first step; the first row of the metrics holds it."""

    pictures: int = 0
    """To learn from."""
    validation: int = 0
    """Pictures by which the best epoch is chosen."""
    captions: int = 0
    """Different captions of the training pictures."""
    effective_captions: float | None = None
    """The exponential of the entropy of the captions' shares: ten captions, one of which has nearly all, count 1."""
    common_caption: float = 0.0
    """Share of the commonest caption."""
    cut_share: float = 0.0
    """Share of captions that are longer than the context."""
    captions_after_cut: int = 0
    """Different captions as the model sees them."""
    context: int = 0
    """Tokens that a caption may have."""
    learning_rate: float = 0.0
    usual_learning_rate: float = 0.0
    """What the base and the recipe ask for."""
    precision: str = "fp32"

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Facts":
        """Those of the first row that holds facts; unknown keys are left out, missing ones keep their defaults."""
        row = next((row for row in rows if row.get("kind") == "facts"), {})
        return cls(**{f.name: row[f.name] for f in fields(cls) if f.name in row})


@dataclass(frozen=True)
class Evidence:
    """The rows of a run by kind, and what they amount to."""

    facts: Facts
    steps: tuple[Row, ...]
    epochs: tuple[Row, ...]
    skipped: tuple[Row, ...]
    """The steps that moved nothing, since their loss or gradient was not finite."""
    looks: tuple[Row, ...]
    """The steps that were looked at closely."""

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Evidence":
        """From the rows of `metrics.jsonl` in their order; rows of another kind, or torn ones, are left out."""
        steps = tuple(row for row in rows if row.get("kind") == "step" and _finite(row, "step", "epoch", "loss"))
        epochs = tuple(row for row in rows if row.get("kind") == "epoch" and _finite(row, "epoch"))
        skipped = tuple(row for row in rows if row.get("kind") == "skipped")
        return cls(Facts.of(rows), steps, epochs, skipped, tuple(row for row in steps if "update" in row))

    def values(self, key: str) -> list[float]:
        """The figure at each close look that has it."""
        return [row[key] for row in self.looks if key in row]

    def first(self, key: str) -> float:
        """Its mean over the first looks, when the model is still the base; NaN where it was never measured."""
        return _mean(self.values(key)[:2])

    def last(self, key: str, default: float = math.nan) -> float:
        """Its mean over the last looks."""
        values = self.values(key)
        return _mean(values[-_part(values) :]) if values else default

    def first_step(self, key: str) -> float:
        """The figure at the first step."""
        return float(self.steps[0].get(key, math.nan)) if self.steps else math.nan

    def last_step(self, key: str) -> float:
        """The figure at the last step."""
        return float(self.steps[-1].get(key, math.nan)) if self.steps else math.nan

    @property
    def steps_done(self) -> int:
        """Optimizer updates."""
        return len(self.steps)

    @property
    def epochs_done(self) -> int:
        """Epochs that are finished."""
        return int(self.epochs[-1]["epoch"]) if self.epochs else 0

    @property
    def broken_share(self) -> float:
        """Share of the steps that were passed over, since their loss or gradient was not finite."""
        return len(self.skipped) / max(1, len(self.skipped) + len(self.steps))

    @cached_property
    def first_loss(self) -> float:
        """Mean over the first eighth of the steps."""
        return _mean(row["loss"] for row in self.steps[: _part(self.steps)])

    @cached_property
    def last_loss(self) -> float:
        """Mean over the last eighth of the steps."""
        return _mean(row["loss"] for row in self.steps[-_part(self.steps) :])

    @cached_property
    def chance(self) -> float:
        """What guessing gives at the end."""
        return _mean(row["chance"] for row in self.steps[-_part(self.steps) :] if "chance" in row)

    def progress_at_end(self) -> float:
        """How far the loss is on the way from chance (0) to that of a perfect model (1); 1 where nothing is known."""
        return self._progress(self.steps[-_part(self.steps) :])

    def loss_moved(self) -> float:
        """How much further the last steps are on that way than the second half of the first epoch (or its start)."""
        first = [row for row in self.steps if row["epoch"] == 1]
        whole = self.epochs_done > 1
        begin = first[len(first) // 2 :] if whole else first[: _part(first)]
        return abs(self.progress_at_end() - self._progress(begin))

    def _progress(self, rows: Sequence[Row]) -> float:
        known = [row for row in rows if _finite(row, "loss", "chance")]
        if not known:
            return 1.0
        loss, chance = _mean(row["loss"] for row in known), _mean(row["chance"] for row in known)
        floor = _mean(row.get("floor", 0.0) for row in known)
        return (chance - loss) / (chance - floor) if chance - floor > NO_WAY else 0.0

    def spread_left_of(self, which: str) -> float:
        """How much of the base's spread (1 - mean cosine) the embeddings of "picture" or "text" have at the end.

        1 where it is not known, or where already the base had none.
        """
        values = self.values(f"{which}_cosine")
        begin = 1 - self.first(f"{which}_cosine") if len(values) > 2 else 0.0
        return (1 - self.last(f"{which}_cosine")) / begin if begin > 1e-3 else 1.0

    def spread_left(self) -> float:
        """The smaller of both."""
        return min(self.spread_left_of("picture"), self.spread_left_of("text"))

    def unseen_auc(self) -> tuple[float, float]:
        """Mean `pair_auc` over the first epoch, when no picture has been seen before, and its standard error.

        NaN while the epoch has not ended, unless there are many pairs already. The error is a uniform rank's.
        """
        first = [row for row in self.looks if row["epoch"] == 1 and "pair_auc" in row]
        pairs = sum(row.get("pairs", 0) for row in first)
        if not pairs or (self.epochs_done < 1 and pairs < ENOUGH_PAIRS):
            return math.nan, math.nan
        return _mean(row["pair_auc"] for row in first), math.sqrt(1 / 12 / pairs)

    @cached_property
    def recalls(self) -> list[float]:
        """Mean validation recall of the base and of each epoch; empty without a validation split."""
        return [row["validation_mean_recall"] for row in self.epochs if "validation_mean_recall" in row]

    @property
    def base_recall(self) -> float | None:
        """Of the base, None where nothing was measured."""
        return self.recalls[0] if self.recalls else None

    @property
    def last_recall(self) -> float:
        """Of the last epoch; NaN where nothing was measured."""
        return self.recalls[-1] if self.recalls else math.nan

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept."""
        return max(range(len(self.recalls)), key=lambda i: self.recalls[i]) if self.recalls else self.epochs_done

    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the best recall."""
        n = max(1, self.facts.validation)
        return wilson(max(self.recalls, default=0.5), n)

    def gained(self) -> bool:
        """Whether an epoch was better than the base beyond accident."""
        return len(self.recalls) > 1 and self._apart(max(self.recalls[1:]), self.recalls[0])

    def fell_below_base(self) -> bool:
        """Whether the last epoch is worse than the base beyond accident."""
        return len(self.recalls) > 1 and self._apart(self.recalls[0], self.recalls[-1])

    def lost_since_best(self) -> tuple[float, float] | None:
        """Recall of the best epoch and of the last, where it fell beyond accident while the loss went on falling."""
        best = self.best_epoch
        if not 0 < best < self.epochs_done or not self._apart(self.recalls[best], self.recalls[-1]):
            return None
        losses = {row["epoch"]: row["loss"] for row in self.epochs if "loss" in row}
        return (self.recalls[best], self.recalls[-1]) if losses[self.epochs_done] < losses[best] else None

    def near_ceiling(self) -> bool:
        """Whether the base was already so good that no gain could be seen."""
        if not self.recalls:
            return False
        return 1 - self.recalls[0] <= max(0.05, SIGNIFICANT * self._error(self.recalls[0], self.recalls[0]))

    def _apart(self, high: float, low: float) -> bool:
        return high - low > SIGNIFICANT * self._error(high, low)

    def _error(self, one: float, other: float) -> float:
        """Standard error of a difference of two shares of the validation pictures, the same ones for both."""
        share = (one + other) / 2
        return math.sqrt(max(share * (1 - share), 0.01) / max(1, self.facts.validation))


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return fmean(known) if known else math.nan


def _part(values: Sequence[Any]) -> int:
    return max(1, round(len(values) * PART))


def _finite(row: Row, *keys: str) -> bool:
    return all(isinstance(row.get(key), int | float) and math.isfinite(row[key]) for key in keys)
