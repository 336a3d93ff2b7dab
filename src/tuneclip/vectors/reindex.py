"""The verb `reindex`: a collection moves to another store, or is built anew by another model; the switch comes last."""

import itertools
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.model.open import fingerprint
from tuneclip.model.open import locate as locate_model
from tuneclip.progress import track
from tuneclip.project import Project, checked_name
from tuneclip.vectors.address import Place, checked_store
from tuneclip.vectors.collection import Collection, Row, backend, check_same, open_collection
from tuneclip.vectors.pointer import Pointer, inside, locate, place_of, point, pointer

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

    def show(self, console: "Console") -> None:
        """What is where now, and how to remove what it was before."""
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
    until `--remove-old`. Raises TuneclipError when nothing or two things are asked for, and where reading or writing
    fails; then nothing has been switched.
    """
    began = time.monotonic()
    if (options.to_store is None) == (options.model is None) and not _only_removal(options):
        expected = "either --to-store URI or --model M"
        hint = f"tuneclip reindex {options.collection} --to-store URI"
        raise TuneclipError("it is not clear what to do", expected=expected, hint=hint)
    name, written, compared = options.collection, 0, 0
    if options.to_store is not None:
        name, written, compared = _move(options, options.to_store, project)
    elif options.model is not None:
        name, written = _rebuild(options, options.model, project)
    removed = _remove_old(name, project) if options.remove_old else ()
    found = open_collection(name, project)
    return Reindexed(
        collection=found.name,
        store=found.store,
        model=found.origin.model,
        total=found.count(),
        written=written,
        compared=compared,
        before=tuple(str(place) for place in _older(name, project)),
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
    _switch(project, new, before=old if name == source.name else None)
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


def _rebuild(options: settings.Reindex, model: str, project: Project) -> tuple[str, int]:
    from tuneclip.vectors.embed import index

    source, old = open_collection(options.collection, project), locate(options.collection, project)
    mark = fingerprint(locate_model(model, project))
    if mark == source.origin.fingerprint:
        hint = f"tuneclip index {source.origin.dataset} --model {model} --to {source.name}"
        raise TuneclipError(f"collection {source.name!r} was made by this model", expected="another one", hint=hint)
    name = checked_name(options.to or source.name)
    version = name if options.to else f"{name}@{mark[:8]}"
    folder = project.root / source.origin.folder
    dataset = str(folder) if source.origin.folder and folder.is_dir() else source.origin.dataset
    made = index(settings.Index(dataset, model, to=version, store=source.store), project)
    if options.to is None:
        new = Place(source.store, name, project.root.absolute(), version)
        _copy_marks(source, open_collection(version, project, store=source.store))
        _switch(project, new, before=old)
        project.store_pointer(version).unlink(missing_ok=True)
    return name, made.added + made.updated


def _copy_marks(source: Collection, target: Collection) -> None:
    for batch in source.iterate(AT_ONCE):
        target.update_seen([row.id for row in batch if row.seen], 1)


def _switch(project: Project, new: Place, *, before: Place | None) -> None:
    """The collection of this name is the new one from now on; where it was is remembered."""
    known = pointer(project, new.name)
    older = None
    if before is not None:
        older = known or Pointer(_store(before, project), before.version)
    now = Pointer(_store(new, project), new.version)
    if known is None or (known.store, known.version) != (now.store, now.version):
        point(project, new.name, replace(now, before=older))


def _store(place: Place, project: Project) -> str:
    return inside(place.folder, project.root) if place.folder else place.store


def _older(name: str, project: Project) -> list[Place]:
    """Where the collection was before, newest first; never where it is now."""
    known = pointer(project, name.rpartition("/")[2])
    now = locate(name, project)
    found: list[Place] = []
    older = known.before if known else None
    while older is not None:
        place = place_of(older, now.name, project)
        if str(place) not in {str(each) for each in (now, *found)}:
            found.append(place)
        older = older.before
    return found


def _remove_old(name: str, project: Project) -> tuple[str, ...]:
    removed = _older(name, project)
    for place in removed:
        backend(place).drop_table(place)
    known = pointer(project, name.rpartition("/")[2])
    if known is not None:
        point(project, name.rpartition("/")[2], replace(known, before=None))
    return tuple(str(place) for place in removed)


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
    places = [*_older(options.collection, project), place]
    for each in places:
        backend(each).drop_table(each)
    known = pointer(project, place.name)
    if known is not None and str(place_of(known, place.name, project)) == str(place):
        project.store_pointer(place.name).unlink(missing_ok=True)
    return Forgotten(place.name, place.store, total, tuple(str(each) for each in places))
