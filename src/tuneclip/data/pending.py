"""Records that wait for their pictures: read them, and move those whose picture arrived into the dataset."""

import heapq
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from tuneclip.data.card import write_card
from tuneclip.data.picture import SUFFIXES
from tuneclip.data.split import split_order
from tuneclip.data.write import PICTURES, Written, json_line
from tuneclip.errors import TuneclipError
from tuneclip.project import DATASET_MANIFEST, METADATA, PENDING, beside, read_json, write_json

_OWN = ("url", "position", "reason")  # what a pending line has beyond a line of the metadata


@dataclass(frozen=True, slots=True)
class Pending:
    """A record without its picture. `stem` is the picture's path in the dataset, but for the extension."""

    id: str
    url: str
    stem: str
    position: int
    """The record's place among all, so that the order does not depend on which picture arrives first."""


def read_pending(folder: Path) -> list[Pending]:
    """The records that wait, in order; none where there is no list. Raises TuneclipError, with the line, if torn."""
    if not (folder / PENDING).is_file():
        return []
    found = [Pending(row["id"], row["url"], row["file_name"], int(row["position"])) for row in _rows(folder / PENDING)]
    for pending in found:
        if not re.fullmatch(rf"{PICTURES}/[\w~-]+", pending.stem):  # as naming.py makes them; never out of the folder
            raise TuneclipError(f"{pending.stem!r} cannot be a picture's name", where=folder / PENDING)
    held = _ids(folder / METADATA) if found else set()  # a kill may have come between the two renames of `settle`
    return [pending for pending in found if pending.id not in held]


def arrived_before(folder: Path, waiting: list[Pending]) -> dict[str, str]:
    """What a killed run had fetched, id to path: a picture gets its name only when it is complete and was decoded."""
    (folder / PICTURES).mkdir(exist_ok=True)
    found: dict[str, str] = {}
    for path in (folder / PICTURES).iterdir():
        if path.name.startswith("."):
            path.unlink(missing_ok=True)
        elif path.suffix in SUFFIXES:
            found[f"{PICTURES}/{path.stem}"] = f"{PICTURES}/{path.name}"
    return {pending.id: found[pending.stem] for pending in waiting if pending.stem in found}


def take_over(old: Path, fresh: Path, link: str) -> Written | None:
    """Give a dataset that is made again (`fresh`) the pictures that were fetched for it before.

    A picture is taken over for the record of the same id and the same value in the column `link`. Returns the new
    counts, None when there was nothing to take over.
    """
    if not (old / METADATA).is_file() or not (fresh / PENDING).is_file():
        return None
    unsettled = arrived_before(old, read_pending(old))
    held = {_key(row, link): row["file_name"] for row in _rows(old / METADATA)}
    if unsettled:
        held |= {_key(row, link): unsettled[row["id"]] for row in _rows(old / PENDING) if row["id"] in unsettled}
    arrived: dict[str, str] = {}
    for row in _rows(fresh / PENDING):
        file = held.get(_key(row, link)) if row["metadata"].get(link) else None
        if file and (old / file).is_file():
            arrived[row["id"]] = row["file_name"] + Path(file).suffix
            _link(old / file, fresh / arrived[row["id"]])
    return settle(fresh, arrived, {}) if arrived else None


def _key(row: dict[str, Any], link: str) -> tuple[str, Any]:
    return row["id"], row["metadata"].get(link)


def _link(picture: Path, target: Path) -> None:
    try:
        os.link(picture, target)
    except OSError:  # a file system without links
        shutil.copyfile(picture, target)


def settle(folder: Path, arrived: Mapping[str, str], reasons: Mapping[str, str]) -> Written:
    """Give the records with these ids their picture (`arrived`: id to path in the dataset), in their place among all.

    The others stay in `pending.jsonl`, with the reason why their last attempt failed. A kill at any point loses nothing
    and doubles nothing. Returns the dataset's counts.
    """
    manifest = read_json(folder / DATASET_MANIFEST)
    if not (folder / PENDING).is_file():
        return _written(manifest)
    waiting = read_pending(folder)
    still = {pending.id for pending in waiting if pending.id not in arrived}
    splits: dict[str, int] = {}
    captions = taken = 0
    with _rewritten(folder / METADATA) as file:
        for row in _merged(folder, waiting, arrived):
            taken, captions = taken + 1, captions + len(row["captions"])
            splits[row["split"]] = splits.get(row["split"], 0) + 1
            file.write(json_line(row))
    ordered = {name: splits[name] for name in sorted(splits, key=split_order)}
    manifest |= {"taken": taken, "pending": len(still), "captions": captions, "splits": ordered}
    write_json(folder / DATASET_MANIFEST, manifest)
    write_card(folder, manifest.get("name", folder.name), _written(manifest))
    _keep_waiting(
        folder, still, reasons
    )  # last: as long as a record is in the list, the next run does all of this again
    return _written(manifest)


def _written(manifest: dict[str, Any]) -> Written:
    counts = {name: manifest.get(name, 0) for name in ("taken", "skipped", "merged", "captions", "pending")}
    return Written(**counts, splits=manifest.get("splits", {}), columns=manifest.get("columns", {}))


def _merged(folder: Path, waiting: list[Pending], arrived: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The rows of the metadata with those that arrived between them: the former have the places that none waits for."""
    places = {pending.position for pending in waiting}
    free = (place for place in count() if place not in places)
    old = ((place, row) for place, row in zip(free, _rows(folder / METADATA), strict=False))
    return (row for _, row in heapq.merge(old, _new(folder, waiting, arrived), key=lambda each: each[0]))


def _new(folder: Path, waiting: list[Pending], arrived: Mapping[str, str]) -> Iterator[tuple[int, dict[str, Any]]]:
    known = {pending.id for pending in waiting if pending.id in arrived}
    if not known:
        return
    for row in _rows(folder / PENDING):
        if row["id"] in known:
            place = int(row["position"])
            full = {name: value for name, value in row.items() if name not in _OWN}
            yield place, full | {"file_name": arrived[row["id"]]}


def _keep_waiting(folder: Path, still: set[str], reasons: Mapping[str, str]) -> None:
    if not still:
        (folder / PENDING).unlink(missing_ok=True)
        return
    with _rewritten(folder / PENDING) as file:
        for row in _rows(folder / PENDING):
            if row["id"] in still:
                file.write(json_line(row | ({"reason": reasons[row["id"]]} if row["id"] in reasons else {})))


def _ids(path: Path) -> set[str]:
    return {row["id"] for row in _rows(path)}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                row["id"], row["file_name"], row["captions"], row["split"], row["metadata"]
            except (ValueError, KeyError, TypeError) as error:
                where = f"{path}, line {number}"
                raise TuneclipError(f"not a record: {error!r}", where=where, hint="import the dataset again") from error
            yield row


@contextmanager
def _rewritten(path: Path) -> Iterator[TextIO]:
    """A file to write beside `path`, which it replaces when the block ends well."""
    temporary = beside(path)
    with temporary.open("w", encoding="utf-8") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
