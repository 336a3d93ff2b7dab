"""The backends that the one contract suite runs over."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tuneclip.vectors.collection import Collection, Origin, open_collection
from tuneclip.vectors.exact import ExactCollection


@dataclass(frozen=True)
class Backend:
    """One way to keep a collection, and how it differs from the others: declared here, not discovered."""

    name: str
    store: Callable[[Path, pytest.FixtureRequest], str | None]
    processes: bool = True
    """Several processes may have it open at once."""
    restarts: bool = False
    """There is a server that can be stopped in the middle."""

    thin: int = 1
    """One of so many cases is tried where opening or a sure read takes tenths of a second."""

    def open(self, root: Path, request: pytest.FixtureRequest, origin: Origin) -> Collection:
        """The collection of that project folder, new at first."""
        if self.name == "exact":
            return ExactCollection("finds", origin, root)
        return open_collection(named(root), root, store=self.store(root, request), origin=origin)


def named(root: Path) -> str:
    """Each test has a name of its own on the servers that all share."""
    return f"finds {hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("exact", lambda root, request: None, processes=False),
        Backend("lancedb", lambda root, request: None),
        Backend("postgres", lambda root, request: request.getfixturevalue("postgres").uri, restarts=True),
        Backend("milvus-lite", lambda root, request: f"milvus://{root}/milvus.db", processes=False, thin=3),
        Backend("milvus", lambda root, request: request.getfixturevalue("milvus").uri, restarts=True, thin=10),
    )
}
KEPT = [name for name in BACKENDS if name != "exact"]
MARKS = {"milvus": (pytest.mark.slow, pytest.mark.alone)}
"""A second Milvus server would find the ports of the first one taken."""


def parameters(names: list[str]) -> list:
    return [pytest.param(name, marks=MARKS.get(name, ())) for name in names]
