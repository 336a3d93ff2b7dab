"""A project with a collection of drawn pictures, and the page over it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import HOME, served


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, tiny_model: Path) -> Path:
    """A project with the dataset `small`, the model `tiny` and its collections `small` and `other`; read only."""
    import shutil

    import tuneclip

    root = tmp_path_factory.mktemp("indexed")
    shutil.copytree(small_dataset, root / "datasets" / "small")
    shutil.copytree(tiny_model, root / "models" / "tiny")
    for name in ("small", "other"):
        tuneclip.index("small", model="tiny", to=name, project=root)
    return root


@pytest.fixture(scope="session")
def home(indexed: Path) -> Iterator[str]:
    """The address of a real server over `indexed`."""
    with served(indexed) as (address, _):
        yield address


@pytest.fixture
def page() -> Callable[..., object]:
    """A client of the page over a project, as the browser on this machine would ask."""

    def client(project: Path, *, token: str | None = None, local: bool = True) -> object:
        from starlette.testclient import TestClient

        from tuneclip.project import Project
        from tuneclip.web.app import make_app
        from tuneclip.web.security import Rules

        return TestClient(make_app(Project(project), Rules(local, token)), HOME, raise_server_exceptions=False)

    return client
