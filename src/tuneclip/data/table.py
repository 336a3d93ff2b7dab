"""Tables of records read line by line: CSV, TSV and JSON Lines."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tuneclip.errors import TuneclipError

Rows = Iterator[tuple[dict[str, Any], str | None]]


def read_csv(path: Path) -> Rows:
    """The rows of a CSV or TSV file under its header; empty cells are None."""
    try:
        with open_text(path) as file:
            head = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(path, head))
            header = _header(next(reader, []), path)
            for cells in reader:
                if cells:
                    yield _cells(header, cells)
    except csv.Error as error:
        raise TuneclipError(f"not readable as CSV: {error}", where=f"{path}, line {reader.line_num}") from error
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from error


def _header(cells: list[str], path: Path) -> list[str]:
    header = [name.strip() for name in cells]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise TuneclipError(f"column {twice!r} stands twice in the header", where=path)
    return header


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
    with open_text(path) as file:
        try:
            for line in file:
                if line.strip():
                    yield _json_line(line)
        except UnicodeDecodeError as error:
            raise not_utf8(path, error) from error


def _json_line(line: str) -> tuple[dict[str, Any], str | None]:
    try:
        return as_object(json.loads(line))
    except (ValueError, RecursionError) as error:
        return {}, f"not valid JSON: {error}"


def as_object(value: Any) -> tuple[dict[str, Any], str | None]:
    """A record as readers yield it: the object, or nothing and the problem with it."""
    return (value, None) if isinstance(value, dict) else ({}, f"not an object: {str(value)[:80]}")


def open_text(path: Path) -> TextIO:
    """The file opened as UTF-8, or as UTF-16 when it begins with that mark."""
    with path.open("rb") as file:
        mark = file.read(4)
    encoding = "utf-16" if mark[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return path.open(encoding=encoding, newline="")


def not_utf8(path: Path, error: UnicodeDecodeError) -> TuneclipError:
    """What to say of a file in another encoding."""
    return TuneclipError(f"not UTF-8 text: {error.reason} at byte {error.start}", where=path, hint="save it as UTF-8")
