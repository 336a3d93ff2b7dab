"""Points, weights, whorls and dice: small solid things seen from above as heights over a sheet."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from tuneclip.archive.record import Find
from tuneclip.archive.reliefs import Sheet, emboss, pressed, ridge, sheet, step, thicken, uneven, wobble
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import BREAK, HOLE, NOTHING, Floats, Surface, empty_surface

XY = tuple[float, float]


def carve(find: Find, side: int, random: Generator) -> Scene:
    """The thing as the record has it, lying before the camera."""
    surface = empty_surface(side)
    turn = float(random.uniform(-0.3, 0.3))
    if find.category in ("arrowhead", "spearhead"):
        turn = float(random.uniform(-0.8, 0.8)) + float(random.choice((0.0, np.pi / 2)))
    if find.technique == "line drawing":
        turn = 0.0
    at = sheet(side, (side * 0.5, side * 0.46), side * 0.36, angle=turn)
    extent = _THINGS[find.name](surface, at, find, random)
    return Scene(surface, extent * at.half / find.sizes[0][1], relief=0.2)


def _holes(surface: Surface, at: Sheet, places: list[XY], size: float) -> None:
    window = surface.part[at.rows, at.columns]
    for x, y in places:
        away = (at.right - np.float32(x)) ** 2 + (at.up - np.float32(y)) ** 2
        window[(away < size * size) & (window != NOTHING)] = HOLE


def _blade(surface: Surface, at: Sheet, half: Floats, shaft: Floats) -> None:
    """A blade whose half width is given for each place, with a midrib that runs out into the shaft."""
    side = np.abs(at.right)
    flat = np.where(half > 0, 0.085 * np.clip(1 - side / np.maximum(half, 1e-3), 0, 1) ** 0.8, 0)
    rod = np.sqrt(np.maximum(shaft * shaft - at.right * at.right, 0)) * 0.9
    mask = ((side < half) | (side < shaft)) & (np.abs(at.up) < 0.97)
    emboss(surface, at, mask=mask, height=np.maximum(flat, rod))


def _barbed(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    right, up = uneven(at, random)
    share = np.maximum((np.float32(0.95) - up) / np.float32(1.25), 0)
    half = np.where((share > 0) & (share < 1), 0.46 * share**0.85, 0)
    notch = (up < -0.30 + 0.42 * (1 - np.abs(right) / 0.46)) & (up < 0.1) & (np.abs(right) > 0.02)
    half = np.where(notch & (np.abs(right) > 0.09), 0, half)
    shaft = np.where(up < 0.5, np.float32(0.085) - np.float32(0.025) * step(-up, 0.3, 0.9), 0)
    _blade(surface, at, half.astype(np.float32), shaft.astype(np.float32))
    return 1.92


def _leaf(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    _, up = uneven(at, random)
    share = np.clip((np.float32(0.95) - up) / np.float32(1.25), 0, 1)
    half = 0.34 * np.maximum(np.sin(np.pi * share**0.8), 0) ** 0.9
    shaft = np.where(up < 0.6, np.float32(0.07), 0)
    _blade(surface, at, half.astype(np.float32), shaft.astype(np.float32))
    return 1.92


def _spear(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    _, up = uneven(at, random)
    share = np.clip((np.float32(0.95) - up) / np.float32(1.25), 0, 1)
    half = 0.21 * np.maximum(np.sin(np.pi * share**0.7), 0) ** 0.8
    shaft = np.where(up < 0.75, np.float32(0.045) + np.float32(0.075) * step(-up, -0.2, 0.95), 0)
    _blade(surface, at, half.astype(np.float32), shaft.astype(np.float32))
    mouth = (at.right / 0.095) ** 2 + ((at.up + 0.93) / 0.035) ** 2 < 1
    surface.part[at.rows, at.columns][mouth] = HOLE
    return 1.92


def _pyramid(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    right, up = uneven(at, random)
    half = np.float32(0.46) - np.float32(0.20) * up
    side = np.maximum(np.abs(right) / half, np.abs(up) / np.float32(0.9))
    height = 0.14 * (1 - step(side, 0.78, 1.0)) + _stamp(at, find.decoration, (0.0, -0.25))
    emboss(surface, at, mask=side < 1, height=height)
    _holes(surface, at, [(0.0, 0.55)], 0.075)
    thicken(surface, max(1, surface.side // 40), part=BREAK)
    return 1.8


def _disc(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    distance = np.sqrt(at.right**2 + at.up**2) / (0.86 * wobble(np.arctan2(at.right, at.up), random, 0.03))
    height = 0.22 * np.sqrt(np.maximum(1 - distance**4, 0)) + _stamp(at, find.decoration, (0.0, -0.12))
    emboss(surface, at, mask=distance < 1, height=height)
    _holes(surface, at, [(-0.2, 0.55), (0.2, 0.55)], 0.07)
    return 1.72


def _stamp(at: Sheet, decoration: str, centre: XY) -> Floats:
    """What was pressed or cut into the soft clay, as depth."""
    x, y = at.right - np.float32(centre[0]), at.up - np.float32(centre[1])
    result = np.zeros_like(x)
    if decoration == "a stamped rosette":
        disc = 1 - step(np.sqrt(x * x + y * y), 0.25, 0.28)
        result = -0.06 * disc + 0.16 * disc * pressed(at, "rosettes", centre=centre, height=0.52)
    elif decoration == "an incised cross":
        inside = np.maximum(np.abs(x), np.abs(y)) < 0.24
        result = -0.06 * np.maximum(ridge(x - y, 0.0, 0.05), ridge(x + y, 0.0, 0.05)) * inside
    elif decoration == "dots":
        inside = np.maximum(np.abs(x), np.abs(y)) < 0.29
        away = ((x / 0.19 + 0.5) % 1 - 0.5) ** 2 + ((y / 0.19 + 0.5) % 1 - 0.5) ** 2
        result = -0.06 * (1 - step(np.sqrt(away), 0.16, 0.30)) * inside
    return result.astype(np.float32)


def _whorl(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    """Seen from above: a cone with the spindle's hole in the middle."""
    angle = np.arctan2(at.right, at.up)
    distance = np.sqrt(at.right**2 + at.up**2) / (0.84 * wobble(angle, random, 0.02))
    height = 0.5 * np.sqrt(np.maximum(1.02 - distance**2.4, 0))
    if find.decoration == "dots":
        turns = angle * np.float32(12 / (2 * np.pi))
        away = ((turns % 1 - 0.5) * 0.36) ** 2 + (distance - 0.66) ** 2
        height = height - 0.07 * (1 - step(np.sqrt(away), 0.045, 0.085))
    elif find.decoration == "incised lines":
        height = height - 0.05 * ridge(np.abs(np.sin(angle * 8)), 0.0, 0.22) * (distance > 0.36) * (distance < 0.9)
    height = height - 0.04 * ridge(distance, 0.30, 0.05)
    emboss(surface, at, mask=distance < 1, height=height)
    _holes(surface, at, [(0.0, 0.0)], 0.16)
    return 1.68


def _die(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    right, up = uneven(at, random)
    side = (np.abs(right / 0.72) ** 7 + np.abs(up / 0.72) ** 7) ** (1 / 7)
    height = 0.12 * np.sqrt(np.maximum(1 - side**6, 0)).astype(np.float32)
    count = int(random.integers(1, 7))
    eyes: list[XY] = [(0.0, 0.0)] if count % 2 else []
    eyes += [(-0.38, 0.38), (0.38, -0.38)] if count > 1 else []
    eyes += [(-0.38, -0.38), (0.38, 0.38)] if count > 3 else []
    eyes += [(-0.38, 0.0), (0.38, 0.0)] if count == 6 else []
    rings = np.zeros_like(right)
    for x, y in eyes:
        away = np.sqrt((right - np.float32(x)) ** 2 + (up - np.float32(y)) ** 2)
        rings = np.maximum(rings, np.maximum(ridge(away, 0.135, 0.035), away < 0.05))
    emboss(surface, at, mask=side < 1, height=height - 0.02 * rings)
    surface.part[at.rows, at.columns][(rings > 0.35) & (side < 1)] = HOLE
    thicken(surface, max(2, surface.side // 24), part=BREAK, lean=0.15)
    return 1.44


_THINGS: dict[str, Callable[[Surface, Sheet, Find, Generator], float]] = {
    "barbed arrowhead": _barbed, "leaf-shaped arrowhead": _leaf, "socketed spearhead": _spear,
    "pyramidal loom weight": _pyramid, "discoid loom weight": _disc, "spindle whorl": _whorl, "gaming die": _die,
}  # fmt: skip
