"""Database servers on the loopback, as the tests start them: fresh, alone, and gone afterwards."""

import importlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVERS = Path(__file__).parents[2] / "tests" / "contracts" / "servers.py"
STARTED = ("postgresql", "milvus")
"""What `--store` starts by itself."""


@contextmanager
def serving(store: str) -> Iterator[tuple[str, str]]:
    """The address of a store, and the folder in which its server keeps everything.

    For one of `STARTED` a server runs meanwhile, with the settings that its package brings; for an address, which is
    given back as it is, the folder is not known and empty.
    """
    if store not in STARTED:
        yield store, ""
        return
    folder = Path(tempfile.mkdtemp(prefix="tuneclip-server-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    before = os.environ.get("PGPASSWORD")
    server = None
    try:
        server = _start(store, folder / store)
        yield server.uri, str(server.folder)
    finally:
        if server is not None:
            server.stop()
        if store == "postgresql" and before is None:
            os.environ.pop("PGPASSWORD", None)
        elif before is not None:
            os.environ["PGPASSWORD"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _start(store: str, folder: Path) -> Any:
    servers = _module()
    if store == "milvus":
        return servers.MilvusServer(folder, guarded=False)
    psycopg = importlib.import_module("psycopg")  # an extra: other stores are measured without it
    os.environ["PGPASSWORD"] = servers.PASSWORD
    server = servers.PostgresServer(folder)
    with psycopg.connect(server.uri, autocommit=True) as connection:  # the tests save themselves the waiting
        connection.execute("alter system reset fsync")
        connection.execute("select pg_reload_conf()")
    return server


def _module() -> Any:
    found = importlib.util.spec_from_file_location("servers", SERVERS)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
