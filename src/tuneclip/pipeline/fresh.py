"""Whether a step is up to date: the same key ended before, and what it made is still there as it was."""

from dataclasses import dataclass
from typing import Any

from tuneclip.pipeline.gate import Gate, to_beat
from tuneclip.pipeline.key import Key, lineage, look
from tuneclip.pipeline.newest import newest
from tuneclip.pipeline.read import Step
from tuneclip.pipeline.state import Entry, State
from tuneclip.project import MODEL_MANIFEST, Project, read_json


@dataclass(frozen=True)
class Fresh:
    """What is to be done about a step, and why."""

    key: Key
    skip: bool
    name: str
    """Of what it made, or will make; "" where that is not decided yet."""
    why: str


def look_back(step: Step, key: Key, options: Any, state: State, project: Project) -> Fresh:
    """Decide about a step from what was written down before."""
    if isinstance(options, Gate):
        return _gate(step, key, options, state, project)
    entry = state.find(step.name, key)
    if entry and entry.finished:
        return _ended(entry, options, project)
    if entry and _is_its_own(entry, project):
        return Fresh(key, False, entry.made.name, "goes on where it was broken off")
    learnt = _learnt(step, key, options, state, project) if step.verb == "train" else None
    if learnt:
        return Fresh(key, True, learnt, f"{options.model} has learnt this dataset with this config already")
    return Fresh(key, False, "", _news(step, key, state))


def _gate(step: Step, key: Key, options: Gate, state: State, project: Project) -> Fresh:
    standing = to_beat(options, project)
    entry = state.find(step.name, key)
    if entry and entry.finished and not entry.decision.get("better"):
        return Fresh(key, True, options.model, entry.why)
    if entry and entry.finished:
        why = f"{options.model} was found better and taken before"
        gone_back = newest(project, options.moves) == standing
        return Fresh(key, True, options.model, f"{why}, then taken back; {standing} stays" if gone_back else why)
    if options.model == standing:
        return Fresh(key, True, options.model, f"{standing} is the newest already")
    if lineage(options.model, project) < lineage(standing, project):
        return Fresh(key, True, options.model, f"{standing} is the newest, and has what {options.model} has learnt")
    return Fresh(key, False, options.model, "a model that was not looked at yet")


def _ended(entry: Entry, options: Any, project: Project) -> Fresh:
    """Of a step that ended with the very key: whether what it made is still there."""
    made = entry.made
    now = look(made.kind, made.name, project, store=getattr(options, "store", None))
    if now.content == made.content:
        return Fresh(entry.key, True, made.name, f"nothing has changed since it made {made.name}")
    if now.content and made.kind == "model":  # somebody put another one there, which is not ours to replace
        return Fresh(entry.key, False, "", f"{made.name} is not the model that this step made")
    return Fresh(entry.key, False, made.name, f"{made.name} is gone or has changed")


def _is_its_own(entry: Entry, project: Project) -> bool:
    """Whether the name of an unfinished step is still its to use: nobody has made another model of that name."""
    path = project.new("models", entry.made.name) / MODEL_MANIFEST
    if not path.parent.exists():
        return True
    base = (read_json(path).get("base") or {}) if path.is_file() else {}
    return bool(base.get("fingerprint") == entry.key["inputs"].get("model"))


def _learnt(step: Step, key: Key, options: Any, state: State, project: Project) -> str | None:
    """The model that the same data and config made, if the model to start from is that one or comes from it."""
    before: set[str] | None = None
    for entry in state.entries:
        if entry.finished and entry.step == step.name and _lesson(entry.key) == _lesson(key):
            before = lineage(options.model, project) if before is None else before
            if entry.made.content in before:
                return entry.made.name
    return None


def _lesson(key: Key) -> Key:
    """A training's key without the model that it started from."""
    return {**key, "inputs": {name: value for name, value in key["inputs"].items() if name != "model"}}


def _news(step: Step, key: Key, state: State) -> str:
    """What is new to a step since it last ended."""
    last = next((one for one in reversed(state.entries) if one.step == step.name and one.finished), None)
    if last is None:
        return "for the first time"
    parts = [(name, key["inputs"].get(name), last.key["inputs"].get(name)) for name in key["inputs"]]
    changed = [name for name, now, before in parts if now != before]
    options = {name for name, value in key["options"].items() if last.key["options"].get(name) != value}
    return f"new since the last time: {', '.join([*changed, *sorted(options)]) or 'the pipeline'}"
