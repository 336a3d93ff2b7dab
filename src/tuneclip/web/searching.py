"""What the search views ask the server: hits, one picture, fields to filter by, and a place for a dropped picture."""

import base64
import binascii
from typing import Any

from starlette.datastructures import QueryParams

from tuneclip.errors import TuneclipError
from tuneclip.vectors.collection import collections
from tuneclip.web.answers import Body, text
from tuneclip.web.desk import Desk
from tuneclip.web.finding import find, shown, wanted
from tuneclip.web.thumbnails import keep_dropped


def search_page(desk: Desk, query: QueryParams) -> Body:
    """What the template of the search needs."""
    known = collections(desk.project)
    chosen = query.get("collection", "")
    return {"collections": known, "chosen": chosen if chosen in known or not known else known[0], **_typed(desk)}


def compare_page(desk: Desk, query: QueryParams) -> Body:
    """What the template of the two models side by side needs: by default two collections of one dataset."""
    known = collections(desk.project)
    left, right = _pair(desk, known)
    asked = [query.get("left", ""), query.get("right", "")]
    left, right = (each if each in known else other for each, other in zip(asked, (left, right), strict=True))
    return {"collections": known, "left": left, "right": right, **_typed(desk)}


def search(desk: Desk, query: QueryParams) -> Body:
    """The hits of a search."""
    return find(wanted(query), desk)


def one(desk: Desk, query: QueryParams) -> Body:
    """One picture of a collection with all that is known of it."""
    name = query.get("collection", "")
    return shown(name, desk.hit(name, query.get("id", "")), scored=False)


def fields(desk: Desk, query: QueryParams) -> Body:
    """What a filter can name, and how many pictures there are to filter."""
    collection = desk.collection(query.get("collection", ""))
    kinds = {name: sorted(kinds) for name, kinds in sorted(collection.fields().items())}
    return {"collection": collection.name, "fields": kinds, "total": collection.count()}


def drop(desk: Desk, body: Body) -> Body:
    """Keep a dropped picture; its key goes into the address."""
    try:
        data = base64.b64decode(text(body, "data"), validate=True)
    except binascii.Error as error:
        raise TuneclipError("the dropped picture did not arrive whole", hint="drop it again") from error
    return {"picture": keep_dropped(data)}


def _typed(desk: Desk) -> dict[str, Any]:
    """Names for the commands that an empty page shows."""
    return {"datasets": desk.project.names("datasets"), "models": desk.project.names("models")}


def _pair(desk: Desk, known: list[str]) -> tuple[str, str]:
    """The first two collections that hold the same dataset, else the first two."""
    first: dict[str, str] = {}
    for name in known:
        dataset = desk.collection(name).origin.dataset
        if dataset in first:
            return first[dataset], name
        first[dataset] = name
    return (known[0], known[1]) if len(known) > 1 else (known[0] if known else "", "")
