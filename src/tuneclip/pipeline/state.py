"""What a pipeline has done in a project, in runs/.pipelines/NAME.json: written anew, at once, after every step."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.key import Key, Made
from tuneclip.project import read_json, write_json


@dataclass(frozen=True)
class Entry:
    """A step that was begun, and how it ended."""

    step: str
    key: Key
    made: Made
    """Of a step that is not finished: the name that it was given, without content."""
    finished: bool = False
    why: str = ""
    seconds: float = 0.0
    decision: dict[str, Any] = field(default_factory=dict)
    """Of a gate."""


@dataclass
class State:
    """The entries of a file; of equal keys of a step the last counts."""

    path: Path
    entries: list[Entry]

    def find(self, step: str, key: Key) -> Entry | None:
        """The entry of this very step and key."""
        return next((one for one in self.entries if (one.step, one.key) == (step, key)), None)

    def put(self, entry: Entry) -> None:
        """Add an entry in place of that of its step and key, and write the file."""
        others = [one for one in self.entries if (one.step, one.key) != (entry.step, entry.key)]
        self.entries = [*others, entry]
        write_json(self.path, {"steps": [dataclasses.asdict(one) for one in self.entries]})


def read_state(path: Path) -> State:
    """The state in a file, empty where there is none. Raises TuneclipError when it is not one."""
    if not path.is_file():
        return State(path, [])
    try:
        entries = [Entry(**{**one, "made": Made(**one["made"])}) for one in read_json(path)["steps"]]
    except (KeyError, TypeError) as error:
        what = f"the pipeline's state cannot be read: {error!r}"
        raise TuneclipError(what, where=path, hint="remove that file; models and collections stay") from error
    return State(path, entries)
