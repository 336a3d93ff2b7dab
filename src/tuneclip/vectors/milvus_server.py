"""A connection to Milvus, or to a file of Milvus Lite, and what its errors mean to a user."""

import logging
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from tuneclip.errors import TuneclipError, explain_os_error
from tuneclip.vectors.address import Place

CONNECT_SECONDS = 10
RESTART_SECONDS = 90.0  # a server that was stopped needs them to come back and load its collections again
PAUSE_SECONDS = 0.5
IDS_AT_ONCE = 1000
T = TypeVar("T")


class Server:
    """One client for the store of a place. Every piece of work may be run again."""

    def __init__(self, place: Place):
        self._place = place
        self._client: Any = None
        self.is_file = lite_file(place.store) is not None

    def run(self, work: Callable[[Any], T], *, table: str | None = None) -> T:
        """What `work(client)` returns; done again once the server is back, or `table` is loaded again."""
        from pymilvus.exceptions import MilvusException

        deadline: float | None = None
        while True:
            try:
                return work(self._connected())
            except (MilvusException, OSError) as error:
                known = self._client is not None  # a server that never answered is not waited for
                passing = _is_passing(error) and known and not self.is_file
                now = time.monotonic()
                deadline = deadline or now + RESTART_SECONDS
                if not passing or now > deadline:
                    raise explained(error, self._place) from error
                time.sleep(PAUSE_SECONDS)
                if table is not None:
                    self._load(table)

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
        self._client = None

    def __del__(self) -> None:
        self.close()

    def _connected(self) -> Any:
        if self._client is None:
            self._client = _connect(self._place)
        return self._client

    def _load(self, table: str) -> None:
        from pymilvus.exceptions import MilvusException

        try:
            self._client.load_collection(table, timeout=CONNECT_SECONDS)
        except MilvusException as error:
            logging.getLogger("tuneclip").debug("not loaded yet: %s", error)


def lite_file(store: str) -> Path | None:
    """The path in `milvus:///path/to/file.db`; None where the address names a server."""
    parts = urllib.parse.urlsplit(store)
    return Path(urllib.parse.unquote(parts.path)) if not parts.netloc else None


def _connect(place: Place) -> Any:
    from pymilvus import MilvusClient

    for name in ("pymilvus", "grpc._server"):  # they log a traceback for every refusal, which we explain
        logging.getLogger(name).setLevel(logging.CRITICAL)
    parts = urllib.parse.urlsplit(place.store)
    file = lite_file(place.store)
    if file is not None:
        _check_lite(place, file)
        return MilvusClient(str(file))
    host = f"{parts.hostname}:{parts.port or 19530}"
    secret, user = place.password(), urllib.parse.unquote(parts.username or "")
    token = f"{user}:{secret}" if secret and user and ":" not in secret else secret or ""
    address = f"{'https' if parts.scheme.endswith('https') else 'http'}://{host}"
    return MilvusClient(address, token=token, db_name=parts.path.strip("/"), timeout=CONNECT_SECONDS)


def _check_lite(place: Place, file: Path) -> None:
    from importlib.util import find_spec

    if find_spec("milvus_lite") is None:
        raise TuneclipError(
            "a Milvus file needs milvus-lite, not installed here", hint="pip install 'tuneclip[milvus]'"
        )
    if file.suffix != ".db":
        raise TuneclipError(
            "a Milvus file has a name that ends in .db", where=place.store, expected="milvus:///DIR/NAME.db"
        )
    file.parent.mkdir(parents=True, exist_ok=True)


def _is_passing(error: Exception) -> bool:
    """Whether the same request may well succeed a little later: a server that restarts, a collection being loaded."""
    text = str(error).lower()
    return any(sign in text for sign in PASSING)


PASSING: tuple[str, ...] = (
    "unavailable",
    "not loaded",
    "not fully loaded",
    "connection refused",
    "server closed",
    "socket closed",
)
PASSING += ("no available shard", "not healthy", "node not", "channel not", "index not found", "closed channel")
PASSING += (
    "fail connecting",
    "should retry",
    "code=2,",
    "service not ready",
    "not ready",
    "node offline",
    "shard leader",
)


def explained(error: Exception, place: Place) -> TuneclipError:
    """What Milvus said, as one line that a user can act on; never with a password in it."""
    if isinstance(error, OSError) and (mendable := explain_os_error(error)):
        return mendable
    text = _said(error)
    for sign, what, hint in MEANINGS:
        if sign in text.lower():
            return TuneclipError(what, where=place, hint=hint)
    return TuneclipError(f"Milvus refused: {text[:200]}", where=place)


def _said(error: Exception) -> str:
    """The message, and the server's own behind it: pymilvus calls a wrong password "server unavailable"."""
    behind: Any = error.__cause__ if hasattr(error.__cause__, "details") else None
    details = behind.details() if behind else ""
    return " ".join(f"{getattr(error, 'message', '') or error} {details}".split())


_ACCOUNT = "set MILVUS_TOKEN to USER:PASSWORD or to a key, in the environment or the project's .env"
_AGAIN = "see that the server runs and the address is right, then run the same command again"
_SPACE = "free some space on the server, then run the same command again; finished work is kept"
MEANINGS: tuple[tuple[str, str, str | None], ...] = (
    ("missing authorization", "the server wants a password", _ACCOUNT),
    ("auth check", "wrong user or password", _ACCOUNT),
    ("unauthenticated", "wrong user or password", _ACCOUNT),
    ("database not found", "there is no such database on the server", "correct the address"),
    (
        "open local milvus failed",
        "another process has this Milvus file open",
        "end that process, or use a Milvus server",
    ),
    ("no space", "the disk is full", _SPACE),
    ("disk", "the server's disk is full", _SPACE),
    ("quota", "the server refuses writes: a limit of its memory or disk is reached", _SPACE),
    ("resource_exhausted", "the request is larger than the server takes", None),
    ("collection not found", "the collection was deleted meanwhile", None),
    ("can't find collection", "the collection was deleted meanwhile", None),
    ("fail connecting", "the server cannot be reached", _AGAIN),
    ("unavailable", "the server cannot be reached", _AGAIN),
    ("refused", "the server cannot be reached", _AGAIN),
    ("deadline", "the server does not answer in time", _AGAIN),
)
"""Parts of messages in small letters: Milvus's codes tell little (most bad input is 65535)."""


def in_chunks(items: list[T]) -> Iterator[list[T]]:
    """The items in lists of so many as one expression may name."""
    for start in range(0, len(items), IDS_AT_ONCE):
        yield items[start : start + IDS_AT_ONCE]
