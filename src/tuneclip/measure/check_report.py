"""The page of a check: each finding with its pictures, in one HTML file that loads nothing from elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip import __version__
from tuneclip.data.findings import LEVELS, TITLES, DatasetFinding
from tuneclip.data.load import Dataset
from tuneclip.data.picture import load_picture, thumbnail_link
from tuneclip.errors import TuneclipError
from tuneclip.pages import render
from tuneclip.project import write_text
from tuneclip.records import Record

if TYPE_CHECKING:
    from tuneclip.measure.check import Checked

TEMPLATES = Path(__file__).parent / "templates"
THUMBNAIL = 200
"""Pixels of the longer side."""


@dataclass(frozen=True)
class Shown:
    """One record on the page; `source` is empty where its picture cannot be decoded."""

    id: str
    split: str
    caption: str
    size: str
    source: str
    problem: str = ""


def write_check_report(place: Path, result: "Checked", dataset: Dataset) -> None:
    """Write the page to `place`, at once or not at all."""
    records = {record.id: record for record in dataset.records}
    now = datetime.now()
    page = render(
        TEMPLATES / "check.html",
        result=result,
        sections=[_section(found, TITLES[found.code], dataset, records) for found in result.findings],
        verdict=_verdict(result),
        date=f"{now.day} {now:%B %Y}",
        version=__version__,
    )
    write_text(place, page)


def _verdict(result: "Checked") -> str:
    if not result.findings:
        return "Nothing wrong was found."
    counts = {level: sum(found.level == level for found in result.findings) for level in LEVELS}
    words = [f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items() if count]
    grave = "Mend the errors before you train." if counts["error"] else "Nothing here stands in the way of training."
    return f"{', '.join(words)}. {grave}"


def _section(found: DatasetFinding, title: str, dataset: Dataset, records: dict[str, Record]) -> dict[str, Any]:
    groups = found.groups or (found.examples,)
    strips = [list(_strip(group, dataset, records)) for group in groups]
    return {"found": found, "title": title[0].upper() + title[1:], "strips": [strip for strip in strips if strip]}


def _strip(group: tuple[str, ...], dataset: Dataset, records: dict[str, Record]) -> Iterator[Shown]:
    for name in group:
        record = records.get(name)
        if record is None:  # what the import skipped is no record
            continue
        caption = record.captions[0] if record.captions else ""
        try:
            image = load_picture(dataset.picture_path(record))
        except TuneclipError as error:
            yield Shown(name, record.split, caption, "", "", error.what)
            continue
        size = f"{image.width}\u00a0×\u00a0{image.height}"
        yield Shown(name, record.split, caption, size, thumbnail_link(image, THUMBNAIL))
