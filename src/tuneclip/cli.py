"""The command line: click commands made from the table of verbs and their settings. Light: no verb is imported here."""

import contextlib
import dataclasses
import json
import logging
import os
import sys
import types
import typing
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from tuneclip import __version__
from tuneclip.errors import TuneclipError, explain_os_error
from tuneclip.progress import speaks
from tuneclip.project import Project
from tuneclip.verbs import VERBS, Verb


class _Command(click.Command):
    """Lets an option that may be given again take several values at once: `--models a b` is `--models a --models b`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        repeatable = {name for p in self.params if isinstance(p, click.Option) and p.multiple for name in p.opts}
        spread: list[str] = []
        current, fresh = None, False
        for position, word in enumerate(args):
            if word == "--":
                spread += args[position:]
                break
            if word.startswith("-") and len(word) > 1:
                current, fresh = (word, True) if word in repeatable else (None, False)
            elif current and not fresh:
                spread.append(current)
            else:
                fresh = False
            spread.append(word)
        return super().parse_args(ctx, spread)


class _Verbs(click.Group):
    """The group of verbs: each command is made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return command(VERBS[cmd_name]) if cmd_name in VERBS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb.name, verb.summary) for verb in VERBS.values()])


class _NumberOrWord(click.ParamType[Any]):
    """A whole number or one of a few words, like `auto`."""

    name = "number"

    def __init__(self, words: tuple[str, ...]):
        self._words = words

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "|".join(["N", *self._words])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        return value if value in self._words else click.INT.convert(value, param, ctx)


def command(verb: Verb) -> click.Command:
    """The click command of a verb."""
    hints = typing.get_type_hints(verb.settings)
    parameters: list[click.Parameter] = [
        _parameter(field, hints[field.name]) for field in dataclasses.fields(verb.settings)
    ]
    parameters.append(
        click.Option(
            ["--project"],
            type=click.Path(path_type=Path),
            default=Path(),
            help="Project folder (default: here).",
            envvar="TUNECLIP_PROJECT",
        )
    )
    parameters.append(click.Option(["--json", "as_json"], is_flag=True, help="One JSON object on stdout."))
    return _Command(
        verb.name,
        params=parameters,
        help=verb.summary,
        callback=lambda **options: _run(verb, **options),
        context_settings={"auto_envvar_prefix": f"TUNECLIP_{verb.name.upper()}", "help_option_names": ["-h", "--help"]},
    )


def _parameter(field: dataclasses.Field[Any], hint: Any) -> click.Parameter:
    required = field.default is dataclasses.MISSING
    kind, multiple = _click_type(hint)
    default: dict[str, Any] = {} if required else {"default": field.default}
    if field.metadata["kind"] == "argument":
        return click.Argument([field.name], type=kind, required=required, nargs=-1 if multiple else 1, **default)
    flags = ["--" + field.name.replace("_", "-"), field.name]
    if field.metadata["letter"]:
        flags[0:0] = ["-" + field.metadata["letter"]]
    if len(field.name) == 1:
        flags.remove("--" + field.name)
    text = field.metadata["help"]
    if kind is click.BOOL:
        flags[0] += f"/--no-{flags[0][2:]}" if field.default is True else ""
        return click.Option(flags, is_flag=True, help=text, **default)
    shown = not required and field.default not in (None, ())
    return click.Option(
        flags, type=kind, multiple=multiple, required=required, show_default=shown, help=text, **default
    )


def _click_type(hint: Any) -> tuple[click.ParamType[Any], bool]:
    """The click type of a field's annotation, and whether the option may be given several times."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        parts = [part for part in typing.get_args(hint) if part is not types.NoneType]
        if int in parts and len(parts) > 1:
            return _NumberOrWord(typing.get_args(parts[-1])), False
        hint = parts[0]
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _click_type(typing.get_args(hint)[0])[0], True
    if origin is typing.Literal:
        return click.Choice(typing.get_args(hint)), False
    plain: dict[Any, click.ParamType[Any]] = {str: click.STRING, int: click.INT, float: click.FLOAT, bool: click.BOOL}
    return plain.get(hint) or click.Path(path_type=Path), False


def _run(verb: Verb, *, project: Path, as_json: bool, **options: Any) -> None:
    try:
        result = verb.run(verb.settings(**options), Project(project))
    except TuneclipError as error:
        if as_json and dataclasses.is_dataclass(error.result) and speaks():
            _print_json(error.result)
        raise
    if not speaks():
        return
    if as_json:
        _print_json(result)
        return
    from rich.console import Console

    result.show(Console(highlight=False, soft_wrap=not sys.stdout.isatty()))


def _print_json(result: Any) -> None:
    print(json.dumps(dataclasses.asdict(result), ensure_ascii=False, default=str, allow_nan=False))


def _project_defaults(arguments: list[str]) -> dict[str, Any]:
    """The tables of the project's `tuneclip.toml`, found before the verb is parsed."""
    root = Path()
    for flag, value in pairwise(arguments):
        root = Path(value) if flag == "--project" else root
    tables = Project(root).settings()
    return {
        verb: {key.replace("-", "_"): value for key, value in table.items()}
        for verb, table in tables.items()
        if isinstance(table, dict)
    }


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tuneclip")
def program() -> None:
    """Fine-tune CLIP on your own pictures, prove that it got better, then search with it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exit 0 done, 1 could not, 2 wrong usage, 130 stopped by the user."""
    arguments = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("tuneclip").setLevel(logging.INFO if speaks() else logging.WARNING)
    try:
        defaults = _project_defaults(arguments)
        code = program.main(arguments, prog_name="tuneclip", standalone_mode=False, default_map=defaults)
    except TuneclipError as error:
        _stop(f"error: {error}", 1)
    except OSError as error:
        mendable = explain_os_error(error)
        if mendable is None:
            raise
        _stop(f"error: {mendable}", 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:  # click makes the first the second
        _leave(str(error.__cause__ or error) or _stopped(arguments))
    sys.exit(code or 0)


def _stopped(arguments: list[str]) -> str:
    """What is told of a verb that was interrupted, unless its KeyboardInterrupt tells more."""
    verb = next((VERBS[word] for word in arguments if word in VERBS), None)
    resumes = verb is not None and "resume" in {field.name for field in dataclasses.fields(verb.settings)}
    again = "the same command again" + (", with --resume" if resumes else "")
    return f"stopped: what was finished is kept, and nothing is half written. Next: {again}"


def _leave(message: str) -> typing.NoReturn:
    """End at once after Ctrl-C: threads that are still at work are not waited for, a second Ctrl-C finds nobody."""
    with contextlib.suppress(OSError):  # nobody reads any more
        if speaks():
            print(message, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(130)


def _stop(message: str, code: int) -> typing.NoReturn:
    print(message, file=sys.stderr)
    sys.exit(code)
