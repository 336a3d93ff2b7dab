"""A pipeline file: variables and steps, every word of it known, or an error that names the nearest."""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.embed import EMBED
from tuneclip.pipeline.gate import GATE
from tuneclip.project import Project, read_toml
from tuneclip.verbs import VERBS, Verb

PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w-]*)\}")
NUMBER = "number"
TYPES = ("text", "number", "dataset", "model", "config")
STEPS: dict[str, Verb] = {
    name: VERBS[name]
    for name in ("import", "download", "sample", "augment", "caption", "train", "compare", "export", "index")
} | {"gate": GATE, "embed": EMBED}
"""What a step can be: verbs, and what only pipelines have."""
RESERVED = {"pipeline", "set", NUMBER}


@dataclass(frozen=True)
class Variable:
    """Something that a user may set before a run."""

    name: str
    help: str
    type: str
    default: Any
    """None: must be given."""


@dataclass(frozen=True)
class Step:
    """A call of a verb; texts of the options may hold `{variable}` or `{step}`, the latter for what a step made."""

    name: str
    verb: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Pipeline:
    """A pipeline file as read."""

    name: str
    path: Path
    variables: tuple[Variable, ...]
    steps: tuple[Step, ...]


def find_pipeline(name: str, project: Project) -> Path:
    """The file: of that name in the project, else at that path, else the one that comes with the package."""
    file = name if name.endswith(".toml") else f"{name}.toml"
    shipped = Path(__file__).parent
    for path in (project.root / file, Path(file), shipped / file):
        if path.is_file():
            return path
    known = sorted(path.name for path in shipped.glob("*.toml"))
    raise TuneclipError(f"there is no pipeline {name!r}", where=project.root, expected=f"a file, or {', '.join(known)}")


def read_pipeline(path: Path) -> Pipeline:
    """The pipeline in a TOML file. Raises TuneclipError for whatever in it cannot be meant, before anything runs."""
    table = read_toml(path)
    _check_keys(table, ("variables", "steps"), "key", path)
    variables = tuple(_variable(name, value, path) for name, value in table.get("variables", {}).items())
    names = [variable.name for variable in variables]
    steps: list[Step] = []
    for number, value in enumerate(table.get("steps", []), 1):
        steps.append(_step(value, f"{path}, step {number}", names, [step.name for step in steps]))
    if not steps:
        raise TuneclipError("the pipeline has no steps", where=path, expected="at least one [[steps]]")
    _check_defaults(variables, path)
    return Pipeline(path.stem, path, variables, tuple(steps))


def _variable(name: str, value: Any, path: Path) -> Variable:
    where = f"{path}, variable {name!r}"
    if not isinstance(value, dict):
        value = {"default": value}
    _check_keys(value, ("help", "type", "default"), "key", where)
    if name in RESERVED or not PLACEHOLDER.fullmatch("{" + name + "}"):
        raise TuneclipError(f"{name!r} cannot be a variable", where=path, expected="another name, letters and _")
    kind = value.get("type", "text")
    if kind not in TYPES:
        raise TuneclipError(f"unknown type {kind!r}", where=where, expected=nearest(str(kind), TYPES))
    return Variable(name, str(value.get("help", "")), kind, value.get("default"))


def _step(value: Any, where: str, variables: Sequence[str], before: Sequence[str]) -> Step:
    """A step whose words are all known; `before` are the names of the steps that come first."""
    if not isinstance(value, dict):
        raise TuneclipError("a step is a table", where=where, expected="[[steps]] with name, verb and options")
    _check_keys(value, ("name", "verb", "options"), "key", where)
    verb, options, known = str(value.get("verb", "")), value.get("options", {}), [*variables, *before]
    if verb not in STEPS:
        raise TuneclipError(f"no step can be the verb {verb!r}", where=where, expected=nearest(verb, STEPS))
    name = str(value.get("name", verb))
    if name in known or name in RESERVED or not PLACEHOLDER.fullmatch("{" + name + "}"):
        raise TuneclipError(f"{name!r} cannot be the step's name", where=where, expected="a name of its own")
    described = fields(STEPS[verb].settings)
    _check_keys(options, [field.name for field in described], f"option of {verb}", where)
    missing = [field.name for field in described if field.default is MISSING and field.name not in options]
    if missing:
        raise TuneclipError(f"{verb} needs the option {missing[0]!r}", where=where)
    if STEPS[verb] is GATE and options["moves"] not in variables:
        expected = nearest(str(options["moves"]), variables)
        raise TuneclipError(f"{options['moves']!r} is no variable that could move on", where=where, expected=expected)
    for option, text in options.items():
        for word in placeholders(text):
            if word not in known and (word, option) != (NUMBER, "to"):
                what = f"{{{word}}} is no variable and no step before"
                raise TuneclipError(what, where=where, expected=nearest(word, known))
    return Step(name, verb, options)


def placeholders(value: Any) -> list[str]:
    """The names in braces in a text, or in the texts of a list."""
    if isinstance(value, list):
        return [name for one in value for name in placeholders(one)]
    return PLACEHOLDER.findall(value) if isinstance(value, str) else []


def nearest(word: str, known: Collection[str]) -> str:
    """What was probably meant, else all that there is."""
    near = difflib.get_close_matches(word, known, 1, 0.5)
    return repr(near[0]) if near else "one of " + ", ".join(sorted(known))


def _check_defaults(variables: tuple[Variable, ...], path: Path) -> None:
    for number, variable in enumerate(variables):
        above = {one.name for one in variables[:number]}
        for word in placeholders(variable.default):
            if word not in above:
                where = f"{path}, variable {variable.name!r}"
                raise TuneclipError(f"{{{word}}} is no variable above", where=where, expected=nearest(word, above))


def _check_keys(table: Any, known: Collection[str], what: str, where: object) -> None:
    if not isinstance(table, dict):
        raise TuneclipError(f"{table!r} is not a table", where=where)
    for key in table:
        if key not in known:
            raise TuneclipError(f"unknown {what} {key!r}", where=where, expected=nearest(key, known))
