"""Which file a record means: by exact rules, in this order, said aloud when they fail."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tuneclip.data.picture import SUFFIXES
from tuneclip.data.walk import files_below
from tuneclip.errors import TuneclipError


class UnpairedError(Exception):
    """A record whose picture is not there; the message is the reason."""


class PictureFiles:
    """Finds pictures below folders by what records call them.

    1. the path, absolute or from the first folder, then the next; 2. the same path, where only the case of the
    extension or the unicode form differs; 3. the file name anywhere below; 4. the stem anywhere below, among files
    with a picture's extension. Of several files of that name the one that shares the most trailing folders with the
    given path is taken; if two share as many, the record is ambiguous: TuneclipError names both.
    """

    def __init__(self, folders: Iterable[Path], first: Path | None = None) -> None:
        self.first = [first] if first else []
        self.folders = list(dict.fromkeys(folders))
        self._names: dict[str, list[str]] | None = None
        self._stems: dict[str, list[str]] = {}

    def find(self, name: str, where: str, beside: Path | None = None) -> Path:
        """The file that `name` means: from the `first` folder, else from `beside`, else from the others.

        Raises UnpairedError when there is none, TuneclipError when there are several.
        """
        given = name.replace("\\", "/").strip()
        if "://" in given:
            raise UnpairedError(f"the picture is a link, not a file: {name}")
        if (
            "\0" in given
            or given in ("", ".", "..")
            or any(len(p.encode(errors="replace")) > 255 for p in given.split("/"))
        ):
            raise UnpairedError(f"not a file name: {name[:80]!r}")
        for folder in (*self.first, *([beside] if beside else []), *self.folders):
            path = folder / given
            if path.is_file():
                return path
        return self._search(given, where)

    def _search(self, given: str, where: str) -> Path:
        if self._names is None:
            self._index()
        wanted = _parts(given)
        by_name = (self._names or {}).get(wanted[-1], [])
        by_stem = self._stems.get(_stem(wanted[-1]), []) + (
            self._stems.get(wanted[-1], []) if _stem(wanted[-1]) != wanted[-1] else []
        )
        for candidates in (by_name, by_stem):
            if candidates:
                return Path(_nearest(candidates, wanted, where, given))
        raise UnpairedError(f"no such picture: {given}")

    def _index(self) -> None:
        self._names = {}
        for folder in self.folders:
            for path in files_below(folder):
                name = _parts(path.name)[-1]
                _add(self._names, name, str(path))
                if "." + name.rsplit(".", 1)[-1] in SUFFIXES:
                    _add(self._stems, _stem(name), str(path))


def _add(index: dict[str, list[str]], key: str, path: str) -> None:
    held = index.setdefault(key, [])
    if path not in held:
        held.append(path)


def _parts(path: str) -> tuple[str, ...]:
    """The path's parts as they are compared: one unicode form, the extension in lower case."""
    parts = PurePosixPath(unicodedata.normalize("NFC", path)).parts
    last, dot, extension = parts[-1].rpartition(".")
    return (*parts[:-1], f"{last}.{extension.lower()}" if dot and last else parts[-1])


def _stem(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return stem if stem and f"{dot}{extension}" in SUFFIXES else name


def _nearest(paths: list[str], wanted: tuple[str, ...], where: str, given: str) -> str:
    """The path that shares the most trailing folders with `wanted`; TuneclipError when two share as many."""
    shared = [_shared(_parts(path)[:-1], wanted[:-1]) for path in paths]
    best = [path for path, count in zip(paths, shared, strict=True) if count == max(shared)]
    if len(best) > 1:
        raise TuneclipError(
            f"{given!r} may be {best[0]} or {best[1]}",
            where=where,
            expected="one file of that name",
            hint="write the path from the pictures' folder into the record",
        )
    return best[0]


def _shared(path: tuple[str, ...], wanted: tuple[str, ...]) -> int:
    count = 0
    for one, other in zip(reversed(path), reversed(wanted), strict=False):
        if one != other:
            break
        count += 1
    return count
