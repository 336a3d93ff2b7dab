"""Content hashes of files, remembered by size and time of change so that a dataset is not read again each time."""

import contextlib
import hashlib
import sqlite3
import time
from pathlib import Path

RACY_SECONDS = 2.0
"""A file that changed less long ago may change again without its time showing it (as git's index has it)."""
WAITING = 1024  # hashes that a kill may cost
TABLE = "create table if not exists hashes (name text primary key, size int, changed int, hash text) without rowid"
KNOWN = "select hash from hashes where name = ? and size = ? and changed = ?"


class Hashes:
    """SHA-256 of files below a folder, as remembered in `memory`, an SQLite file that may be missing or torn.

    Takes the same little memory for any number of files. A memory that cannot be read or written costs time, nothing
    else.
    """

    def __init__(self, memory: Path):
        self._memory = memory
        self._base = _opened(memory) if memory.is_file() else None
        self._new: list[tuple[str, int, int, str]] = []

    def of(self, path: Path, name: str) -> str:
        """The hash of the file's bytes, as hexadecimal digits; `name` is what it is remembered by. Raises OSError."""
        stat = path.stat()
        state = (name, stat.st_size, stat.st_mtime_ns)
        with contextlib.suppress(sqlite3.Error):
            if self._base and (known := self._base.execute(KNOWN, state).fetchone()):
                return str(known[0])
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time() - stat.st_mtime > RACY_SECONDS:
            self._new.append((*state, found))
            if len(self._new) >= WAITING:
                self._write()
        return found

    def save(self) -> None:
        """Remember what was found out, and let go of the file."""
        self._write()
        self._close()

    def _write(self) -> None:
        if self._new:
            self._base = self._base or _opened(self._memory)
            with contextlib.suppress(sqlite3.Error):
                if self._base:
                    with self._base:
                        self._base.executemany("insert or replace into hashes values (?, ?, ?, ?)", self._new)
            self._new.clear()

    def _close(self) -> None:
        if self._base:
            self._base.close()
        self._base = None

    def __del__(self) -> None:
        self._close()


def _opened(memory: Path) -> sqlite3.Connection | None:
    """The file, made where it is missing and made anew where it is no such file; None if it cannot be."""
    for _ in range(2):
        try:
            memory.parent.mkdir(parents=True, exist_ok=True)
            base = sqlite3.connect(memory)
        except (OSError, sqlite3.Error):
            return None
        try:
            base.execute(TABLE)
            return base
        except sqlite3.OperationalError:  # locked, or may not be written
            base.close()
            return None
        except sqlite3.DatabaseError:
            base.close()
            memory.unlink(missing_ok=True)
    return None
