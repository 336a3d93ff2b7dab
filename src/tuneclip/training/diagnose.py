"""What is wrong with a run, judged from its metrics alone: each finding has its number, the reason and the remedy.

`findings` is a pure function of the rows of `metrics.jsonl`, of which the first holds what is known of the data. Every
limit here was chosen on runs that were sick on purpose and on healthy ones (docs/experiments.md); docs/diagnosis.md
explains the codes one by one.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tuneclip.records import Finding
from tuneclip.training.evidence import Evidence

Rows = Sequence[Mapping[str, Any]]

FEW_OVERFLOWS, OVERFLOWS = 5, 0.25
FEW_PICTURES, FEW_TO_VALIDATE = 64, 50
FEW_CAPTIONS = 4.0
"""Different captions, counted by their weight (the exponential of their entropy), below which there is no contrast."""
COMMON_CAPTION = 0.5
CUT_SHARE = 0.2
FEW_STEPS = 8
COLLAPSED = 0.12
"""Spread of the embeddings (1 - mean cosine) as a share of the base's. Healthy runs kept more than 0.4."""
UNRELATED = 0.53
"""`pair_auc` over the first epoch: shuffled pairs gave 0.44 to 0.52, healthy epochs with `full` 0.57 and more."""
NEAR_CHANCE, AT_CHANCE = -0.15, 0.05
"""Shares of the way from chance to a perfect loss between which it is chance. A base that is wrong about a new domain
and sure of it begins far above chance, and comes down in a healthy run."""
AUC_AT_CHANCE = 0.55
RISEN = 1.25
"""A loss at the end so many times that of the beginning, and of guessing, has been driven up."""
RUN_TOGETHER = 0.01
"""Spread below which no relation could show; shuffled pairs kept more than 0.06, a rate of 1e-2 leaves 0.0001."""
HIGH_RATE, LOW_RATE = 5.0, 0.05
"""Learning rates against the one that the base asks for."""
HIGH_UPDATE = 0.05
"""Share of a weight's size that one step may move it; healthy runs stay under 0.02, a rate of 1e-2 reaches 0.3."""
DRIFT = 2.5
CEILING = 0.95
LEVEL_EPOCHS, LEVEL_STEPS, LEVEL = 3, 60, 0.02


def findings(rows: Rows, *, ended: bool = False) -> tuple[Finding, ...]:
    """What is wrong, causes before symptoms; empty for a healthy run.

    `ended` adds what only a whole run can show (no gain, no movement of the loss, too few steps).
    """
    seen = Evidence.of(rows)
    found: dict[str, Finding] = {}
    for judge, only_ended, unless in JUDGES:
        if (only_ended and not ended) or not found.keys().isdisjoint(unless):
            continue
        finding = judge(seen)
        if finding is not None:
            found[finding.code] = finding
    return tuple(found.values())


def not_finite(seen: Evidence) -> Finding | None:
    """The loss or the gradient is no number."""
    count, share, fp16 = len(seen.skipped), seen.broken_share, seen.facts.precision == "fp16"
    hopeless = not seen.steps and seen.epochs_done > 0
    if not count or (fp16 and not hopeless and (count < FEW_OVERFLOWS or share < OVERFLOWS)):
        return None  # a few overflows are how the loss scale of fp16 finds its size
    first = seen.skipped[0]
    where = f"the {first.get('reason', 'loss')} is not finite at step {first['step']}"
    if fp16:
        reason = f"{where} and in {share:.0%} of all steps: fp16 holds no number above 65,504"
        remedy = 'set "precision": "bf16" in the config, or "fp32" where the hardware has no bf16'
        return Finding("fp16_overflow", share, reason, remedy)
    if not seen.steps:
        reason = f"{where}, before anything was learnt: the base's weights or a picture hold NaN"
        return Finding("not_finite", share, reason, "try another base, and run `tuneclip check` on the data")
    return Finding("not_finite", share, f"{where}, at learning rate {seen.facts.learning_rate:g}", _lower(seen))


def nothing_moves(seen: Evidence) -> Finding | None:
    """No weight changes."""
    updates = seen.values("update")
    if len(updates) < 2 or max(updates) > 0:
        return None
    rate = seen.facts.learning_rate
    return Finding("nothing_moves", 0.0, f"no weight moved in {len(updates)} steps at learning rate {rate:g}",
                   f'set "learning_rate": {seen.facts.usual_learning_rate:g} in the config')  # fmt: skip


def twin_captions(seen: Evidence) -> Finding | None:
    """Nearly all pictures say the same."""
    facts = seen.facts
    if facts.effective_captions is None:
        return None
    advice = "say in each caption what tells its picture from the others: tuneclip caption NAME --template '{…}'"
    if facts.effective_captions < FEW_CAPTIONS:
        reason = f"{facts.pictures:,} pictures share {facts.captions:,} different caption(s): there is little to tell"
        return Finding("twin_captions", float(facts.captions), f"{reason} apart", advice)
    if facts.common_caption >= COMMON_CAPTION:
        reason = f"{facts.common_caption:.0%} of the captions are the same text"
        return Finding("twin_captions", facts.common_caption, reason, advice)
    return None


def captions_cut(seen: Evidence) -> Finding | None:
    """The model does not see the ends of many captions."""
    facts = seen.facts
    if facts.cut_share < CUT_SHARE:
        return None
    rest = f"; {facts.captions_after_cut:,} different ones are left of {facts.captions:,}"
    lost = facts.captions_after_cut < 0.9 * facts.captions
    return Finding(
        "captions_cut",
        facts.cut_share,
        f"{facts.cut_share:.0%} of the captions are longer than the model's {facts.context} tokens, "
        f"and what stands behind is never seen{rest if lost else ''}",
        "put what matters first or shorten: tuneclip caption NAME --template '{…}'; tuneclip check shows which",
    )


def few_pictures(seen: Evidence) -> Finding | None:
    """Too little to learn from, and too little to see whether it was learnt."""
    facts = seen.facts
    if not 0 < facts.pictures < FEW_PICTURES:
        return None
    low, high = seen.interval()
    width = f", and its recall is known only to lie in [{low:.0%}, {high:.0%}]" if facts.validation else ""
    reason = f"{facts.pictures} pictures to learn from: the model learns them by heart{width}"
    remedy = "add pictures, some hundreds at least (tuneclip sample --margin says how many), or try --recipe head"
    return Finding("few_pictures", float(facts.pictures), reason, remedy)


def learning_rate_high(seen: Evidence) -> Finding | None:
    """The steps are so long that what the base knew is destroyed."""
    facts, update = seen.facts, max(seen.values("update"), default=0.0)
    times = facts.learning_rate / facts.usual_learning_rate if facts.usual_learning_rate else 1.0
    if times < HIGH_RATE and update < HIGH_UPDATE:
        return None
    signs = list(_harm(seen))
    if not signs:
        return None
    reason = f"learning rate {facts.learning_rate:g} is {times:.0f} times what this base asks for: {'; '.join(signs)}"
    if times < HIGH_RATE:
        reason = f"a step moves the weights by up to {update:.0%} of their size: {'; '.join(signs)}"
    return Finding("learning_rate_high", facts.learning_rate, reason, _lower(seen))


def _harm(seen: Evidence) -> Iterator[str]:
    if seen.spread_left() < COLLAPSED:
        yield "the embeddings have run together"
    if seen.gained():
        return
    if _at_chance(seen) or seen.last_loss > RISEN * max(seen.first_loss, seen.chance):
        yield f"the loss went from {seen.first_loss:.2f} to {seen.last_loss:.2f}, chance is {seen.chance:.2f}"
    if seen.fell_below_base():
        yield f"validation recall fell from {seen.base_recall:.1%} to {seen.last_recall:.1%}"


def collapse(seen: Evidence) -> Finding | None:
    """All embeddings lie in one place."""
    left = seen.spread_left()
    if left >= COLLAPSED:
        return None
    which = min(("picture", "text"), key=seen.spread_left_of)
    first, last = seen.first(f"{which}_cosine"), seen.last(f"{which}_cosine")
    return Finding("collapse", last, f"the mean cosine between different {which}s rose from {first:.3f} to {last:.3f}, "
                   f"{left:.1%} of the base's spread is left", _collapse_remedy(seen))  # fmt: skip


def _collapse_remedy(seen: Evidence) -> str:
    if seen.facts.learning_rate > seen.facts.usual_learning_rate:
        return _lower(seen)
    return f'mend the captions first (tuneclip check), then set "learning_rate": {seen.facts.learning_rate / 3:.1g}'


def unrelated_pairs(seen: Evidence) -> Finding | None:
    """Captions do not belong to their pictures: what is learnt is learnt by heart."""
    auc, error = seen.unseen_auc()
    # a model that has not even found out what guessing gives is no witness yet: then only many pairs tell
    limit = UNRELATED + (min(error, 0.05) / 3 if seen.progress_at_end() > NEAR_CHANCE else -error)
    if math.isnan(auc) or auc > limit or seen.gained() or seen.spread_left() < RUN_TOGETHER:
        return None
    fall = f"; the loss fell to {seen.last_loss:.2f} by heart" if seen.progress_at_end() > AT_CHANCE else ""
    return Finding("unrelated_pairs", auc, f"a picture not seen before is nearer to its own caption than to another's "
                   f"in {auc:.0%} of the cases, guessing gives 50%{fall}", "look at some pairs (tuneclip check NAME "
                   "--report check.html): were rows shifted or sorted between pictures and captions?")  # fmt: skip


def loss_at_chance(seen: Evidence) -> Finding | None:
    """The loss is that of guessing."""
    if not _at_chance(seen):
        return None
    reason = f"the loss is {seen.last_loss:.2f} and guessing gives {seen.chance:.2f}: no picture finds its caption"
    remedy = "follow the other findings first; if there are none, train longer or raise learning_rate"
    return Finding("loss_at_chance", seen.last_loss / seen.chance, reason, remedy)


def _at_chance(seen: Evidence) -> bool:
    near = NEAR_CHANCE < seen.progress_at_end() < AT_CHANCE
    return seen.steps_done >= FEW_STEPS and near and seen.last("pair_auc", 0.5) <= AUC_AT_CHANCE


def temperature_drift(seen: Evidence) -> Finding | None:
    """The learned temperature ran away without the model getting better."""
    first, last = seen.first_step("temperature"), seen.last_step("temperature")
    factor = last / first if first > 0 else 1.0
    if abs(math.log(max(factor, 1e-9))) < math.log(DRIFT) or seen.gained():
        return None
    return Finding("temperature_drift", factor, f"the logit scale went from {first:.1f} to {last:.1f}", _lower(seen))


def overfitting(seen: Evidence) -> Finding | None:
    """Recall on unseen pictures falls while the loss on the seen ones goes on falling."""
    lost = seen.lost_since_best()
    if lost is None:
        return None
    best, now = lost
    reason = f"validation recall fell from {best:.1%} to {now:.1%} while the loss went on falling; the best is kept"
    remedy = "add pictures, or set fewer num_epochs, a lower learning_rate, or --recipe lora"
    return Finding("overfitting", best - now, reason, remedy)


def learning_rate_low(seen: Evidence) -> Finding | None:
    """The steps are so short that the run changes nothing."""
    facts = seen.facts
    if facts.learning_rate >= LOW_RATE * facts.usual_learning_rate or seen.gained() or seen.loss_moved() > LEVEL:
        return None
    reason = f"learning rate {facts.learning_rate:g} is {facts.learning_rate / facts.usual_learning_rate:.2%} of what "
    return Finding("learning_rate_low", facts.learning_rate, f"{reason}this base asks for, and the loss hardly moved",
                   f'set "learning_rate": {facts.usual_learning_rate:g} in the config')  # fmt: skip


def few_steps(seen: Evidence) -> Finding | None:
    """The run was over before it began."""
    if not 0 < seen.steps_done < FEW_STEPS or seen.gained() or seen.near_ceiling():
        return None
    return Finding("few_steps", float(seen.steps_done), f"only {seen.steps_done} steps were made",
                   "set a larger num_epochs or a smaller batch_size in the config")  # fmt: skip


def plateau(seen: Evidence) -> Finding | None:
    """The loss stands still, far from where it could be."""
    if seen.epochs_done < LEVEL_EPOCHS or seen.steps_done < LEVEL_STEPS or seen.gained() or seen.near_ceiling():
        return None
    if seen.loss_moved() > LEVEL or seen.progress_at_end() > 0.5:
        return None
    reason = f"the loss stands at {seen.last_loss:.2f} since the first epoch, guessing gives {seen.chance:.2f}"
    rate = max(seen.facts.usual_learning_rate, 3 * seen.facts.learning_rate)
    remedy = f'try "learning_rate": {rate:.1g} in the config, or let more move with --recipe full'
    return Finding("plateau", seen.last_loss, reason, remedy)


def no_gain(seen: Evidence) -> Finding | None:
    """The base's weights were kept."""
    if seen.base_recall is None or seen.best_epoch != 0 or seen.near_ceiling() or not seen.epochs_done:
        return None
    remedy = "check the captions with a few searches, add pictures, or try another learning_rate"
    if seen.facts.validation < FEW_TO_VALIDATE:
        remedy = f"with {seen.facts.validation} validation pictures a gain hardly shows: add some. Else {remedy}"
    reason = "no epoch was better on validation than the base, so the base's weights were kept"
    return Finding("no_gain", seen.base_recall, reason, remedy)


def no_validation(seen: Evidence) -> Finding | None:
    """There was nothing to choose the best epoch by."""
    if seen.base_recall is not None:
        return None
    return Finding("no_validation", 0, "the dataset has no validation split, so the last epoch was kept",
                   "import the dataset anew so that it gets one")  # fmt: skip


def _lower(seen: Evidence) -> str:
    facts = seen.facts
    wanted = facts.usual_learning_rate if facts.learning_rate > facts.usual_learning_rate else facts.learning_rate / 10
    return f'set "learning_rate": {wanted:.2g} in the config and train anew'


CODES = {
    "fp16_overflow": "of the steps",
    "not_finite": "of the steps",
    "nothing_moves": "of a weight's size in a step",
    "twin_captions": "different captions, or the share of the commonest",
    "captions_cut": "of the captions",
    "few_pictures": "pictures to learn from",
    "learning_rate_high": "learning rate",
    "unrelated_pairs": "of unseen pictures nearer to their own caption",
    "collapse": "mean cosine",
    "loss_at_chance": "times the loss of guessing",
    "temperature_drift": "times the base's logit scale",
    "overfitting": "of recall lost since the best epoch",
    "learning_rate_low": "learning rate",
    "few_steps": "steps",
    "plateau": "loss",
    "no_gain": "validation recall of the base",
    "no_validation": "pictures to validate by",
}
"""Every code, and what its number is."""
_CAUSES = ("fp16_overflow", "not_finite", "nothing_moves", "twin_captions", "captions_cut", "learning_rate_high")
JUDGES: tuple[tuple[Callable[[Evidence], Finding | None], bool, tuple[str, ...]], ...] = (
    (not_finite, False, ()),
    (nothing_moves, False, ()),
    (twin_captions, False, ()),
    (captions_cut, False, ()),
    (few_pictures, False, ()),
    (learning_rate_high, False, ("fp16_overflow", "not_finite")),
    (unrelated_pairs, False, (*_CAUSES, "few_pictures")),
    (collapse, False, ("fp16_overflow", "not_finite")),
    (loss_at_chance, False, ("fp16_overflow", "not_finite", "nothing_moves")),
    (temperature_drift, False, ("fp16_overflow", "not_finite", "learning_rate_high")),
    (overfitting, True, ("learning_rate_high", "collapse", "unrelated_pairs", "twin_captions")),
    (learning_rate_low, True, (*_CAUSES, "unrelated_pairs")),
    (few_steps, True, (*_CAUSES, "collapse", "unrelated_pairs", "loss_at_chance")),
    (plateau, True, (*_CAUSES, "collapse", "unrelated_pairs", "loss_at_chance", "learning_rate_low")),
    (no_gain, True, ()),
    (no_validation, True, ()),
)
"""Each judge, whether it waits for the end of the run, and the findings that already explain what it would see."""
