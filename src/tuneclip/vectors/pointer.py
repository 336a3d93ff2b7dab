"""What a project remembers of its collections: in which store each lives, and under which name there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuneclip.project import Project, checked_name, read_json, write_json
from tuneclip.vectors.address import SCHEME, Place, checked_store


def locate(name: str, project: Project, store: str | None = None) -> Place:
    """Where a collection of that name is or would be."""
    root = project.root.absolute()
    if store is None and ("/" in name or "\\" in name):
        store, _, name = name.replace("\\", "/").rstrip("/").rpartition("/")
        name = name.removesuffix(".lance")
    checked_name(name)
    pointed = pointer(project, name)
    if store is not None:
        public, secret = checked_store(store)
        same = pointed is not None and _absolute(pointed.store, root) == public
        return Place(public, name, root, pointed.version if pointed and same else "", secret)
    if pointed is not None:
        return Place(_absolute(pointed.store, root), name, root, pointed.version)
    return Place(str(project.vectors.absolute()), name, root)


@dataclass(frozen=True)
class Pointer:
    """What a project remembers of a collection that is not simply the table of its name in the own database."""

    store: str
    """A URI without password, or a folder, relative to the project where it lies inside."""
    version: str = ""
    """The table's name, where it is another one than the collection's."""
    before: "Pointer | None" = None
    """Where the collection was before it was moved or rebuilt; kept until it is removed."""
    begun: bool = False
    """Whether it is not whole yet: a version that is being made, or was when a kill came."""


def pointer(project: Project, name: str) -> Pointer | None:
    """What the project remembers of that collection, if anything."""
    path = project.store_pointer(name)
    return _to_pointer(read_json(path)) if path.is_file() else None


def versions(project: Project, name: str) -> list[Pointer]:
    """What the project remembers of a collection, the version in use first; empty where it remembers nothing."""
    found: list[Pointer] = []
    known = pointer(project, name)
    while known is not None:
        found.append(replace(known, before=None))
        known = known.before
    return found


def point(project: Project, name: str, to: Pointer) -> None:
    """From now on the project's collection of that name is there; at once, by one renamed file."""
    path = project.store_pointer(name)
    if to == Pointer(inside(project.vectors, project.root)):
        path.unlink(missing_ok=True)
    elif pointer(project, name) != to:
        write_json(path, _from_pointer(to))


def place_of(known: Pointer, name: str, project: Project) -> Place:
    """The place that a pointer says for the collection of that name."""
    root = project.root.absolute()
    return Place(_absolute(known.store, root), name, root, known.version)


def _to_pointer(known: Mapping[str, Any]) -> Pointer:
    before = _to_pointer(known["before"]) if known.get("before") else None
    return Pointer(str(known["store"]), str(known.get("version", "")), before, bool(known.get("begun")))


def _from_pointer(known: Pointer) -> dict[str, Any]:
    """Without the parts that are empty."""
    before = _from_pointer(known.before) if known.before else None
    parts = {"version": known.version, "begun": known.begun, "before": before}
    return {"store": known.store} | {name: value for name, value in parts.items() if value}


def _absolute(store: str, root: Path) -> str:
    return store if SCHEME.match(store) else str(root / store)


def inside(path: Path, root: Path) -> str:
    """`path` relative to the project's folder where it lies inside, so that a project can be moved; else absolute."""
    path, root = path.absolute(), root.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
