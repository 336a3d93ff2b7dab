"""A contact sheet: rows of pictures with a line of words below each, as one picture file."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip.errors import TuneclipError
from tuneclip.project import write_bytes

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

CELL = 160
"""Pixels of the square into which each picture is fitted."""
GAP = 8
LINE = 26
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_MOST_LETTERS = 1000  # more never fit; measuring them would take long
_PAPER, _INK, _MUTED = (255, 255, 255), (30, 30, 30), (110, 110, 110)


@dataclass(frozen=True)
class Strip:
    """One row of the sheet: pictures side by side, and words below them."""

    pictures: "Sequence[Image]"
    words: str


def checked_sheet(path: Path) -> Path:
    """`path` if a sheet can be written under that name, else TuneclipError."""
    if path.suffix.lower() not in FORMATS:
        raise TuneclipError("not the name of a picture", where=path, expected="one that ends in .jpg, .png or .webp")
    return path


def draw_sheet(path: Path, heads: Sequence[str], strips: Sequence[Strip]) -> None:
    """Write the strips below the column heads into `path`; its extension says in which format.

    Every picture keeps its shape. Raises TuneclipError when the extension is not one of `FORMATS`.
    """
    from PIL import Image, ImageDraw

    kind = FORMATS[checked_sheet(path).suffix.lower()]
    columns = max([len(heads), *(len(strip.pictures) for strip in strips)])
    width = columns * (CELL + GAP) + GAP
    sheet = Image.new("RGB", (width, LINE + GAP + len(strips) * (CELL + LINE + GAP)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = _font()
    for column, head in enumerate(heads):
        draw.text((GAP + column * (CELL + GAP), GAP), head, _MUTED, font)
    for row, strip in enumerate(strips):
        top = LINE + GAP + row * (CELL + LINE + GAP)
        for column, picture in enumerate(strip.pictures):
            _fit(sheet, picture, (GAP + column * (CELL + GAP), top))
        draw.text((GAP, top + CELL + 3), _cut(strip.words, font, width - 2 * GAP), _INK, font)
    held = BytesIO()
    sheet.save(held, kind, quality=80)
    write_bytes(path, held.getvalue())


def _fit(sheet: "Image", picture: "Image", corner: tuple[int, int]) -> None:
    from PIL import ImageOps

    fitted = ImageOps.contain(picture, (CELL, CELL))
    left, top = corner
    sheet.paste(fitted, (left, top + CELL - fitted.height))


def _font() -> "FreeTypeFont":
    """DejaVu Sans, which Matplotlib brings along: Latin, Greek, Cyrillic, Arabic and more."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 13)


def _cut(words: str, font: "FreeTypeFont", width: int) -> str:
    """The words as one line, with an ellipsis where they are too long for it."""
    line = " ".join(words.split())[:_MOST_LETTERS]
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line.rstrip() + "…"
