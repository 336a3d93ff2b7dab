"""The diagnosis on rows: what is measured of a step, and what is concluded from a whole run."""

import math
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from tuneclip.training import symptoms
from tuneclip.training.diagnose import CODES, JUDGES, findings
from tuneclip.training.evidence import Facts
from tuneclip.training.losses import sigmoid_loss, softmax_loss
from tuneclip.training.order import Keys
from tuneclip.training.step import Stepped

FACTS = {"pictures": 400, "validation": 200, "captions": 380, "effective_captions": 370.0, "common_caption": 0.01}
FACTS |= {"cut_share": 0.0, "captions_after_cut": 380, "context": 77, "precision": "fp32"}
FACTS |= {"learning_rate": 3e-4, "usual_learning_rate": 3e-4}


def run(epochs: int = 4, steps: int = 20, **changes: Any) -> list[dict[str, Any]]:
    """The rows of a healthy run; each change is a fact, or a function of the run's progress (0 to 1) for a figure."""
    figures: dict[str, Any] = {
        "loss": lambda t: 3.0 - 2 * t, "chance": lambda t: math.log(16), "floor": lambda t: 0.0,
        "pair_auc": lambda t: 0.6 + 0.3 * t, "picture_cosine": lambda t: 0.5, "text_cosine": lambda t: 0.3,
        "update": lambda t: 0.004, "temperature": lambda t: 20.0, "gradient_norm": lambda t: 9.0,
        "recall": lambda t: 0.2 + 0.4 * t,
    }  # fmt: skip
    figures |= {key: value for key, value in changes.items() if callable(value)}
    facts = FACTS | {key: value for key, value in changes.items() if not callable(value)}
    rows: list[dict[str, Any]] = [{"kind": "facts", "epoch": 0, **facts}]
    rows.append({"kind": "epoch", "epoch": 0, "validation_mean_recall": figures["recall"](0)})
    recall = figures.pop("recall")
    for epoch in range(1, epochs + 1):
        for number in range(steps):
            step = (epoch - 1) * steps + number
            seen = {key: value(step / (epochs * steps)) for key, value in figures.items()}
            rows.append({"kind": "step", "step": step + 1, "epoch": epoch, "pairs": 16, **seen})
        row = {"kind": "epoch", "epoch": epoch, "loss": figures["loss"](epoch / epochs)}
        rows.append(row | {"validation_mean_recall": recall(epoch / epochs)})
    return rows


def codes(rows: list[dict[str, Any]]) -> list[str]:
    return [finding.code for finding in findings(rows, ended=True)]


def flat(t: float) -> float:
    del t
    return 0.2


SICK = {
    "nothing_moves": {"update": lambda t: 0.0, "loss": lambda t: 3.0, "recall": flat},
    "twin_captions": {"captions": 1, "effective_captions": 1.0, "common_caption": 1.0},
    "captions_cut": {"cut_share": 0.9, "captions_after_cut": 12},
    "few_pictures": {"pictures": 40},
    "learning_rate_high": {"learning_rate": 1e-2, "picture_cosine": lambda t: 1 - 0.5 * 0.5 ** (40 * t)},
    "unrelated_pairs": {"pair_auc": lambda t: 0.5 + max(0, t - 0.25), "recall": flat},
    "collapse": {"text_cosine": lambda t: 1 - 0.7 * 0.5 ** (40 * t)},
    "loss_at_chance": {"loss": lambda t: math.log(16), "pair_auc": lambda t: 0.54, "recall": flat},
    "temperature_drift": {"temperature": lambda t: 20 * (1 - 0.9 * t), "recall": flat},
    "overfitting": {"recall": lambda t: 0.5 - 3 * (t - 0.25) ** 2 if t > 0.3 else 0.2 + t},
    "learning_rate_low": {"learning_rate": 1e-7, "loss": lambda t: 2.5, "recall": flat},
    "few_steps": {"epochs": 1, "steps": 3, "recall": flat},
    "plateau": {"loss": lambda t: 2.5, "recall": flat},
    "no_gain": {"recall": lambda t: 0.3 - 0.02 * t},
    "no_validation": {"recall": lambda t: math.nan},
}


def without_validation(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not (isinstance(v, float) and math.isnan(v))} for row in rows]


@pytest.mark.parametrize("code", SICK)
def test_each_sickness_is_named(code: str) -> None:
    assert code in codes(without_validation(run(**SICK[code])))


def healthy() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "usual", {}
    yield "short", {"epochs": 2, "steps": 5, "pictures": 80, "validation": 10, "recall": lambda t: 0.35 + 0.1 * t}
    yield "good already", {"recall": lambda t: 0.98, "loss": lambda t: 0.2, "pair_auc": lambda t: 0.99}
    yield "loss above chance at first", {"loss": lambda t: 4.2 - 2.5 * t, "pair_auc": lambda t: 0.58 + 0.3 * t}
    yield "many twins", {"captions": 81, "effective_captions": 40.0, "floor": lambda t: 0.5}
    yield "low recall", {"recall": lambda t: 0.01 + 0.03 * t, "validation": 2000}
    yield "narrower cone", {"picture_cosine": lambda t: 0.4 + 0.35 * t, "text_cosine": lambda t: 0.2 + 0.4 * t}
    yield "some captions cut", {"cut_share": 0.08, "captions_after_cut": 378}
    yield "careful rate", {"learning_rate": 5e-5, "loss": lambda t: 3.0 - 0.6 * t}
    yield (
        "long",
        {"epochs": 20, "steps": 60, "loss": lambda t: 2.4 * (1 - t) ** 2, "temperature": lambda t: 20 + 20 * t},
    )


@pytest.mark.parametrize(("name", "changes"), list(healthy()))
def test_nothing_is_found_in_a_healthy_run_at_any_moment_of_it(name: str, changes: dict[str, Any]) -> None:
    rows = run(**changes)
    assert codes(rows) == [], name
    for length in range(1, len(rows), 7):
        assert findings(rows[:length]) == (), (name, length)


def test_causes_come_before_symptoms_and_explain_them_away() -> None:
    rate = run(learning_rate=1e-2, picture_cosine=lambda t: 1 - 0.5 * 0.5 ** (40 * t), pair_auc=lambda t: 0.5,
               loss=lambda t: math.log(16), recall=lambda t: 0.3 - 0.2 * t)  # fmt: skip
    assert codes(rate) == ["learning_rate_high", "collapse", "loss_at_chance", "no_gain"]


def test_an_overflow_now_and_then_is_how_fp16_works_and_many_are_a_finding() -> None:
    def with_skipped(count: int, precision: str) -> list[dict[str, Any]]:
        skipped = [{"kind": "skipped", "step": i + 1, "epoch": 1, "reason": "gradient"} for i in range(count)]
        return [*run(precision=precision)[:60], *skipped]

    assert findings(with_skipped(4, "fp16")) == ()
    assert [f.code for f in findings(with_skipped(40, "fp16"))] == ["fp16_overflow"]
    assert [f.code for f in findings(with_skipped(1, "fp32"))] == ["not_finite"]


def test_a_finding_says_number_reason_and_what_to_type() -> None:
    (finding, *_) = findings(run(learning_rate=1e-2, picture_cosine=lambda t: 1 - 0.5 * 0.5 ** (40 * t)))
    assert finding.number == 1e-2
    assert "33 times what this base asks for" in finding.reason
    assert finding.remedy == 'set "learning_rate": 0.0003 in the config and train anew'


def test_rows_without_facts_or_of_an_older_run_are_no_error() -> None:
    old = [{"kind": "step", "step": 1, "epoch": 1, "loss": 2.0, "chance": 2.1}, {"kind": "epoch", "epoch": 1}]
    assert [finding.code for finding in findings(old)] == []
    assert findings([]) == ()


def test_every_code_has_a_sickness_here_and_says_what_its_number_is() -> None:
    assert set(CODES) == set(SICK) | {"fp16_overflow", "not_finite"}
    assert len(JUDGES) == len(CODES) - 1  # one judge names both that are not finite


def keys(pictures: str, captions: str) -> Keys:
    return Keys(tuple(pictures), tuple(captions))


@pytest.mark.parametrize("captions", ["abcdefgh", "aabbcdef", "aaaaaaaa"])
def test_chance_and_floor_are_the_losses_of_guessing_and_of_perfection(captions: str) -> None:
    from tuneclip.training.losses import positives

    own = keys("12345678", captions)
    belongs = positives(own.pictures, own.captions)
    level = symptoms.levels(own, "softmax")
    assert softmax_loss(torch.zeros(8, 8), belongs).item() == pytest.approx(level["chance"], abs=1e-5)
    assert softmax_loss(belongs * 200.0, belongs).item() == pytest.approx(level["floor"], abs=1e-5)
    constants = [sigmoid_loss(torch.full((8, 8), z), belongs).item() for z in torch.linspace(-8, 30, 3801)]
    assert min(constants) == pytest.approx(symptoms.levels(own, "sigmoid")["chance"], abs=1e-3)


def test_the_close_look_tells_a_relation_from_none_and_a_cone_from_a_point() -> None:
    random = torch.Generator().manual_seed(0)
    vectors = torch.randn(64, 32, generator=random)
    own = keys("".join(map(chr, range(64, 128))), "".join(map(chr, range(64, 128))))
    related = symptoms.measured(own, Stepped(1.0, vectors, vectors + 0.5 * torch.randn(64, 32, generator=random)))
    unrelated = symptoms.measured(own, Stepped(1.0, vectors, torch.randn(64, 32, generator=random)))
    point = symptoms.measured(own, Stepped(1.0, vectors * 1e-3 + 1, vectors * 1e-3 + 1))
    assert related["pair_auc"] > 0.99
    assert 0.4 < unrelated["pair_auc"] < 0.6
    assert abs(related["picture_cosine"]) < 0.05
    assert point["picture_cosine"] > 0.999
    assert point["picture_rank"] == pytest.approx(related["picture_rank"], rel=0.1)
    assert related["picture_rank"] > 20


def test_a_ring_of_one_dimension_has_rank_one_and_equal_texts_are_no_relation() -> None:
    line = torch.linspace(-1, 1, 8)[:, None] * torch.tensor([[0.1, 0.0, 0.0]]) + torch.tensor([[0.0, 1.0, 0.0]])
    seen = symptoms.measured(keys("12345678", "abcdefgh"), Stepped(1.0, line, torch.ones(8, 3)))
    assert seen["picture_rank"] == pytest.approx(1, abs=0.2)
    assert seen["pair_auc"] == pytest.approx(0.5, abs=0.02)
    assert symptoms.measured(keys("12", "ab"), Stepped(1.0, torch.full((2, 3), torch.nan), torch.ones(2, 3))) == {}


def test_looks_are_about_sixteen_an_epoch_and_begin_with_the_base() -> None:
    for steps in (1, 5, 25, 125, 4_000):
        looks = [step for step in range(steps) if symptoms.due(step, steps)]
        assert looks[0] == 0
        assert min(steps, 16) <= len(looks) <= 32


def test_the_update_of_a_step_is_the_share_of_the_weights_that_it_moves() -> None:
    model = torch.nn.Linear(4, 4)
    before = symptoms.watch(model)
    assert symptoms.update(before, model) == {"update": 0.0}
    with torch.no_grad():
        model.weight.mul_(1.1)
    assert symptoms.update(before, model)["update"] == pytest.approx(0.1, rel=1e-3)


def test_every_code_and_every_key_of_the_metrics_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    step = symptoms.measured(keys("12", "ab"), Stepped(1.0, torch.eye(2), torch.eye(2)))
    known = [*CODES, *step, *symptoms.levels(keys("12", "ab"), "softmax"), *(f.name for f in fields(Facts))]
    for name in [*known, "update", "gradient_norm", "temperature", "seconds", "best"]:
        assert f"`{name}`" in page, name
