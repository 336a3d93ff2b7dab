"""The verb `index`: a dataset's pictures as vectors in a collection; only what is new or changed is embedded."""

import hashlib
import logging
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneclip import settings
from tuneclip.data.load import Dataset, open_dataset
from tuneclip.data.picture import load_picture
from tuneclip.errors import TuneclipError
from tuneclip.model.open import STARTER, fingerprint, locate, open_model
from tuneclip.progress import track
from tuneclip.project import Project, checked_name
from tuneclip.records import Record
from tuneclip.vectors.collection import (
    Collection,
    Keys,
    Origin,
    Row,
    Vector,
    find_collection,
    inside,
    open_collection,
)

if TYPE_CHECKING:
    from rich.console import Console

    from tuneclip.model.encode import Encoder

logger = logging.getLogger("tuneclip")
EMBEDDED_AT_ONCE = 128  # pictures between two looks at what is already there
WRITTEN_AT_ONCE = 1024  # rows of one commit at most
SECONDS_UNWRITTEN = 10.0  # what a kill can cost
FATES = ("added", "updated", "removed", "unchanged", "skipped")


@dataclass(frozen=True)
class Indexed:
    """What `index` did; the fields are the keys of `--json`."""

    collection: str
    store: str
    model: str
    fingerprint: str
    added: int
    updated: int
    removed: int
    unchanged: int
    skipped: int
    total: int
    seconds: float

    def show(self, console: "Console") -> None:
        """One line of counts and the next command."""
        counts = (f"{getattr(self, name):,} {name}" for name in ("added", "updated", "removed", "unchanged"))
        skipped = f", {self.skipped:,} unreadable" if self.skipped else ""
        line = f"{self.collection}: {self.total:,} pictures ({', '.join(counts)}{skipped}) in {self.seconds:.1f} s"
        console.print(line, markup=False)
        console.print(f'Next: tuneclip search {shlex.quote(self.collection)} "WORDS"', markup=False, style="dim")


def index(options: settings.Index, project: Project) -> Indexed:
    """Embed what is new or changed, take out what left the dataset, keep the rest; all splits.

    A picture is new by its id, and changed by its bytes, the model or its preprocessing; captions and metadata are
    brought up to date without embedding. Rows are written as it goes on, so that after a kill the next run only does
    what is left. A picture that cannot be read is logged and passed over. Raises TuneclipError when the collection
    was made by another model or from another dataset, and when no picture at all can be read.
    """
    began = time.monotonic()
    dataset = open_dataset(options.dataset, project)
    if not dataset.records:
        raise TuneclipError(f"dataset {dataset.name!r} has no pictures", where=dataset.path)
    encoder = cache(lambda: open_model(options.model, project))  # takes seconds, and often nothing is to be embedded
    collection = _open(options, project, dataset, encoder)
    tally = _bring_up_to_date(collection, dataset, encoder)
    return Indexed(
        collection=collection.name,
        store=collection.store,
        model=collection.origin.model,
        fingerprint=collection.origin.fingerprint,
        **{fate: tally[fate] for fate in FATES},
        total=collection.count(),
        seconds=round(time.monotonic() - began, 2),
    )


def _open(options: settings.Index, project: Project, dataset: Dataset, encoder: "Callable[[], Encoder]") -> Collection:
    name, folder = checked_name(options.to or dataset.name), locate(options.model, project)
    there = find_collection(name, project, store=options.store)
    origin = Origin(
        model=_lasting_name(options.model, folder, project),
        fingerprint=fingerprint(folder),
        dimension=there.origin.dimension if there else encoder().dimension,
        dataset=dataset.name,
        folder=inside(dataset.path, project.root),
    )
    return open_collection(name, project, store=options.store, origin=origin)


def _lasting_name(name: str, folder: Path, project: Project) -> str:
    """A name that finds the model again from any working directory."""
    in_project = project.root / "models" / name
    if folder == STARTER or in_project.is_dir() or not Path(name).is_dir():
        return name
    return str(folder.absolute())


def _bring_up_to_date(collection: Collection, dataset: Dataset, encoder: "Callable[[], Encoder]") -> Counter[str]:
    """Write what is new or changed and delete what is gone; returns how many pictures met which fate."""
    known = collection.contents()
    tally: Counter[str] = Counter()
    waiting: list[Row] = []
    written = time.monotonic()
    fates = _fates(collection, dataset, encoder, known)
    for fate, row in track(fates, f"index {collection.name}", total=len(dataset.records)):
        tally[fate] += 1
        waiting += [] if row is None else [row]
        late = time.monotonic() - written > SECONDS_UNWRITTEN
        if len(waiting) >= (EMBEDDED_AT_ONCE if late else WRITTEN_AT_ONCE):
            collection.upsert(waiting)
            waiting, written = [], time.monotonic()
    collection.upsert(waiting)
    if tally["skipped"] == len(dataset.records):
        raise TuneclipError(f"no picture of dataset {dataset.name!r} can be read", where=dataset.path)
    gone = known.keys() - {record.id for record in dataset.records}
    collection.delete(sorted(gone))
    tally["removed"] = len(gone)
    named = {"split"}.union(*(record.metadata for record in dataset.records))
    collection.forget(sorted(collection.fields().keys() - named))
    if tally["added"] or tally["updated"] or tally["removed"]:
        collection.optimize()
    return tally


def _fates(
    collection: Collection, dataset: Dataset, encoder: "Callable[[], Encoder]", known: Mapping[str, Keys]
) -> Iterator[tuple[str, Row | None]]:
    """What becomes of each record, in order, and its row where one is to be written; memory stays flat."""
    unreadable: list[str] = []
    source = iter(dataset.records)
    while chunk := list(islice(source, EMBEDDED_AT_ONCE)):
        wanted = {record.id: _row(dataset, record, collection.origin.fingerprint) for record in chunk}
        changed = {key: row for key, row in wanted.items() if row.content and known.get(key) != row.keys}
        before = {row.id: row for row in collection.get([key for key in changed if key in known])}
        kept = {key: old.vector for key, old in before.items() if old.content == changed[key].content}
        fresh = {row.content: dataset.path / row.path for key, row in changed.items() if key not in kept}
        vectors = _embed(encoder, fresh)
        for key, row in wanted.items():
            vector = kept.get(key, vectors.get(row.content))
            if row.content and key not in changed:
                yield "unchanged", None
            elif vector is None:
                unreadable.append(key)
                yield "skipped", None
            elif key in before:
                yield "updated", replace(row, vector=vector, seen=before[key].seen)
            else:
                yield "added", replace(row, vector=vector)
    if unreadable:
        logger.warning("%s of %s pictures cannot be read", f"{len(unreadable):,}", f"{len(dataset.records):,}")


def _row(dataset: Dataset, record: Record, fingerprint: str) -> Row:
    """The record's row, still without its vector; without a content key if its file cannot be read."""
    try:
        with dataset.picture_path(record).open("rb") as file:
            content = f"{hashlib.file_digest(file, 'sha256').hexdigest()}:{fingerprint}"
    except OSError as error:
        logger.warning("passed over %s: %s", record.id, error.strerror)
        content = ""
    metadata = {**record.metadata, "split": record.split}
    return Row(record.id, np.zeros(0, np.float32), record.picture, metadata, record.captions, content)


def _embed(encoder: "Callable[[], Encoder]", pictures: Mapping[str, Path]) -> dict[str, Vector]:
    """Unit vectors by key, without those that cannot be decoded; twins share a key and are embedded once."""
    if not pictures:
        return {}
    try:
        return dict(zip(pictures, encoder().pictures(pictures.values()), strict=True))
    except TuneclipError:
        readable = {key: path for key, path in pictures.items() if _can_be_read(path)}
        if len(readable) == len(pictures):
            raise
        return dict(zip(readable, encoder().pictures(readable.values()), strict=True))


def _can_be_read(path: Path) -> bool:
    try:
        load_picture(path)
    except TuneclipError as error:
        logger.warning("passed over: %s", error)
        return False
    return True
