"""A sample stands for the whole: its size, its strata, its choice."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import numbered
from hypothesis import given, settings
from hypothesis import strategies as st
from server import serving

import tuneclip
from tuneclip.cli import main
from tuneclip.data.sample import allocate, choose_diverse, choose_random, cochran_size, sample_margin, sample_size
from tuneclip.errors import TuneclipError
from tuneclip.records import Record

COUNTS = st.lists(st.integers(1, 500), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("population", "margin", "size", "cochran"),
    [(72_363, 0.025, 1_566, 1_505), (5_421, 0.025, 1_236, 1_198), (100, 0.1, 50, 50), (1, 0.05, 1, 1)],
)
def test_sizes_are_those_of_the_textbooks(population: int, margin: float, size: int, cochran: int) -> None:
    assert (sample_size(population, margin), cochran_size(population, margin)) == (size, cochran)


@given(st.integers(1, 10**9), st.floats(0.001, 0.999))
def test_a_size_is_possible_enough_and_not_one_too_many(population: int, margin: float) -> None:
    size = sample_size(population, margin)
    assert 1 <= size <= population
    assert sample_margin(population, size) <= margin * (1 + 1e-9)
    assert size == 1 or sample_margin(population, size - 1) > margin * (1 - 1e-9)
    assert 1 <= cochran_size(population, margin) <= population


@pytest.mark.parametrize("margin", [0, 1, -0.1, 2.5, float("nan"), float("inf")])
def test_a_margin_that_is_no_share_says_what_is_one(margin: float) -> None:
    with pytest.raises(TuneclipError, match=r"between 0 and 1, like 0\.025"):
        sample_size(100, margin)


@given(COUNTS, st.data())
def test_strata_get_their_share_none_too_much_and_all_one_if_they_can(counts: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, sum(counts)))
    shares = allocate(counts, size)
    assert sum(shares) == size
    assert all(0 <= share <= count for share, count in zip(shares, counts, strict=True))
    assert size < len(counts) or min(shares) >= 1
    quotas = [size * count / sum(counts) for count in counts]
    if min(quotas) >= 1 or size < len(counts):
        assert all(abs(share - quota) < 1 for share, quota in zip(shares, quotas, strict=True))


def records(count: int) -> list[Record]:
    kinds = ["coin"] * 6 + ["vase"] * 3 + ["lamp"]
    splits = ["train"] * 8 + ["validation", "test"]
    return [
        Record(f"r{i}", f"{i}.jpg", ("x",), {"kind": kinds[i % 10]}, f"r{i}", splits[i // 10 % 10])
        for i in range(count)
    ]


def test_a_random_sample_keeps_the_shares_of_the_splits() -> None:
    assert choose_random(records(1000), 50).strata == {"train": (800, 40), "validation": (100, 5), "test": (100, 5)}


def test_a_stratified_sample_keeps_the_shares_of_its_column() -> None:
    choice = choose_random(records(1000), 50, by="kind")
    assert choice.strata == {"coin": (600, 30), "lamp": (100, 5), "vase": (300, 15)}
    assert choice.chosen == sorted(set(choice.chosen))


def test_the_seed_decides_and_a_smaller_sample_is_part_of_a_larger() -> None:
    many = records(1000)
    assert choose_random(many, 50, seed=1) == choose_random(many, 50, seed=1) != choose_random(many, 50, seed=2)
    assert set(choose_random(many, 50).chosen) < set(choose_random(many, 100).chosen)


def test_the_draw_has_nothing_to_do_with_the_splits() -> None:
    from tuneclip.data.split import MADE, choose_splits

    ids = [f"r{i}" for i in range(2000)]
    split_of = choose_splits(ids, MADE, seed=0)
    many = [Record(name, f"{name}.jpg", ("x",), {"kind": "coin"}, name, split_of(name)) for name in ids]
    chosen = choose_random(many, 500, by="kind", seed=0).chosen
    assert 0.74 < np.mean([many[i].split == "train" for i in chosen]) < 0.86


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 40))
def test_a_diverse_choice_is_at_most_twice_as_coarse_as_any_other(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(60, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = choose_diverse(vectors, size, seed)
    assert len(set(chosen)) == size
    assert radius(vectors, chosen) <= 2 * radius(vectors, list(random.permutation(60)[:size])) + 1e-3


def radius(vectors: Any, chosen: list[int]) -> float:
    """The largest distance of a vector to the nearest of the chosen."""
    return float(np.linalg.norm(vectors[:, None] - vectors[chosen], axis=2).min(axis=1).max())


def test_twins_do_not_stop_a_diverse_choice() -> None:
    assert choose_diverse(np.tile(np.eye(1, 4, dtype=np.float32), (5, 1)), 5) == [0, 1, 2, 3, 4]


@pytest.fixture
def finds(folder: Callable[..., Path], tmp_path: Path) -> Path:
    rows = [row | {"find": {"kind": "coin" if i % 4 else "lamp"}} for i, row in enumerate(numbered(60))]
    tuneclip.import_dataset(folder(rows), to="finds", project=tmp_path)
    return tmp_path


def test_a_sample_is_a_dataset_that_remembers_where_it_came_from(finds: Path) -> None:
    result = tuneclip.sample("finds", to="few", margin=0.1, project=finds)
    new, old = tuneclip.open_dataset("few", finds), tuneclip.open_dataset("finds", finds)
    assert (result.taken, result.size, result.population, result.splits) == (38, 38, 60, new.splits)
    assert "60 / (1 + 60 × 0.1²) = 37.5" in result.formula
    assert new.records == tuple(record for record in old.records if record in new.records)
    manifest = json.loads((new.path / "dataset.json").read_text())
    assert (manifest["source"]["dataset"], manifest["source"]["options"]["margin"]) == ("finds", 0.1)


def test_a_sample_by_a_column_reports_its_strata(finds: Path) -> None:
    result = tuneclip.sample("finds", to="few", size=8, by="find.kind", project=finds)
    assert result.strata == {"coin": (45, 6), "lamp": (15, 2)}
    assert result.margin == round(sample_margin(60, 8), 6)


def test_a_diverse_sample_is_the_same_every_time(project: Path, tiny_model: Path) -> None:
    result = tuneclip.sample("small", to="few", size=12, diverse=True, model="tiny", project=project)
    tuneclip.sample("small", to="again", size=12, diverse=True, model="tiny", project=project)
    first, second = (tuneclip.open_dataset(name, project).records for name in ("few", "again"))
    assert first == second
    assert result.taken == 12


def test_people_see_the_sum_the_strata_and_the_place(finds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["sample", "finds", "--to", "few", "--margin", "0.1", "--by", "find.kind", "--project", str(finds)])
    seen = capsys.readouterr().out
    for words in ("n = N / (1 + N e²) = 60 / (1 + 60 × 0.1²) = 37.5, rounded up 38", "Cochran", "coin", "38 records"):
        assert words in seen


def test_more_strata_than_records_are_said(finds: Path, caplog: pytest.LogCaptureFixture) -> None:
    tuneclip.sample("finds", to="few", size=5, by="text", project=finds)
    assert "text has 60 values, more than the 5 records of the sample: 55 values are left without one" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"either --margin, like 0\.025, or --size, like 1000"),
        ({"margin": 0.1, "size": 3}, "both --margin and --size"),
        ({"size": 61}, "a sample of 61 .*expected 1 to 60"),
        ({"size": 0}, "a sample of 0 "),
        ({"margin": 25.0}, r"a margin of error of 25\.0; expected a share between 0 and 1"),
        ({"size": 3, "by": "kind"}, r"no column 'kind' .*did you mean 'find\.kind'"),
        ({"size": 3, "by": "text", "diverse": True}, "exclude each other"),
        ({"size": 3, "model": "starter"}, "--model is for --diverse"),
        ({"size": 3, "to": "finds"}, "cannot replace the one it is made from"),
    ],
)
def test_what_cannot_be_sampled_says_why(finds: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TuneclipError, match=message):
        tuneclip.sample("finds", **{"to": "few", **options}, project=finds)
    assert tuneclip.Project(finds).names("datasets") == ["finds"]


@pytest.fixture
def linked(tmp_path: Path) -> Iterator[Path]:
    """A project with the dataset `finds`: forty records whose pictures lie on a server, none of them fetched."""
    with serving() as server:
        rows = [{"id": f"f{n}", "title": f"coin {n}", "image_url": f"{server.url}/ok/{n}"} for n in range(40)]
        (tmp_path / "finds.json").write_text(json.dumps(rows))
        tuneclip.import_dataset(tmp_path / "finds.json", to="finds", project=tmp_path)
        yield tmp_path


def test_records_that_wait_for_pictures_are_sampled_too_and_fetched_later(linked: Path) -> None:
    result = tuneclip.sample("finds", to="few", size=10, project=linked)
    assert (result.population, result.taken, result.pending) == (40, 0, 10)
    tuneclip.download("few", allow_private=True, project=linked)
    few = tuneclip.open_dataset("few", linked)
    assert [record.id for record in few.records] == sorted((r.id for r in few.records), key=lambda name: int(name[1:]))
    assert (len(few.records), sum(few.splits.values())) == (10, 10)


def test_what_was_downloaded_into_a_sample_is_kept_when_it_is_made_again(linked: Path) -> None:
    tuneclip.sample("finds", to="few", size=10, project=linked)
    tuneclip.download("few", allow_private=True, project=linked)
    before = tuneclip.open_dataset("few", linked).records
    again = tuneclip.sample("finds", to="few", size=10, project=linked)
    few = tuneclip.open_dataset("few", linked)
    assert (again.taken, again.pending, few.records) == (10, 0, before)
    assert all(few.picture_path(record).is_file() for record in few.records)


def test_a_diverse_sample_needs_pictures(linked: Path) -> None:
    with pytest.raises(TuneclipError, match=r"no record to take .*tuneclip download finds"):
        tuneclip.sample("finds", to="few", size=3, diverse=True, project=linked)
