"""Trouble with captions: empty, cut, repeated, all alike, in several scripts, out of balance."""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from tuneclip.data.findings import EXAMPLES, DatasetFinding, Seen, plain

REPEATED_SHARE = 0.2
"""A fifth of the records without a caption of their own; a few repeated titles are normal and harmless."""
CONSTANT_SHARE = 0.5
PREFIX_SHARE, PREFIX_WORDS, PREFIX_PART = 0.8, 6, 0.5
"""One beginning in four captions of five, of six words at least ("a photo of a" is harmless), half of the caption."""
LABEL_SHARE, MOST_LABELS = 0.1, 1000
"""A field is label-like when it has at most a tenth as many values as there are records, and at most so many."""
BALANCE = 1 / 3
"""Effective number of values (the exponential of the entropy) by their number, below which a field is lopsided."""
LABELS = {"label", "category", "class", "type", "kind", "species", "genre"}
SCRIPT_SHARE = 0.02


def caption_findings(seen: Seen) -> Iterator[DatasetFinding]:
    """Captions that are empty, repeated, all alike, or in several scripts."""
    compose = seen.command("caption", "--template", _telling(seen))
    records = seen.dataset.records
    empty = [number for number, record in enumerate(records) if not any(text.strip() for text in record.captions)]
    if empty:
        yield seen.finding("empty_captions", empty, "nothing to learn the picture by", seen.fix, "error")
    yield from _repeated(seen, compose)
    yield from _constant(seen, compose)
    yield from _scripts(seen)


def _telling(seen: Seen) -> str:
    """A template of the two text fields that have the most different values."""
    values: dict[str, set[str]] = {}
    for record in seen.dataset.records:
        for name, value in record.metadata.items():
            if isinstance(value, str) and "://" not in value:
                values.setdefault(name, set()).add(value)
    best = sorted(values, key=lambda name: -len(values[name]))[:2]
    return ", ".join(f"{{{name}}}" for name in best) or "{field}"


def cut_finding(
    seen: Seen, owners: Sequence[int], lengths: Sequence[int], *, context: int, model: str
) -> Iterator[DatasetFinding]:
    """Captions longer than the model's context; `owners` (captions,) are the numbers of their records."""
    cut = [(length, owner) for length, owner in zip(lengths, owners, strict=True) if length > context]
    if not cut:
        return
    cut.sort(key=lambda pair: (-pair[0], pair[1]))
    examples = seen.ids(dict.fromkeys(owner for _, owner in cut))[:EXAMPLES]
    reason = f"{model} takes {context} tokens and never sees the rest; the longest caption has {cut[0][0]:,}"
    remedy = "say less, what matters first: " + seen.command("caption", "--template", "{field}, {field}")
    share = len(cut) / len(lengths)
    yield DatasetFinding(
        "captions_cut", len(cut), share, examples, remedy, reason, "error" if share > 0.1 else "warning"
    )


def _repeated(seen: Seen, compose: str) -> Iterator[DatasetFinding]:
    records = seen.dataset.records
    of_twins = {number: group[0] for group in seen.twins.same for number in group}
    carriers: dict[str, set[str | int]] = {}
    for number, record in enumerate(records):
        for text in record.captions:
            carriers.setdefault(plain(text), set()).add(of_twins.get(number, record.group))
    repeated = [
        number
        for number, record in enumerate(records)
        if record.captions and all(len(carriers[plain(text)]) > 1 for text in record.captions)
    ]
    if seen.share(len(repeated)) < REPEATED_SHARE:
        return
    text, count = Counter(plain(text) for record in records for text in record.captions).most_common(1)[0]
    reason = (
        f"no caption of its own: {len(carriers):,} different captions in all, the commonest, “{_short(text)}”, "
        f"{count:,} times. Fine for classes; pictures of one caption cannot be told apart by it"
    )
    yield seen.finding("repeated_captions", repeated, reason, compose, "note")


def _constant(seen: Seen, compose: str) -> Iterator[DatasetFinding]:
    texts = [
        (number, plain(record.captions[0])) for number, record in enumerate(seen.dataset.records) if record.captions
    ]
    if len(texts) < 10:
        return
    commonest, count = Counter(text for _, text in texts).most_common(1)[0]
    if count / len(texts) >= CONSTANT_SHARE:
        numbers = [number for number, text in texts if text == commonest]
        reason = f"one caption, “{_short(commonest)}”, stands for {count / len(texts):.0%} of the pictures"
        yield seen.finding("constant_captions", numbers, reason, compose, "error")
        return
    words = [text.split() for _, text in texts]
    prefix, length = _common_prefix(words), median(len(each) for each in words)
    if len(prefix) >= PREFIX_WORDS and len(prefix) >= PREFIX_PART * length:
        numbers = [number for (number, _), each in zip(texts, words, strict=True) if each[: len(prefix)] == prefix]
        reason = f"they all begin “{_short(' '.join(prefix))}”: {len(prefix)} of some {length:.0f} words say nothing"
        yield seen.finding("constant_captions", numbers, reason, compose, "warning")


def _common_prefix(texts: Sequence[Sequence[str]]) -> list[str]:
    """The longest beginning, in words, that PREFIX_SHARE of the texts have."""
    prefix: list[str] = []
    while True:
        held = [text for text in texts if list(text[: len(prefix)]) == prefix and len(text) > len(prefix)]
        following = Counter(text[len(prefix)] for text in held).most_common(1)
        if not following or following[0][1] < PREFIX_SHARE * len(texts):
            return prefix
        prefix.append(following[0][0])


def _scripts(seen: Seen) -> Iterator[DatasetFinding]:
    """Captions whose letters are mostly of another script than the set's own."""
    scripts = [_script(" ".join(record.captions)) for record in seen.dataset.records]
    counts = Counter(script for script in scripts if script).most_common()
    if len(counts) < 2:
        return
    others = [number for number, script in enumerate(scripts) if script and script != counts[0][0]]
    if len(others) >= 2 and seen.share(len(others)) >= SCRIPT_SHARE:
        told = ", ".join(f"{script.capitalize()} {count:,}" for script, count in counts)
        reason = f"letters of several scripts ({told}); most CLIP models know one language"
        remedy = "translate them, or start from a multilingual model"
        yield seen.finding("mixed_scripts", others, reason, remedy, "note")


def _script(text: str) -> str:
    """The script of most letters by their Unicode names ("LATIN", "CYRILLIC"); empty without letters."""
    if text.isascii():
        return "LATIN" if any(letter.isalpha() for letter in text) else ""
    letters = [letter for letter in text if letter.isalpha()]
    names = Counter(unicodedata.name(letter, "?").split()[0] for letter in letters[:200])
    return names.most_common(1)[0][0] if names else ""


def balance_findings(seen: Seen) -> Iterator[DatasetFinding]:
    """The most lopsided label-like field: the captions if they are labels, or metadata called label, category …"""
    worst: tuple[float, str, Counter[str]] | None = None
    for name, values in _label_fields(seen):
        counts = Counter(value for value in values if value)
        total = counts.total()
        if not 2 <= len(counts) <= min(MOST_LABELS, LABEL_SHARE * total):
            continue
        entropy = -sum(count / total * math.log(count / total) for count in counts.values())
        balance = math.exp(entropy) / len(counts)
        lopsided = balance < BALANCE if len(counts) > 2 else counts.most_common(1)[0][1] > 0.9 * total
        if lopsided and (worst is None or balance < worst[0]):
            worst = balance, name, counts
    if worst is None:
        return
    _, name, counts = worst
    commonest, count = counts.most_common(1)[0]
    rarest = [value for value, _ in counts.most_common()[::-1]][:EXAMPLES]
    values = dict(_label_fields(seen))[name]
    examples = seen.ids(values.index(value) for value in rarest)
    reason = (
        f"{name}: {len(counts):,} values, “{_short(commonest)}” has {count:,} records, the rarer half "
        f"{sum(number for _, number in counts.most_common()[len(counts) // 2 :]):,} together"
    )
    remedy = f"add pictures of the rare values; judge {name} by each value, not by the mean"
    yield DatasetFinding("imbalance", count, seen.share(count), examples, remedy, reason, "note")


def _label_fields(seen: Seen) -> Iterator[tuple[str, list[str]]]:
    records = seen.dataset.records
    yield "captions", [plain(record.captions[0]) if record.captions else "" for record in records]
    for name in dict.fromkeys(name for record in records for name in record.metadata):
        if name.rpartition(".")[2].rpartition("_")[2].lower() in LABELS:
            held = [record.metadata.get(name) for record in records]
            yield name, ["" if value is None else str(value) for value in held]


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
