"""WebDataset: tar files whose neighbouring members of one stem are one record (`0001.jpg`, `0001.txt`, `0001.json`)."""

import json
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from tuneclip.data.picture import MAX_BYTES, SUFFIXES
from tuneclip.data.table import Rows
from tuneclip.errors import TuneclipError

FORMATS = (".tar", ".tgz", ".tar.gz")
_TEXTS = {"txt": "text", "text": "text", "caption": "caption", "cls": "label", "cls.txt": "label"}
Member = tuple[str, str, bytes]  # stem, extension, content


def read(path: Path) -> Rows:
    """The records of a shard, read as a stream."""
    try:
        with tarfile.open(path, "r|*") as archive:
            for stem, members in groupby(_members(archive), key=lambda member: member[0]):
                yield _record(stem, list(members))
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise TuneclipError(f"damaged tar file: {error}", where=path) from error


def _members(archive: tarfile.TarFile) -> Iterator[Member]:
    for member in archive:
        folder, _, name = member.name.rpartition("/")
        stem, dot, extension = name.partition(".")
        if not member.isfile() or not stem or not dot or member.size > MAX_BYTES:
            continue
        content = archive.extractfile(member)
        yield f"{folder}/{stem}" if folder else stem, extension, content.read() if content else b""


def _record(stem: str, members: list[Member]) -> tuple[dict[str, Any], str | None]:
    fields: dict[str, Any] = {}
    problem = None
    for _, extension, content in members:
        kind = extension.lower()
        if "." + kind.rsplit(".", 1)[-1] in SUFFIXES:
            fields.setdefault("image", {"bytes": content, "path": f"{stem}.{extension}"})
        elif kind in _TEXTS:
            fields[_TEXTS[kind]] = content.decode("utf-8", "replace").strip()
        elif kind == "json":
            more, problem = _json(content)
            fields = {**more, **fields}
    return fields, problem


def _json(content: bytes) -> tuple[dict[str, Any], str | None]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        return {}, f"not valid JSON: {error}"
    return (value, None) if isinstance(value, dict) else ({"json": value}, None)
