"""Takes the photograph: lights the thing, sets it on a ground with its shadow and lays a scale beside it."""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from tuneclip.archive.colouring import coloured, noise
from tuneclip.archive.decorations import Pixels
from tuneclip.archive.grounds import ground, shadow
from tuneclip.archive.record import Find
from tuneclip.archive.scalebar import draw_scale
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import INSIDE, Floats

_SOFT_SHARE = 0.2  # of the photographs are somewhat out of focus
_LARGE = 160  # pixels; smaller pictures would lose too much
FINER = 2  # the thing is rendered this much larger, then reduced


def photograph(find: Find, scene: Scene, *, size: int, random: Generator) -> Image.Image:
    """An RGB picture of `size` by `size` pixels; the scene has `FINER` times as many each way."""
    pixels = coloured(find, scene, random)
    light = _light(random)
    thing = _lit(pixels, light, scene)
    alpha, colours = _reduced(pixels, thing, scene.surface.side)
    stands = None if scene.stands is None else scene.stands / FINER
    below = ground(find, size, random) * (1 - shadow(alpha, stands, light))
    start = int(random.integers(size * size))
    grain = noise(4, size)[start : start + size * size].reshape(size, size)
    picture = below * (1 - alpha) + colours + grain * np.float32(random.uniform(0.004, 0.016))
    levels = np.clip(picture * 255, 0, 255).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(levels.transpose(1, 2, 0)))
    if random.random() < _SOFT_SHARE and size >= _LARGE:
        image = image.filter(ImageFilter.SMOOTH)
    if size >= 48 and random.random() < 0.85:
        draw_scale(image, scene.pixels_per_cm / FINER, dark=float(below[:, -8:].mean()) < 0.45, random=random)
    return image


def _light(random: Generator) -> Floats:
    """The direction towards the light, unit length: right, up, to the viewer."""
    azimuth = random.uniform(-1.05, 1.05) - 0.35
    height = random.uniform(0.55, 1.0)
    vector = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
    return vector.astype(np.float32)


def _lit(pixels: Pixels, light: Floats, scene: Scene) -> Floats:
    """Colours (3, n) under a key light, a soft sky and a window that glossy faces mirror."""
    normal = pixels.normal
    normal /= np.sqrt((normal * normal).sum(0))
    facing = light[0] * normal[0] + light[1] * normal[1] + light[2] * normal[2]
    shade = np.float32(0.78) * np.maximum(facing * np.float32(0.86) + np.float32(0.14), 0)
    shade += np.float32(0.32) + np.float32(0.08) * normal[1]
    shade += np.float32(0.16) * np.maximum(-normal[1], 0)  # what the ground throws back
    shade *= np.float32(0.55) + np.float32(0.45) * np.sqrt(np.clip(normal[2] * 1.6 + 0.08, 0, 1))
    if scene.hollow:
        inside = pixels.part == INSIDE
        depth = np.minimum(pixels.along[inside] * 2.2, 1)
        shade[inside] *= 1 - np.float32(scene.hollow) * depth
    colour: Floats = pixels.colour * shade
    half = light + np.array([0, 0, 1], dtype=np.float32)
    half /= np.sqrt((half * half).sum())
    mirror = np.maximum(half[0] * normal[0] + half[1] * normal[1] + half[2] * normal[2], 0)
    second = mirror * mirror
    eighth = np.square(np.square(second))
    tight, wide = np.square(np.square(np.square(eighth))), eighth * second
    shine = pixels.gloss * (np.float32(0.62) * tight + np.float32(0.16) * wide)
    edge = 1 - np.clip(normal[2], 0, 1)
    rim = np.float32(0.10) * pixels.gloss * edge * edge * edge
    colour += shine + rim
    return colour


def _reduced(pixels: Pixels, colour: Floats, side: int) -> tuple[Floats, Floats]:
    """Coverage (size, size) and colours (3, size, size) multiplied by it."""
    sheet = np.zeros((4, side * side), dtype=np.uint8)
    sheet[3, pixels.place] = 255
    for target, values in zip(sheet, colour, strict=False):
        target[pixels.place] = np.minimum(values * 255, 255)
    small = [np.asarray(Image.fromarray(plane.reshape(side, side)).reduce(FINER)) for plane in sheet]
    scaled = np.stack(small) * np.float32(1 / 255)
    return scaled[3], scaled[:3]
