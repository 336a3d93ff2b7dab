"""The values of a pipeline's variables: default < `tuneclip.toml` [variables] < environment < `--set`."""

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.newest import VARIABLES
from tuneclip.pipeline.read import PLACEHOLDER, Pipeline, Variable, nearest
from tuneclip.project import SETTINGS, Project, write_json

logger = logging.getLogger("tuneclip")
ENVIRONMENT = "TUNECLIP_RUN_"


def resolve(pipeline: Pipeline, project: Project, given: tuple[str, ...]) -> dict[str, Any]:
    """Every variable's value, checked. Raises TuneclipError for an unknown, missing or wrong one."""
    settled, environment = _given(pipeline, given), project.environment()
    table = project.settings().get(VARIABLES, {})
    names = [variable.name for variable in pipeline.variables]
    for name in table if isinstance(table, dict) else ():
        if name not in names:
            logger.info("%s: [variables] has %r, which this pipeline does not use", SETTINGS, name)
    values: dict[str, Any] = {}
    for variable in pipeline.variables:
        name, place = variable.name, f"--set {variable.name}"
        value, root = settled.get(name), Path()
        if value is None:
            value, place = environment.get(ENVIRONMENT + name.upper()), ENVIRONMENT + name.upper()
        if value is None and isinstance(table, dict):
            value, place, root = table.get(name), f"{project.root / SETTINGS}, variable {name!r}", project.root
        if value is None:
            value, place = filled(variable.default, values), f"{pipeline.path}, variable {name!r}"
        if value is None or value == "":
            raise TuneclipError(
                f"the variable {name!r} has no value", expected=variable.help or None, hint=f"add --set {name}=…"
            )
        values[name] = _checked(variable, value, place, root, project)
    _check_base(pipeline, values)
    return values


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """`value` with `{name}` replaced; a text that is nothing but one placeholder becomes the very value.

    Names in braces that are not among `values` stay as they are.
    """
    if isinstance(value, list):
        return [filled(one, values) for one in value]
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole:
        return values.get(whole[1], value)
    return PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), value)


def _given(pipeline: Pipeline, given: tuple[str, ...]) -> dict[str, str]:
    names = [variable.name for variable in pipeline.variables]
    settled = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise TuneclipError(f"--set {text} sets nothing", expected="name=value")
        if name not in names:
            raise TuneclipError(f"unknown variable {name!r}", where=pipeline.path, expected=nearest(name, names))
        settled[name] = value
    return settled


def _checked(variable: Variable, value: Any, place: str, root: Path, project: Project) -> Any:
    if variable.type == "config":
        return _config(variable.name, value, place, root, project)
    if variable.type == "number":
        return _number(value, place)
    if not isinstance(value, str | int | float):
        raise TuneclipError(f"{value!r} is no {variable.type}", where=place)
    if variable.type == "dataset" and not project.dataset(str(value)).is_dir():
        from tuneclip.data.load import open_dataset

        open_dataset(str(value), project)  # says what there is
    if variable.type == "model":
        from tuneclip.model.open import HUB_ID, locate

        if not HUB_ID.fullmatch(str(value)):  # which is fetched only when it is used
            locate(str(value), project)
    return str(value)


def _check_base(pipeline: Pipeline, values: Mapping[str, Any]) -> None:
    """A config that names its base model must not be overruled in silence by the variables that do, too."""
    from tuneclip.training.config import read_config

    bases = {variable.name: values[variable.name] for variable in pipeline.variables if variable.type == "model"}
    for variable in pipeline.variables:
        named = read_config(Path(values[variable.name])).model_name if variable.type == "config" else None
        if bases and named and named not in bases.values():
            what = f"{variable.name} says model_name {named!r}, which no variable is"
            told = ", ".join(f"{name} is {value}" for name, value in bases.items())
            raise TuneclipError(f"{what}: {told}", hint=f"--set {next(iter(bases))}={named}, or no model_name")


def _number(value: Any, place: str) -> int | float:
    try:
        return value if isinstance(value, int | float) else int(value) if value.lstrip("-").isdigit() else float(value)
    except (ValueError, AttributeError) as error:
        raise TuneclipError(f"{value!r} is no number", where=place) from error


def _config(name: str, value: Any, place: str, root: Path, project: Project) -> str:
    """The path of a config that holds: a file as given, JSON text (or a TOML table) written to a file of ours."""
    from tuneclip.training.config import config_from, read_config

    if isinstance(value, str) and not value.lstrip().startswith("{"):
        path = root / Path(value).expanduser()
        read_config(path)
        return str(path)
    try:
        table = json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError as error:
        raise TuneclipError(f"{name} is not valid JSON: {error}", where=place, expected='{"num_epochs": 3}') from error
    if not isinstance(table, dict):
        raise TuneclipError(f"{value!r} is no config", where=place, expected="a file, or a JSON object")
    config_from(table, Path(place))
    text = json.dumps(table, sort_keys=True)
    path = project.pipelines / "configs" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.is_file():
        write_json(path, table)
    return os.fspath(path)
