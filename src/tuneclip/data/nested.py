"""JSON whose list of records may lie anywhere inside, and COCO's, whose captions stand apart from its pictures."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tuneclip.data.table import Rows, as_object, not_utf8, open_text
from tuneclip.errors import TuneclipError


@dataclass(frozen=True)
class Nested:
    """The records of a JSON file, what its layout is called, and where in it they were found, if that was guessed."""

    records: list[Any]
    format: str = "JSON"
    note: str = ""

    def rows(self) -> Rows:
        """The records; one that is not an object comes with its problem."""
        yield from map(as_object, self.records)


def read_nested(path: Path, records: str | None = None) -> Nested:
    """Find the list of records in a JSON file; the file is held in memory.

    `records` is the list's dotted path. Without it the file must be a list, be COCO's layout, or hold exactly one list
    of objects; a single object is one record. Raises TuneclipError, naming the lists there are, when it cannot be told.
    """
    value = _load(path)
    lists = dict(_lists(value, ""))
    if records is not None:
        return Nested(_at(lists, records, path))
    if isinstance(value, list):
        return Nested(value)
    if {"images", "annotations"} <= set(lists):
        return _coco(lists)
    if len(lists) == 1:
        name, found = next(iter(lists.items()))
        return Nested(found, note=f"records at {name!r} ({len(found):,})")
    if not lists:
        return Nested([value], note="the file is one record")
    listed = ", ".join(f"{name} ({len(found):,})" for name, found in lists.items())
    raise TuneclipError(f"several lists of records: {listed}", where=path, hint="say which with --records")


def _load(path: Path) -> Any:
    try:
        with open_text(path) as file:
            return json.load(file)
    except (json.JSONDecodeError, RecursionError) as error:
        raise TuneclipError(f"not valid JSON: {error}", where=path) from error
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error


def _at(lists: dict[str, list[Any]], records: str, path: Path) -> list[Any]:
    if records in lists:
        return lists[records]
    near = get_close_matches(records, lists, n=1, cutoff=0.4)
    named = [name for name in lists if name]
    raise TuneclipError(
        f"no list of records at {records!r}",
        where=path,
        expected="one of " + ", ".join(named) if named else "a file that holds a list of objects there",
        hint=f"did you mean --records {near[0]}?" if near and near[0] else None,
    )


def _lists(value: Any, name: str) -> Iterator[tuple[str, list[Any]]]:
    """Every list of objects with its dotted path, not looking into lists."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lists(inner, f"{name}.{key}" if name else key)


def _coco(lists: dict[str, list[Any]]) -> Nested:
    """COCO (cocodataset.org, "data format"): annotations name their picture by `image_id`.

    Captions become the list `captions`; boxes become `label`, the distinct category names of the picture.
    """
    names = {row.get("id"): row.get("name") for row in lists.get("categories", []) if isinstance(row, dict)}
    texts: dict[Any, list[str]] = {}
    labels: dict[Any, dict[str, None]] = {}
    for row in lists["annotations"]:
        if isinstance(row, dict) and isinstance(row.get("caption"), str):
            texts.setdefault(row.get("image_id"), []).append(row["caption"])
        elif isinstance(row, dict) and names.get(row.get("category_id")):
            labels.setdefault(row.get("image_id"), {})[str(names[row.get("category_id")])] = None
    records: list[Any] = []
    for image in lists["images"]:
        number = image.get("id") if isinstance(image, dict) else None
        more: dict[str, Any] = {"captions": texts[number]} if number in texts else {}
        more |= {"label": ", ".join(labels[number])} if number in labels else {}
        records.append({**image, **more} if isinstance(image, dict) else image)
    return Nested(records, format="COCO captions" if texts else "COCO instances")
