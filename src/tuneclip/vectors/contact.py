"""The hits of a search as one HTML page that holds everything it shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip.data.picture import load_picture, thumbnail_link
from tuneclip.errors import TuneclipError
from tuneclip.pages import render
from tuneclip.project import write_text
from tuneclip.records import Hit

if TYPE_CHECKING:
    from tuneclip.vectors.search import Found

TEMPLATES = Path(__file__).parent / "templates"
THUMBNAIL = 190  # pixels of the longer side


@dataclass(frozen=True)
class Cell:
    """A hit on the page; `source` is empty where the picture cannot be read."""

    id: str
    score: float
    about: str
    source: str


def write_contact(place: Path, found: "Found") -> None:
    """Write the page to `place`, at once or not at all; it loads nothing from elsewhere."""
    cells = [Cell(hit.id, hit.score, about(hit), thumbnail(hit, THUMBNAIL)) for hit in found.hits]
    page = render(
        TEMPLATES / "contact.html",
        query=found.query,
        collection=found.collection,
        model=found.model,
        where=found.where,
        scale=found.scale,
        cells=cells,
    )
    write_text(place, page)


def about(hit: Hit) -> str:
    """The hit's first caption, else its metadata, on one line."""
    known = (f"{name}: {value}" for name, value in hit.metadata.items() if value is not None)
    return " ".join((hit.captions[0] if hit.captions else ", ".join(known)).split())


def thumbnail(hit: Hit, longer: int) -> str:
    """The hit's picture as a `data:` address, its longer side of so many pixels; empty where it cannot be read."""
    try:
        return thumbnail_link(load_picture(Path(hit.path), shorter=longer), longer)
    except (TuneclipError, OSError):
        return ""
