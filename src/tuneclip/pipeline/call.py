"""A step's options as the settings of its verb: placeholders filled, every value of its type."""

import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.read import NUMBER, PLACEHOLDER, STEPS, Step
from tuneclip.pipeline.variables import filled
from tuneclip.vectors.address import SERVERS, checked_store, scheme

STORE = "store"


def settings_of(step: Step, values: Mapping[str, Any]) -> Any:
    """The settings of the step's verb. {number}, and names that have no value yet, stay as they are.

    Raises TuneclipError for a value that the option cannot have, and for a store with a password in it: what a
    pipeline is given is written down.
    """
    hints = typing.get_type_hints(STEPS[step.verb].settings)
    given = {}
    for name, value in step.options.items():
        named = _named(value, values) if name == "to" and hints[name] in (str, str | None) else filled(value, values)
        where = f"step {step.name!r}, option {name!r}"
        if name == STORE and isinstance(named, str):
            _check_store(named, where)
        given[name] = _fitting(named, hints[name], where)
    return STEPS[step.verb].settings(**given)


def is_numbered(name: str) -> bool:
    """Whether a name still waits for its number."""
    return NUMBER in PLACEHOLDER.findall(name)


def _check_store(store: str, where: str) -> None:
    public, secret = checked_store(store)
    if secret is not None:
        hint = f"{SERVERS[scheme(store)]}=… in the environment or in the project's .env"
        raise TuneclipError("a password does not belong into a pipeline", where=where, expected=public, hint=hint)


def _named(value: Any, values: Mapping[str, Any]) -> Any:
    """As `filled`, for a new name: of a path its last part counts, of a Hub id the slash becomes a dash."""
    plain = {name: str(one) for name, one in values.items()}
    paths = ("/", ".", "~")
    return filled(value, {k: Path(v).name if v.startswith(paths) else v.replace("/", "-") for k, v in plain.items()})


def _fitting(value: Any, hint: Any, where: str) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return _one_of(value, [kind for kind in typing.get_args(hint) if kind is not types.NoneType], where)
    if typing.get_origin(hint) is tuple:
        several = value if isinstance(value, list) else [value]
        return tuple(_fitting(one, typing.get_args(hint)[0], where) for one in several)
    if typing.get_origin(hint) is typing.Literal:
        if value in typing.get_args(hint):
            return value
        raise TuneclipError(f"{value!r} cannot be", where=where, expected=f"one of {', '.join(typing.get_args(hint))}")
    try:
        return _plain(value, hint)
    except (TypeError, ValueError) as error:
        name = {int: "a whole number", float: "a number", bool: "true or false"}.get(hint, "a text")
        raise TuneclipError(f"{value!r} cannot be", where=where, expected=name) from error


def _one_of(value: Any, kinds: Sequence[Any], where: str) -> Any:
    """`value` as the first of the kinds that it can be."""
    expected = []
    for kind in kinds:
        try:
            return _fitting(value, kind, where)
        except TuneclipError as error:
            expected.append(str(error.expected))
    raise TuneclipError(f"{value!r} cannot be", where=where, expected=" or ".join(expected))


def _plain(value: Any, hint: Any) -> Any:
    """`value` as a bool, int, float, str or Path; ValueError or TypeError when it is something else."""
    if isinstance(value, dict | list) or isinstance(value, bool) != (hint is bool):
        raise TypeError
    if hint is int and isinstance(value, float):
        raise TypeError
    return value if hint is bool else Path(str(value)) if hint is Path else hint(value)
