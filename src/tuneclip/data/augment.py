"""Varied pictures that keep their captions true: no black bars, no squashed shapes, no mirrored inscriptions."""

import re
from typing import TYPE_CHECKING

import numpy as np

from tuneclip.records import Record

if TYPE_CHECKING:
    from PIL.Image import Image

SIDED = re.compile(
    r"\b(left|right|links?|rechts?|gauche|droite|sinistr[aoe]|destr[aoe]|izquierd[ao]|derech[ao]"
    r"|inscri\w+|legend|letters?|written|text|signed|stamp\w*|reads?|reading)\b",
    re.IGNORECASE,
)
"""Words after which a mirrored picture would no longer be what its caption says."""

ROTATION_DEGREES = 10.0
SMALLEST_AREA = 0.6
"""Share of the picture that a random crop keeps at least; below it the object itself is often cut."""
COLOUR = 0.2


def may_mirror(record: Record) -> bool:
    """Whether a mirrored copy keeps its captions true: none names a side or writing, no inscription is recorded."""
    inscribed = any("inscription" in key.lower() and value for key, value in record.metadata.items())
    return not inscribed and not any(SIDED.search(caption) for caption in record.captions)


def vary(picture: "Image", random: np.random.Generator, *, mirror: bool, working_edge: int = 512) -> "Image":
    """A random view of an RGB picture: rotated, scaled, shifted, its colours changed, perhaps mirrored; aspect kept.

    Corners are filled by reflection. The picture is first shrunk so that its shorter side is `working_edge` at most.
    """
    from PIL import ImageOps

    short = min(picture.size)
    if short > working_edge:
        factor = working_edge / short
        width, height = (max(1, round(side * factor)) for side in picture.size)
        picture = picture.resize((width, height), reducing_gap=2.0)
    if random.random() < 0.5:
        picture = _rotated(picture, random.uniform(-ROTATION_DEGREES, ROTATION_DEGREES))
    picture = _cropped(picture, random)
    if mirror and random.random() < 0.5:
        picture = ImageOps.mirror(picture)
    return _coloured(picture, random)


def _rotated(picture: "Image", degrees: float) -> "Image":
    """Turned around the middle; what comes in from outside is the picture's own reflection."""
    from PIL import Image

    width, height = picture.size
    margin = int(np.ceil(abs(np.sin(np.radians(degrees))) * max(width, height) / 2)) + 2
    pixels = np.asarray(picture)
    wide = np.pad(pixels, [(margin, margin), (margin, margin), (0, 0)], mode="symmetric")
    turned = Image.fromarray(wide).rotate(degrees, Image.Resampling.BILINEAR)
    return turned.crop((margin, margin, margin + width, margin + height))


def _cropped(picture: "Image", random: np.random.Generator) -> "Image":
    side = float(np.sqrt(random.uniform(SMALLEST_AREA, 1.0)))
    width, height = (max(1, round(length * side)) for length in picture.size)
    left = int(random.integers(0, picture.width - width + 1))
    top = int(random.integers(0, picture.height - height + 1))
    return picture.crop((left, top, left + width, top + height))


def _coloured(picture: "Image", random: np.random.Generator) -> "Image":
    """Brightness, contrast and saturation each within ± COLOUR, as one pass over the pixels."""
    from PIL import Image

    brightness, contrast, saturation = random.uniform(1 - COLOUR, 1 + COLOUR, 3).astype(np.float32)
    pixels = np.asarray(picture, np.float32)
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    middle = grey.mean()
    pixels = grey[..., None] + (pixels - grey[..., None]) * saturation
    pixels = ((pixels - middle) * contrast + middle) * brightness
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
