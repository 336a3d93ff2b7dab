"""Open a dataset: its records as they are asked for, its pictures where they lie."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tuneclip.data.split import split_order
from tuneclip.errors import TuneclipError
from tuneclip.project import DATASET_MANIFEST, METADATA, PENDING, Project
from tuneclip.records import Record


@dataclass(frozen=True)
class Dataset:
    """Records with pictures below `path`; the order is that of the metadata file.

    Whoever reads records gets a TuneclipError, with the line, where that file is torn.
    """

    name: str
    path: Path
    given: tuple[Record, ...] | None = None
    """Instead of those of the metadata file."""

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """All of them, in memory from now on."""
        return tuple(self.stream())

    def stream(self) -> Iterator[Record]:
        """One after the other, for work that takes the same memory for any number of them."""
        return iter(self.given) if self.given is not None else read_records(self.path / METADATA)

    def count(self) -> int:
        """How many there are."""
        if self.given is not None:
            return len(self.given)
        with (self.path / METADATA).open("rb") as file:
            return sum(1 for _ in file)

    @property
    def splits(self) -> dict[str, int]:
        """How many records each split has: train, validation, test, then any other by name."""
        counts: dict[str, int] = {}
        for record in self.records:
            counts[record.split] = counts.get(record.split, 0) + 1
        return {name: counts[name] for name in sorted(counts, key=split_order)}

    def split(self, name: str) -> tuple[Record, ...]:
        """The records of a split; raises TuneclipError, naming the splits there are, when it has none of that name."""
        found = tuple(record for record in self.records if record.split == name)
        if not found:
            what = f"no split {name!r} in dataset {self.name!r}"
            if not self.records and (self.path / PENDING).is_file():
                hint = f"tuneclip download {self.name}"
                raise TuneclipError(f"{what}: all its pictures are still to be fetched", where=self.path, hint=hint)
            expected = "one of " + ", ".join(self.splits)
            raise TuneclipError(what, where=self.path, expected=expected)
        return found

    def picture_path(self, record: Record) -> Path:
        """Where the record's picture lies."""
        return self.path / record.picture


def open_dataset(name: str | Path, project: Project | str | Path = ".") -> Dataset:
    """The dataset of that name in the project, or in that folder.

    A folder that was not made here opens too, when it has the imagefolder layout (`metadata.jsonl` or `metadata.csv`
    beside the pictures). Raises TuneclipError when there is none, or when such a folder is not understood.
    """
    project = project if isinstance(project, Project) else Project(Path(project))
    path = project.dataset(str(name))
    if not path.is_dir():
        known = project.names("datasets")
        hint = f"datasets here: {', '.join(known)}" if known else "tuneclip import SOURCE --to NAME"
        raise TuneclipError(f"no dataset {str(name)!r}", where=path, hint=hint)
    if not (path / DATASET_MANIFEST).is_file() or not (path / METADATA).is_file():
        from tuneclip.data.foreign import foreign_records

        return Dataset(path.resolve().name, path, foreign_records(path))
    return Dataset(path.resolve().name, path)


def read_records(path: Path) -> Iterator[Record]:
    """The records of a metadata file that was written here; raises TuneclipError, with the line, where it is torn."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _record(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                where = f"{path}, line {number}"
                raise TuneclipError(f"not a record: {error!r}", where=where, hint="import the dataset again") from error


def _record(row: dict[str, Any]) -> Record:
    """The record of a line; what many of them have in common stands in memory once."""
    key, group, metadata = row["id"], row["group"], row.get("metadata") or {}
    return Record(
        id=key,
        picture=row["file_name"],
        captions=tuple(row["captions"]),
        metadata={sys.intern(name): value for name, value in metadata.items()},
        group=key if group == key else group,
        split=sys.intern(row["split"]),
    )
