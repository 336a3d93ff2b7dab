"""One polite HTTP fetch into a file: guarded, limited, and going on where an earlier attempt broke off."""

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from tuneclip import __version__
from tuneclip.data.address import Guard, PrivateAddressError, guarded_transport
from tuneclip.project import write_json

USER_AGENT = f"tuneclip/{__version__} (picture download)"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
AGAIN = frozenset({408, 425, 429})  # and every 5xx
_HEAD = 512  # bytes by which a page of text is known
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_MARKUP = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<?xml", b"<!--")


class RefusedError(Exception):
    """The picture will not come in this run: trying again would end the same. The message is the reason."""


class LaterError(Exception):
    """The attempt failed, another may not; the message is the reason."""

    def __init__(self, reason: str, wait_seconds: float | None = None, *, silent: bool = False) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        """How long the server asks to wait."""
        self.silent = silent
        """The host did not answer at all."""


@dataclass(frozen=True)
class Limits:
    """What one fetch may take, and how many a host gets at once."""

    connections: int = 4
    max_bytes: int = 50_000_000
    max_seconds: float = 300.0
    silence_seconds: float = 30.0


@dataclass(frozen=True)
class Part:
    """A picture on its way: the bytes so far, and beside them by which mark the server knows their version."""

    path: Path

    @property
    def note(self) -> Path:
        """The file with the version's mark."""
        return self.path.with_suffix(".json")

    def size(self) -> int:
        """How many bytes are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def mark(self) -> str | None:
        """The mark of the version that the bytes are of; None when they cannot be gone on with."""
        try:
            mark = json.loads(self.note.read_text(encoding="utf-8"))["mark"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return mark if isinstance(mark, str) else None

    def clear(self) -> None:
        """Forget the bytes."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def part_of(folder: Path, url: str) -> Part:
    """Where the bytes from `url` are gathered."""
    return Part(folder / f"{blake2b(url.encode(), digest_size=16).hexdigest()}.part")


class Fetcher:
    """Fetches into files; may be used by many threads. `stop` ends every fetch at its next bytes."""

    def __init__(self, limits: Limits, guard: Guard, stop: threading.Event, threads: int = 32) -> None:
        self.limits, self.guard, self.stop = limits, guard, stop
        headers = {"User-Agent": USER_AGENT, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
        common: dict[str, Any] = {"headers": headers, "timeout": limits.silence_seconds, "follow_redirects": False}
        self._direct = httpx.Client(transport=guarded_transport(guard, threads), **common)
        self._proxied = httpx.Client(trust_env=True, **common) if set(getproxies()) & {"http", "https", "all"} else None
        self._slots: dict[str, threading.BoundedSemaphore] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        self._direct.close()
        if self._proxied:
            self._proxied.close()

    def fetch(self, url: str, part: Part) -> bool:
        """Fill `part` with what `url` gives; returns whether earlier bytes were gone on with.

        Follows up to ten redirects, to http(s) addresses only, each of them guarded. Raises RefusedError or LaterError.
        """
        began = time.monotonic()
        try:
            here = httpx.URL(url)
            for _ in range(_MOST_REDIRECTS + 1):
                following = self._hop(here, part, began)
                if isinstance(following, bool):
                    return following
                here = following
        except PrivateAddressError as error:
            raise RefusedError(str(error)) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise RefusedError(f"not a web address: {error}") from error
        except httpx.HTTPError as error:
            raise explained(error, self.limits) from error
        raise RefusedError(f"more than {_MOST_REDIRECTS} redirects")

    def _hop(self, url: httpx.URL, part: Part, began: float) -> bool | httpx.URL:
        """Fetch from one address: whether earlier bytes were gone on with, or the address that it redirects to."""
        if url.scheme not in ("http", "https") or not url.host:
            raise RefusedError(f"not an http(s) address: {_shown(url)}")
        mark = part.mark() if part.size() else None
        headers = {"Range": f"bytes={part.size()}-", "If-Range": mark} if mark else {}
        with self._slot(url.host), self._client(url).stream("GET", url, headers=headers) as response:
            if response.status_code in _REDIRECTS and "location" in response.headers:
                return url.join(response.headers["location"])
            return self._receive(response, part, began)

    def _client(self, url: httpx.URL) -> httpx.Client:
        """The direct way, or the environment's proxy; a proxy resolves names itself, so they are checked before."""
        if self._proxied is None or proxy_bypass(url.host):
            return self._direct
        with suppress(OSError):  # only the proxy may know the name
            self.guard.addresses(url.host, url.port or 443)
        return self._proxied

    @contextmanager
    def _slot(self, host: str) -> Iterator[None]:
        with self._lock:
            slot = self._slots.setdefault(host, threading.BoundedSemaphore(self.limits.connections))
        with slot:
            yield

    def _receive(self, response: httpx.Response, part: Part, began: float) -> bool:
        code, size = response.status_code, part.size()
        if code == 416:
            if response.headers.get("content-range", "") == f"bytes */{size}" and size:
                return True  # all bytes had arrived before
            part.clear()
            raise LaterError("the server has another version now", 0.0)
        if code in AGAIN or code >= 500:
            raise LaterError(status(response), retry_after(response))
        if code not in (200, 206):
            raise RefusedError(status(response))
        if code == 206:
            known = _RANGE.fullmatch(response.headers.get("content-range", ""))
            if known is None or int(known[1]) != size:
                part.clear()
                raise LaterError("the server sent another part than asked for", 0.0)
        else:
            part.clear()
            _note(response, part)
        self._write(response, part, began)
        return code == 206

    def _write(self, response: httpx.Response, part: Part, began: float) -> None:
        """Append the body to the part, within the limits."""
        size = part.size()
        promised = response.headers.get("content-length", "")
        encoded = response.headers.get("content-encoding", "identity").lower() != "identity"
        if promised.isdecimal() and size + int(promised) > self.limits.max_bytes:
            self._too_large(part)
        with part.path.open("ab") as file:
            head = b"" if size == 0 else bytes(_HEAD)
            for chunk in response.iter_bytes() if encoded else response.iter_raw():  # as it comes: nothing is held back
                if len(head) < _HEAD:
                    head += chunk
                    _refuse_page(head[:_HEAD], response)
                size += len(chunk)
                if size > self.limits.max_bytes:
                    self._too_large(part)
                file.write(chunk)
                if self.stop.is_set():
                    raise LaterError("stopped")
                if time.monotonic() - began > self.limits.max_seconds:
                    raise LaterError(f"not complete after {self.limits.max_seconds:g} s")
            file.flush()
            os.fsync(file.fileno())

    def _too_large(self, part: Part) -> None:
        part.clear()
        raise RefusedError(f"larger than the limit of {self.limits.max_bytes / 1e6:g} MB")


def _note(response: httpx.Response, part: Part) -> None:
    """Keep what tells this version from others, before its first byte; weak marks do not count (RFC 9110, 13.1.5)."""
    mark = response.headers.get("etag", "")
    if not mark or mark.startswith("W/"):
        mark = response.headers.get("last-modified", "")
    if mark and response.headers.get("content-encoding", "identity").lower() == "identity":
        write_json(part.note, {"url": str(response.url.copy_with(userinfo=b"")), "mark": mark})


def _refuse_page(head: bytes, response: httpx.Response) -> None:
    """Refuse what begins like a page of text: many servers send theirs with status 200."""
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        raise RefusedError("an SVG drawing, not a picture of pixels")
    if start.startswith(_MARKUP):
        raise RefusedError("an HTML page, not a picture")
    if kind.endswith("json") and start[:1] in (b"{", b"["):
        raise RefusedError("a JSON document, not a picture")


def status(response: httpx.Response) -> str:
    """The answer's code and its words."""
    return f"{response.status_code} {response.reason_phrase}".strip()


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait, given as such or as a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def explained(error: httpx.HTTPError, limits: Limits) -> RefusedError | LaterError:
    """Whether what broke may be tried again, and why it broke, in words without the address."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return RefusedError("the server's certificate is not valid")
    if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
        return LaterError(f"no connection: {error or type(error).__name__}", silent=True)
    if isinstance(error, httpx.TimeoutException):
        return LaterError(f"no answer for {limits.silence_seconds:g} s", silent=True)
    if isinstance(error, httpx.DecodingError):
        return RefusedError("damaged in transit: not the encoding that the server says")
    return LaterError("the connection broke off")


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(userinfo=b""))[:200]
