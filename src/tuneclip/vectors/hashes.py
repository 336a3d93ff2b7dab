"""Content hashes of files, remembered by size and time of change so that a dataset is not read again each time."""

import contextlib
import hashlib
import json
import time
from pathlib import Path

from tuneclip.project import write_text

RACY_SECONDS = 2.0
"""A file that changed less long ago may change again without its time showing it (as git's index has it)."""


class Hashes:
    """SHA-256 of files below a folder, as remembered in `memory`, which may be missing, old or torn."""

    def __init__(self, memory: Path):
        self._memory, self._changed = memory, False
        self._known: dict[str, list[int | str]] = {}
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(memory.read_text(encoding="utf-8"))
            self._known = known if isinstance(known, dict) else {}

    def of(self, path: Path, name: str) -> str:
        """The hash of the file's bytes, as hexadecimal digits; `name` is what it is remembered by. Raises OSError."""
        stat = path.stat()
        state: list[int | str] = [stat.st_size, stat.st_mtime_ns]
        known = self._known.get(name)
        if isinstance(known, list) and known[:2] == state:
            return str(known[2])
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time() - stat.st_mtime > RACY_SECONDS:
            self._known[name], self._changed = [*state, found], True
        return found

    def save(self) -> None:
        """Remember what was found out; a folder that cannot be written costs the next run time, nothing else."""
        if self._changed:
            with contextlib.suppress(OSError):
                write_text(self._memory, json.dumps(self._known))
            self._changed = False
