"""A new dataset from the records of another: their pictures linked or new, their ids, groups and splits kept."""

import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip import __version__
from tuneclip.data.card import show_splits, write_card
from tuneclip.data.load import Dataset, read_records
from tuneclip.data.row import Value
from tuneclip.data.write import DatasetWriter, Entry, Written
from tuneclip.errors import TuneclipError
from tuneclip.project import DATASET_MANIFEST, METADATA, SKIPPED, Project, building, read_json, write_json
from tuneclip.records import Record

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")


@dataclass(frozen=True, slots=True)
class Part:
    """One record of the new dataset. `record.picture` is a picture of the source, linked unless `data` replaces it."""

    record: Record
    data: bytes | None = None
    """An encoded picture of its own; the name of its file is made from `record.picture`, its extension included."""
    reason: str = ""
    """Why the record is not taken; it goes to `skipped.jsonl` then."""
    url: str = ""
    """Where `download` will fetch the picture from; `record.picture` is not there yet."""


@dataclass(frozen=True)
class Derivation:
    """What is made of which dataset, by which verb with which options: what the new dataset remembers."""

    source: Dataset
    verb: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Resolved, without the names of the two datasets; values that JSON can hold."""


@dataclass(frozen=True)
class Derived:
    """The new dataset and its counts."""

    dataset: str
    path: str
    taken: int
    skipped: int
    splits: dict[str, int]

    def show(self, console: "Console") -> None:
        """The splits as a table, the counts, and where the dataset lies."""
        from rich.markup import escape

        show_splits(console, self.splits)
        place = f"[link={Path(self.path).resolve().as_uri()}]{escape(self.path)}[/link]"
        console.print(f"{self.taken:,} records, {self.skipped:,} skipped: {place}")


def derive(derivation: Derivation, parts: Iterable[Part], *, to: str, project: Project) -> Derived:
    """Write the dataset `to` with these parts, in their order and as they come; all of it or nothing.

    Pictures of a dataset of the same project are hard-linked where the file system can, all others are copied; one
    that is missing is skipped with that reason. Ids must be unique. An earlier `to` is replaced if it was made from the
    same dataset by the same verb and options; what was downloaded into it is kept. Raises TuneclipError when it was not
    (call `refuse_other` before long work to hear it early), when an id stands twice, or when nothing could be taken.
    """
    folder = refuse_other(derivation, to, project)
    source = derivation.source
    link = source.path.resolve().is_relative_to((project.root / "datasets").resolve())
    with building(folder) as fresh:
        with DatasetWriter(fresh) as writer:
            bench = _Bench(writer, source, link, earlier=folder)
            for part in parts:
                bench.take(part)
            if not writer.taken and not writer.pending:
                reasons = "; ".join(writer.first_reasons) or "no record was chosen"
                raise TuneclipError(f"nothing could be taken: {reasons}", where=source.path)
            written = writer.finish(seed=None)
        _describe(fresh, folder.name, derivation, written)
    if written.skipped:
        reasons = "; ".join(writer.first_reasons) + (" …" if written.skipped > len(writer.first_reasons) else "")
        logger.warning("skipped %s records, listed in %s: %s", f"{written.skipped:,}", folder / SKIPPED, reasons)
    return Derived(folder.name, str(folder), written.taken, written.skipped, written.splits)


def refuse_other(derivation: Derivation, to: str, project: Project) -> Path:
    """The folder of the new dataset; TuneclipError when a dataset of another making has it."""
    folder = project.new("datasets", to)
    if not folder.exists():
        return folder
    if folder.resolve() == derivation.source.path.resolve():
        raise TuneclipError(
            "a dataset cannot replace the one it is made from", where=folder, hint="choose another --to"
        )
    manifest = folder / DATASET_MANIFEST
    earlier = read_json(manifest).get("source") if manifest.is_file() else None
    if earlier != _origin(derivation):
        what = f"dataset {folder.name!r} exists already, made from something else or with other options"
        raise TuneclipError(what, where=folder, hint="choose another name with --to, or delete that folder")
    return folder


def _origin(derivation: Derivation) -> dict[str, Any]:
    source = derivation.source
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in derivation.options.items()}
    return {"dataset": source.name, "path": str(source.path.resolve()), "verb": derivation.verb, "options": options}


@dataclass(frozen=True)
class _Bench:
    """Where parts become records of the new dataset."""

    writer: DatasetWriter
    source: Dataset
    link: bool
    earlier: Path

    def take(self, part: Part) -> None:
        record = part.record
        if part.reason:
            self._skip(record, part.reason)
        elif part.data is not None:
            file = self.writer.free_file(record.picture, Path(record.picture).suffix.lower())
            (self.writer.folder / file).write_bytes(part.data)
            self.writer.add(self._entry(record), file)
        elif part.url:
            self._await(record, part.url)
        elif not (picture := self.source.picture_path(record)).is_file():
            self._skip(record, "the picture is missing")
        else:
            self._bring(record, picture, link=self.link)

    def _await(self, record: Record, url: str) -> None:
        picture = self._downloaded.get(record.id)
        if picture is not None and picture.is_file():
            self._bring(record, picture, link=True)
        else:
            self.writer.pend(self._entry(record), url)

    @cached_property
    def _downloaded(self) -> dict[str, Path]:
        """The pictures that the dataset to be replaced has got meanwhile."""
        metadata = self.earlier / METADATA
        records = read_records(metadata) if metadata.is_file() else ()
        return {record.id: self.earlier / record.picture for record in records}

    def _bring(self, record: Record, picture: Path, *, link: bool) -> None:
        file = self.writer.free_file(record.picture, picture.suffix.lower())
        _bring(picture, self.writer.folder / file, link=link)
        self.writer.add(self._entry(record), file)

    def _skip(self, record: Record, reason: str) -> None:
        fields: dict[str, Value] = {"id": record.id, "file_name": record.picture, "captions": list(record.captions)}
        self.writer.skip(f"{record.id} of {self.source.name}", {**fields, **record.metadata}, reason)

    def _entry(self, record: Record) -> Entry:
        return Entry(
            source=record.id,
            place=f"{record.id} of {self.source.name}",
            origin=record.picture,
            captions=record.captions,
            metadata=record.metadata,
            id=record.id,
            group=record.group or record.id,
            split=record.split,
        )


def _bring(picture: Path, target: Path, *, link: bool) -> None:
    """Link where it may and can be, else copy the bytes (a user's own files are never shared: edits would spread)."""
    if link:
        try:
            os.link(picture.resolve(), target)
        except OSError:  # another device, a file system without links, a file of someone else
            pass
        else:
            return
    shutil.copyfile(picture, target)


def _describe(fresh: Path, name: str, derivation: Derivation, written: Written) -> None:
    counts = {"taken": written.taken, "skipped": written.skipped, "captions": written.captions}
    counts["pending"] = written.pending
    manifest = {"name": name, "tuneclip": __version__, "source": _origin(derivation), **counts}
    write_json(fresh / DATASET_MANIFEST, {**manifest, "splits": written.splits, "columns": written.columns})
    write_card(fresh, name, written)
