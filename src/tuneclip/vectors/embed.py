"""The verb `index`: a dataset's pictures as vectors in a collection; only what is new or changed is embedded."""

import hashlib
import logging
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneclip import settings
from tuneclip.data.load import Dataset, open_dataset
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
    Searching,
    Vector,
    find_collection,
    open_collection,
)
from tuneclip.vectors.embed_texts import embed_texts, texts_name
from tuneclip.vectors.hashes import Hashes
from tuneclip.vectors.pointer import inside

if TYPE_CHECKING:
    from rich.console import Console

    from tuneclip.model.encode import Encoder

logger = logging.getLogger("tuneclip")
EMBEDDED_AT_ONCE = 128  # pictures between two looks at what is already there
WRITTEN_AT_ONCE = 4096  # rows of one commit at most
SECONDS_UNWRITTEN = 20.0  # what a kill can cost


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
    index: Searching | None = None
    """How searches find: exactly, or by an index with a measured recall; None where the store does not tell."""
    texts: "Indexed | None" = None
    """The same of the captions, with `--texts`."""

    def show(self, console: "Console") -> None:
        """One line of counts and the next command."""
        counts = (f"{getattr(self, name):,} {name}" for name in ("added", "updated", "removed", "unchanged"))
        skipped = f", {self.skipped:,} unreadable" if self.skipped else ""
        line = f"{self.collection}: {self.total:,} pictures ({', '.join(counts)}{skipped}) in {self.seconds:.1f} s"
        console.print(line, markup=False)
        if self.index and self.index.kind != "exact":
            found = f"{100 * self.index.recall:.1f} % of the ten nearest are found"
            made = f", made in {self.index.seconds:.1f} s" if self.index.seconds is not None else ""
            console.print(f"search index: {found}{made}", markup=False)
        if self.texts:
            line = f"{self.texts.collection}: {self.texts.total:,} captions in {self.texts.seconds:.1f} s"
            console.print(line, markup=False)
        console.print(f'Next: tuneclip search {shlex.quote(self.collection)} "WORDS"', markup=False, style="dim")


def index(options: settings.Index, project: Project) -> Indexed:
    """Embed what is new or changed, take out what left the dataset, keep the rest; all splits.

    A picture is new by its id, and changed by its bytes, the model or its preprocessing; captions and metadata are
    brought up to date without embedding. Rows are written as it goes on, so that after a kill the next run only does
    what is left. A picture that cannot be read is logged and passed over. Raises TuneclipError when the collection
    was made by another model or from another dataset, and when no picture at all can be read.
    """
    dataset = open_dataset(options.dataset, project)
    if not dataset.count():
        raise TuneclipError(f"dataset {dataset.name!r} has no pictures", where=dataset.path)
    encoder = encoder_of(options.model, project, dataset)
    done = embed_pictures(_open(options, project, dataset, encoder), dataset, encoder, project)
    if not options.texts:
        return done
    texts = _open(replace(options, to=texts_name(done.collection)), project, dataset, encoder)
    return replace(done, texts=embed_captions(texts, dataset, encoder, project))


def encoder_of(model: str, project: Project, dataset: Dataset) -> "Callable[[], Encoder]":
    """What opens the model at the first call: that takes seconds, and often nothing is to be done."""
    return cache(lambda: _encoder(model, project, dataset))


def embed_pictures(
    collection: Collection, dataset: Dataset, encoder: "Callable[[], Encoder]", project: Project
) -> Indexed:
    """Bring a collection of the dataset's pictures up to date, by the encoder that made it."""
    began = time.monotonic()
    hashes = Hashes(project.kept / f"hashes-{_mark(dataset)}.sqlite")
    try:
        tally = _bring_up_to_date(collection, dataset, encoder, hashes)
    finally:
        hashes.save()
    return _indexed(collection, tally, began)


def embed_captions(
    collection: Collection, dataset: Dataset, encoder: "Callable[[], Encoder]", project: Project
) -> Indexed:
    """As `embed_pictures`, of the captions."""
    began = time.monotonic()
    return _indexed(collection, embed_texts(collection, dataset, encoder), began)


def origin_of(model: str, dataset: Dataset, project: Project, dimension: Callable[[], int]) -> Origin:
    """The origin of what this model makes of this dataset."""
    folder = locate(model, project)
    return Origin(
        model=_lasting_name(model, folder, project),
        fingerprint=fingerprint(folder),
        dimension=dimension(),
        dataset=dataset.name,
        folder=inside(dataset.path, project.root),
    )


def _indexed(collection: Collection, tally: Counter[str], began: float) -> Indexed:
    return Indexed(
        collection=collection.name,
        store=collection.store,
        model=collection.origin.model,
        fingerprint=collection.origin.fingerprint,
        added=tally["added"],
        updated=tally["updated"],
        removed=tally["removed"],
        unchanged=tally["unchanged"],
        skipped=tally["skipped"],
        total=collection.count(),
        index=collection.searching(),
        seconds=round(time.monotonic() - began, 2),
    )


def _mark(dataset: Dataset) -> str:
    """Tells the dataset's folder from others."""
    return hashlib.sha256(str(dataset.path.absolute()).encode()).hexdigest()[:16]


def _open(options: settings.Index, project: Project, dataset: Dataset, encoder: "Callable[[], Encoder]") -> Collection:
    name = checked_name(options.to or dataset.name)
    there = find_collection(name, project, store=options.store)
    known = there.origin.dimension if there else None
    origin = origin_of(options.model, dataset, project, lambda: known or encoder().dimension)
    return open_collection(name, project, store=options.store, origin=origin)


def _encoder(name: str, project: Project, dataset: Dataset) -> "Encoder":
    from tuneclip.model.ready import sample_of

    return open_model(name, project, sample=sample_of(dataset))


def _lasting_name(name: str, folder: Path, project: Project) -> str:
    """A name that finds the model again from any working directory."""
    in_project = project.root / "models" / name
    if folder == STARTER or in_project.is_dir() or not Path(name).is_dir():
        return name
    return str(folder.absolute())


def _bring_up_to_date(
    collection: Collection, dataset: Dataset, encoder: "Callable[[], Encoder]", hashes: Hashes
) -> Counter[str]:
    """Write what is new or changed and delete what is gone; returns how many pictures met which fate."""
    known = collection.contents()
    tally: Counter[str] = Counter()
    waiting: list[Row] = []
    written, named = time.monotonic(), {"split"}
    chunks = _chunks(collection, dataset, known, named, hashes)
    for fate, row in track(_fates(chunks, encoder), f"index {collection.name}", total=dataset.count()):
        tally[fate] += 1
        waiting += [] if row is None else [row]
        late = time.monotonic() - written > SECONDS_UNWRITTEN
        if len(waiting) >= (EMBEDDED_AT_ONCE if late else WRITTEN_AT_ONCE):
            collection.upsert(waiting)
            waiting, written = [], time.monotonic()
    collection.upsert(waiting)
    if tally["skipped"] == tally.total():
        raise TuneclipError(f"no picture of dataset {dataset.name!r} can be read", where=dataset.path)
    if tally["skipped"]:
        logger.warning("%s of %s pictures cannot be read", f"{tally['skipped']:,}", f"{tally.total():,}")
    collection.delete(sorted(known))
    tally["removed"] = len(known)
    collection.forget(sorted(collection.fields().keys() - named))
    if tally["added"] or tally["updated"] or tally["removed"]:
        collection.optimize()
    return tally


@dataclass(frozen=True)
class _Chunk:
    """Some records looked at: the rows they want, and which of those need a vector."""

    wanted: dict[str, Row]
    changed: dict[str, Row]
    before: dict[str, Row]
    """The stored rows of those that changed."""
    kept: dict[str, Vector]
    """Vectors that stay, since only captions or metadata changed."""
    fresh: dict[str, Path]
    """Pictures to embed, by content: twins share a key and are embedded once."""


def _fates(chunks: "Iterator[_Chunk]", encoder: "Callable[[], Encoder]") -> Iterator[tuple[str, Row | None]]:
    """What becomes of each record, in order, and its row where one is to be written; memory stays flat.

    While one chunk's rows are used the pictures of the next ones are decoded and embedded.
    """
    for chunk, vectors in _embedded(chunks, encoder):
        yield from _settled(chunk, vectors)


def _chunks(
    collection: Collection, dataset: Dataset, known: dict[str, Keys], named: set[str], hashes: Hashes
) -> Iterator[_Chunk]:
    """The dataset in chunks; `known` loses what is met, and `named` gains the fields of metadata."""
    source = dataset.stream()
    while records := list(islice(source, EMBEDDED_AT_ONCE)):
        named.update(*(record.metadata for record in records))
        wanted = {record.id: _row(dataset, record, collection.origin.fingerprint, hashes) for record in records}
        there = {key: known.pop(key) for key in wanted if key in known}
        changed = {key: row for key, row in wanted.items() if row.content and there.get(key) != row.keys}
        before = {row.id: row for row in collection.get([key for key in changed if key in there])}
        kept = {key: old.vector for key, old in before.items() if old.content == changed[key].content}
        fresh = {row.content: dataset.path / row.path for key, row in changed.items() if key not in kept}
        yield _Chunk(wanted, changed, before, kept, fresh)


def _embedded(chunks: Iterator[_Chunk], encoder: "Callable[[], Encoder]") -> Iterator[tuple[_Chunk, dict[str, Vector]]]:
    """Each chunk with the vectors of its fresh pictures that can be read; opens no model before there is one."""
    for chunk in chunks:
        if chunk.fresh:
            break
        yield chunk, {}
    else:
        return
    groups = ((each, list(each.fresh.values())) for each in chain([chunk], chunks))
    for each, found in encoder().stream(groups):
        vectors: dict[str, Vector] = {}
        for key, one in zip(each.fresh, found, strict=True):
            if isinstance(one, TuneclipError):
                logger.warning("passed over: %s", one)
            else:
                vectors[key] = one
        yield each, vectors


def _settled(chunk: _Chunk, vectors: Mapping[str, Vector]) -> Iterator[tuple[str, Row | None]]:
    for key, row in chunk.wanted.items():
        vector = chunk.kept.get(key, vectors.get(row.content))
        if row.content and key not in chunk.changed:
            yield "unchanged", None
        elif vector is None:
            yield "skipped", None
        elif key in chunk.before:
            yield "updated", replace(row, vector=vector, seen=chunk.before[key].seen)
        else:
            yield "added", replace(row, vector=vector)


def _row(dataset: Dataset, record: Record, fingerprint: str, hashes: Hashes) -> Row:
    """The record's row, still without its vector; without a content key if its file cannot be read."""
    try:
        content = f"{hashes.of(dataset.picture_path(record), record.picture)}:{fingerprint}"
    except OSError as error:
        logger.warning("passed over %s: %s", record.id, error.strerror)
        content = ""
    metadata = {**record.metadata, "split": record.split}
    return Row(record.id, np.zeros(0, np.float32), record.picture, metadata, record.captions, content)
