"""From plain functions to HTTP: work runs in threads, bodies are JSON of a limited size, errors say what to do next."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from tuneclip import __version__
from tuneclip.errors import TuneclipError, explain_os_error
from tuneclip.pages import templates
from tuneclip.web.desk import Desk

MOST_BODY = 64 * 2**20  # bytes: a dropped picture in base64
Endpoint = Callable[[Request], Awaitable[Response]]
Body = Mapping[str, Any]
T = TypeVar("T")
WORKER = "tuneclip page"  # name of the threads
_WORKERS = anyio.CapacityLimiter(32)

_TEMPLATES = templates(Path(__file__).parent / "templates")
_TEMPLATES.globals["version"] = __version__


async def in_thread(work: Callable[..., T], *arguments: Any, limiter: anyio.CapacityLimiter | None = None) -> T:
    """Run `work` in a thread that the end of the server does not wait for: opening a model takes seconds."""
    async with limiter or _WORKERS:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(set_it: Callable[[Any], None], value: Any) -> None:
            if not future.done():
                set_it(value)

        def run() -> None:
            set_it: Callable[[Any], None] = future.set_result
            try:
                value: Any = work(*arguments)
            except BaseException as error:  # it is raised again in the loop
                set_it, value = future.set_exception, error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, set_it, value)

        threading.Thread(target=run, name=WORKER, daemon=True).start()
        return await future


def at_work() -> bool:
    """Whether a thread of the server is still busy."""
    return any(thread.name == WORKER for thread in threading.enumerate())


def reading(answer: Callable[[Desk, QueryParams], Body]) -> Endpoint:
    """An endpoint that answers a query with JSON and changes nothing."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(await in_thread(answer, request.app.state.desk, request.query_params), headers=_FRESH)

    return endpoint


def writing(answer: Callable[[Desk, Body], Body]) -> Endpoint:
    """An endpoint that takes a JSON object and may change something; the guard has seen that the page itself asks."""

    async def endpoint(request: Request) -> Response:
        body = await _json_object(request)
        return JSONResponse(await in_thread(answer, request.app.state.desk, body), headers=_FRESH)

    return endpoint


def showing(template: str, facts: Callable[[Desk, QueryParams], Body]) -> Endpoint:
    """An endpoint that answers with a page made from `template` and facts; everything in it is escaped."""

    async def endpoint(request: Request) -> Response:
        known = await in_thread(facts, request.app.state.desk, request.query_params)
        return page(template, known)

    return endpoint


def page(template: str, facts: Body, status: int = 200) -> Response:
    """A page made from a template."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(facts), status, headers=_FRESH)


_FRESH = {"Cache-Control": "no-store"}


async def _json_object(request: Request) -> Body:
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MOST_BODY:
            raise TuneclipError(f"more than {MOST_BODY // 2**20} MiB at once", expected="a smaller picture")
    try:
        body = json.loads(bytes(data))
    except ValueError as error:
        raise TuneclipError("the request is not JSON") from error
    if not isinstance(body, dict):
        raise TuneclipError("the request is not a JSON object")
    return body


def text(body: Body, name: str) -> str:
    """A text of a body, without space around it; raises TuneclipError where there is none."""
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise TuneclipError(f"{name} is missing", expected="a text")
    return value.strip()


async def mendable(request: Request, error: Exception) -> Response:
    """The answer to an error that a person can mend: JSON for the scripts of the page, else a page of its own."""
    known = (
        error if isinstance(error, TuneclipError) else explain_os_error(error) if isinstance(error, OSError) else None
    )
    if known is None:
        raise error
    if request.url.path.startswith("/api/"):
        return JSONResponse({"what": known.what, "expected": known.expected, "hint": known.hint}, 400, headers=_FRESH)
    if request.url.path.startswith("/pictures/"):
        return PlainTextResponse(f"{known.what}\n", 404)
    return page("error.html", {"error": known, "status": 400}, 400)


async def refused(request: Request, error: Exception) -> Response:
    """The answer to an address that there is not, and to a method that it does not have."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith(("/api/", "/pictures/", "/static/")):
        return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)
    known = TuneclipError("There is no such page" if error.status_code == 404 else error.detail)
    return page("error.html", {"error": known, "status": error.status_code}, error.status_code)


async def broken(request: Request, error: Exception) -> Response:
    """The answer to a bug; its traceback goes to the terminal."""
    what = {
        "what": "something broke in the program",
        "expected": None,
        "hint": "look at the terminal of `tuneclip serve`",
    }
    if request.url.path.startswith("/api/"):
        return JSONResponse(what, 500)
    return page("error.html", {"error": TuneclipError(what["what"] or "", hint=what["hint"]), "status": 500}, 500)
