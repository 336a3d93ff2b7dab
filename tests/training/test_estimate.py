"""The estimate: what a training takes, from a few real steps of it."""

import dataclasses
import io
import json
import shutil
import sys
from pathlib import Path

import pytest

import tuneclip
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.estimate import Estimated, conclude
from tuneclip.training.memory import Demand, Line, Memory
from tuneclip.training.plan import Plan, make_plan
from tuneclip.training.rehearsal import (
    Epoch,
    Outcome,
    at_once,
    attempt,
    careful_size,
    measured_micro_batch,
    rehearsal_of,
)

GB = 10**9
ROOMY = Memory(total=16 * GB, free=10 * GB)


@pytest.fixture(scope="module")
def estimated(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, tiny_model: Path) -> Estimated:
    """An estimate of two epochs on the small dataset."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(small_dataset, project / "datasets" / "small")
    config = project / "config.json"
    config.write_text(json.dumps({"num_epochs": 2, "batch_size": 12, "precision": "fp32"}))
    result: Estimated = tuneclip.estimate("small", model=str(tiny_model), config=config, project=project)
    assert sorted(path.name for path in project.iterdir()) == ["config.json", "datasets"], "an estimate leaves nothing"
    return result


def planted(plan: Plan, batch: int) -> Outcome:
    """What a rehearsal gives of a run that takes 0.1 s + 10 ms, later 5 ms, and 1 GB + 5 MB a picture."""
    return Outcome(
        batch_size=batch,
        micro_batch_size=batch,
        start_seconds=4.0,
        prepare_seconds=0.0,
        decide_seconds=0.0,
        precision="fp32",
        pictures=5 * batch,
        epochs=tuple(Epoch(0.5, (9.0, each * batch + 0.1, each * batch + 0.1, 0.1, 0.1)) for each in (0.01, 0.005)),
        first_validation_seconds=2.0,
        validation_seconds=1.2,
        validated=6,
        mixture_seconds=0.6,
        save_seconds=0.25,
        waiting_bytes=0.0,
        mapped_bytes=0,
        kept_bytes=5 * batch * 1_000_000,
        peaks={"prepare": GB // 2, "step": GB + 10_000_000 * batch, "save": GB + 200_000_000 + 5_000_000 * batch},
        moving=0,
        operations=1e9,
    )


@pytest.fixture
def plan(small_dataset: Path, tiny_model: Path) -> Plan:
    config = TrainingConfig(num_epochs=3, batch_size=12, precision="fp32", interpolate=False)
    return make_plan(config, open_dataset(small_dataset), load_model(tiny_model))


def test_an_estimate_has_the_figures_of_the_contract(estimated: Estimated) -> None:
    values = json.loads(json.dumps(dataclasses.asdict(estimated)))
    for key in (
        "seconds_per_epoch",
        "seconds_total",
        "peak_memory_bytes",
        "largest_batch_size",
        "pictures_per_second",
    ):
        assert values[key] > 0, key
    assert (estimated.steps, estimated.batch_size, estimated.epochs) == (4, 12, 2)
    assert estimated.seconds_total > 2 * estimated.seconds_per_epoch
    assert estimated.memory.total_bytes >= estimated.memory.free_bytes > estimated.peak_memory_bytes > 1e8
    assert estimated.fits
    assert estimated.energy[0].watt_hours > 0


def test_an_estimate_says_it_in_a_sentence(estimated: Estimated) -> None:
    from rich.console import Console

    console = Console(width=200, file=io.StringIO(), record=True)
    estimated.show(console)
    shown = console.export_text()
    assert "2 epochs of" in shown
    assert "batches up to 24 fit" in shown


def test_planted_times_and_memory_are_found_again(plan: Plan, small_dataset: Path) -> None:
    outcomes = [planted(plan, 2), planted(plan, 8)]
    result = conclude(plan, open_dataset(small_dataset), outcomes, memory=ROOMY)
    first, later, validation = 0.1 + 0.01 * 12, 0.1 + 0.005 * 12, 0.2 * 12
    assert result.seconds.train == pytest.approx(3 * 0.5 + 2 * first + 4 * later, abs=0.02)
    assert result.seconds.validate == pytest.approx(4 * validation, abs=0.02)
    assert result.seconds_total == pytest.approx(sum(dataclasses.astuple(result.seconds)), abs=0.1)
    assert result.peak_memory_bytes == pytest.approx(GB + 200_000_000 + 24 * 1_000_000, rel=0.001)
    assert result.largest_batch_size == 24


def test_the_largest_batch_grows_with_the_memory_and_too_little_says_what_would_fit(
    plan: Plan, small_dataset: Path
) -> None:
    dataset, outcomes = open_dataset(small_dataset), [planted(plan, 2), planted(plan, 8)]
    heavy = [dataclasses.replace(o, peaks=o.peaks | {"step": GB + 105_000_000 * o.batch_size}) for o in outcomes]
    sizes = [conclude(plan, dataset, heavy, memory=Memory(16 * GB, free)) for free in (2 * GB, 3 * GB, 9 * GB)]
    assert [result.largest_batch_size for result in sizes] == [7, 16, 24]
    assert [result.fits for result in sizes] == [False, True, True]
    assert [result.fitting_micro_batch_size for result in sizes] == [6, 12, 12]


def test_auto_splits_the_batch_and_keeps_the_number_of_updates(plan: Plan) -> None:
    demand = Demand((Line(1e9, 1e8),))
    assert [at_once(plan, demand, Memory(4 * GB, free)) for free in (2 * GB, 9 * GB)] == [6, 12]
    assert plan.steps == 6


def test_auto_measures_what_fits_and_leaves_the_batch_alone(small_dataset: Path, tiny_model: Path) -> None:
    dataset, loaded = open_dataset(small_dataset), load_model(tiny_model)
    usual = make_plan(TrainingConfig(precision="fp32"), dataset, loaded)
    assert measured_micro_batch(usual, dataset, loaded) == usual.batch_size == 16


def test_a_rehearsal_that_the_system_kills_is_an_answer(
    plan: Plan, small_dataset: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy = tmp_path / "python"
    greedy.write_text("#!/bin/sh\nkill -9 $$\n")
    greedy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(greedy))
    assert attempt(rehearsal_of(plan, open_dataset(small_dataset), load_model(tiny_model), batch_size=2)) is None


def test_a_larger_rehearsal_is_only_as_large_as_is_safe(plan: Plan) -> None:
    first = planted(plan, 8)
    assert careful_size(first, 512, Memory(64 * GB, 64 * GB)) == 512
    assert careful_size(first, 512, Memory(4 * GB, 4 * GB)) == 16


def test_what_training_refuses_an_estimate_refuses_too(project: Path) -> None:
    with pytest.raises(TuneclipError, match="no dataset 'nothing'"):
        tuneclip.estimate("nothing", model="tiny", project=project)
    metadata = project / "datasets" / "small" / "metadata.jsonl"
    metadata.write_text(metadata.read_text().splitlines()[0] + "\n")
    with pytest.raises(TuneclipError, match="1 pictures to learn from"):
        tuneclip.estimate("small", model="tiny", project=project)


def test_a_batch_larger_than_the_dataset_is_all_of_it(small_dataset: Path, tiny_model: Path) -> None:
    plan = make_plan(TrainingConfig(batch_size=1000), open_dataset(small_dataset), load_model(tiny_model))
    assert (plan.batch_size, plan.micro_batch_size, plan.steps_per_epoch) == (24, 24, 1)
