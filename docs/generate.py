"""Write the reference page of the command line from the settings: `python docs/generate.py` (a test keeps it fresh)."""

import dataclasses
import typing
from pathlib import Path
from typing import Any

from tuneclip.verbs import VERBS, Verb

PAGE = Path(__file__).parent / "command-line.md"
HEAD = """# Command line

Made from the settings by `python docs/generate.py`. Every verb also takes

- `--project DIR`: the project's folder (default: here; environment `TUNECLIP_PROJECT`),
- `--json`: one JSON object on stdout; progress and messages go to stderr.

Exit codes: 0 done, 1 could not (the message says what, where, and what to type next), 2 wrong usage. An option that may
be given several times also takes several values at once: `--models a b` is `--models a --models b`. Defaults can stand
in `tuneclip.toml` (a table per verb) or in the environment (`TUNECLIP_TRAIN_MODEL`); a flag wins over the environment,
the environment over the file. From Python every verb is a function of the same name (`import` is `import_dataset`,
`map` is `map_collection`) whose keyword arguments are these options, with `project="DIR"`.
"""


def command_line() -> str:
    """The whole page."""
    return HEAD + "".join(_section(verb) for verb in VERBS.values())


def _section(verb: Verb) -> str:
    fields = dataclasses.fields(verb.settings)
    usage = " ".join(["tuneclip", verb.name, *(_usage(field) for field in fields)])
    lines = [f"\n## {verb.name}\n", verb.summary, "", "```", usage, "```", ""]
    if fields:
        lines += ["| | | default |", "|---|---|---|"]
        hints = typing.get_type_hints(verb.settings)
        lines += [f"| `{_name(f)}` | {f.metadata['help']}{_choices(hints[f.name])} | {_default(f)} |" for f in fields]
    return "\n".join(lines) + "\n"


def _name(field: dataclasses.Field[Any]) -> str:
    if field.metadata["kind"] == "argument":
        return field.name.upper()
    name = field.name.replace("_", "-")
    if field.default is True:
        return f"--{name}/--no-{name}"
    return f"-{name}" if len(name) == 1 else f"--{name}"


def _usage(field: dataclasses.Field[Any]) -> str:
    required = field.default is dataclasses.MISSING
    flag = field.metadata["kind"] == "option"
    value = "" if isinstance(field.default, bool) else f" {field.name.upper()}"
    text = _name(field) + (value if flag else "")
    return text if required else f"[{text}]"


def _choices(hint: Any) -> str:
    return f" One of {', '.join(typing.get_args(hint))}." if typing.get_origin(hint) is typing.Literal else ""


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    silent = field.default is None or field.default is False or field.default == ()
    return "" if silent else f"`{field.default}`"


if __name__ == "__main__":
    PAGE.write_text(command_line(), encoding="utf-8")
