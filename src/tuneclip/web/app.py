"""The page as an ASGI application: which address leads where."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from tuneclip.errors import TuneclipError
from tuneclip.project import Project
from tuneclip.web import maps, overview, pictures, rating, searching
from tuneclip.web.answers import broken, mendable, reading, refused, showing, writing
from tuneclip.web.desk import Desk
from tuneclip.web.security import Rules, guard

STATIC = Path(__file__).parent / "static"


def make_app(project: Project, rules: Rules) -> ASGIApp:
    """The page over a project, which may still be empty, for whom the rules let in."""
    app = Starlette(
        routes=[
            Route("/", showing("search.html", searching.search_page)),
            Route("/compare", showing("compare.html", searching.compare_page)),
            Route("/label", showing("label.html", rating.page)),
            Route("/project", showing("project.html", overview.page)),
            Route("/reports/{run}", overview.report),
            Route("/maps/{name}", maps.page),
            Route("/pictures/collections/{name}", pictures.of_collection),
            Route("/pictures/datasets/{name}", pictures.of_dataset),
            Route("/pictures/dropped/{key}", pictures.of_dropped),
            Route("/api/search", reading(searching.search)),
            Route("/api/picture", reading(searching.one)),
            Route("/api/fields", reading(searching.fields)),
            Route("/api/pictures", writing(searching.drop), methods=["POST"]),
            Route("/api/rounds/{step}", rating.step, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={TuneclipError: mendable, OSError: mendable, HTTPException: refused, Exception: broken},
    )
    app.state.desk = Desk(project)
    return guard(app, rules)
