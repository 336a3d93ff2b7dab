"""The verb `serve`: the page over a project, until Ctrl-C."""

import atexit
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.project import Project
from tuneclip.web.security import LOOPBACK, Rules

if TYPE_CHECKING:
    import uvicorn
    from rich.console import Console

logger = logging.getLogger("tuneclip")
SECONDS_TO_END = 1  # that open requests get after Ctrl-C; without a limit one open stream holds the server for good


@dataclass(frozen=True)
class Served:
    """What `serve` did; the fields are the keys of `--json`."""

    address: str
    seconds: float

    def show(self, console: "Console") -> None:
        """That it has ended, and how to go on."""
        console.print(f"The page at {self.address} has ended; nothing is lost.", markup=False)


def serve(options: settings.Serve, project: Project) -> Served:
    """Answer on `host` and `port` until SIGINT or SIGTERM; the project may be empty.

    On this machine's own addresses only its own names are answered to; on any other every request needs a token, which
    is made and told once where none is given. Raises TuneclipError when the port cannot be had.
    """
    return run_server(options, project, "/")


def run_server(options: settings.Serve, project: Project, path: str) -> Served:
    """Serve until a signal comes; `path` is the view to tell of and to open. What it tells is ready to answer."""
    began = time.monotonic()
    local = options.host in LOOPBACK
    token = options.token or (None if local else secrets.token_urlsafe(24))
    with _listening(options.host, options.port) as listener, _ending(_server(project, Rules(local, token))) as server:
        shown = f"[{options.host}]" if ":" in options.host else options.host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        secret = f"{'&' if '?' in path else '?'}token={quote(token)}" if token else ""
        logger.info("tuneclip's page: %s%s%s (Ctrl-C ends it)", address, path, secret)
        if options.open and os.isatty(2):
            threading.Thread(target=webbrowser.open, args=(address + path + secret,), daemon=True).start()
        server.run(sockets=[listener])  # takes the signals for itself, and raises them once more when it has ended
        _let_go()
    return Served(address, round(time.monotonic() - began, 1))


def _let_go() -> None:
    """Where a thread still opens a model, the process ends without it: torn down under C++ code, Python may crash."""
    from tuneclip.web.answers import at_work

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)

    if at_work():
        atexit.register(leave)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that takes connections: what comes before the server is ready waits for it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=256)
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
        what = f"port {port} of {host} cannot be had: {reason}"
        raise TuneclipError(what, hint="tuneclip serve --port 0 takes a free one") from error
    with listener:
        yield listener


@contextmanager
def _ending(server: "uvicorn.Server") -> "Iterator[uvicorn.Server]":
    """SIGINT and SIGTERM end the server, also before it runs, and nothing else: ending it is no failure."""
    if threading.current_thread() is not threading.main_thread():
        yield server
        return

    def end(*_: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield server
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _server(project: Project, rules: Rules) -> "uvicorn.Server":
    import uvicorn

    from tuneclip.web.app import make_app

    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        make_app(project, rules),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=SECONDS_TO_END,
        server_header=False,
        proxy_headers=False,
    )
    return uvicorn.Server(config)
