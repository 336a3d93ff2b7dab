"""File names for copied pictures: recognisable, and harmless to every system and library that will meet them."""

import re
import unicodedata
from pathlib import PurePosixPath

from tuneclip.data.picture import SUFFIXES

_LONGEST = 80  # bytes; leaves room for a folder's name, a number and an extension in the 255 of file systems
# Whole words from which Hugging Face's imagefolder infers splits: it would read `test.jpg` as a split of its own and
# drop all other files (datasets/data_files.py). A following `~`, none of its separators, makes them other words.
_SPLIT_WORDS = re.compile(
    r"(^|[-._ 0-9])(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=[-._ 0-9]|$)", re.IGNORECASE
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)  # devices on Windows


def safe_stem(name: str) -> str:
    """`name` as a file's stem: letters, digits, `-`, `_` and `~`, of any script; never empty, hidden or reserved."""
    text = unicodedata.normalize("NFC", name)
    text = re.sub(r"[^\w~]+", "-", text).strip("-")
    text = text.encode()[:_LONGEST].decode(errors="ignore").strip("-") or "picture"
    text = _SPLIT_WORDS.sub(r"\1\2~", text)
    return text + "~" if _RESERVED.match(text) else text


def stems_for(origin: str) -> list[str]:
    """The stems that a picture from `origin` may take, best first: its own, then with its folder's name before it."""
    path = PurePosixPath(origin.replace("\\", "/"))
    stem = path.stem if path.suffix.lower() in SUFFIXES else path.name
    folder = path.parent.name
    return [safe_stem(stem), safe_stem(f"{folder}-{stem}")] if folder else [safe_stem(stem)]


def folded(name: str) -> str:
    """Equal for names that a file system which ignores case would take for one."""
    return unicodedata.normalize("NFD", name.casefold())
