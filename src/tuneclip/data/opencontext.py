"""GeoJSON and Open Context: features become records, their points become `latitude` and `longitude`.

Open Context answers a search with `features` (records that have a place, beside regions of the map that are counts,
not records) and `oc-api:has-results` (records alone); a single item is one JSON-LD object with its files in
`oc-gen:has-files`. Described at opencontext.org/about/services and written by its server's code,
`opencontext_py/apps/searcher/new_solrsearcher/result_record.py` and `apps/all_items/representations` in the repository
ekansa/open-context-py. GeoJSON: RFC 7946.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from tuneclip.data.document import Document
from tuneclip.errors import TuneclipError

FEATURES, RESULTS, FILES = "features", "oc-api:has-results", "oc-gen:has-files"
_RECORD = "oc-api:geo-record"
_OF_ONE_ITEM = {FILES, "oc-gen:has-obs", "oc-gen:has-contexts", "oc-gen:has-linked-contexts"}
_TELLING = {"context label", "project label", "citation uri", "early bce/ce"}
_SAME_IN_ALL = {"feature-type", "when"}  # "when" repeats the early and late years of the properties
_BEST_FILES = ("oc-gen:fullfile", "oc-gen:preview", "oc-gen:thumbnail")


def feature(record: Any) -> Any:
    """A GeoJSON feature as a record: its properties and other members side by side, its point as two numbers.

    Anything else comes back as it is. Numbers of a result within its page ("#record-3-of-90") are no ids.
    """
    if (
        not isinstance(record, dict)
        or record.get("type") != "Feature"
        or not isinstance(record.get("geometry", {}), (dict, type(None)))
    ):
        return record
    properties = record.get("properties") or {}
    if not isinstance(properties, dict):
        return record
    own = {name: value for name, value in record.items() if name not in ("type", "geometry", "properties")}
    fields = {**own, **properties}
    if str(fields.get("id", "")).startswith("#"):
        del fields["id"]
    return {**fields, **_place(record.get("geometry"), fields)}


def _place(geometry: Any, fields: dict[str, Any]) -> dict[str, float]:
    """Latitude and longitude of a point (RFC 7946 writes longitude first), unless the record says them itself."""
    point = geometry.get("coordinates") if isinstance(geometry, dict) and geometry.get("type") == "Point" else None
    if not isinstance(point, list) or len(point) < 2 or fields.get("latitude") or fields.get("longitude"):
        return {}
    if not all(isinstance(number, (int, float)) for number in point[:2]):
        return {}
    return {"latitude": point[1], "longitude": point[0]}


def is_page(document: Document) -> bool:
    """Whether a file is a page of Open Context's search results."""
    if RESULTS in document.lists:
        return True
    return FEATURES in document.lists and _is_result(document.first(FEATURES))


def _is_result(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    properties = value.get("properties")
    known = str(value.get("category", "")).startswith("oc-api:")
    return known or (isinstance(properties, dict) and not _TELLING.isdisjoint(properties))


def may_be_item(names: Iterable[str]) -> bool:
    """Whether lists of these names are those of a single item."""
    return not _OF_ONE_ITEM.isdisjoint(name.split(".", 1)[0] for name in names)


def is_page_or_item(document: Document) -> bool:
    """Whether a file is of Open Context, so that others beside it are read together with it."""
    if not document.mentions(b"oc-api:", b"oc-gen:", b"opencontext", b"context label"):
        return False
    return is_page(document) or (may_be_item(document.lists) and is_item(document.value()))


def is_item(value: Any) -> bool:
    """Whether a JSON object is one item of Open Context with all that is known of it."""
    return isinstance(value, dict) and "label" in value and not _OF_ONE_ITEM.isdisjoint(value)


def records(document: Document) -> Iterator[Any]:
    """The records of a page of results; regions of the map are passed over."""
    for name in (FEATURES, RESULTS):
        if name in document.lists:
            yield from (_known(feature(record)) for record in document.items(name) if not _is_region(record))


def count(document: Document) -> tuple[int, int]:
    """How many records and how many regions a page has; raises TuneclipError when it has regions alone."""
    regions = sum(map(_is_region, document.items(FEATURES))) if FEATURES in document.lists else 0
    found = sum(document.lists.get(name, 0) for name in (FEATURES, RESULTS)) - regions
    if not found:
        raise TuneclipError(
            "regions of a map, no records",
            where=document.path,
            hint="ask Open Context for records: add response=geo-record,nongeo-record to the address",
        )
    return found, regions


def _is_region(record: Any) -> bool:
    category = record.get("category") if isinstance(record, dict) else None
    return isinstance(category, str) and category.startswith("oc-api:") and category != _RECORD


def _known(record: Any) -> Any:
    """A result without what is the same in all; what the server writes as false is not known."""
    if not isinstance(record, dict):
        return record
    kept = {name: None if value is False else value for name, value in record.items() if name not in _SAME_IN_ALL}
    return {name: value for name, value in kept.items() if not str(value).startswith("oc-api:")}


def item_record(item: dict[str, Any]) -> dict[str, Any]:
    """One item as a record: its own texts and numbers, where it lies, when it was made, and its picture's address."""
    fields: dict[str, Any] = {name: value for name, value in item.items() if isinstance(value, (str, int, float))}
    fields = {name: value for name, value in fields.items() if name != "type" and not name.startswith("@")}
    first = next(iter(_dicts(item.get(FEATURES))), {})
    held = first.get("when")
    when = held if isinstance(held, dict) else {}
    fields |= _place(first.get("geometry"), fields)
    fields |= {"context label": "/".join(_context(item)) or None, "image_url": _best_file(item)}
    fields |= {"early bce/ce": _year(when.get("start")), "late bce/ce": _year(when.get("stop"))}
    return {**fields, "id": item.get("uuid") or item.get("id")}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _context(item: dict[str, Any]) -> list[str]:
    held = item.get("oc-gen:has-contexts")
    path = (
        held.get("oc-gen:has-path-items") if isinstance(held, dict) else held or item.get("oc-gen:has-linked-contexts")
    )
    return [str(part["label"]) for part in _dicts(path) if part.get("label")]


def _best_file(item: dict[str, Any]) -> str | None:
    files = _dicts(item.get(FILES))
    ranked = (file.get("id") for kind in _BEST_FILES for file in files if file.get("type") == kind)
    return next((address for address in ranked if isinstance(address, str) and address), None)


def _year(value: Any) -> float | None:
    try:
        return int(float(value))
    except (TypeError, ValueError):
        return None
