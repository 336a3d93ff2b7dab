"""What a thing lies or stands on: paper, linen, felt or a sweep of card, and the shadow that falls there."""

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from tuneclip.archive.colouring import noise, unit
from tuneclip.archive.record import Find
from tuneclip.archive.surface import Floats
from tuneclip.archive.wares import WARES, Colour

_GROUNDS: tuple[tuple[str, Colour, float], ...] = (
    ("sweep", (232, 231, 228), 0.22), ("sweep", (186, 187, 188), 0.4), ("sweep", (128, 130, 133), 0.45),
    ("sweep", (205, 209, 214), 0.3), ("paper", (238, 233, 220), 0.1), ("linen", (206, 194, 170), 0.12),
    ("sweep", (34, 34, 36), 0.5), ("felt", (72, 82, 92), 0.3), ("felt", (52, 66, 58), 0.3),
)  # fmt: skip
_DARK = 108  # mean level: dark things are not laid on dark grounds


@lru_cache(maxsize=64)
def _texture(kind: str, size: int) -> Floats:
    """The weave or fibre of a ground, (size, size), around zero."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    grain = noise(4, size)[: size * size].reshape(size, size)
    if kind == "linen":
        thread = np.sin(rows * np.float32(2.2)) * 0.5 + np.sin(columns * np.float32(2.2)) * 0.5
        weave: Floats = (0.035 * thread + 0.03 * grain).astype(np.float32)
        return weave
    weight = {"sweep": 0.004, "paper": 0.018, "felt": 0.035}[kind]
    fibre: Floats = np.float32(weight) * grain
    return fibre


@lru_cache(maxsize=16)
def _falloff(size: int) -> tuple[Floats, Floats]:
    """Distance from the middle, squared, and height from the bottom, (size, size), both from 0 to 1."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / np.float32(size)
    far: Floats = ((rows - 0.5) ** 2 + (columns - 0.5) ** 2) * 2
    return far, 1 - rows


def ground(find: Find, size: int, random: Generator) -> Floats:
    """What the thing lies or stands on, (3, size, size), from 0 to 1."""
    ware = WARES[find.ware]
    dark = sum(dict(ware.colours)[find.colour]) / 3 < _DARK or (find.family == "vessel" and ware.name == "impasto")
    grounds = [kind for kind in _GROUNDS if not (dark and sum(kind[1]) / 3 < _DARK)]
    kind, colour, vignette = grounds[int(random.integers(len(grounds)))]
    far, height = _falloff(size)
    lean = random.uniform(-0.12, 0.12)
    level = 1 - np.float32(vignette) * far - np.float32(0.14 * vignette + lean * 0.4) * height
    level += np.roll(_texture(kind, size), int(random.integers(size)), 1)
    lit: Floats = level * (unit(colour) * np.float32(random.uniform(0.94, 1.03)))[:, None, None]
    return lit


def shadow(alpha: Floats, stands: float | None, light: Floats) -> Floats:
    """How much of the light the thing takes from the ground, (size, size), from 0 to 1.

    A thing that `stands` on that row throws its shadow behind it, one that lies has it all round.
    """
    size = alpha.shape[0]
    coarse = 4 if size >= 128 else 2
    small = Image.fromarray(np.uint8(alpha * 255)).reduce(coarse)
    side = small.width
    if stands is None:
        reach = 0.035 * side
        shift = (1.0, 0.0, reach * float(light[0]), 0.0, 1.0, -reach * 0.9)
        softness, strength = 0.022, 0.6
    else:
        base = stands / coarse
        lean, flat = -0.55 * float(light[0]) / max(float(light[1]), 0.3), 0.20
        shift = (1.0, lean / flat, -lean * base / flat, 0.0, 1 / flat, base * (1 - 1 / flat))
        softness, strength = 0.028, 0.5
    cast = small.transform(small.size, Image.Transform.AFFINE, shift, Image.Resampling.BILINEAR)
    soft = cast.filter(ImageFilter.GaussianBlur(side * softness))
    dark = np.asarray(soft.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)
    return dark * np.float32(strength / 255)
