"""Each kind of trouble is found where it is, and not where it is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneclip.data.caption_findings import balance_findings, caption_findings, cut_finding
from tuneclip.data.findings import (
    DatasetFinding,
    Seen,
    is_blank,
    picture_findings,
    skipped_findings,
    split_findings,
    twin_findings,
)
from tuneclip.data.load import Dataset
from tuneclip.data.look import THUMB, Look
from tuneclip.data.mend import to_leave_out
from tuneclip.data.twins import find_twins
from tuneclip.records import Record

FINDERS = (picture_findings, twin_findings, caption_findings, balance_findings, split_findings, skipped_findings)


def looks_of(*kinds: int) -> list[Look]:
    """Looks that differ for each kind; equal kinds are exact twins."""
    random = np.random.default_rng(0)
    thumbs = random.integers(0, 256, (max(kinds, default=0) + 1, THUMB, THUMB, 3), dtype=np.uint8)
    return [Look(str(kind).encode(), (64, 48), thumbs[kind]) for kind in kinds]


def record(number: int, **changes: object) -> Record:
    plain = Record(f"r{number}", f"pictures/{number}.jpg", (f"find number {number}",), {}, f"r{number}", "train")
    return replace(plain, **changes)  # type: ignore[arg-type]


def seen_of(records: list[Record], looks: list[Look] | None = None, path: Path = Path("nowhere")) -> Seen:
    looks = looks_of(*range(len(records))) if looks is None else looks
    return Seen(Dataset("finds", path, tuple(records)), tuple(looks), find_twins(looks, is_blank))


def found(seen: Seen) -> dict[str, DatasetFinding]:
    """All findings but those about the size of a small test's splits."""
    return {f.code: f for finder in FINDERS for f in finder(seen) if f.code != "few_pictures"}


def test_a_sound_dataset_has_no_finding() -> None:
    records = [record(n, split=("train", "validation", "test")[n % 3]) for n in range(300)]
    seen = seen_of(records)
    assert [f for finder in FINDERS for f in finder(seen)] == []


def test_unreadable_tiny_and_blank_pictures_are_found() -> None:
    looks = looks_of(*range(6))
    looks[1] = Look(problem="damaged picture: image file is truncated")
    looks[3] = replace(looks[3], size=(31, 400))
    looks[4] = replace(looks[4], thumb=np.full((THUMB, THUMB, 3), 250, np.uint8))
    findings = found(seen_of([record(n) for n in range(6)], looks))
    assert {code: f.examples for code, f in findings.items()} == {
        "unreadable": ("r1",),
        "tiny": ("r3",),
        "blank": ("r4",),
    }
    assert "truncated (1)" in findings["unreadable"].reason
    assert findings["unreadable"].share == pytest.approx(1 / 6)
    assert findings["unreadable"].remedy == "tuneclip check finds --fix --to finds-fixed"


def test_twins_are_counted_after_the_first_and_other_captions_are_told() -> None:
    findings = found(seen_of([record(n, captions=(("a", "A ", "b")[n],)) for n in range(3)], looks_of(0, 0, 0)))
    assert findings["exact_twins"].count == 2
    assert "1 of them under another caption" in findings["exact_twins"].reason
    assert findings["exact_twins"].groups == (("r0", "r1", "r2"),)


def test_twins_across_splits_are_an_error_that_counts_who_must_leave() -> None:
    records = [record(0), record(1), record(2, split="test")]
    findings = found(seen_of(records, looks_of(0, 0, 0)))
    assert (findings["twins_across_splits"].count, findings["twins_across_splits"].level) == (2, "error")


def test_groups_across_splits_are_found() -> None:
    records = [record(n, group="tomb", split=("train", "test")[n]) for n in range(2)]
    assert found(seen_of(records))["groups_across_splits"].examples == ("r0", "r1")


def test_cut_captions_are_a_share_of_the_captions_longest_first() -> None:
    seen = seen_of([record(n) for n in range(3)])
    (finding,) = cut_finding(seen, [0, 1, 1, 2], [5, 30, 90, 24], context=24, model="tiny")
    assert (finding.count, finding.share, finding.examples) == (2, 0.5, ("r1",))
    assert "24 tokens" in finding.reason
    assert "90" in finding.reason
    assert not list(cut_finding(seen, [0], [24], context=24, model="tiny"))


def test_empty_captions_are_found() -> None:
    findings = found(seen_of([record(0, captions=()), record(1, captions=("  ",)), record(2)]))
    assert findings["empty_captions"].examples == ("r0", "r1")


def test_captions_that_many_pictures_share_are_a_note_but_views_of_one_group_may_share() -> None:
    shared = [record(n, captions=(f"class {n % 4}",)) for n in range(40)]
    assert found(seen_of(shared))["repeated_captions"].level == "note"
    grouped = [record(n, captions=(f"find {n // 4}",), group=f"g{n // 4}") for n in range(40)]
    assert "repeated_captions" not in found(seen_of(grouped))


def test_the_remedy_for_repeated_captions_names_the_fields_that_tell_most() -> None:
    records = [record(n, captions=("coin",), metadata={"kind": "a", "site": f"s{n}"}) for n in range(20)]
    assert '--template "{site}, {kind}"' in found(seen_of(records))["repeated_captions"].remedy.replace("'", '"')


def test_one_caption_or_one_long_beginning_for_nearly_all_is_found() -> None:
    same = [record(n, captions=("a find",)) for n in range(15)]
    assert found(seen_of(same))["constant_captions"].level == "error"
    prefix = "photograph number one of the excavation archive of"
    begun = [record(n, captions=(f"{prefix} find {n}",)) for n in range(15)]
    assert "photograph number one" in found(seen_of(begun))["constant_captions"].reason


def test_a_photo_of_a_is_no_trouble() -> None:
    assert "constant_captions" not in found(seen_of([record(n, captions=(f"a photo of a {n}",)) for n in range(30)]))


def test_a_lopsided_label_is_found_and_an_even_one_is_not() -> None:
    lopsided = [record(n, metadata={"category": "coin" if n < 195 else f"rare {n % 3}"}) for n in range(200)]
    assert found(seen_of(lopsided))["imbalance"].count == 195
    even = [record(n, metadata={"category": f"kind {n % 5}"}) for n in range(200)]
    assert "imbalance" not in found(seen_of(even))


def test_two_scripts_are_a_note() -> None:
    records = [record(n, captions=(f"ваза {n}" if n % 5 == 0 else f"vase {n}",)) for n in range(20)]
    assert found(seen_of(records))["mixed_scripts"].count == 4
    assert "mixed_scripts" not in found(seen_of([record(n, captions=(f"épée {n}",)) for n in range(20)]))


def test_small_and_missing_splits_are_told_with_what_they_cost() -> None:
    records = [record(n, split="test" if n < 25 else "train") for n in range(200)]
    findings = list(split_findings(seen_of(records)))
    assert [(f.count, f.level) for f in findings] == [(0, "warning"), (25, "note")]
    assert "± 20 points" in findings[1].reason


def test_what_the_import_skipped_is_told_by_reason(tmp_path: Path) -> None:
    line = '{"where": "m.json, record 2", "record": {}, "reason": "no caption"}\n'
    (tmp_path / "skipped.jsonl").write_text(line + "torn\n")
    finding = found(seen_of([record(0), record(1)], path=tmp_path))["skipped"]
    assert (finding.count, finding.share, finding.examples) == (2, 0.5, ("m.json, record 2",))
    assert "no caption (1)" in finding.reason


def kept(seen: Seen, out: dict[int, str]) -> Seen:
    numbers = [n for n in range(len(seen.looks)) if n not in out]
    return seen_of([seen.dataset.records[n] for n in numbers], [seen.looks[n] for n in numbers])


picture = st.tuples(
    st.integers(0, 6), st.sampled_from(["train", "validation", "test", "extra"]), st.integers(0, 8), st.booleans()
)


@settings(deadline=None)
@given(st.lists(picture, max_size=25))
def test_what_is_mended_needs_no_mending_and_measured_pictures_are_never_learnt(
    drawn: list[tuple[int, str, int, bool]],
) -> None:
    records = [
        record(n, split=split, group=f"g{group}", captions=("same" if same else f"own {n}",))
        for n, (_, split, group, same) in enumerate(drawn)
    ]
    seen = seen_of(records, looks_of(*(kind for kind, *_ in drawn)))
    after = kept(seen, to_leave_out(seen))
    assert to_leave_out(after) == {}
    assert not {"twins_across_splits", "groups_across_splits"} & set(found(after))
    before = {r.id for r in records if r.split == "test"}
    dropped_twins = {r.id for r in records} - {r.id for r in after.dataset.records}
    assert all("same picture" in to_leave_out(seen)[int(name[1:])] for name in before & dropped_twins)
