"""What the training loop asks of the diagnosis: the facts before the first step, and a word as soon as one is due."""

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import Loaded
from tuneclip.model.retrieval import caption_key
from tuneclip.training import hyperparameters
from tuneclip.training.diagnose import Rows, findings
from tuneclip.training.evidence import Facts
from tuneclip.training.plan import Plan
from tuneclip.training.trackers import Tracking
from tuneclip.training.validate import LIMIT

logger = logging.getLogger("tuneclip")
COUNTED = 10_000
"""Training records whose captions are counted in tokens: half a second, and shares to a percent."""
PARTS = 4
"""How often in an epoch the rows are judged: a run of hours is not sick in silence until its first epoch ends."""


class Watch:
    """Judges a run while it goes on, says each finding once, and hands its rows on whenever they have been saved."""

    def __init__(
        self,
        facts: Mapping[str, Any] | None = None,
        *,
        steps_per_epoch: int = 1,
        say: bool = True,
        tracking: Tracking | None = None,
    ):
        """Without `facts` (a trial, not a run) or `say` nothing is said; `tracking` gets the saved rows."""
        self.opening = [dict(facts)] if facts else []
        self._pause, self._tracking = max(1, steps_per_epoch // PARTS), tracking
        self._silent = not (facts and say)
        self._said: set[str] = set()

    def resumed(self, rows: Rows) -> None:
        """Hold as said what the interrupted run had said."""
        self._said |= {finding.code for finding in findings(rows)}

    def noted(self, rows: Rows) -> None:
        """Judge where it is time, which the last row tells."""
        last = rows[-1]
        if self._silent or (last["kind"] != "epoch" and last["step"] % self._pause):
            return
        for finding in findings(rows):
            if finding.code not in self._said:
                self._said.add(finding.code)
                logger.warning("%s: %s. What to do: %s", finding.code, finding.reason, finding.remedy)

    def saved(self, rows: Rows) -> None:
        """Hand the rows on to the trackers."""
        if self._tracking:
            self._tracking.send(rows)

    def ended(self) -> None:
        """Close the trackers."""
        if self._tracking:
            self._tracking.finish()


def watch_over(
    plan: Plan, dataset: Dataset, loaded: Loaded, *, folder: Path, settled: Mapping[str, Any], writer: bool
) -> Watch:
    """The watch over the run in `folder`; of several processes only the `writer` says or tracks anything."""
    tracking = Tracking(plan.config.trackers, folder, settled) if plan.config.trackers and writer else None
    known = facts(dataset, loaded, plan)
    return Watch(known, steps_per_epoch=plan.steps_per_epoch, say=writer, tracking=tracking)


def facts(dataset: Dataset, loaded: Loaded, plan: Plan) -> dict[str, Any]:
    """The row of the metrics that holds what is known before the first step."""
    records = dataset.split("train")
    captions = [[caption_key(caption) for caption in record.captions] for record in records]
    shares: Counter[str] = Counter()
    for own in captions:
        for key in own:
            shares[key] += 1 / len(own)  # type: ignore[assignment]  # each picture weighs one
    usual = hyperparameters.learning_rate(replace(plan.config, learning_rate=None), loaded)
    known = Facts(
        pictures=len(records),
        validation=min(LIMIT, sum(record.split == "validation" for record in dataset.records)),
        captions=len(shares),
        effective_captions=math.exp(_entropy(shares.values())),
        common_caption=max(shares.values(), default=0.0) / max(1, len(records)),
        **_cut(loaded, captions),
        context=loaded.context,
        learning_rate=plan.learning_rate,
        usual_learning_rate=usual,
        precision=plan.precision,
    )
    return {"kind": "facts", "epoch": 0, **asdict(known)}


def broken(rows: Rows, what: str, *, where: object) -> TuneclipError:
    """The error of a run that cannot go on since `what` is no number: what the diagnosis says of its rows."""
    found = next((f for f in findings(rows) if f.code in ("fp16_overflow", "not_finite")), None)
    if found is None:
        return TuneclipError(what, where=where, hint="lower learning_rate in the config and train anew")
    return TuneclipError(f"{what}; {found.code}: {found.reason}", where=where, hint=found.remedy)


def _cut(loaded: Loaded, captions: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Share of captions that the model cuts, and how many different ones it sees; of a sample where there are many."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(captions))[:COUNTED])
    different = list(dict.fromkeys(chain.from_iterable(captions[i] for i in chosen)))
    if not different:
        return {}
    coded = loaded.tokenizer(different, truncation=False, padding=False, verbose=False)["input_ids"]
    lengths = {caption: len(ids) for caption, ids in zip(different, coded, strict=True)}
    every = [caption for i in chosen for caption in captions[i]]
    seen = {tuple(ids[: loaded.context - 1]) for ids in coded}  # the last place is the end token's
    scale = len(captions) / len(chosen)
    return {
        "cut_share": sum(lengths[caption] > loaded.context for caption in every) / len(every),
        "captions_after_cut": round(len(seen) * scale) if scale > 1 else len(seen),
    }


def _entropy(weights: Iterable[float]) -> float:
    values = np.array([*weights], dtype=np.float64)
    shares = values / values.sum() if len(values) else values
    return float(-(shares * np.log(shares)).sum())
