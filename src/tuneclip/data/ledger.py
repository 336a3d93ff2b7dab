"""The ledger of a multimodal model's answers: what was answered once is never asked, or paid, again."""

import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuneclip.data.describe import Asker
from tuneclip.data.write import json_line
from tuneclip.errors import TuneclipError
from tuneclip.project import ANSWERS


@dataclass(frozen=True)
class Ledger:
    """Answers by the key of their question, each a line of a file that only grows; threads may add at once."""

    folder: Path
    answers: dict[str, str]
    lock: threading.Lock

    def add(self, found: Iterable[tuple[str, str, str]], asker: Asker) -> None:
        """Note answers, each the question's key, the record's id and the caption.

        When this returns they are on the disk, and a kill does not lose them.
        """
        who = {"engine": asker.engine, "model": asker.model}
        rows = [{"key": key, "id": record, **who, "caption": caption} for key, record, caption in found]
        with self.lock, (self.folder / ANSWERS).open("ab") as file:
            file.write("".join(json_line(row) for row in rows).encode())
            file.flush()
            os.fsync(file.fileno())
            self.answers.update({row["key"]: row["caption"] for row in rows})


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """The ledger in `folder`, for this process alone; a last line that a kill has torn counts as not written.

    Raises TuneclipError while another process has it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield Ledger(folder, _read(folder / ANSWERS), threading.Lock())
    except Timeout as error:
        what = "another process asks for captions of this dataset"
        raise TuneclipError(what, where=folder, hint="wait for it, then run this again") from error


def _read(path: Path) -> dict[str, str]:
    """The answers in the file, the last one of a key; what follows a torn line starts on one of its own."""
    answers: dict[str, str] = {}
    if not path.is_file():
        return answers
    data = path.read_bytes()
    for line in data.splitlines():
        try:
            row = json.loads(line)
            answers[row["key"]] = row["caption"]
        except (ValueError, KeyError, TypeError):
            continue  # torn by a kill: it will be asked again
    if data and not data.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
    return answers
