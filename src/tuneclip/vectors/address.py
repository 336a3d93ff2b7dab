"""Where a collection is: its store as a folder or a URI, and the password, which is kept apart from the rest."""

import os
import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from tuneclip.errors import TuneclipError
from tuneclip.project import ENVIRONMENT

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
# Object stores that LanceDB writes to by itself.
REMOTE = ("s3", "s3+ddb", "gs", "az", "abfss")
SERVERS = {
    "postgresql": "PGPASSWORD",
    "postgres": "PGPASSWORD",
    "milvus": "MILVUS_TOKEN",
    "milvus+https": "MILVUS_TOKEN",
}
"""Schemes of databases, with the variable that holds the password or token."""


@dataclass(frozen=True)
class Place:
    """Where a collection is: `store` is an absolute folder or a URI without a password."""

    store: str
    name: str
    root: Path
    """The project's folder, from which relative paths in an origin start."""
    version: str = ""
    """The table's name where it is not the collection's: a version that was built beside an older one."""
    secret: str | None = field(default=None, repr=False, compare=False)
    """The password that the URI had; never written anywhere."""

    @property
    def table(self) -> str:
        """What the collection is called in its store."""
        return self.version or self.name

    @property
    def folder(self) -> Path | None:
        """The store's folder; None for a store that is reached by a URI."""
        return None if SCHEME.match(self.store) else Path(self.store)

    def password(self) -> str | None:
        """The secret of the URI, else of the environment, else of the project's `.env`; None where there is none."""
        variable = SERVERS.get(scheme(self.store), "")
        return self.secret or os.environ.get(variable) or _from_file(self.root / ENVIRONMENT, variable)

    def __str__(self) -> str:
        return f"{self.store}/{self.table}"


def scheme(store: str) -> str:
    """The URI's scheme in small letters; empty for a folder."""
    found = SCHEME.match(store)
    return found[1].lower() if found else ""


def checked_store(store: str) -> tuple[str, str | None]:
    """The store as an absolute folder or a URI without password, and the password.

    Raises TuneclipError where nothing of ours can live there.
    """
    kind = scheme(store)
    if kind in ("", "file"):
        path = store[len("file://") :] if kind else store
        folder = Path(path).expanduser().absolute()
        if not path or (folder.exists() and not folder.is_dir()):
            raise TuneclipError(f"{store!r} cannot be a store", expected="a folder, or a URI like s3://bucket/folder")
        return str(folder), None
    if kind in SERVERS:
        return _parted(store)
    if kind not in REMOTE:
        schemes = ", ".join(f"{known}://" for known in (*REMOTE, *SERVERS))
        where = re.sub(r"//.*@", "//", store)
        raise TuneclipError(
            f"no store of the kind {kind}://", where=where, expected=f"a folder or a URI that begins with {schemes}"
        )
    return store.rstrip("/"), None


def _parted(uri: str) -> tuple[str, str | None]:
    """A server's URI without its password, and the password."""
    try:
        parts = urllib.parse.urlsplit(uri)
        # A password may have an @ that nobody encoded: the last one ends it.
        account, mark, hosts = parts.netloc.rpartition("@")
        user, _, password = account.partition(":")
        pairs = urllib.parse.parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise TuneclipError(
            f"the {scheme(uri)}:// address cannot be read",
            expected="postgresql://user@host:port/database, with special characters as %XX",
        ) from error
    given = [value for name, value in pairs if name == "password"]
    query = urllib.parse.urlencode([pair for pair in pairs if pair[0] != "password"])
    path = parts.path if parts.netloc == "" else parts.path.rstrip("/")
    public = f"{scheme(uri)}://{user}{mark}{hosts}{path}" + (f"?{query}" if query else "")
    secret = given[-1] if given else urllib.parse.unquote(password)
    return public, secret or None


def _from_file(path: Path, variable: str) -> str | None:
    from dotenv import dotenv_values

    return dotenv_values(path).get(variable) if variable and path.is_file() else None
