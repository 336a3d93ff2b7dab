"""Gives every pixel of a thing its colour: clay and its firing, paint, patina, wear, broken edges."""

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from PIL import Image

from tuneclip.archive.decorations import INCISE, PAINT, WHITE, Pixels, lay
from tuneclip.archive.record import Find
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import (
    ADDED,
    BREAK,
    CRACK,
    HOLE,
    INSIDE,
    OUTSIDE,
    SECOND,
    THIRD,
    Floats,
    Ints,
)
from tuneclip.archive.wares import WARES, Colour, Ware

_SMOOTH = 0.05  # grit below this is not seen
_DARKEST = -2.2  # deviations of the grain from which on it is a dark inclusion
_DARK_INSIDE = ("Etrusco-Corinthian ware", "Italo-geometric ware")
_OPEN = 0.3  # how hollow a vessel is from which on its inside is coated


def coloured(find: Find, scene: Scene, random: Generator) -> Pixels:
    """The pixels of the thing with the colours of its ware and all its decoration laid on."""
    surface = scene.surface
    place = np.flatnonzero(surface.part)
    ware = WARES[find.ware]
    base = dict(ware.colours)[find.colour]
    part = surface.part.ravel()[place]
    pixels = Pixels(
        place=place,
        normal=np.stack([axis.ravel()[place] for axis in surface.normal]),
        around=surface.around.ravel()[place],
        along=surface.along.ravel()[place],
        part=part,
        colour=np.repeat(unit(base)[:, None], len(place), axis=1),
        gloss=np.full(len(place), ware.gloss, dtype=np.float32),
        ink=np.zeros(len(place), dtype=np.float32),
    )
    wear = None
    shifts = random.integers(0, surface.side**2, 3)
    mottle = noise(1, surface.side)[place + shifts[0]]
    if find.state == "worn":
        wear = np.clip(0.5 - 1.6 * mottle, 0.05, 1)
        bare = np.clip(mottle * 3 - np.float32(0.6), 0, 0.6)
        pixels.colour[:] += bare * (unit(ware.core)[:, None] - pixels.colour)
    _stain(
        pixels,
        ware,
        mottle,
        [noise(kind, surface.side)[place + shifts[kind - 1]] for kind in (2, 3)] if ware.grit > _SMOOTH else [],
    )
    lay(pixels, scene.bands, _inks(ware, base), wear=wear)
    _parts(pixels, find, ware, scene)
    if find.state == "worn":
        pixels.gloss[:] *= 0.35
    return pixels


def _inks(ware: Ware, base: Colour) -> dict[str, Floats]:
    incised = ware.paint if ware.name == "bucchero" or sum(base) < 270 else tuple(int(c * 0.3) for c in base)
    if ware.name == "impasto":
        incised = (204, 188, 164)
    white = (236, 228, 208)
    return {PAINT: unit(ware.paint), WHITE: unit(white), INCISE: unit(incised)}  # type: ignore[arg-type]


def unit(colour: Colour) -> Floats:
    """The colour (3,) from 0 to 1."""
    return np.array(colour, dtype=np.float32) / np.float32(255)


def _stain(pixels: Pixels, ware: Ware, mottle: Floats, grains: list[Floats]) -> None:
    """Uneven firing, grit in the clay, patina."""
    pixels.colour[:] *= 1 + np.float32(0.42 * ware.mottle) * mottle
    if ware.material == "bronze":
        share = np.clip(mottle * 1.5, 0, 1) * np.float32(0.5)
        pixels.colour[:] += share * (unit((120, 172, 150))[:, None] - pixels.colour)
    if ware.material == "iron":
        share = np.clip(-mottle * 1.5, 0, 1) * np.float32(0.5)
        pixels.colour[:] += share * (unit((168, 92, 44))[:, None] - pixels.colour)
    if grains:
        grit = grains[0]
        rough = np.float32(0.22 * ware.grit)
        pixels.normal[0] += rough * grit
        pixels.normal[1] += rough * grains[1]
        light, dark = 0.5 * ware.grit, 1 - 0.45 * ware.grit
        _tint(pixels, np.flatnonzero(grit > 2.25 - 0.25 * ware.grit), unit((209, 209, 209)), keep=1 - light)
        _tint(pixels, np.flatnonzero(grit < _DARKEST), unit((0, 0, 0)), keep=dark)


def _parts(pixels: Pixels, find: Find, ware: Ware, scene: Scene) -> None:
    """Broken edges, holes, handles and details that have a colour of their own."""
    colours: dict[int, Colour] = {BREAK: ware.core, HOLE: (12, 12, 12)}
    if find.family != "vessel":
        colours |= {SECOND: (112, 44, 34), THIRD: (40, 36, 36)}
    elif find.ware == "black-figure ware":
        colours |= {ADDED: ware.paint, INSIDE: ware.paint}
    colours |= {part: WARES[name].colours[-1][1] for part, name in scene.wares.items()}
    for part in np.flatnonzero(np.bincount(pixels.part)).tolist():
        at = np.flatnonzero(pixels.part == part)
        if part in colours:
            _tint(pixels, at, unit(colours[part]), keep=0.0)
            shiny = WARES[scene.wares[part]].gloss if part in scene.wares else ware.gloss
            pixels.gloss[at] = 0 if part in (BREAK, HOLE) else shiny
        if part == CRACK:
            pixels.ink[at] = 1
        if part == CRACK or (part == INSIDE and find.ware in _DARK_INSIDE and scene.hollow > _OPEN):
            _tint(pixels, at, unit((0, 0, 0)), keep=0.45)
        if part == OUTSIDE and scene.relief:
            level = np.float32(1.08 - scene.relief) + np.float32(scene.relief) * pixels.along[at]
            for channel in pixels.colour:
                channel[at] *= level


def _tint(pixels: Pixels, at: Ints, colour: Floats, *, keep: float) -> None:
    """Give the pixels that colour, `keep` of their own left."""
    for channel, value in zip(pixels.colour, colour, strict=True):
        channel[at] = channel[at] * np.float32(keep) + value * np.float32(1 - keep)


@lru_cache(maxsize=16)
def noise(kind: int, side: int) -> Floats:
    """Noise for `side` by `side` pixels, row by row and twice over, so that it can be read from any place on.

    1 is cloudy (-1…1), 2 and 3 are white and somewhat softened, 4 is white, of deviation 1.
    """
    random = np.random.default_rng(kind)
    field: Floats
    if kind == 1:
        field = np.zeros((side, side), dtype=np.float32)
        for cells, weight in ((8, 1.0), (16, 0.6), (32, 0.4), (64, 0.25), (128, 0.18)):
            coarse = random.standard_normal((cells, cells)).astype(np.float32)
            wrapped = Image.fromarray(np.pad(coarse, 2, mode="wrap"))
            edge = 2 * side / cells
            large = wrapped.resize((round(side + 2 * edge),) * 2, Image.Resampling.BICUBIC)
            first = round(edge)
            field += (
                np.float32(weight) * np.asarray(large, dtype=np.float32)[first : first + side, first : first + side]
            )
        field = np.clip(field / np.float32(2), -1, 1)
    else:
        field = random.standard_normal((side, side)).astype(np.float32)
    if kind in (2, 3):
        field = (field + np.roll(field, 1, 0) + np.roll(field, 1, 1) + np.roll(field, (1, 1), (0, 1))) / np.float32(2)
    return np.tile(field.ravel(), 2)
