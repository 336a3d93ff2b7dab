"""A connection to PostgreSQL that is made again when it breaks, and what the server's errors mean to a user."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tuneclip.errors import TuneclipError, one_line
from tuneclip.vectors.address import Place

CONNECT_SECONDS = 10
RESTART_SECONDS = 20.0  # a server that was stopped needs them to come back
ATTEMPTS = 6  # of a transaction that others stood in the way of
T = TypeVar("T")


class Server:
    """One connection to the store of a place. Every piece of work is one transaction, and may be run again."""

    def __init__(self, place: Place):
        self._place = place
        self._connection: Any = None
        self._process = os.getpid()
        self._lock = threading.RLock()

    def run(self, work: Callable[[Any], T], *, transaction: bool = True) -> T:
        """What `work(connection)` returns. A broken connection is made anew once, then the work is done again."""
        import psycopg

        with self._lock:
            reconnected = False
            for attempt in range(ATTEMPTS):
                connection = self._connected(patient=reconnected)
                try:
                    return _inside(connection, work) if transaction else work(connection)
                except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as error:
                    if attempt == ATTEMPTS - 1:
                        raise explained(error, self._place) from error
                except psycopg.Error as error:
                    if reconnected or not connection.closed:
                        raise explained(error, self._place) from error
                    reconnected = True
            raise TuneclipError("the server is too busy", where=self._place, hint="run the same command again")

    def close(self) -> None:
        """End the connection; the next work makes one again."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        self.close()

    def _connected(self, *, patient: bool) -> Any:
        import psycopg

        if self._process != os.getpid():  # a forked process must leave its parent's connection alone
            self._connection, self._process = None, os.getpid()
        deadline = time.monotonic() + (RESTART_SECONDS if patient else 0)
        while self._connection is None or self._connection.closed:
            try:
                self._connection = _connect(self._place)
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise explained(error, self._place) from error
                time.sleep(0.2)
        return self._connection


def _inside(connection: Any, work: Callable[[Any], T]) -> T:
    with connection.transaction():
        return work(connection)


def _connect(place: Place) -> Any:
    import psycopg
    from pgvector.psycopg import register_vector
    from psycopg.conninfo import conninfo_to_dict

    try:
        parameters: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, **conninfo_to_dict(place.store)}
    except psycopg.ProgrammingError:
        expected = "postgresql://user@host:port/database, with special characters as %XX"
        raise TuneclipError("the PostgreSQL address cannot be read", where=place.store, expected=expected) from None
    parameters |= {"password": secret} if (secret := place.password()) else {}
    connection = psycopg.connect(
        **parameters, autocommit=True, prepare_threshold=None, fallback_application_name="tuneclip"
    )
    if connection.execute("select 1 from pg_type where typname = 'vector'").fetchone():
        register_vector(connection)
    return connection


def explained(error: Exception, place: Place) -> TuneclipError:
    """What the server said, as one line that a user can act on; never with a password in it."""
    import psycopg

    text = one_line(error)
    state = getattr(error, "sqlstate", None) or ""
    for sign, what, hint in MEANINGS:
        if sign == state or (sign in text and not state):
            return TuneclipError(what, where=place, hint=hint)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not state:
        return TuneclipError("the connection to the server was lost", where=place, hint=_AGAIN)
    return TuneclipError(f"PostgreSQL refused: {text[:200]}", where=place)


_ACCOUNT = "set PGPASSWORD, or write it into ~/.pgpass or the project's .env; a password in a URI is never kept"
_AGAIN = "see that the server runs and the address is right, then run the same command again"
_SPACE = "free some space on the server, then run the same command again; finished work is kept"
MEANINGS: tuple[tuple[str, str, str | None], ...] = (
    ("password authentication failed", "wrong user or password", _ACCOUNT),
    ("no password supplied", "the server wants a password", _ACCOUNT),
    ("28P01", "wrong user or password", _ACCOUNT),
    ("no pg_hba.conf entry", "the server does not admit this user from here", "ask its administrator for access"),
    ("too many clients", "the server has no free connection", "run the same command again later"),
    ("53300", "the server has no free connection", "run the same command again later"),
    ('role "', "the server does not know this user", _ACCOUNT),
    ('database "', "there is no such database on the server", "createdb NAME, or correct the address"),
    ("refused", "the server cannot be reached", _AGAIN),
    ("timeout", "the server cannot be reached", _AGAIN),
    ("could not translate", "the server cannot be reached", _AGAIN),
    ("failed to resolve", "the server cannot be reached", _AGAIN),
    ("57P01", "the server was stopped in the middle", _AGAIN),
    ("57P02", "the server was stopped in the middle", _AGAIN),
    ("57P03", "the server is starting or stopping", _AGAIN),
    ("53100", "the server's disk is full", _SPACE),
    ("53200", "the server's memory is used up", "run the same command again later"),
    ("42501", "no permission in this database", "ask its administrator, or name another database"),
    ("25006", "the database can only be read", "name the primary server, not a copy"),
    ("0A000", "the server has no pgvector", "install pgvector there: https://github.com/pgvector/pgvector"),
    ("58P01", "the server has no pgvector", "install pgvector there: https://github.com/pgvector/pgvector"),
    ("42P01", "the collection was deleted meanwhile", None),
)
"""Parts of messages (a failed connection has no code) or SQLSTATE codes, with what they mean and what to do."""
