"""What can be wrong with a dataset: one finder for each kind of trouble, pure functions over what was seen."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tuneclip.data.load import Dataset
from tuneclip.data.look import Look
from tuneclip.data.split import split_order
from tuneclip.data.twins import Groups, Twins
from tuneclip.project import SKIPPED

SMALLEST_SIDE = 32
"""Pixels. One patch of ViT-B/32: a smaller picture is enlarged more than seven times before the model sees it."""
BLANK_RANGE = 6
"""Levels of 255 between the darkest and the lightest of 16 × 16 areas, in each channel; JPEG alone makes 1 or 2."""
FEW_PICTURES = 100
"""With so many queries a recall of 50 % is known to ± 10 points (95 %)."""
EXAMPLES = 5
SHOWN_GROUPS = 6
Level = Literal["error", "warning", "note"]
LEVELS = ("error", "warning", "note")
TITLES = {
    "unreadable": "pictures that cannot be read",
    "tiny": "tiny pictures",
    "blank": "blank pictures",
    "exact_twins": "exact twins",
    "near_twins": "near twins",
    "twins_across_splits": "twins across splits",
    "groups_across_splits": "groups across splits",
    "captions_cut": "captions that are cut",
    "empty_captions": "records without a caption",
    "repeated_captions": "repeated captions",
    "constant_captions": "captions that are all alike",
    "mixed_scripts": "captions in several scripts",
    "imbalance": "imbalance",
    "few_pictures": "few pictures",
    "skipped": "records that the import skipped",
}
"""What each finding is called; the order is that in which they are told."""


@dataclass(frozen=True)
class DatasetFinding:
    """One kind of trouble: how often, where for example, why it matters and what to do."""

    code: str
    count: int
    share: float
    """Of the records, or of the captions where the count is one of captions."""
    examples: tuple[str, ...]
    """Ids of records, five at most."""
    remedy: str
    reason: str
    level: Level = "warning"
    """`error`: spoils training or its figures; `warning`: worth mending; `note`: may well be meant."""
    groups: tuple[tuple[str, ...], ...] = field(default=())
    """Ids that belong together, for twins."""

    @property
    def percent(self) -> str:
        """The share as people read it."""
        return "< 0.1 %" if 0 < self.share < 0.001 else f"{100 * self.share:.1f} %"


@dataclass(frozen=True)
class Seen:
    """All that the finders look at; `looks` are in the order of the records."""

    dataset: Dataset
    looks: tuple[Look, ...]
    twins: Twins
    called: str = ""
    """How the user called the dataset, a name or a path; remedies repeat it."""

    def finding(self, code: str, numbers: Sequence[int], reason: str, remedy: str, level: Level) -> DatasetFinding:
        """A finding about these records."""
        ids = self.ids(numbers[:EXAMPLES])
        return DatasetFinding(code, len(numbers), self.share(len(numbers)), ids, remedy, reason, level)

    def share(self, count: int) -> float:
        """Of all records."""
        return count / max(1, len(self.looks))

    def ids(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """The ids of records given by their numbers."""
        return tuple(self.dataset.records[number].id for number in numbers)

    @property
    def fix(self) -> str:
        """The command that leaves out what can safely be left out."""
        return self.command("check", "--fix", "--to", f"{self.dataset.name}-fixed")

    def command(self, verb: str, *words: str) -> str:
        """A command about this dataset, as it can be typed."""
        return shlex.join(["tuneclip", verb, self.called or self.dataset.name, *words])


def picture_findings(seen: Seen) -> Iterator[DatasetFinding]:
    """Pictures that cannot be decoded, are tiny, or show nothing."""
    bad = [number for number, look in enumerate(seen.looks) if look.problem]
    if bad:
        reasons = Counter(seen.looks[number].problem for number in bad)
        told = "; ".join(f"{text} ({count:,})" for text, count in reasons.most_common(3))
        yield seen.finding("unreadable", bad, told, seen.fix, "error")
    small = [number for number, look in enumerate(seen.looks) if is_tiny(look)]
    if small:
        least = min(min(seen.looks[number].size) for number in small)
        reason = f"the shorter side is below {SMALLEST_SIDE} pixels, {least} at least: little is left to see"
        yield seen.finding("tiny", small, reason, seen.fix, "warning")
    blank = [number for number, look in enumerate(seen.looks) if is_blank(look)]
    if blank:
        yield seen.finding("blank", blank, "one even colour: there is nothing to learn from", seen.fix, "error")


def is_tiny(look: Look) -> bool:
    """Whether a decoded picture is too small to be of use."""
    return not look.problem and min(look.size) < SMALLEST_SIDE


def is_blank(look: Look) -> bool:
    """Whether a decoded picture has no contrast."""
    if look.thumb is None:
        return False
    areas = look.thumb.reshape(-1, 3).astype(int)
    return bool((areas.max(axis=0) - areas.min(axis=0)).max() <= BLANK_RANGE)


def twin_findings(seen: Seen) -> Iterator[DatasetFinding]:
    """The same picture twice, and what stands in several splits at once."""
    records, twins = seen.dataset.records, seen.twins
    captions = [{plain(text) for text in record.captions} for record in records]
    if twins.exact:
        other = sum(captions[number] != captions[group[0]] for group in twins.exact for number in group[1:])
        reason = "the same file again"
        reason += (
            f"; {other:,} of them under another caption, which training takes for a contradiction" if other else ""
        )
        yield _of_groups(seen, "exact_twins", twins.exact, reason, seen.fix)
    if twins.near:
        reason = "the same picture saved again, or two that cannot be told apart at thumbnail size"
        remedy = "look at them: " + seen.command("check", "--report", "check.html")
        yield _of_groups(seen, "near_twins", twins.near, reason, remedy, level="note")
    torn = [group for group in twins.same if len({records[number].split for number in group}) > 1]
    if torn:
        yield _leak(seen, "twins_across_splits", torn, "one picture stands in several splits")
    groups: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        groups.setdefault(record.group, []).append(number)
    torn = [tuple(group) for group in groups.values() if len({records[number].split for number in group}) > 1]
    if torn:
        yield _leak(seen, "groups_across_splits", torn, "one group stands in several splits")


def _of_groups(
    seen: Seen, code: str, groups: Groups, reason: str, remedy: str, *, level: Level = "warning"
) -> DatasetFinding:
    """The count is that of the pictures after the first of each group."""
    count = sum(len(group) - 1 for group in groups)
    shown = tuple(seen.ids(group[:EXAMPLES]) for group in groups[:SHOWN_GROUPS])
    examples = tuple(name for group in shown for name in group)[:EXAMPLES]
    return DatasetFinding(code, count, seen.share(count), examples, remedy, reason, level, shown)


def _leak(seen: Seen, code: str, torn: Sequence[tuple[int, ...]], what: str) -> DatasetFinding:
    """The count is that of the records that must leave so that each group stands in one split."""
    count = sum(len(leaving(seen.dataset, group)) for group in torn)
    reason = f"{what}: figures on validation and test then tell what was learnt by heart"
    found = _of_groups(seen, code, tuple(torn), reason, seen.fix, level="error")
    return DatasetFinding(
        code, count, seen.share(count), found.examples, found.remedy, reason, found.level, found.groups
    )


def leaving(dataset: Dataset, group: Iterable[int]) -> list[int]:
    """Those of a group that are not in its foremost split: test stays before validation, that before train.

    Leaving train keeps the figures honest at the cost of a few pictures; moving them would change what is measured.
    """
    numbers = list(group)
    splits = sorted({dataset.records[number].split for number in numbers})
    stays = max(splits, key=lambda name: {"train": 0, "validation": 2, "test": 3}.get(name, 1), default="")
    return [number for number in numbers if dataset.records[number].split != stays]


def split_findings(seen: Seen) -> Iterator[DatasetFinding]:
    """Splits that are missing or too small to tell anything, counted in independent groups."""
    groups: dict[str, set[str]] = {name: set() for name in ("train", "validation", "test")}
    for record in seen.dataset.records:
        groups.setdefault(record.split, set()).add(record.group)
    more = "add pictures and import again"
    for name in sorted(groups, key=split_order):
        count = len(groups[name])
        if count >= FEW_PICTURES:
            continue
        if not count:
            reason = f"there is no {name} split" + (
                "" if name == "train" else ", so nothing is measured on new pictures"
            )
        elif name == "train":
            reason = f"only {count} independent pictures to learn from"
        else:
            wide = min(50.0, 98 / count**0.5)
            reason = f"{count} independent pictures in {name}: a recall of 50 % is known to ± {wide:.0f} points only"
        remedy = (
            more
            if name == "train" or not count
            else f"{more}; read the intervals of `tuneclip compare`, not its figures"
        )
        numbers = [i for i, record in enumerate(seen.dataset.records) if record.split == name][:EXAMPLES]
        yield DatasetFinding(
            "few_pictures", count, seen.share(count), seen.ids(numbers), remedy, reason, "note" if count else "warning"
        )


def skipped_findings(seen: Seen) -> Iterator[DatasetFinding]:
    """What the import left out."""
    path = seen.dataset.path / SKIPPED
    if not path.is_file():
        return
    reasons: Counter[str] = Counter()
    examples: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
                reasons[str(row["reason"])] += 1
                examples.append(str(row["where"])) if len(examples) < EXAMPLES else None
            except (ValueError, KeyError, TypeError):
                reasons["a line that cannot be read"] += 1
    count = reasons.total()
    if count:
        told = "; ".join(f"{text} ({number:,})" for text, number in reasons.most_common(3))
        share = count / (count + len(seen.dataset.records))
        remedy = f"mend the source as {path} says, then import again"
        yield DatasetFinding("skipped", count, share, tuple(examples), remedy, told, "note")


def plain(text: str) -> str:
    """A caption as it is compared: case and spaces do not count."""
    return " ".join(text.casefold().split())
