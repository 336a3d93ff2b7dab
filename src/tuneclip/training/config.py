"""The training config from a JSON or TOML file: every key known, every value of its type, or a clear error."""

import dataclasses
import difflib
import logging
import math
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.project import read_json, read_toml
from tuneclip.settings import BatchSize, Recipe, TrainingConfig

logger = logging.getLogger("tuneclip")
_AT_LEAST = {
    "batch_size": 2,
    "num_epochs": 1,
    "early_stopping_epochs": 1,
    "learning_rate": 0,
    "weight_decay": 0,
    "warmup": 0,
    "gradient_clip": 0,
    "eps": 0,
    "checkpoint_seconds": 0,
    "micro_batch_size": 1,
    "lora_rank": 1,
    "lora_alpha": 0,
    "blocks": 1,
    "views": 1,
    "head_penalty": 0,
    "distillation": 0,
}
_ONLY_FOR = {
    "lora_rank": ("lora",),
    "lora_alpha": ("lora",),
    "lora_dropout": ("lora",),
    "blocks": ("blocks",),
    "views": ("blocks", "head"),
    "head_penalty": ("head",),
}
_AT_MOST = {"warmup": 1, "lora_dropout": 0.9, "hard_negatives": 0.9, "betas": 0.999999}


def read_config(path: Path | None) -> TrainingConfig:
    """The config in `path`, defaults where it is silent (`{}` or None: all defaults).

    Raises TuneclipError for a file that is neither JSON nor TOML, an unknown key (naming the nearest), a wrong value.
    """
    if path is None:
        return TrainingConfig()
    return config_from(_read(path), path)


def config_from(values: Mapping[str, Any], where: Path) -> TrainingConfig:
    """As `read_config`, from the keys and values that `where` holds."""
    hints = typing.get_type_hints(TrainingConfig)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, 1, 0.5)
            expected = f"{near[0]!r}" if near else f"one of {', '.join(hints)}"
            raise TuneclipError(f"unknown config key {key!r}", where=where, expected=expected)
    return TrainingConfig(**{key: _checked(key, value, hints[key], where) for key, value in values.items()})


def merged(
    config: TrainingConfig, *, model: str | None, recipe: Recipe | None, batch_size: BatchSize | None
) -> TrainingConfig:
    """The config with what was given as flags, which win.

    Raises TuneclipError when neither names a model, and when keys contradict each other.
    """
    if model is None and config.model_name is None:
        raise TuneclipError(
            "no model to start from", expected="--model, or model_name in the config", hint="add --model starter"
        )
    if model and config.model_name not in (None, model):
        logger.info("--model %s wins over the config's model_name %s", model, config.model_name)
    config = dataclasses.replace(
        config,
        model_name=model or config.model_name,
        recipe=recipe or config.recipe,
        batch_size=batch_size or config.batch_size,
    )
    for contradiction, expected in _contradictions(config):
        raise TuneclipError(contradiction, expected=expected)
    for key, recipes in _ONLY_FOR.items():
        if config.recipe not in (*recipes, "auto") and getattr(config, key) != getattr(TrainingConfig, key):
            logger.info("%s has no effect with recipe %s", key, config.recipe)
    return config


def _contradictions(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    """What of the config cannot be meant together, naming the keys, and what could be."""
    size, micro = config.batch_size, config.micro_batch_size
    if isinstance(size, int) and micro is not None and micro > size:
        yield f"micro_batch_size {micro} is larger than batch_size {size}", f"micro_batch_size of at most {size}"
    if size == "auto" and micro is not None:
        yield (
            f"batch_size auto seeks how many pictures fit at once, and micro_batch_size {micro} says it",
            "one of the two",
        )
    if isinstance(size, int) and 0 < config.hard_negatives * size < 2:
        yield (
            f"hard_negatives {config.hard_negatives:g} of batch_size {size} is less than a pair of pictures",
            f"hard_negatives of at least {2 / size:.2g}, or 0",
        )
    if config.recipe == "auto" and config.learning_rate is not None:
        yield (
            f"recipe auto tries each recipe at its own rate, and learning_rate is {config.learning_rate:g}",
            "a recipe by name, or no learning_rate",
        )


def _read(path: Path) -> dict[str, Any]:
    if path.suffix.lower() == ".toml":
        return read_toml(path)
    values = read_json(path)
    if not isinstance(values, dict):
        raise TuneclipError("the config is not a JSON object", where=path, expected='something like {"num_epochs": 3}')
    return values


def _checked(key: str, value: Any, hint: Any, path: Path) -> Any:
    """`value` if it is what `hint` says, numbers widened and lists made tuples."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
        if (value is None and len(kinds) < len(typing.get_args(hint))) or value in typing.get_args(kinds[-1]):
            return value
        hint = kinds[0]
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        parts = typing.get_args(hint)
        if parts[-1] is ...:
            return tuple(_checked(key, part, parts[0], path) for part in value)
        if len(parts) == len(value):
            return tuple(_checked(key, part, kind, path) for part, kind in zip(value, parts, strict=True))
    if typing.get_origin(hint) is typing.Literal and value in typing.get_args(hint):
        return value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and number and _AT_LEAST.get(key, 0) <= value <= _AT_MOST.get(key, math.inf):
        return float(value)
    if hint in (bool, str, int) and type(value) is hint and (hint is not int or value >= _AT_LEAST.get(key, 0)):
        return value
    raise TuneclipError(f"config key {key!r} cannot be {value!r}", where=path, expected=_expectation(key, hint))


def _expectation(key: str, hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(typing.get_args(hint))}"
    if typing.get_origin(hint) is tuple and typing.get_args(hint)[-1] is ...:
        return f"a list of {_expectation(key, typing.get_args(hint)[0]).removeprefix('one of ')}"
    if typing.get_origin(hint) is tuple:
        return f"a list of {len(typing.get_args(hint))} numbers"
    name = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[hint]
    limits = [f"of at least {_AT_LEAST[key]}"] if key in _AT_LEAST else []
    limits += [f"up to {_AT_MOST[key]}"] if key in _AT_MOST else []
    return " ".join([name, *limits])
