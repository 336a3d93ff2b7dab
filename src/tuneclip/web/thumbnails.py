"""Pictures for the page: decoded under the limits of `data.picture`, upright and small, as JPEG; none as it is."""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from tuneclip.data.picture import as_jpeg, decode, load_picture, read_size
from tuneclip.errors import TuneclipError
from tuneclip.project import user_cache, write_bytes

Size = Literal["small", "large"]
SHORTER = {"small": 320, "large": 1200}
"""Pixels of the shorter side: a row of the grid on a fine screen; a window."""
QUALITY, DROPPED_QUALITY = 84, 92
KEPT = 1500  # small ones in memory, about 30 MB
DROPPED = 300  # dropped pictures that are kept, the newest; about 100 kB each
DROPPED_SHORTER = 768  # more than any preprocessing of today takes in


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file as it is now: another picture under the same name has another stamp."""

    path: Path
    changed: int
    """Nanoseconds."""
    size: int

    def tag(self, size: Size) -> str:
        """An HTTP entity tag."""
        text = f"{self.path}\0{self.changed}\0{self.size}\0{size}\0{QUALITY}"
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'


def stamp(path: Path) -> Stamp:
    """The file's stamp; raises TuneclipError when it is not there."""
    try:
        known = path.stat()
    except (OSError, ValueError) as error:
        raise TuneclipError("the picture is not there any more", where=path) from error
    return Stamp(path, known.st_mtime_ns, known.st_size)


def thumbnail(of: Stamp, size: Size) -> bytes:
    """The picture as JPEG of that size; raises TuneclipError when it cannot be decoded."""
    return _small(of) if size == "small" else _encoded(of.path, SHORTER[size])


@lru_cache(maxsize=KEPT)
def _small(of: Stamp) -> bytes:
    return _encoded(of.path, SHORTER["small"])


def _encoded(path: Path, shorter: int) -> bytes:
    return as_jpeg(load_picture(path, shorter=shorter), QUALITY)


def extent(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels, upright; None where there is no readable picture."""
    try:
        return _extent(stamp(path))
    except TuneclipError:
        return None


@lru_cache(maxsize=20_000)
def _extent(of: Stamp) -> tuple[int, int]:
    return read_size(of.path)


def keep_dropped(data: bytes) -> str:
    """Keep a picture that was dropped on the page, shrunk, in the user's cache; returns its key.

    The key stands in the page's address, so reload and back find the same picture. The oldest are forgotten. Raises
    TuneclipError for bytes that are no picture.
    """
    kept = as_jpeg(decode(data, "the dropped picture", shorter=DROPPED_SHORTER).image, DROPPED_QUALITY)
    key = hashlib.sha256(kept).hexdigest()[:32]
    write_bytes(_dropped_folder() / f"{key}.jpg", kept)
    _forget_old()
    return key


def dropped(key: str) -> Path:
    """Where a dropped picture is kept; raises TuneclipError for a key that there is not."""
    well = len(key) == 32 and set(key) <= set("0123456789abcdef")
    path = _dropped_folder() / f"{key}.jpg"
    if not well or not path.is_file():
        raise TuneclipError("this dropped picture is no longer kept", hint="drop it on the page again")
    return path


def _dropped_folder() -> Path:
    return user_cache() / "dropped"


def _forget_old() -> None:
    paths = sorted(_dropped_folder().glob("*.jpg"), key=_age)
    for path in paths[DROPPED:]:
        path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # another server tidied up at the same moment
        return 0.0
