"""What can be left out of a dataset without a second thought, and why."""

from collections.abc import Iterable

from tuneclip.data.findings import Seen, is_blank, is_tiny, leaving, plain


def to_leave_out(seen: Seen) -> dict[int, str]:
    """The numbers of the records to leave out, each with its reason.

    Out go pictures that cannot be decoded, are tiny or blank, records without a caption, exact twins of the same split
    with the same captions (the first stays), and, of pictures and groups that stand in several splits, all that are not
    in the foremost (test before validation before train). Nothing else: near twins and repeated captions may be meant.
    """
    out = {number: reason for number in range(len(seen.looks)) if (reason := _useless(seen, number))}
    for group in seen.twins.exact:
        out |= _repeated(seen, _left(group, out))
    for group in seen.twins.same:
        out |= dict.fromkeys(leaving(seen.dataset, _left(group, out)), "its twin is in a split that is measured on")
    groups: dict[str, list[int]] = {}
    for number, record in enumerate(seen.dataset.records):
        groups.setdefault(record.group, []).append(number)
    for name, members in groups.items():
        reason = f"its group {name} is in a split that is measured on"
        out |= dict.fromkeys(leaving(seen.dataset, _left(members, out)), reason)
    return out


def _useless(seen: Seen, number: int) -> str:
    record, look = seen.dataset.records[number], seen.looks[number]
    if look.problem:
        return look.problem
    if is_tiny(look):
        return f"tiny: {look.size[0]} × {look.size[1]} pixels"
    if is_blank(look):
        return "blank: one even colour"
    return "" if any(text.strip() for text in record.captions) else "no caption"


def _repeated(seen: Seen, group: Iterable[int]) -> dict[int, str]:
    """Of exact twins, those after the first that stand in its split with its captions."""
    records = seen.dataset.records
    kept: dict[object, int] = {}
    out: dict[int, str] = {}
    for number in group:
        record = records[number]
        first = kept.setdefault((record.split, frozenset(map(plain, record.captions))), number)
        if first != number:
            out[number] = f"the same picture and captions as {records[first].id}"
    return out


def _left(numbers: Iterable[int], out: dict[int, str]) -> list[int]:
    return [number for number in numbers if number not in out]
