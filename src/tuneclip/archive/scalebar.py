"""The centimetre scale that lies beside every well recorded find."""

from functools import lru_cache

from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

_LENGTHS = (0.5, 1, 2, 5, 10, 20, 30, 50)  # centimetres
_READABLE = 128  # pixels; smaller pictures carry the bar without its figure


def draw_scale(image: Image.Image, pixels_per_cm: float, *, dark: bool, random: Generator) -> None:
    """Draw a bar of black and white fields near the bottom, with its length; `dark` says that the ground is."""
    width, height = image.size
    fitting = [length for length in _LENGTHS if length * pixels_per_cm < 0.34 * width]
    length = fitting[-1] if fitting else _LENGTHS[0]
    pixels = length * pixels_per_cm
    left = (0.06 * width, 0.5 * width - pixels / 2, 0.94 * width - pixels)[int(random.integers(3))]
    thick = max(2.0, 0.016 * height)
    top = 0.935 * height - thick
    ink, paper = (238, 238, 238) if dark else (24, 24, 24), (24, 24, 24) if dark else (246, 246, 246)
    draw = ImageDraw.Draw(image)
    fields = 5 if length in (0.5, 5, 10, 50) else 4 if length in (2, 20) else 3 if length == 30 else 2
    for field in range(fields):
        start = left + pixels * field / fields
        fill = ink if field % 2 == 0 else paper
        draw.rectangle((start, top, start + pixels / fields, top + thick), fill=fill, outline=ink)
    if height >= _READABLE:
        text = f"{length:g} cm"
        draw.text((left + pixels / 2, top - 1), text, fill=ink, font=_font(round(height * 0.042)), anchor="mb")


@lru_cache(maxsize=8)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)
