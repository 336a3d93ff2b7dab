"""Mixtures of base and tuned weights: measured rightly, chosen by the rule, and never to the harm of the own data."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import tuneclip
from tiny import save_dataset
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.interpolate import ALPHAS, Curve, Interpolation, Point, choose_alpha, forgotten, pictures_encoded
from tuneclip.training.plan import make_plan

CONFIG = {"num_epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "early_stopping": False, "precision": "fp32"}


def write_config(folder: Path, **values: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIG | values))
    return path


def train(project: Path, to: str, **values: Any) -> Any:
    return tuneclip.train("small", model="tiny", to=to, config=write_config(project, **values), project=project)


def weights(project: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(project / "models" / name / "model.safetensors")


def curve(*recall: float, noise: float = 0.01) -> Curve:
    return Curve(recall, np.full((len(recall), len(recall)), noise))


@pytest.fixture
def probe(project: Path) -> Path:
    """A second dataset, whose pictures the model is not trained on."""
    return save_dataset(project / "datasets" / "general", copies=2)


def test_the_ends_of_the_curve_are_the_base_and_the_tuned_model(project: Path, probe: Path) -> None:
    trained = train(project, "tuned", probe=probe.name)
    rows = [json.loads(line) for line in (project / "runs" / "tuned" / "metrics.jsonl").read_text().splitlines()]
    epochs = {row["epoch"]: row["validation_mean_recall"] for row in rows if row["kind"] == "epoch"}
    first, *_, last = trained.interpolation.curve
    assert first.validation_mean_recall == pytest.approx(epochs[0])
    assert last.validation_mean_recall == pytest.approx(epochs[trained.best_epoch])
    assert all(point.probe_recall is not None for point in trained.interpolation.curve)
    assert [row["alpha"] for row in rows if row["kind"] == "interpolation"] == list(ALPHAS)


def test_the_published_weights_are_the_chosen_mixture(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(project, "whole", interpolate=False)
    monkeypatch.setattr("tuneclip.training.interpolate.choose_alpha", lambda own, probe: 3)
    mixed = train(project, "mixed")
    assert (whole.interpolation, mixed.interpolation.alpha) == (None, 0.3)
    base, tuned = weights(project, "tiny"), weights(project, "whole")
    for name, tensor in weights(project, "mixed").items():
        torch.testing.assert_close(tensor, 0.7 * base[name] + 0.3 * tuned[name], atol=1e-7, rtol=1e-6)


def test_the_scores_are_those_of_the_published_model(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneclip.training.interpolate.choose_alpha", lambda own, probe: 0)
    kept_base = train(project, "kept")
    again = tuneclip.compare("small", models=["kept"], project=project)
    measured = {score.metric: score.value for score in again.scores}
    assert {s.metric: s.value for s in kept_base.scores} == {s.metric: measured[s.metric] for s in kept_base.scores}


def test_a_kill_during_the_sweep_and_a_resume_give_the_same_model(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(*_: object) -> None:
        raise KeyboardInterrupt

    calm = train(project, "calm")
    with monkeypatch.context() as patch:
        patch.setattr("tuneclip.training.train.publish", torn)
        with pytest.raises(KeyboardInterrupt):
            train(project, "torn")
    config = write_config(project)
    resumed = tuneclip.train("small", model="tiny", to="torn", config=config, resume=True, project=project)
    assert resumed.interpolation == calm.interpolation
    assert all(torch.equal(tensor, weights(project, "torn")[n]) for n, tensor in weights(project, "calm").items())
    kinds = [
        json.loads(line)["kind"] for line in (project / "runs" / "torn" / "metrics.jsonl").read_text().splitlines()
    ]
    assert kinds.count("interpolation") == len(ALPHAS)


@pytest.mark.parametrize(
    ("own", "probe", "chosen"),
    [
        (curve(0.2, 0.5, 0.495), None, 2),  # the tuned model, level with the best
        (curve(0.2, 0.5, 0.45), None, 1),  # the best, beyond noise
        (curve(0.5, 0.4, 0.3), None, 0),  # no mixture is worth more than the base
        (curve(0.2, 0.5, 0.495), curve(0.9, 0.8, 0.5), 1),  # level on the own data: the more general one
        (curve(0.2, 0.5, 0.6), curve(0.9, 0.8, 0.5), 2),  # never at the price of the own data
        (curve(0.2, 0.5, 0.505), curve(0.9, 0.805, 0.8), 2),  # level on both: the better on the own data
        (curve(0.5, 0.5, 0.5, noise=0.0), curve(0.5, 0.5, 0.5, noise=0.0), 2),
    ],
)
def test_the_choice_obeys_its_rule(own: Curve, probe: Curve | None, chosen: int) -> None:
    assert choose_alpha(own, probe) == chosen


def test_a_loss_beyond_the_interval_is_a_finding_and_one_within_is_not() -> None:
    def sweep(kept: float, noise: float) -> Interpolation:
        points = (Point(0.0, 0.1, 0.0, 0.6, 0.0), Point(1.0, 0.5, 0.0, kept, noise))
        return Interpolation(1.0, 100, "general", 100, points)

    (finding,) = forgotten(sweep(0.4, 0.02))
    assert (finding.code, finding.number) == ("forgetting", pytest.approx(0.2))
    assert forgotten(sweep(0.4, 0.2)) == forgotten(sweep(0.7, 0.01)) == forgotten(None) == []


def test_without_interpolation_a_probe_is_still_measured_at_both_ends(project: Path, probe: Path) -> None:
    swept = train(project, "tuned", probe=probe.name, interpolate=False).interpolation
    assert (swept.alpha, [point.alpha for point in swept.curve]) == (1.0, [0.0, 1.0])


def test_the_dataset_itself_is_no_probe(project: Path) -> None:
    with pytest.raises(TuneclipError, match="the probe is the dataset that is trained on"):
        train(project, "tuned", probe="small")


def test_a_probe_without_a_split_to_measure_is_refused_before_training(project: Path, probe: Path) -> None:
    path = probe / "metadata.jsonl"
    path.write_text(path.read_text().replace('"validation"', '"train"'))
    with pytest.raises(TuneclipError, match="nothing to measure on"):
        train(project, "tuned", probe=probe.name)
    assert not (project / "runs" / "tuned" / "checkpoint.safetensors").exists()


def test_lora_is_mixed_after_it_was_merged(project: Path) -> None:
    trained = train(project, "tuned", recipe="lora", num_epochs=6, learning_rate=2e-2)
    shutil.rmtree(project / "runs")
    assert trained.best_epoch == 0 or len(trained.interpolation.curve) == len(ALPHAS)
    assert weights(project, "tuned").keys() == weights(project, "tiny").keys()


def test_the_sweep_costs_about_a_tenth_of_a_long_run(small_dataset: Path, tiny_model: Path) -> None:
    plan = make_plan(TrainingConfig(probe="x"), open_dataset(small_dataset), load_model(tiny_model))
    assert pictures_encoded(plan, validation=12) == 11 * 12
    many = TrainingConfig(probe="x", num_epochs=2)
    long = type(plan)(**{**vars(plan), "records": 15_000, "config": many})
    assert pictures_encoded(long, 2_000, 2_000) <= 0.1 * 3 * 2 * 15_000
