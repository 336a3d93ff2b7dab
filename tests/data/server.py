"""A real web server on this machine with the bad habits of real ones; which habit is in the path."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from drawn import picture_bytes

JPEG = "image/jpeg"


class Pictures(ThreadingHTTPServer):
    """Answers `/HABIT/NUMBER/…` with picture NUMBER; keeps what was asked and how many were served at once."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.seen: Counter[str] = Counter()
        self.active = self.most_active = 0
        self.pause_seconds = 0.0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Pictures

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            self.server.seen[self.path] += 1
            self.server.active += 1
            self.server.most_active = max(self.server.most_active, self.server.active)
        try:
            time.sleep(self.server.pause_seconds)
            habit, number = (re.findall(r"/([a-z-]+)(?:/(\d+))?", urlsplit(self.path).path) or [("ok", "0")])[0]
            self.first = self.server.seen[self.path] == 1
            self.body = picture_bytes(int(number or 0), size=(160, 120))
            getattr(self, "_" + habit.replace("-", "_"))()
        finally:
            with self.server.lock:
                self.server.active -= 1

    def _answer(self, code: int, body: bytes, kind: str = JPEG, **headers: str) -> None:
        self._head(code, {"Content-Type": kind, "Content-Length": str(len(body))} | headers)
        self.wfile.write(body)

    def _head(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True

    def _ok(self) -> None:
        self._answer(200, self.body)

    def _mislabelled(self) -> None:
        self._answer(200, self.body, "text/plain")

    def _gone(self) -> None:
        self._answer(404, b"<html>not here</html>", "text/html")

    def _page(self) -> None:
        self._answer(200, b"\n<!DOCTYPE html><html>Please log in</html>", "text/html; charset=utf-8")

    def _json(self) -> None:
        self._answer(200, b'{"error": "no such picture"}', "application/json")

    def _empty(self) -> None:
        self._answer(200, b"")

    def _torn(self) -> None:
        self._answer(200, self.body[: len(self.body) // 2])

    def _short(self) -> None:
        """Promises more than it ever sends."""
        self._head(200, {"Content-Type": JPEG, "Content-Length": str(2 * len(self.body))})
        self.wfile.write(self.body)
        self._hang_up()

    def _huge(self) -> None:
        """Never ends, and does not say how long it is."""
        self._head(200, {"Content-Type": JPEG, "Connection": "close"})
        for _ in range(1000):
            self.wfile.write(self.body + bytes(64_000))
        self._hang_up()

    def _long(self) -> None:
        self._head(200, {"Content-Type": JPEG, "Content-Length": str(10**12)})
        self._hang_up()

    def _drip(self) -> None:
        """A byte now and then."""
        self._head(200, {"Content-Type": JPEG, "Content-Length": str(len(self.body))})
        for number in range(len(self.body)):
            self.wfile.write(self.body[number : number + 1])
            self.wfile.flush()
            time.sleep(0.05)

    def _slow(self) -> None:
        """In four pieces, with breaks; can be gone on with."""
        self._resumable(pause_seconds=0.05)

    def _breaks(self) -> None:
        """Hangs up in the middle at first; can be gone on with."""
        self._resumable(stop_early=self.first)

    def _changes(self) -> None:
        """Hangs up in the middle at first; has another picture after that."""
        if not self.first:
            self.body = picture_bytes(99, size=(160, 120))
        self._resumable(stop_early=self.first, mark="one" if self.first else "two")

    def _forgets(self) -> None:
        """Hangs up in the middle at first, and cannot go on from there."""
        self._head(200, {"Content-Type": JPEG, "Content-Length": str(len(self.body))})
        self.wfile.write(self.body[: len(self.body) // 2] if self.first else self.body)
        self._hang_up()

    def _lies(self) -> None:
        """Says that it goes on, with the same mark, but has other bytes now."""
        if not self.first and "Range" in self.headers:
            self.body = bytes(len(self.body))
        self._resumable(stop_early=self.first)

    def _resumable(self, *, pause_seconds: float = 0.0, stop_early: bool = False, mark: str = "one") -> None:
        begin, code, headers = 0, 200, {"Content-Type": JPEG, "ETag": f'"{mark}"'}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and self.headers.get("If-Range") == f'"{mark}"':
            begin, code = int(wanted[1]), 206
            if begin >= len(self.body):
                self._answer(416, b"", Content_Range=f"bytes */{len(self.body)}")
                return
            headers["Content-Range"] = f"bytes {begin}-{len(self.body) - 1}/{len(self.body)}"
        rest = self.body[begin:]
        self._head(code, headers | {"Content-Length": str(len(rest))})
        pieces = 2 if stop_early else 4
        size = -(-len(rest) // pieces)
        for start in range(0, len(rest) if not stop_early else size, size):
            self.wfile.write(rest[start : start + size])
            self.wfile.flush()
            time.sleep(pause_seconds)
        if stop_early:
            self._hang_up()

    def _busy(self) -> None:
        """Asks for a second's patience at first."""
        if self.first:
            self._answer(429, b"", Retry_After="1")
        else:
            self._ok()

    def _dated(self) -> None:
        if self.first:
            self._answer(503, b"", Retry_After=formatdate(time.time() + 2, usegmt=True))
        else:
            self._ok()

    def _closed(self) -> None:
        """Does not want to be asked for an hour."""
        self._answer(429, b"", Retry_After="3600")

    def _ill(self) -> None:
        self._answer(500, b"")

    def _moved(self) -> None:
        self._answer(302, b"", Location=self.path.replace("/moved/", "/ok/"))

    def _loop(self) -> None:
        self._answer(302, b"", Location=self.path)

    def _file(self) -> None:
        self._answer(302, b"", Location="file:///etc/passwd")

    def _inside(self) -> None:
        """To the same server, by another address of this machine."""
        self._answer(302, b"", Location=f"http://127.0.0.2:{self.server.server_address[1]}/ok/1")


@contextmanager
def serving() -> Iterator[Pictures]:
    """The server, running."""
    server = Pictures()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
