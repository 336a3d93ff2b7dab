"""What the project holds, at one sight: collections, classifiers, datasets, models, and the reports of its runs."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.learn.classifier import Classifier, classifiers, load_classifier
from tuneclip.project import MODEL_MANIFEST, REPORT, Project, read_json
from tuneclip.vectors.collection import collections
from tuneclip.web.answers import Body, in_thread
from tuneclip.web.desk import Desk
from tuneclip.web.finding import picture_address
from tuneclip.web.maps import map_address

STRIP = 7  # pictures that stand for a dataset
# A report is one file that loads nothing; whatever a run wrote, it runs no script here and reads nothing of the page.
REPORT_POLICY = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Listed:
    """One thing of the project; a `problem` says why it cannot be opened."""

    name: str
    facts: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    """Addresses."""
    problem: str = ""
    map: str = ""
    """Address of its map."""


def page(desk: Desk, query: QueryParams) -> Body:
    """What the template needs."""
    project = desk.project
    return {
        "root": str(project.root.absolute()),
        "collections": [_collection(desk, name) for name in collections(project)],
        "classifiers": [_classifier(name, project) for name in classifiers(project)],
        "datasets": [_dataset(desk, name) for name in project.names("datasets")],
        "models": [_model(name, project) for name in project.names("models")],
        "reports": _reports(project),
    }


async def report(request: Request) -> Response:
    """The report of a run, as it was written, in a sandbox."""
    project: Project = request.app.state.desk.project
    name = request.path_params["run"]
    if name not in project.names("runs"):
        raise HTTPException(404)
    path = project.run(name) / REPORT
    if not path.is_file():
        raise HTTPException(404)
    data = await in_thread(path.read_bytes)
    return Response(data, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": REPORT_POLICY})


def _collection(desk: Desk, name: str) -> Listed:
    try:
        found = desk.collection(name)
        facts = (f"{found.count():,} pictures", f"by {found.origin.model}", f"of {found.origin.dataset}")
        first = next(iter(found.iterate(STRIP)), [])
    except TuneclipError as error:
        return Listed(name, problem=error.what)
    pictures = tuple(picture_address("collections", name, row.id) for row in first)
    return Listed(name, facts, pictures, map=map_address(name, desk))


def _classifier(name: str, project: Project) -> Listed | Classifier:
    try:
        return load_classifier(name, project)
    except TuneclipError as error:
        return Listed(name, problem=error.what)


def _dataset(desk: Desk, name: str) -> Listed:
    try:
        found = desk.dataset(name)
    except TuneclipError as error:
        return Listed(name, problem=error.what)
    facts = (f"{len(found.records):,} pictures", *(f"{count:,} {split}" for split, count in found.splits.items()))
    return Listed(name, facts, tuple(picture_address("datasets", name, key) for key in _spread(found)))


def _spread(dataset: Dataset) -> list[str]:
    """Ids from all over the dataset: neighbours in a file are often alike."""
    step = max(1, len(dataset.records) // STRIP)
    return [record.id for record in dataset.records[::step][:STRIP]]


def _model(name: str, project: Project) -> Listed:
    path = project.model(name) / MODEL_MANIFEST
    try:
        known: dict[str, Any] = read_json(path) if path.is_file() else {}
    except TuneclipError as error:
        return Listed(name, problem=error.what)
    made = [("from", known.get("base")), ("tuned on", known.get("dataset"))]
    facts = [f"{how} {what['name']}" for how, what in made if isinstance(what, dict) and what.get("name")]
    return Listed(name, tuple(facts))


def _reports(project: Project) -> list[Listed]:
    """Runs that have a report, the newest first."""
    paths = [project.run(name) / REPORT for name in project.names("runs")]
    there = sorted((path for path in paths if path.is_file()), key=lambda path: -path.stat().st_mtime)
    return [Listed(path.parent.name, (_day(path),)) for path in there]


def _day(path: Path) -> str:
    when = datetime.fromtimestamp(path.stat().st_mtime)
    return f"{when.day} {when:%B %Y, %H:%M}"
