"""The verb `run`: a pipeline's steps in order; what is up to date is skipped, what was broken off goes on."""

import dataclasses
import logging
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tuneclip import settings
from tuneclip.errors import TuneclipError, explain_os_error
from tuneclip.pipeline.call import is_numbered, settings_of
from tuneclip.pipeline.fresh import Fresh, look_back
from tuneclip.pipeline.gate import Decision, Gate
from tuneclip.pipeline.key import MAKES, Made, key_of, made_by
from tuneclip.pipeline.newest import newest
from tuneclip.pipeline.read import STEPS, Pipeline, Step, find_pipeline, read_pipeline
from tuneclip.pipeline.state import Entry, State, read_state
from tuneclip.pipeline.variables import resolve
from tuneclip.project import Project

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
Status = Literal["done", "skipped", "failed"]
COLOURS = {"done": "green", "skipped": "dim", "failed": "red"}


@dataclass(frozen=True)
class Ended:
    """How a step of this run ended; the fields are the keys of `--json`."""

    name: str
    verb: str
    status: Status
    why: str
    made: str
    """The name of what it made; of a gate the model that it looked at."""
    seconds: float


@dataclass(frozen=True)
class Ran:
    """What `run` did; the fields are the keys of `--json`."""

    pipeline: str
    path: str
    variables: dict[str, Any]
    """As they are after the run."""
    steps: tuple[Ended, ...]

    def show(self, console: "Console") -> None:
        """A line for each step, and what to type next."""
        for step in self.steps:
            status = f"[{COLOURS[step.status]}]{step.status:<7}[/]"
            console.print(f"{status} [bold]{step.name}[/] {step.seconds:.0f} s  ", end="")
            console.print(step.why, markup=False, soft_wrap=True)
        for step in self.steps:
            if MAKES[step.verb][0] == "collection" and step.status != "failed":
                console.print(f'Next: tuneclip search {shlex.quote(step.made)} "WORDS"', markup=False, style="dim")


class StepError(TuneclipError):
    """A step that could not be done; `result` has it and the steps before."""

    def __init__(self, cause: TuneclipError, result: Ran):
        super().__init__(cause.what, where=cause.where, expected=cause.expected, hint=cause.hint)
        self.result = result


@dataclass
class _Running:
    """A run under way."""

    project: Project
    pipeline: Pipeline
    state: State
    values: dict[str, Any]
    """Of variables, and of steps that have ended: what they made."""
    ended: list[Ended] = field(default_factory=list)

    def result(self) -> Ran:
        names = {variable.name for variable in self.pipeline.variables}
        variables = {name: value for name, value in self.values.items() if name in names}
        return Ran(self.pipeline.name, str(self.pipeline.path), variables, tuple(self.ended))


def run(options: settings.Run, project: Project) -> Ran:
    """Run the steps of a pipeline; everything in it is checked before the first one starts.

    Raises TuneclipError when the pipeline or a variable is not what it should be, and when it runs already; StepError
    when a step could not be done: what was finished before is kept, and the next run goes on there.
    """
    pipeline = read_pipeline(find_pipeline(options.pipeline, project))
    with _alone(pipeline, project):
        values = resolve(pipeline, project, options.set)
        for step in pipeline.steps:
            settings_of(step, values)
        state = read_state(project.pipelines / f"{pipeline.name}.json")
        running = _Running(project, pipeline, state, values)
        for number, step in enumerate(pipeline.steps, 1):
            logger.info("%s, step %d of %d: %s", pipeline.name, number, len(pipeline.steps), step.name)
            _guarded(step, running)
        return running.result()


def _guarded(step: Step, running: _Running) -> None:
    began = time.monotonic()
    try:
        ended = _end(step, running, began)
    except (TuneclipError, OSError) as error:
        cause = explain_os_error(error) if isinstance(error, OSError) else error
        if cause is None:
            raise
        why = f"step {step.name!r}: {cause.what}"
        running.ended.append(Ended(step.name, step.verb, "failed", str(cause), "", _since(began)))
        told = TuneclipError(why, where=cause.where, expected=cause.expected, hint=cause.hint)
        raise StepError(told, running.result()) from error
    running.ended.append(ended)


def _end(step: Step, running: _Running, began: float) -> Ended:
    """Bring one step up to date."""
    project, values = running.project, running.values
    options = settings_of(step, values)
    key = key_of(step.verb, options, project)
    fresh = look_back(step, key, options, running.state, project)
    if not fresh.skip:
        fresh = _perform(step, options, fresh, running, began)
    values[step.name] = fresh.name
    if isinstance(options, Gate):
        values[options.moves] = newest(project, options.moves) or values[options.moves]
    status: Status = "skipped" if fresh.skip else "done"
    return Ended(step.name, step.verb, status, fresh.why, fresh.name, _since(began))


def _perform(step: Step, options: Any, fresh: Fresh, running: _Running, began: float) -> Fresh:
    """Run the verb and write down what it made."""
    project, key = running.project, fresh.key
    named = getattr(options, "to", None)
    if named and is_numbered(str(named)):
        name = fresh.name or _numbered(str(named), project, running.state)
        options = replace(options, to=type(named)(name))
        running.state.put(Entry(step.name, key, Made(MAKES[step.verb][0], name, "")))
    result = STEPS[step.verb].run(options, project)
    decision = dataclasses.asdict(result) if isinstance(result, Decision) else {}
    why = getattr(result, "why", fresh.why)  # the pipelines' own steps tell
    made = made_by(step.verb, options, project)
    if key["options"].get("to") is None:  # what it changed in place has another content now
        key = key_of(step.verb, settings_of(step, running.values), project) if not decision else key
    running.state.put(Entry(step.name, key, made, True, why, _since(began), decision))
    return Fresh(key, False, made.name, why)


def _numbered(template: str, project: Project, state: State) -> str:
    """The template with the number after the largest that anything of such a name has."""
    pattern = re.compile(re.escape(template).replace(re.escape("{number}"), r"(\d+)"))
    names = [entry.made.name for entry in state.entries]
    names += [name for kind in ("models", "datasets", "runs") for name in project.names(kind)]
    used = [int(found[1]) for name in names if (found := pattern.fullmatch(name))]
    return template.replace("{number}", str(max(used, default=0) + 1))


@contextmanager
def _alone(pipeline: Pipeline, project: Project) -> Iterator[None]:
    """Only one process runs a pipeline; the lock ends with its process, however that ends."""
    from filelock import FileLock, Timeout

    project.pipelines.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(project.pipelines / f"{pipeline.name}.lock", timeout=0):
            yield
    except Timeout as error:
        what = f"the pipeline {pipeline.name!r} is running already in this project"
        raise TuneclipError(
            what, where=project.root.absolute(), hint="wait for it to end, then run it again"
        ) from error


def _since(began: float) -> float:
    return round(time.monotonic() - began, 2)
