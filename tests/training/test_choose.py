"""`--recipe auto`: the better recipe wins, the search is bounded, a killed one goes on, and a resumed run keeps it."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import tuneclip
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.settings import TrainingConfig
from tuneclip.training import choose
from tuneclip.training.adapt import RECIPES
from tuneclip.training.choose import Trial, Tried, first_rung, halve, some_of

CONFIG = {"num_epochs": 3, "batch_size": 8, "early_stopping": False, "precision": "fp32", "interpolate": False}


def train(project: Path, to: str, recipe: str = "auto", *, resume: bool = False, **values: Any) -> Any:
    config = project / "config.json"
    config.write_text(json.dumps(CONFIG | values))
    return tuneclip.train("small", to, "tiny", recipe=recipe, config=config, resume=resume, project=project)


def planted(recalls: dict[str, list[float]], ran: list[tuple[str, int]]) -> choose.Try:
    def run(recipe: str, rung: int, pictures: int) -> Trial:
        if recipe not in recalls:
            raise TuneclipError(f"the loss of {recipe} is nan")
        ran.append((recipe, pictures))
        return Trial(Tried(recipe, rung, pictures, 1.0, recalls[recipe][rung], 0.01), {})

    return run


def test_a_recipe_that_starts_slowly_wins_when_the_second_rung_says_so() -> None:
    ran: list[tuple[str, int]] = []
    recalls = {"full": [0.2, 0.5], "lora": [0.3, 0.4], "blocks": [0.1], "head": [0.1]}
    trials = halve(list(recalls), planted(recalls, ran), 100, most=1_000)
    assert ran == [("full", 100), ("lora", 100), ("blocks", 100), ("head", 100), ("lora", 200), ("full", 200)]
    assert max(trials[-2:], key=lambda t: t.tried.mean_recall).tried.recipe == "full"


def test_a_recipe_that_cannot_be_tried_is_out_and_none_at_all_is_an_error() -> None:
    ran: list[tuple[str, int]] = []
    trials = halve(["full", "lora"], planted({"lora": [0.3]}, ran), 100, most=1_000)
    assert [trial.tried.recipe for trial in trials] == ["lora"]
    with pytest.raises(TuneclipError, match="loss of head is nan"):
        halve(["head"], planted({}, ran), 100, most=1_000)


@pytest.mark.parametrize("records", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("epochs", [3, 6, 20])
def test_the_search_costs_at_most_one_run_of_whichever_recipe_wins(records: int, epochs: int) -> None:
    config = TrainingConfig(recipe="auto", num_epochs=epochs)
    pictures = first_rung(config, records, validated := min(500, records // 10))
    for pair in combinations(RECIPES, 2):
        spent = sum(choose.cost(config, name, pictures, 1) for name in RECIPES) + 7 * validated
        spent += sum(choose.cost(config, name, 2 * pictures, 1) for name in pair)
        assert spent <= min(choose.cost(config, name, records, epochs) for name in pair)
    assert pictures >= records * 0.1


def test_a_larger_trial_has_the_pictures_of_a_smaller_one(small_dataset: Path) -> None:
    dataset = open_dataset(small_dataset)
    few, more, all_of_them = ({r.id for r in some_of(dataset, size, seed=0).records} for size in (8, 16, 24))
    assert (len(few), len(more)) == (8, 16)
    assert few < more < all_of_them == {r.id for r in dataset.split("train")}


def test_the_run_is_that_of_the_chosen_recipe_named_outright(project: Path) -> None:
    chosen = train(project, "auto")
    named = train(project, "named", chosen.recipe)
    assert chosen.choice.recipe == chosen.recipe in RECIPES
    assert [t.recipe for t in chosen.choice.tried[: len(RECIPES)]] == list(RECIPES)
    assert chosen.choice.reason.startswith(f"{chosen.recipe}: validation recall")
    assert json.loads((project / "models" / "auto" / "tuneclip.json").read_text())["choice"]["recipe"] == chosen.recipe
    assert (named.choice, named.best_epoch) == (None, chosen.best_epoch)
    for name, tensor in load_file(project / "models" / "named" / "model.safetensors").items():
        assert torch.equal(tensor, load_file(project / "models" / "auto" / "model.safetensors")[name]), name


def test_a_search_that_was_killed_goes_on_after_its_finished_trials(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, real, ran = train(project, "calm"), choose._ranks_after, []

    def torn(config: TrainingConfig, *rest: Any, **more: Any) -> Any:
        if len(ran) == 3:
            ran.append("killed")
            raise KeyboardInterrupt
        ran.append(config.recipe)
        return real(config, *rest, **more)

    monkeypatch.setattr(choose, "_ranks_after", torn)
    with pytest.raises(KeyboardInterrupt):
        train(project, "torn")
    with pytest.raises(TuneclipError, match="add --resume"):
        train(project, "torn")
    resumed = train(project, "torn", resume=True)
    assert ran[:5] == [*list(RECIPES)[:3], "killed", list(RECIPES)[3]]
    assert [t.mean_recall for t in resumed.choice.tried] == [t.mean_recall for t in calm.choice.tried]
    assert not (project / "runs" / "torn" / "trials").exists()


def test_a_run_that_goes_on_never_chooses_anew(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tuneclip.training.train.publish", torn)
        with pytest.raises(KeyboardInterrupt):
            train(project, "torn")
    monkeypatch.setattr(choose, "choose_recipe", torn)
    resumed = train(project, "torn", resume=True)
    assert resumed.choice.recipe == resumed.recipe
    assert train(project, "torn", resume=True) == resumed


def test_without_validation_there_is_nothing_to_choose_by(project: Path) -> None:
    path = project / "datasets" / "small" / "metadata.jsonl"
    path.write_text(path.read_text().replace('"validation"', '"train"'))
    with pytest.raises(TuneclipError, match="there is no validation split"):
        train(project, "tuned")


def test_the_same_seed_draws_the_same_trial(small_dataset: Path) -> None:
    dataset = open_dataset(small_dataset)
    drawn = [[r.id for r in some_of(dataset, 8, seed).records] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
