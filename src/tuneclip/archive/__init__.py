"""The drawn archive: imaginary finds, drawn from a seed, with a museum's metadata. Needs NumPy and Pillow only."""

from tuneclip.archive.publish import draw_archive, draw_finds, draw_sheet
from tuneclip.archive.record import Find, Place

__all__ = ["Find", "Place", "draw_archive", "draw_finds", "draw_sheet"]
