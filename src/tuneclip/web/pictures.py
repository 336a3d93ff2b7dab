"""Pictures over HTTP: by id only, never by path; with entity tags, so that a browser need not fetch them twice."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import anyio
from starlette.requests import Request
from starlette.responses import Response

from tuneclip.errors import TuneclipError
from tuneclip.web.answers import in_thread
from tuneclip.web.desk import Desk
from tuneclip.web.thumbnails import Size, dropped, stamp, thumbnail

SECONDS_FRESH = 600


async def of_collection(request: Request) -> Response:
    """A picture of a collection, by its id."""
    desk: Desk = request.app.state.desk
    return await _answer(request, lambda: desk.picture(request.path_params["name"], request.query_params.get("id", "")))


async def of_dataset(request: Request) -> Response:
    """A picture of a dataset, by its id."""
    desk: Desk = request.app.state.desk

    def find() -> Path:
        name, key = request.path_params["name"], request.query_params.get("id", "")
        dataset = desk.dataset(name)
        for record in dataset.records:
            if record.id == key:
                return dataset.picture_path(record)
        raise TuneclipError(f"no picture {key!r} in dataset {name!r}")

    return await _answer(request, find)


async def of_dropped(request: Request) -> Response:
    """A picture that was dropped on the page, by its key."""
    return await _answer(request, lambda: dropped(request.path_params["key"]))


@cache
def _decoders() -> anyio.CapacityLimiter:
    """As many decode at once as there are processors: each holds a whole picture in memory."""
    return anyio.CapacityLimiter(max(2, os.cpu_count() or 1))


async def _answer(request: Request, find: Callable[[], Path]) -> Response:
    size: Size = "large" if request.query_params.get("size") == "large" else "small"
    now = await in_thread(lambda: stamp(find()))
    headers = {"ETag": now.tag(size), "Cache-Control": f"private, max-age={SECONDS_FRESH}"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    data = await in_thread(thumbnail, now, size, limiter=_decoders())
    return Response(data, media_type="image/jpeg", headers=headers)
