"""The map of a collection as `tuneclip map` stored it; its pictures come by id."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tuneclip.records import Hit
from tuneclip.settings import Map
from tuneclip.vectors.map_collection import stored_map
from tuneclip.vectors.map_page import Pictures, render_map
from tuneclip.web.answers import in_thread
from tuneclip.web.desk import Desk
from tuneclip.web.finding import picture_address

POLICY = (
    "default-src 'none'; script-src 'sha256-%s'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def map_address(name: str, desk: Desk) -> str:
    """Where the page shows a collection's map; empty where there is none."""
    return f"/maps/{name}" if desk.project.map(name).is_file() else ""


async def page(request: Request) -> Response:
    """The page of a map; 404 where there is none. It runs its own script and no other, and loads only from here."""
    name = request.path_params["name"]
    made = await in_thread(_render, request.app.state.desk, name)
    if made is None:
        raise HTTPException(404)
    text, digest = made
    headers = {"Content-Security-Policy": POLICY % digest}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


def _render(desk: Desk, name: str) -> tuple[str, str] | None:
    collection = desk.collection(name)
    found = stored_map(collection, desk.project, Map(name).outliers)
    if found is None:
        return None

    def small(hit: Hit, _: int) -> str:
        desk.remember(name, [hit])
        return picture_address("collections", name, hit.id)

    pictures = Pictures(lambda hit: picture_address("collections", name, hit.id) + "&size=large", small)
    root = desk.project.root.absolute()
    return render_map(*found, collection, pictures, root=root, stale=not found[0].unchanged)
