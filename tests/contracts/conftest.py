"""The servers behind the backends, one of each a session."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from servers import MILVUS_PASSWORD, PASSWORD, MilvusServer, PostgresServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real PostgreSQL whose password lies in the environment."""
    folder = Path(tempfile.mkdtemp(prefix="tuneclip-"))
    folder.chmod(0o755)  # the server runs as a user of its own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", PASSWORD)
        server = PostgresServer(folder / "postgres")
        yield server
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def milvus() -> Iterator[MilvusServer]:
    """A real Milvus, standalone, whose password lies in the environment."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("only one Milvus can run: pytest -m alone")
    if find_spec("milvus") is None:
        pytest.skip("the package milvus is not installed here")
    folder = Path(tempfile.mkdtemp(prefix="tuneclip-"))
    try:
        server = MilvusServer(folder / "milvus")
    except (OSError, RuntimeError) as error:
        pytest.skip(f"Milvus cannot be started here: {error}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILVUS_TOKEN", MILVUS_PASSWORD)
        yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
