"""Pictures that records name by link instead of by file: which column holds the links, and what a link is."""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from tuneclip.data.picture import SUFFIXES
from tuneclip.data.row import Value

# Letters only, lower case, best first: `image_url`, `imageURL` and `image.url` are one.
_LINKS = (
    "pictureurl", "imageurl", "imgurl", "photourl", "mediaurl", "cocourl", "imageuri", "pictureuri", "imagelink",
    "picturelink", "photolink", "imagehref", "image", "picture", "photo", "img", "media", "file", "filename",
    "imagepath", "picturepath", "path", "url", "uri", "link", "href",
)  # fmt: skip
_SMALL = ("thumb", "preview", "icon", "logo", "avatar")


def is_link(value: object) -> bool:
    """Whether a value is an http(s) address; other schemes are not fetched."""
    return isinstance(value, str) and re.match(r"https?://[^\s/]", value.strip(), re.IGNORECASE) is not None


def link_of(fields: Mapping[str, Value], columns: Sequence[str | None]) -> str | None:
    """The first link in these columns, in their order; of a list of links the first one."""
    found = (_first_link(fields.get(name)) for name in columns if name)
    return next((link for link in found if link), None)


def _first_link(value: Value) -> str | None:
    items = value if isinstance(value, list) else [value]
    return next((item.strip() for item in items if isinstance(item, str) and is_link(item)), None)


def link_column(examples: Mapping[str, Sequence[Value]]) -> str | None:
    """The column that links to pictures, by its name and by what most of its values end in; None when there is none.

    First come known names whose links end like pictures, then any such column, then known names. Small versions
    (thumbnails, icons) come last of each.
    """
    ranked = sorted((rank, name) for name, values in examples.items() if (rank := _rank(name, values)))
    return ranked[0][1] if ranked else None


def _rank(name: str, values: Sequence[Value]) -> tuple[int, bool, int] | None:
    links = [link for value in values if (link := _first_link(value))]
    if not links or 2 * len(links) <= len(values):
        return None
    own, last = _letters(name), _letters(name.rsplit(".", 1)[-1])
    known = _LINKS.index(own) if own in _LINKS else 50 + _LINKS.index(last) if last in _LINKS else None
    small = any(word in own for word in _SMALL)
    pictures = 2 * sum(_suffix(link) in SUFFIXES for link in links) > len(links)
    if pictures:
        return (1, small, known) if known is not None else (2, small, 0)
    return (3, small, known) if known is not None else None


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _suffix(link: str) -> str:
    try:
        return PurePosixPath(urlsplit(link).path).suffix.lower()
    except ValueError:
        return ""


def origin_of(link: str) -> str:
    """The link without its scheme and fragment: where the picture comes from, as a path."""
    return link.split("#", 1)[0].split("://", 1)[-1]
