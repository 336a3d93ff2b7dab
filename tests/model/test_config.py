"""The training config: every key known, every value of its type."""

import json
from pathlib import Path

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.model.config import read_config
from tuneclip.settings import TrainingConfig


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
