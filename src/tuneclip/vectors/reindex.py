"""The verb `reindex`: a collection moves to another store, or is built anew by another model; the switch comes last."""

import itertools
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import Project, checked_name
from tuneclip.vectors.address import Place, checked_store
from tuneclip.vectors.collection import Collection, Row, backend, check_same, open_collection
from tuneclip.vectors.embed_texts import texts_name
from tuneclip.vectors.pointer import locate, place_of, pointer
from tuneclip.vectors.rebuild import rebuild
from tuneclip.vectors.versions import older, remove_older, switch

if TYPE_CHECKING:
    from rich.console import Console

AT_ONCE = 1024  # rows
ROUNDS = 3  # of copying, when others write meanwhile
COMPARED = 200  # rows that are compared whole at the end
NEAR = 1e-5  # how far a stored number may be from the one that was copied


@dataclass(frozen=True)
class Reindexed:
    """What `reindex` did; the fields are the keys of `--json`."""

    collection: str
    store: str
    model: str
    total: int
    written: int
    compared: int
    before: tuple[str, ...]
    """Where older versions still are."""
    removed: tuple[str, ...]
    seconds: float
    texts: "Reindexed | None" = None
    """The same of the captions' collection, where another model has embedded that too."""

    def show(self, console: "Console") -> None:
        """What is where now, and how to remove what it was before."""
        if self.texts:
            self.texts.show(console)
        line = f"{self.collection}: {self.total:,} rows in {self.store}, by {self.model} ({self.seconds:.1f} s)"
        console.print(line, markup=False)
        for place in self.removed:
            console.print(f"removed: {place}", markup=False)
        if self.before:
            console.print(f"kept as it was: {', '.join(self.before)}", markup=False)
            next_command = f"tuneclip reindex {shlex.quote(self.collection)} --remove-old"
            console.print(f"Next, when all is well: {next_command}", markup=False, style="dim")


def reindex(options: settings.Reindex, project: Project) -> Reindexed:
    """Move a collection to another store, or build it anew by another model, and only then switch over to it.

    Until the switch, searches go on in the old one. After a kill the next run does what is left. The old one stays
    until `--remove-old`. The captions' collection beside it goes to another model with it, not to another store.
    Raises TuneclipError when nothing or two things are asked for, and where reading or writing fails; then nothing has
    been switched.
    """
    began = time.monotonic()
    if (options.to_store is None) == (options.model is None) and not _only_removal(options):
        expected = "either --to-store URI or --model M"
        hint = f"tuneclip reindex {options.collection} --to-store URI"
        raise TuneclipError("it is not clear what to do", expected=expected, hint=hint)
    name, compared = options.collection, 0
    written: Mapping[str, int] = {}
    if options.to_store is not None:
        name, copied, compared = _move(options, options.to_store, project)
        written = {name: copied}
    elif options.model is not None:
        written = rebuild(name, options.model, project, to=options.to)
        name = options.to or name
    done = _done(name, project, options, written, began)
    beside = texts_name(done.collection)
    texts = _done(beside, project, options, written, began) if beside in written else None
    return replace(done, compared=compared, texts=texts)


def _done(
    name: str, project: Project, options: settings.Reindex, written: Mapping[str, int], began: float
) -> Reindexed:
    """What became of one collection, once what is asked to be removed is."""
    removed = remove_older(name, project) if options.remove_old else ()
    found = open_collection(name, project)
    return Reindexed(
        collection=found.name,
        store=found.store,
        model=found.origin.model,
        total=found.count(),
        written=written.get(found.name, 0),
        compared=0,
        before=tuple(str(place) for place in older(name, project)),
        removed=removed,
        seconds=round(time.monotonic() - began, 2),
    )


def _only_removal(options: settings.Reindex) -> bool:
    return options.remove_old and options.to_store is None and options.model is None


def _move(options: settings.Reindex, store: str, project: Project) -> tuple[str, int, int]:
    source = open_collection(options.collection, project)
    name = checked_name(options.to or source.name)
    public, secret = checked_store(store)
    old, new = locate(options.collection, project), Place(public, name, project.root.absolute(), "", secret)
    if (old.store, old.table) == (new.store, new.table):
        raise TuneclipError(f"collection {name!r} is there already", where=new, expected="another store or name")
    keeper = backend(new)
    target = keeper.open_table(new) or keeper.create_table(new, source.origin)
    check_same(target, source.origin)
    target.renew(source.origin)
    written = _copy(source, target)
    compared = _compare(source, target)
    switch(project, new, before=old if name == source.name else None)
    return name, written, compared


def _copy(source: Collection, target: Collection) -> int:
    """Make the target equal to the source; returns how many rows had to be written.

    What an interrupted run had copied is compared and left. Goes round again while others write to the source.
    """
    written = 0
    for _ in range(ROUNDS):
        written += _copy_once(source, target)
        if target.contents() == source.contents():
            target.forget(sorted(target.fields().keys() - source.fields().keys()))
            target.optimize()
            return written
    raise TuneclipError(
        f"collection {source.name!r} changes faster than it can be copied",
        hint="end what writes to it, then run the same command again; what was copied is kept",
    )


def _copy_once(source: Collection, target: Collection) -> int:
    known, written = target.contents().keys(), 0
    met: set[str] = set()
    batches = (row for batch in source.iterate(AT_ONCE) for row in batch)
    rows = track(batches, f"move {source.name}", total=source.count())
    for batch in _in_lists(rows):
        there = {row.id: row for row in target.get([row.id for row in batch if row.id in known])}
        stale = [row for row in batch if row.id not in there or not _equal(row, there[row.id])]
        target.upsert(stale)
        written += len(stale)
        met.update(row.id for row in batch)
    target.delete(sorted(known - met))
    return written


def _in_lists(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(rows, AT_ONCE)):
        yield batch


def _equal(one: Row, other: Row) -> bool:
    """The same row, but for the last digits of the vector."""
    empty = np.zeros(0, np.float32)
    alike = one.vector.shape == other.vector.shape and bool(np.abs(one.vector - other.vector).max() < NEAR)
    return alike and _facts(replace(one, vector=empty)) == _facts(replace(other, vector=empty))


def _facts(row: Row) -> tuple[object, ...]:
    return row.path, dict(row.metadata), row.captions, row.content, row.seen


def _compare(source: Collection, target: Collection) -> int:
    """How many rows were compared whole, drawn over the collection; TuneclipError if one differs."""
    ids = sorted(source.contents())
    sample = ids[:: max(1, len(ids) // COMPARED)]
    for one, other in zip(source.get(sample), target.get(sample), strict=True):
        if not _equal(one, other):
            raise TuneclipError(
                f"the copy of {one.id!r} differs; nothing was switched",
                where=target.store,
                hint="end what writes to the collection, then run the same command again",
            )
    return len(sample)


@dataclass(frozen=True)
class Forgotten:
    """What `forget` deleted; the fields are the keys of `--json`."""

    collection: str
    store: str
    total: int
    removed: tuple[str, ...]

    def show(self, console: "Console") -> None:
        """One line."""
        console.print(f"{self.collection}: {self.total:,} rows deleted from {self.store}", markup=False)


def forget(options: settings.Forget, project: Project) -> Forgotten:
    """Delete a collection for good, older versions included; the dataset and the models stay.

    Raises TuneclipError where there is none of that name. May be run again after a kill.
    """
    found, place = open_collection(options.collection, project), locate(options.collection, project)
    total = found.count()
    places = [*older(options.collection, project), place]
    for each in places:
        backend(each).drop_table(each)
    known = pointer(project, place.name)
    if known is not None and str(place_of(known, place.name, project)) == str(place):
        project.store_pointer(place.name).unlink(missing_ok=True)
    project.map(place.name).unlink(missing_ok=True)
    return Forgotten(place.name, place.store, total, tuple(str(each) for each in places))
