"""A JSON file that may be too large for memory: which lists of objects it holds, and their items one by one."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from tuneclip.data.table import not_utf8, open_text
from tuneclip.errors import TuneclipError

# From this size on a file is read item by item; below, Python's own parser is faster and the memory does not matter.
STREAMED_BYTES = 8 * 1024 * 1024
_HEAD_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Outline:
    """What a JSON file is made of: whether it is one list, and how many items each list of objects has."""

    is_list: bool
    lists: dict[str, int]
    streamed: bool


class Document:
    """A JSON file, opened anew for each question, so that many of them may be held.

    Large files are streamed with ijson; what that refuses but Python reads (NaN, numbers beyond 64 bits, UTF-16) is
    read as a whole. Raises TuneclipError when the file is not JSON.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_list(self) -> bool:
        """Whether the file is one list of records."""
        return self._outline.is_list

    @property
    def lists(self) -> dict[str, int]:
        """The length of each list of objects by its dotted path (empty for the file itself), not looking into lists."""
        return self._outline.lists

    def items(self, name: str = "") -> Iterator[Any]:
        """The items of the list at `name`, one of `lists`; also of a file that is a list without objects."""
        if not self._outline.streamed:
            yield from next((found for key, found in _lists(self.value(), "", every=True) if key == name), [])
            return
        import ijson

        with self._open() as file:
            yield from ijson.items(file, f"{name}.item" if name else "item", use_float=True)

    def first(self, name: str = "") -> Any:
        """The first item of a list; None when it has none."""
        return next(self.items(name), None)

    def value(self) -> Any:
        """The whole file, in memory."""
        try:
            with open_text(self.path) as file:
                return json.load(file)
        except (json.JSONDecodeError, RecursionError) as error:
            raise TuneclipError(f"not valid JSON: {error}", where=self.path) from error
        except UnicodeDecodeError as error:
            raise not_utf8(self.path, error) from error

    def mentions(self, *words: bytes) -> bool:
        """Whether the beginning of the file holds one of these words: a cheap question before the dear ones."""
        with self.path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        return any(word in head for word in words)

    @cached_property
    def _outline(self) -> Outline:
        if self.path.stat().st_size >= STREAMED_BYTES:
            import ijson

            try:
                with self._open() as file:
                    return _streamed_outline(file)
            except ijson.JSONError:
                pass  # what is wrong, if anything, Python's own parser says better
        value = self.value()
        found = _lists(value, "", every=False)
        return Outline(isinstance(value, list), {name: len(items) for name, items in found}, streamed=False)

    def _open(self) -> BinaryIO:
        file = self.path.open("rb")
        if file.read(len(_BOM)) != _BOM:
            file.seek(0)
        return file


def _lists(value: Any, name: str, *, every: bool) -> Iterator[tuple[str, list[Any]]]:
    """Each list in `value`, not looking into lists; without `every` only those that hold an object."""
    if isinstance(value, list):
        if every or any(isinstance(item, dict) for item in value):
            yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _lists(inner, f"{name}.{key}" if name else key, every=every)


def _streamed_outline(file: BinaryIO) -> Outline:
    import ijson

    lists: dict[str, int] = {}
    is_list, name, depth, count, objects = None, "", 0, 0, False
    for prefix, event, _ in ijson.parse(file, use_float=True):
        is_list = event == "start_array" if is_list is None else is_list
        if depth == 0:
            if event == "start_array":
                name, depth, count, objects = prefix, 1, 0, False
        elif event in ("end_array", "end_map"):
            depth -= 1
            if depth == 0 and objects:
                lists[name] = count
        elif event in ("start_array", "start_map"):
            count += depth == 1
            objects = objects or (depth == 1 and event == "start_map")
            depth += 1
        elif depth == 1:
            count += 1
    return Outline(bool(is_list), lists, streamed=True)
