"""Patterns that run round a vessel: each drawn once as a small tile that repeats without a seam."""

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from tuneclip.archive import figures

Floats = npt.NDArray[np.float32]
XY = tuple[float, float]

_SIDE = 96  # pixels along a tile's height
_FINER = 4  # drawn this much larger, then reduced


class Sketch:
    """A sheet for one motif, in coordinates from 0 to 1 (y down); what leaves one side enters the other."""

    def __init__(self, *, aspect: float = 1.0, wraps: bool = True) -> None:
        """Open an empty sheet `aspect` times as wide as high."""
        self.aspect = aspect
        self._size = (round(_SIDE * _FINER * aspect), _SIDE * _FINER)
        self._image = Image.new("L", self._size, 0)
        self._draw = ImageDraw.Draw(self._image)
        self._shifts = (-1, 0, 1) if wraps else (0,)

    def _pixels(self, points: Iterable[XY], shift: int) -> list[XY]:
        width, height = self._size
        return [(x * height + shift * width, y * height) for x, y in points]

    def area(self, points: Iterable[XY], *, ink: int = 255) -> None:
        """Fill a polygon."""
        corners = list(points)
        for shift in self._shifts:
            self._draw.polygon(self._pixels(corners, shift), fill=ink)

    def line(self, points: Iterable[XY], width: float, *, ink: int = 255) -> None:
        """Draw a line with round ends, `width` in heights of the sheet."""
        corners = list(points)
        thick = width * self._size[1]
        for shift in self._shifts:
            pixels = self._pixels(corners, shift)
            self._draw.line(pixels, fill=ink, width=max(1, round(thick)), joint="curve")
            for x, y in (pixels[0], pixels[-1]):
                self._draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=ink)

    def oval(self, centre: XY, radii: XY, *, ink: int = 255, ring: float = 0) -> None:
        """Fill an ellipse, or draw only its outline `ring` wide."""
        for shift in self._shifts:
            (x, y), height = self._pixels([centre], shift)[0], self._size[1]
            box = (x - radii[0] * height, y - radii[1] * height, x + radii[0] * height, y + radii[1] * height)
            if ring:
                self._draw.ellipse(box, outline=ink, width=max(1, round(ring * height)))
            else:
                self._draw.ellipse(box, fill=ink)

    def tile(self) -> Floats:
        """The motif as coverage from 0 to 1, (height, width)."""
        small = self._image.reduce(_FINER)
        return np.asarray(small, dtype=np.float32) / np.float32(255)


@lru_cache(maxsize=256)
def tile(name: str) -> Floats:
    """The tile of that motif, (96, 96 × aspect), coverage from 0 to 1; KeyError where there is none."""
    drawer = _PATTERNS.get(name)
    if drawer is not None:
        return drawer().tile()
    aspect, draw = figures.FIGURES[name]
    sketch = Sketch(aspect=aspect)
    draw(sketch)
    return sketch.tile()


@lru_cache(maxsize=256)
def slopes(name: str) -> tuple[Floats, Floats]:
    """How steeply the tile rises to the right and downwards, the motif taken as low relief."""
    height = np.asarray(Image.fromarray(np.uint8(tile(name) * 255)), dtype=np.float32) / 255
    soft = (np.roll(height, 1, 1) + np.roll(height, -1, 1) + np.roll(height, 1, 0) + np.roll(height, -1, 0)) / 4
    across = np.roll(soft, -1, 1) - np.roll(soft, 1, 1)
    down = np.roll(soft, -1, 0) - np.roll(soft, 1, 0)
    return across.astype(np.float32), down.astype(np.float32)


def _arc(centre: XY, radius: float, start: float, end: float) -> list[XY]:
    angles = np.linspace(start, end, 24)
    return [(centre[0] + radius * float(np.cos(a)), centre[1] + radius * float(np.sin(a))) for a in angles]


def _spiral(centre: XY, radius: float, turns: float) -> list[XY]:
    steps = np.linspace(0, 1, 60)
    angle = steps * turns * 2 * np.pi
    return [
        (centre[0] + radius * float(s * np.cos(a)), centre[1] + radius * float(s * np.sin(a)))
        for s, a in zip(steps, angle, strict=True)
    ]


def _meander() -> Sketch:
    sketch = Sketch(aspect=1.0)
    path = [(0, 0.9), (0.12, 0.9), (0.12, 0.1), (0.88, 0.1), (0.88, 0.66), (0.4, 0.66), (0.4, 0.4), (0.62, 0.4)]
    sketch.line(path, 0.11)
    sketch.line([(0.88, 0.66), (0.88, 0.9), (1.0, 0.9)], 0.11)
    return sketch


def _zigzag() -> Sketch:
    sketch = Sketch(aspect=0.7)
    sketch.line([(0, 0.85), (0.35, 0.15), (0.7, 0.85)], 0.13)
    return sketch


def _double_zigzag() -> Sketch:
    sketch = Sketch(aspect=0.8)
    for low in (0.0, 0.3):
        sketch.line([(0, 0.6 + low), (0.4, 0.1 + low), (0.8, 0.6 + low)], 0.07)
    return sketch


def _wavy() -> Sketch:
    sketch = Sketch(aspect=1.4)
    xs = np.linspace(0, 1.4, 40)
    sketch.line([(float(x), 0.5 + 0.3 * float(np.sin(x / 1.4 * 2 * np.pi))) for x in xs], 0.17)
    return sketch


def _combed() -> Sketch:
    sketch = Sketch(aspect=1.6)
    xs = np.linspace(0, 1.6, 40)
    for low in (0.24, 0.38, 0.52, 0.66, 0.80):
        sketch.line([(float(x), low + 0.14 * float(np.sin(x / 1.6 * 2 * np.pi))) for x in xs], 0.05)
    return sketch


def _comb() -> Sketch:
    sketch = Sketch(aspect=0.5)
    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        sketch.line([(0, low), (0.5, low)], 0.06)
    return sketch


def _checker() -> Sketch:
    sketch = Sketch(aspect=0.5)
    for row in range(4):
        left = 0.0 if row % 2 else 0.25
        sketch.area([(left, row / 4), (left + 0.25, row / 4), (left + 0.25, row / 4 + 0.25), (left, row / 4 + 0.25)])
    return sketch


def _circles() -> Sketch:
    sketch = Sketch(aspect=1.05)
    for radius in (0.44, 0.31, 0.18):
        sketch.oval((0.525, 0.5), (radius, radius), ring=0.06)
    sketch.oval((0.525, 0.5), (0.07, 0.07))
    return sketch


def _lozenges() -> Sketch:
    sketch = Sketch(aspect=0.7)
    sketch.area([(0.35, 0.05), (0.66, 0.5), (0.35, 0.95), (0.04, 0.5)])
    sketch.area([(0.35, 0.25), (0.53, 0.5), (0.35, 0.75), (0.17, 0.5)], ink=0)
    sketch.area([(0.35, 0.38), (0.43, 0.5), (0.35, 0.62), (0.27, 0.5)])
    return sketch


def _net() -> Sketch:
    sketch = Sketch(aspect=0.5)
    for row in range(-1, 3):
        sketch.line([(0, row / 2), (0.5, row / 2 + 0.5)], 0.045)
        sketch.line([(0, row / 2 + 0.5), (0.5, row / 2)], 0.045)
    return sketch


def _dots() -> Sketch:
    sketch = Sketch(aspect=0.6)
    for x, y in ((0.15, 0.22), (0.45, 0.5), (0.15, 0.78)):
        sketch.oval((x, y), (0.085, 0.085))
    return sketch


def _dot_row() -> Sketch:
    sketch = Sketch(aspect=1.1)
    sketch.oval((0.55, 0.5), (0.36, 0.36))
    return sketch


def _rosettes() -> Sketch:
    sketch = Sketch(aspect=1.1)
    for petal in range(8):
        angle = petal * np.pi / 4
        x, y = 0.55 + 0.27 * float(np.cos(angle)), 0.5 + 0.27 * float(np.sin(angle))
        sketch.oval((x, y), (0.115, 0.115))
    sketch.oval((0.55, 0.5), (0.12, 0.12))
    return sketch


def _scales() -> Sketch:
    sketch = Sketch(aspect=0.5)
    for row in range(-1, 5):
        shift = 0.0 if row % 2 else 0.25
        for centre in (shift, shift + 0.5):
            sketch.oval((centre, row * 0.25), (0.25, 0.25), ring=0.04)
    return sketch


def _tongues() -> Sketch:
    sketch = Sketch(aspect=0.4)
    sketch.area([(0.06, 0), (0.34, 0), (0.34, 0.75), (0.06, 0.75)])
    sketch.oval((0.2, 0.75), (0.14, 0.2))
    return sketch


def _rays() -> Sketch:
    sketch = Sketch(aspect=0.42)
    sketch.area([(0.03, 1), (0.39, 1), (0.21, 0.02)])
    return sketch


def _triangles() -> Sketch:
    sketch = Sketch(aspect=0.8)
    for inner in (0.0, 0.16, 0.32):
        sketch.line(
            [(0.05 + inner / 2, 0.95), (0.4, 0.05 + inner * 1.6), (0.75 - inner / 2, 0.95), (0.05 + inner / 2, 0.95)],
            0.06,
        )
    return sketch


def _ivy() -> Sketch:
    sketch = Sketch(aspect=1.3)
    xs = np.linspace(0, 1.3, 40)
    sketch.line([(float(x), 0.5 + 0.1 * float(np.sin(x / 1.3 * 2 * np.pi))) for x in xs], 0.045)
    for x, y, way in ((0.33, 0.24, -1), (0.98, 0.76, 1)):
        sketch.area([(x - 0.17, y - 0.06 * way), (x, y + 0.18 * way), (x + 0.17, y - 0.06 * way), (x, y - 0.0)])
        sketch.oval((x - 0.08, y - 0.05 * way), (0.1, 0.1))
        sketch.oval((x + 0.08, y - 0.05 * way), (0.1, 0.1))
        sketch.line([(x, y - 0.03 * way), (x + 0.06, 0.5)], 0.035)
    return sketch


def _waves() -> Sketch:
    sketch = Sketch(aspect=1.0)
    sketch.line(_spiral((0.45, 0.5), 0.34, 1.6), 0.1)
    sketch.line([(0, 0.85), (0.3, 0.85), (0.62, 0.75), (0.79, 0.5)], 0.1)
    sketch.line([(0.3, 0.88), (1.0, 0.85)], 0.1)
    return sketch


def _spirals() -> Sketch:
    sketch = Sketch(aspect=1.1)
    sketch.line(_spiral((0.3, 0.5), 0.25, 2.2), 0.05)
    sketch.line([(0.3 + 0.25 * np.cos(0.4 * np.pi), 0.5 + 0.25), (0.6, 0.8), (0.85, 0.2), (1.1, 0.3), (1.3, 0.5)], 0.05)
    return sketch


def _fans() -> Sketch:
    sketch = Sketch(aspect=1.2)
    for angle in np.linspace(1.15 * np.pi, 1.85 * np.pi, 8):
        tip = (0.6 + 0.72 * float(np.cos(angle)) * 0.8, 0.9 + 0.72 * float(np.sin(angle)))
        sketch.line([(0.6, 0.9), tip], 0.032)
        sketch.oval(tip, (0.038, 0.038))
    return sketch


def _palmettes() -> Sketch:
    sketch = Sketch(aspect=1.1)
    for angle in np.linspace(1.08 * np.pi, 1.92 * np.pi, 7):
        far = (0.55 + 0.47 * float(np.cos(angle)) * 0.9, 0.62 + 0.52 * float(np.sin(angle)))
        near = (0.55 + 0.14 * float(np.cos(angle)), 0.62 + 0.14 * float(np.sin(angle)))
        sketch.line([near, far], 0.075)
        sketch.oval(far, (0.055, 0.055))
    sketch.oval((0.55, 0.64), (0.1, 0.08))
    for side in (-1, 1):
        sketch.line([(0.55 + side * x, y) for x, y in _arc((0.22, 0.76), 0.14, 0.2, 5.2)], 0.05)
    return sketch


def _ribs() -> Sketch:
    sketch = Sketch(aspect=0.3)
    sketch.area([(0.06, 0), (0.24, 0), (0.24, 1), (0.06, 1)])
    return sketch


def _strokes() -> Sketch:
    sketch = Sketch(aspect=0.5)
    for row in range(4):
        for column in range(2):
            x = 0.1 + 0.25 * column + 0.12 * (row % 2)
            sketch.line([(x, row / 4 + 0.06), (x + 0.05, row / 4 + 0.18)], 0.05)
    return sketch


def _cordon() -> Sketch:
    sketch = Sketch(aspect=0.9)
    sketch.area([(0, 0.2), (0.9, 0.2), (0.9, 0.8), (0, 0.8)])
    sketch.oval((0.45, 0.5), (0.26, 0.3), ink=30)
    return sketch


def _knobs() -> Sketch:
    sketch = Sketch(aspect=2.2)
    sketch.oval((1.1, 0.5), (0.36, 0.36))
    sketch.oval((1.1, 0.5), (0.5, 0.48), ring=0.05)
    return sketch


def _feathers() -> Sketch:
    sketch = Sketch(aspect=0.8)
    for row in range(-1, 5):
        top = row * 0.25
        sketch.line([(0, top + 0.2), (0.2, top + 0.06), (0.4, top), (0.6, top + 0.06), (0.8, top + 0.2)], 0.075)
    return sketch


def _solid() -> Sketch:
    sketch = Sketch(aspect=0.25)
    sketch.area([(0, 0), (0.25, 0), (0.25, 1), (0, 1)])
    return sketch


_PATTERNS: dict[str, Callable[[], Sketch]] = {
    "solid": _solid, "meander": _meander, "zigzag": _zigzag, "double zigzag": _double_zigzag, "wavy": _wavy,
    "combed": _combed, "comb": _comb, "checker": _checker, "circles": _circles, "lozenges": _lozenges, "net": _net,
    "dots": _dots, "dot row": _dot_row, "rosettes": _rosettes, "scales": _scales, "tongues": _tongues,
    "rays": _rays, "triangles": _triangles, "ivy": _ivy, "waves": _waves, "spirals": _spirals, "fans": _fans,
    "palmettes": _palmettes, "ribs": _ribs, "strokes": _strokes, "cordon": _cordon, "knobs": _knobs,
    "feathers": _feathers,
}  # fmt: skip
