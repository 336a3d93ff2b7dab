"""The training config: every key known, every value of its type."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.settings import TrainingConfig
from tuneclip.training.config import merged, read_config


def test_an_empty_config_keeps_all_defaults(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{}")
    assert read_config(tmp_path / "c.json") == read_config(None) == TrainingConfig()


def test_the_keys_of_a_nightly_pipeline_are_read(tmp_path: Path) -> None:
    values = {"batch_size": 128, "num_epochs": 20, "early_stopping": True, "early_stopping_epochs": 5}
    values |= {
        "learning_rate": 5e-7,
        "betas": [0.9, 0.98],
        "weight_decay": 0.01,
        "embeddings_size": 512,
        "model_name": "x",
    }
    (tmp_path / "c.json").write_text(json.dumps(values))
    config = read_config(tmp_path / "c.json")
    assert (config.batch_size, config.learning_rate, config.betas) == (128, 5e-7, (0.9, 0.98))


def test_toml_reads_like_json(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("num_epochs = 3\nlearning_rate = 1e-5\n")
    assert read_config(tmp_path / "c.toml") == TrainingConfig(num_epochs=3, learning_rate=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"num_epoch": 3}', "unknown config key 'num_epoch'.*expected 'num_epochs'"),
        ('{"colour": 3}', "unknown config key 'colour'.*expected one of model_name"),
        ('{"num_epochs": "3"}', "'num_epochs' cannot be '3'.*a whole number of at least 1"),
        ('{"num_epochs": 0}', "'num_epochs' cannot be 0"),
        ('{"num_epochs": true}', "'num_epochs' cannot be True"),
        ('{"batch_size": 1}', "'batch_size' cannot be 1.*at least 2"),
        ('{"betas": [0.9]}', r"'betas' cannot be \[0.9\].*a list of 2 numbers"),
        ('{"precision": "fp8"}', "'precision' cannot be 'fp8'.*one of auto, fp32, bf16"),
        ('{"early_stopping": 1}', "'early_stopping' cannot be 1.*true or false"),
        ("[1]", "not a JSON object"),
        ("{", "not valid JSON"),
    ],
)
def test_a_wrong_config_is_one_clear_message(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(TuneclipError, match=message):
        read_config(tmp_path / "c.json")


def test_a_missing_config_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match=r"no such file.*c\.json"):
        read_config(tmp_path / "c.json")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"micro_batch_size": 64, "batch_size": 32}, "micro_batch_size 64 is larger than batch_size 32"),
        ({"micro_batch_size": 8, "batch_size": "auto"}, "batch_size auto seeks.*micro_batch_size 8"),
        ({"hard_negatives": 0.1, "batch_size": 8}, "hard_negatives 0.1 of batch_size 8.*at least 0.25"),
        ({"recipe": "auto", "learning_rate": 1e-5}, "recipe auto.*learning_rate is 1e-05"),
    ],
)
def test_keys_that_contradict_each_other_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(TuneclipError, match=message):
        merged(TrainingConfig(**values), model="x", recipe=None, batch_size=None)


@pytest.mark.parametrize(
    "values",
    [
        {"early_stopping_epochs": 9, "num_epochs": 3},
        {"micro_batch_size": 64},
        {"hard_negatives": 0.25, "batch_size": 8},
        {"recipe": "head", "blocks": 4},
    ],
)
def test_keys_that_only_look_odd_together_are_no_error(values: dict[str, Any]) -> None:
    merged(TrainingConfig(**values), model="x", recipe=None, batch_size=None)


def test_a_flag_can_bring_the_contradiction(tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match="micro_batch_size 64 is larger than batch_size 16"):
        merged(TrainingConfig(micro_batch_size=64), model="x", recipe=None, batch_size=16)


def test_the_flag_wins_over_the_config_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tuneclip")
    assert merged(TrainingConfig(model_name="a"), model="b", recipe=None, batch_size=None).model_name == "b"
    assert caplog.messages == ["--model b wins over the config's model_name a"]


def test_the_model_comes_from_the_flag_or_from_the_config_or_is_missed() -> None:
    assert merged(TrainingConfig(model_name="a"), model=None, recipe=None, batch_size=None).model_name == "a"
    with pytest.raises(TuneclipError, match=r"no model to start from.*--model, or model_name in the config"):
        merged(TrainingConfig(), model=None, recipe=None, batch_size=None)


def test_a_key_that_the_recipe_does_not_use_is_mentioned(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tuneclip")
    merged(TrainingConfig(lora_rank=8, views=2), model="a", recipe="head", batch_size=None)
    assert caplog.messages == ["lora_rank has no effect with recipe head"]
