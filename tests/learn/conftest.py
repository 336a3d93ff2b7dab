"""Clouds of vectors, and a project with an indexed collection."""

from collections.abc import Callable
from pathlib import Path

import pytest
from clouds import World, draw_world

from tuneclip.project import Project


@pytest.fixture(scope="session")
def world() -> World:
    return draw_world(0)


@pytest.fixture
def worlds() -> Callable[..., World]:
    return draw_world


@pytest.fixture
def indexed(project: Path) -> Project:
    """A project whose dataset `small` is the collection `finds` of the model `tiny`."""
    import tuneclip

    tuneclip.index("small", model="tiny", to="finds", project=project)
    return Project(project)
