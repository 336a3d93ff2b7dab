"""Tables of records: CSV, TSV, JSON Lines, and JSON whose list of records may lie deep inside."""

import csv
import json
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TextIO

from tuneclip.errors import TuneclipError

Rows = Iterator[tuple[dict[str, Any], str | None]]


def read_csv(path: Path) -> Rows:
    """The rows of a CSV or TSV file under its header; empty cells are None."""
    with _text(path) as file:
        head = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=_delimiter(path, head))
        try:
            header = [name.strip() for name in next(reader, [])]
            if len(set(header)) < len(header):
                twice = next(name for name in header if header.count(name) > 1)
                raise TuneclipError(f"column {twice!r} stands twice in the header", where=path)
            for cells in reader:
                if cells:
                    yield _cells(header, cells)
        except csv.Error as error:
            raise TuneclipError(f"not readable as CSV: {error}", where=f"{path}, line {reader.line_num}") from error
        except UnicodeDecodeError as error:
            raise _not_utf8(path, error) from error


def _cells(header: list[str], cells: list[str]) -> tuple[dict[str, Any], str | None]:
    fields = {name: cell.strip() or None for name, cell in zip(header, cells, strict=False)}
    if len(cells) > len(header):
        return fields, f"{len(cells)} cells under {len(header)} column names"
    return fields | dict.fromkeys(header[len(cells) :]), None


def _delimiter(path: Path, head: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t|", key=head.count)


def read_jsonl(path: Path) -> Rows:
    """The objects of a JSON Lines file; a line that is not one comes with its problem."""
    with _text(path) as file:
        try:
            for line in file:
                if line.strip():
                    yield _json_line(line)
        except UnicodeDecodeError as error:
            raise _not_utf8(path, error) from error


def _json_line(line: str) -> tuple[dict[str, Any], str | None]:
    try:
        return _object(json.loads(line))
    except (ValueError, RecursionError) as error:
        return {}, f"not valid JSON: {error}"


def _object(value: Any) -> tuple[dict[str, Any], str | None]:
    return (value, None) if isinstance(value, dict) else ({}, f"not an object: {str(value)[:80]}")


def objects(values: list[Any]) -> Rows:
    """The records of a JSON list; one that is not an object comes with its problem."""
    yield from map(_object, values)


def list_of_records(path: Path, records: str | None) -> tuple[list[Any], str]:
    """The list of records in a JSON file, and what to say of where it was found.

    `records` is its dotted path; without it the file must be a list or hold exactly one list of objects.
    Raises TuneclipError, naming the lists there are, when it cannot be told.
    """
    with _text(path) as file:
        try:
            value = json.load(file)
        except (json.JSONDecodeError, RecursionError) as error:
            raise TuneclipError(f"not valid JSON: {error}", where=path) from error
        except UnicodeDecodeError as error:
            raise _not_utf8(path, error) from error
    lists = dict(_lists(value, ""))
    if records is not None:
        return _at(lists, records, path), ""
    if isinstance(value, list):
        return value, ""
    if len(lists) == 1:
        name, found = next(iter(lists.items()))
        return found, f"records: {name} ({len(found):,})"
    if not lists:
        return [value], "the file is one record"
    listed = ", ".join(f"{name} ({len(found):,})" for name, found in lists.items())
    raise TuneclipError(f"several lists of records: {listed}", where=path, hint="say which with --records")


def _at(lists: dict[str, list[Any]], records: str, path: Path) -> list[Any]:
    if records in lists:
        return lists[records]
    near = get_close_matches(records, lists, n=1, cutoff=0.4)
    raise TuneclipError(
        f"no list of records at {records!r}",
        where=path,
        expected="one of " + ", ".join(lists) if lists else "a list of objects",
        hint=f"did you mean --records {near[0]}?" if near else None,
    )


def _lists(value: Any, name: str) -> Iterator[tuple[str, list[Any]]]:
    """Every list of objects with its dotted path, not looking into lists."""
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lists(inner, f"{name}.{key}" if name else key)


def _text(path: Path) -> TextIO:
    with path.open("rb") as file:
        mark = file.read(4)
    encoding = "utf-16" if mark[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return path.open(encoding=encoding, newline="")


def _not_utf8(path: Path, error: UnicodeDecodeError) -> TuneclipError:
    return TuneclipError(f"not UTF-8 text: {error.reason} at byte {error.start}", where=path, hint="save it as UTF-8")


FORMATS = {
    ".csv": ("CSV", read_csv),
    ".tsv": ("TSV", read_csv),
    ".jsonl": ("JSON Lines", read_jsonl),
    ".ndjson": ("JSON Lines", read_jsonl),
    ".json": ("JSON", read_jsonl),
    ".geojson": ("GeoJSON", read_jsonl),
}
UNTYPED = (".csv", ".tsv")
WHOLE_FILES = (".json", ".geojson")
