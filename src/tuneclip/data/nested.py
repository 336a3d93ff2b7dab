"""JSON whose list of records may lie anywhere inside, and COCO's, whose captions stand apart from its pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tuneclip.data import opencontext
from tuneclip.data.document import Document
from tuneclip.data.table import Rows, as_object
from tuneclip.errors import TuneclipError


@dataclass(frozen=True)
class Nested:
    """The records of a JSON file, what its layout is called, and where in it they were found, if that was guessed."""

    records: Callable[[], Iterator[Any]]
    total: int
    format: str = "JSON"
    note: str = ""

    def rows(self) -> Rows:
        """The records; one that is not an object comes with its problem."""
        yield from map(as_object, self.records())


def read_nested(path: Path, records: str | None = None) -> Nested:
    """Find the list of records in a JSON file; a large file is streamed.

    `records` is the list's dotted path. Without it the file must be a list, be the layout of COCO or Open Context, or
    hold exactly one list of objects; a single object is one record. GeoJSON features become plain records. Raises
    TuneclipError, naming the lists there are, when it cannot be told.
    """
    document = Document(path)
    lists = document.lists
    if records is not None:
        return _of_list(document, _at(lists, records, path))
    if document.is_list:
        return _of_list(document, "")
    known = _known_layout(document)
    if known:
        return known
    if len(lists) == 1:
        name, count = next(iter(lists.items()))
        return _of_list(document, name, note=f"records at {name!r} ({count:,})")
    listed = ", ".join(f"{name} ({count:,})" for name, count in lists.items())
    raise TuneclipError(f"several lists of records: {listed}", where=path, hint="say which with --records")


def _known_layout(document: Document) -> Nested | None:
    """The records of a layout that is known by its names, or of a file that holds no list; None for any other."""
    if {"images", "annotations"} <= set(document.lists):
        return _coco(document)
    if opencontext.is_page(document):
        return _open_context(document)
    if document.lists and not opencontext.may_be_item(document.lists):
        return None
    value = document.value()
    if opencontext.is_item(value):
        return Nested(lambda: iter([opencontext.item_record(value)]), 1, "Open Context")
    if document.lists:
        return None
    return Nested(lambda: iter([opencontext.feature(value)]), 1, note="the file is one record")


def _of_list(document: Document, name: str, note: str = "") -> Nested:
    total = document.lists[name] if name in document.lists else sum(1 for _ in document.items(name))
    return Nested(lambda: map(opencontext.feature, document.items(name)), total, note=note)


def _at(lists: dict[str, int], records: str, path: Path) -> str:
    if records in lists:
        return records
    near = get_close_matches(records, lists, n=1, cutoff=0.4)
    named = [name for name in lists if name]
    raise TuneclipError(
        f"no list of records at {records!r}",
        where=path,
        expected="one of " + ", ".join(named) if named else "a file that holds a list of objects there",
        hint=f"did you mean --records {near[0]}?" if near and near[0] else None,
    )


def _open_context(document: Document) -> Nested:
    found, regions = opencontext.count(document)
    note = f"{regions:,} regions of the map passed over" if regions else ""
    return Nested(lambda: opencontext.records(document), found, "Open Context", note)


def _coco(document: Document) -> Nested:
    """COCO (cocodataset.org, "data format"): annotations name their picture by `image_id`.

    Captions become the list `captions`; boxes become `label`, the distinct category names of the picture.
    """
    captions = any(
        isinstance(row, dict) and isinstance(row.get("caption"), str) for row in document.items("annotations")
    )
    name = "COCO captions" if captions else "COCO instances"
    return Nested(lambda: _coco_records(document), document.lists["images"], name)


def _coco_records(document: Document) -> Iterator[Any]:
    categories = document.items("categories") if "categories" in document.lists else iter(())
    names = {_number(row, "id"): row.get("name") for row in categories if isinstance(row, dict)}
    texts: dict[Any, list[str]] = {}
    labels: dict[Any, dict[str, None]] = {}
    for row in document.items("annotations"):
        image = _number(row, "image_id")
        if isinstance(row, dict) and isinstance(row.get("caption"), str):
            texts.setdefault(image, []).append(row["caption"])
        elif isinstance(row, dict) and names.get(_number(row, "category_id")):
            labels.setdefault(image, {})[str(names[_number(row, "category_id")])] = None
    for record in document.items("images"):
        number = _number(record, "id")
        more: dict[str, Any] = {"captions": texts[number]} if number in texts else {}
        more |= {"label": ", ".join(labels[number])} if number in labels else {}
        yield {**record, **more} if isinstance(record, dict) else record


def _number(row: Any, name: str) -> Any:
    """An id in a row: a number or a name; None for what cannot be one."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, (int, float, str)) else None
