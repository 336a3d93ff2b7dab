"""The files of a folder, in one order everywhere."""

import os
from collections.abc import Iterator
from pathlib import Path

from tuneclip.project import DATASET_MANIFEST


def files_below(folder: Path, within: frozenset[str] = frozenset()) -> Iterator[Path]:
    """All files below `folder`, sorted by path; hidden ones and datasets made here (but not `folder`) are passed over.

    A project may hold both a source and the datasets made from it: their copies must not be taken for the originals.
    Links to folders are followed, but not back into a folder that they lie `within`.
    """
    within |= {os.path.realpath(folder)}
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if entry.is_file():
            yield Path(entry.path)
        elif entry.is_dir() and not _passed_over(entry, within):
            yield from files_below(Path(entry.path), within)


def _passed_over(entry: os.DirEntry[str], within: frozenset[str]) -> bool:
    if entry.is_symlink() and os.path.realpath(entry.path) in within:
        return True
    return Path(entry.path, DATASET_MANIFEST).is_file()
