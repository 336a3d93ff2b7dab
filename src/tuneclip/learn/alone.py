"""One process rates for a classifier at a time: two would each go on from a state that the other does not know."""

import os
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from tuneclip.errors import TuneclipError
from tuneclip.project import read_json, write_json


def hold(log: Path) -> FileLock:
    """The right of this process to the log at that path, until the lock is let go of or the process ends.

    The process may take it several times. Raises TuneclipError that names the process which has it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    note = log.with_name(f".{log.name}.process.json")
    lock = FileLock(log.with_name(f".{log.name}.lock"), timeout=0, thread_local=False, is_singleton=True)
    fresh = not lock.is_locked
    try:
        lock.acquire()
    except Timeout as error:
        who = read_json(note) if note.is_file() else {}
        told = f"process {who['process']}, since {who['since']}" if who else "another process"
        raise TuneclipError(
            f"classifier {log.name.removesuffix('.ratings.jsonl')!r} is being rated by {told}",
            where=log,
            hint="go on in its page, or end it; two at once would not know of each other's ratings",
        ) from error
    if fresh:
        since = datetime.now(UTC).astimezone().isoformat(" ", "seconds")
        write_json(note, {"process": os.getpid(), "since": since})
    return lock
