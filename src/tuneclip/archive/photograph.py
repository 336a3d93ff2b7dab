"""Takes the photograph: lights the thing, sets it on a ground with its shadow and lays a scale beside it."""

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from tuneclip.archive.decorations import INCISE, PAINT, WHITE, Pixels, lay
from tuneclip.archive.record import Find
from tuneclip.archive.scalebar import draw_scale
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import ADDED, BREAK, HOLE, INSIDE, NOTHING, OUTSIDE, SECOND, THIRD, Floats
from tuneclip.archive.wares import WARES, Colour, Ware

FINER = 2  # the thing is rendered this much larger, then reduced

_GROUNDS: tuple[tuple[str, Colour, float], ...] = (
    ("sweep", (232, 231, 228), 0.22), ("sweep", (186, 187, 188), 0.4), ("sweep", (128, 130, 133), 0.45),
    ("sweep", (205, 209, 214), 0.3), ("paper", (238, 233, 220), 0.1), ("linen", (206, 194, 170), 0.12),
    ("sweep", (34, 34, 36), 0.5), ("felt", (72, 82, 92), 0.3), ("felt", (52, 66, 58), 0.3),
)  # fmt: skip
_DARK = 110  # grounds below this mean level are not given to dark things


def photograph(find: Find, scene: Scene, size: int, random: Generator) -> Image.Image:
    """An RGB picture of `size` by `size` pixels; the scene has `FINER` times as many each way."""
    pixels = gathered(find, scene, random)
    light = _light(random)
    thing = _lit(pixels, light, scene)
    alpha, colours = _reduced(pixels, thing, scene.surface.side)
    ground = _ground(find, size, random)
    ground *= (1 - _shadow(alpha, scene, light))[:, :, None]
    picture = ground * (1 - alpha[:, :, None]) + colours
    grain = _noise(7)[: size * 2 : 2, : size * 2 : 2] if size <= 256 else _grain(size)
    picture += np.roll(grain, int(random.integers(size)), 0)[:, :, None] * np.float32(random.uniform(0.004, 0.016))
    image = Image.fromarray(np.clip(picture * 255, 0, 255).astype(np.uint8))
    if random.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(size / 640))
    if size >= 48 and random.random() < 0.85:
        draw_scale(image, scene.pixels_per_cm / FINER, dark=float(ground[-8:].mean()) < 0.45, random=random)
    return image


def gathered(find: Find, scene: Scene, random: Generator) -> Pixels:
    """The pixels of the thing with the colours of its ware and all its decoration laid on."""
    surface = scene.surface
    row, column = np.nonzero(surface.part)
    ware = WARES[find.ware]
    base = dict(ware.colours)[find.colour]
    part = surface.part[row, column]
    pixels = Pixels(
        row=row,
        column=column,
        normal=surface.normal[:, row, column],
        around=surface.around[row, column],
        along=surface.along[row, column],
        part=part,
        colour=np.repeat(_unit(base)[:, None], len(row), axis=1),
        gloss=np.full(len(row), ware.gloss, dtype=np.float32),
        ink=np.zeros(len(row), dtype=np.float32),
    )
    wear = None
    offset = random.integers(0, 256, 2)
    mottle = _noise(1)[(row + offset[0]) & 511, (column + offset[1]) & 511]
    if find.state == "worn":
        wear = np.clip(0.5 - 1.6 * mottle, 0.05, 1)
    _stain(pixels, ware, mottle, offset)
    lay(pixels, scene.bands, _inks(ware, base), wear=wear)
    _parts(pixels, find, ware, scene)
    if find.state == "worn":
        pixels.gloss[:] *= 0.35
    return pixels


def _inks(ware: Ware, base: Colour) -> dict[str, Floats]:
    incised = ware.paint if ware.name == "bucchero" or sum(base) < 270 else tuple(int(c * 0.5) for c in base)
    if ware.name == "impasto":
        incised = (204, 188, 164)
    white = (236, 228, 208)
    return {PAINT: _unit(ware.paint), WHITE: _unit(white), INCISE: _unit(incised)}  # type: ignore[arg-type]


def _unit(colour: Colour) -> Floats:
    return np.array(colour, dtype=np.float32) / np.float32(255)


def _stain(pixels: Pixels, ware: Ware, mottle: Floats, offset: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
    """Uneven firing, grit in the clay, patina."""
    pixels.colour[:] *= 1 + np.float32(0.42 * ware.mottle) * mottle
    if ware.material == "bronze":
        share = np.clip(mottle * 1.5, 0, 1) * np.float32(0.5)
        pixels.colour[:] += share * (_unit((120, 172, 150))[:, None] - pixels.colour)
    if ware.material == "iron":
        share = np.clip(-mottle * 1.5, 0, 1) * np.float32(0.5)
        pixels.colour[:] += share * (_unit((168, 92, 44))[:, None] - pixels.colour)
    if ware.grit > 0.05:
        rows, columns = (pixels.row + offset[1]) & 511, (pixels.column + offset[0]) & 511
        grit = _noise(2)[rows, columns]
        rough = np.float32(0.22 * ware.grit)
        pixels.normal[0] += rough * grit
        pixels.normal[1] += rough * _noise(3)[rows, columns]
        speck = grit > 2.25 - 0.25 * ware.grit
        pixels.colour[:, speck] += np.float32(0.5 * ware.grit) * (np.float32(0.82) - pixels.colour[:, speck])
        pixels.colour[:, grit < -2.2] *= np.float32(1 - 0.45 * ware.grit)


def _parts(pixels: Pixels, find: Find, ware: Ware, scene: Scene) -> None:
    """Broken edges, holes, handles and details that have a colour of their own."""
    pixels.colour[:, pixels.part == BREAK] = _unit(ware.core)[:, None]
    pixels.gloss[pixels.part == BREAK] = 0
    hole = pixels.part == HOLE
    pixels.colour[:, hole] = np.float32(0.05)
    pixels.gloss[hole] = 0
    if find.ware == "black-figure ware" and find.family == "vessel":
        pixels.colour[:, pixels.part == ADDED] = _unit(ware.paint)[:, None]
    if find.ware in ("black-figure ware", "Etrusco-Corinthian ware", "Italo-geometric ware"):
        pixels.colour[:, pixels.part == INSIDE] *= np.float32(0.45)
    if find.family != "vessel":
        for part, colour in ((SECOND, (112, 44, 34)), (THIRD, (40, 36, 36))):
            pixels.colour[:, pixels.part == part] = _unit(colour)[:, None]
    if scene.relief:
        face = pixels.part == OUTSIDE
        pixels.colour[:, face] *= np.float32(1.08 - scene.relief) + np.float32(scene.relief) * pixels.along[face]
    for part, name in scene.wares.items():
        other = WARES[name]
        at = pixels.part == part
        pixels.colour[:, at] = _unit(other.colours[-1][1])[:, None]
        pixels.gloss[at] = other.gloss


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
    shade += np.float32(0.30) + np.float32(0.12) * normal[1]
    shade *= np.float32(0.55) + np.float32(0.45) * np.sqrt(np.clip(normal[2] * 1.6 + 0.08, 0, 1))
    if scene.hollow:
        inside = pixels.part == INSIDE
        depth = np.minimum(pixels.along[inside] * 2.2, 1)
        shade[inside] *= 1 - np.float32(scene.hollow) * depth
    colour = pixels.colour * shade
    half = light + np.array([0, 0, 1], dtype=np.float32)
    half /= np.sqrt((half * half).sum())
    mirror = np.maximum(half[0] * normal[0] + half[1] * normal[1] + half[2] * normal[2], 0)
    tight = mirror**64
    wide = mirror**10
    shine = pixels.gloss * (np.float32(0.62) * tight + np.float32(0.16) * wide)
    rim = np.float32(0.10) * pixels.gloss * (1 - np.clip(normal[2], 0, 1)) ** 3
    colour += shine + rim
    return colour


def _reduced(pixels: Pixels, colour: Floats, side: int) -> tuple[Floats, Floats]:
    """Coverage (size, size) and colours (size, size, 3) multiplied by it."""
    sheet = np.zeros((side, side, 4), dtype=np.uint8)
    values = np.empty((len(pixels.row), 4), dtype=np.uint8)
    values[:, :3] = np.clip(colour * 255, 0, 255).T
    values[:, 3] = 255
    sheet[pixels.row, pixels.column] = values
    small = np.asarray(Image.frombuffer("RGBX", (side, side), sheet, "raw", "RGBX", 0, 1).reduce(FINER))
    scaled = small.astype(np.float32) * np.float32(1 / 255)
    return scaled[:, :, 3], scaled[:, :, :3]


def _shadow(alpha: Floats, scene: Scene, light: Floats) -> Floats:
    """How much of the light the thing takes from the ground, (size, size)."""
    size = alpha.shape[0]
    coarse = 4 if size >= 128 else 2
    small = Image.fromarray(np.uint8(alpha * 255)).reduce(coarse)
    side = small.width
    if scene.stands is None:
        reach = 0.035 * side
        shift = (1, 0, reach * float(light[0]), 0, 1, -reach * 0.9)
        cast = small.transform(small.size, Image.Transform.AFFINE, shift, Image.Resampling.BILINEAR)
        soft = cast.filter(ImageFilter.GaussianBlur(side * 0.022))
        strength = 0.6
    else:
        base = scene.stands / FINER / coarse
        lean, flat = -0.55 * float(light[0]) / max(float(light[1]), 0.3), 0.20
        shift = (1, lean / flat, -lean * base / flat, 0, 1 / flat, base * (1 - 1 / flat))
        cast = small.transform(small.size, Image.Transform.AFFINE, shift, Image.Resampling.BILINEAR)
        soft = cast.filter(ImageFilter.GaussianBlur(side * 0.028))
        strength = 0.5
    dark = np.asarray(soft.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)
    return dark * np.float32(strength / 255)


@lru_cache(maxsize=16)
def _noise(kind: int) -> Floats:
    """A tile of 512 by 512: 1 cloudy (-1…1), else white noise of deviation 1; 2 and 3 somewhat softened."""
    random = np.random.default_rng(kind)
    if kind != 1:
        white = random.standard_normal((512, 512)).astype(np.float32)
        if kind in (2, 3):
            white = (white + np.roll(white, 1, 0) + np.roll(white, 1, 1) + np.roll(white, (1, 1), (0, 1))) / 2
        return white
    total = np.zeros((512, 512), dtype=np.float32)
    for cells, weight in ((8, 1.0), (16, 0.6), (32, 0.4), (64, 0.25), (128, 0.18)):
        field = Image.fromarray(random.standard_normal((cells, cells)).astype(np.float32))
        total += weight * np.asarray(field.resize((512, 512), Image.Resampling.BICUBIC))
    return np.clip(total / 2, -1, 1).astype(np.float32)


@lru_cache(maxsize=4)
def _grain(size: int) -> Floats:
    return np.random.default_rng(size).standard_normal((size, size)).astype(np.float32)


@lru_cache(maxsize=64)
def _texture(kind: str, size: int) -> Floats:
    """The weave or fibre of a ground, (size, size), around zero."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    grain = _grain(size)
    if kind == "linen":
        thread = np.sin(rows * np.float32(2.2)) * 0.5 + np.sin(columns * np.float32(2.2)) * 0.5
        return (0.035 * thread + 0.03 * grain).astype(np.float32)
    weight = {"sweep": 0.004, "paper": 0.018, "felt": 0.035}[kind]
    return (np.float32(weight) * grain).astype(np.float32)


@lru_cache(maxsize=16)
def _falloff(size: int) -> tuple[Floats, Floats]:
    """Distance from the middle, squared, and height from the bottom, (size, size), both from 0 to 1."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / np.float32(size)
    return ((rows - 0.5) ** 2 + (columns - 0.5) ** 2) * 2, 1 - rows


def _ground(find: Find, size: int, random: Generator) -> Floats:
    ware = WARES[find.ware]
    dark = sum(dict(ware.colours)[find.colour]) / 3 < 80 or find.family == "vessel" and ware.name == "impasto"
    grounds = [ground for ground in _GROUNDS if not (dark and sum(ground[1]) / 3 < _DARK)]
    kind, colour, vignette = grounds[int(random.integers(len(grounds)))]
    far, height = _falloff(size)
    lean = random.uniform(-0.12, 0.12)
    level = 1 - np.float32(vignette) * far - np.float32(0.14 * vignette + lean * 0.4) * height
    level += np.roll(_texture(kind, size), int(random.integers(size)), 1)
    return level[:, :, None] * (_unit(colour) * np.float32(random.uniform(0.94, 1.03)))


__all__ = ["FINER", "NOTHING", "gathered", "photograph"]
