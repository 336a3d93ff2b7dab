"""Roof tiles, antefixes, disc brooches and mirrors: larger flat things with relief or engraving."""

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from tuneclip.archive.record import Find
from tuneclip.archive.reliefs import Sheet, emboss, pressed, ridge, sheet, step, thicken, uneven, wobble
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import BREAK, FAR, HOLE, NOTHING, Floats, Surface, empty_surface


def press(find: Find, side: int, random: Generator) -> Scene:
    """The tile, antefix, disc brooch or mirror as the record has it, seen from above."""
    make = {"tegula": _tegula, "imbrex": _imbrex, "antefix": _antefix, "disc fibula": _disc, "hand mirror": _mirror}
    surface = empty_surface(side)
    drawing = find.technique == "line drawing"
    turn = 0.0 if drawing or find.category == "antefix" else float(random.uniform(-0.35, 0.35))
    at = sheet(side, (side * 0.5, side * 0.46), side * 0.37, angle=turn)
    extent = make[find.name](surface, at, find, random)
    if find.state == "fragment":
        snap(surface, random, share=0.62)
    if find.category in ("roof tile", "antefix"):
        thicken(surface, max(2, side // 45), part=BREAK)
    return Scene(surface, extent * at.half / find.sizes[0][1], relief=0.25 if find.category != "roof tile" else 0.1)


def snap(surface: Surface, random: Generator, *, share: float) -> None:
    """Break a jagged piece off the thing; about `share` of it stays."""
    rows, columns = np.nonzero(surface.part)
    low, high = (columns.min(), rows.min()), (columns.max(), rows.max())
    width, height = high[0] - low[0], high[1] - low[1]
    lean, start = random.uniform(-0.25, 0.25), share + random.uniform(-0.06, 0.06)
    steps = np.linspace(0, 1, 12)
    line = [
        (float(low[0] + t * width), float(low[1] + height * (start + lean * (t - 0.5) + random.normal(0, 0.025))))
        for t in steps
    ]
    piece = Image.new("1", (surface.side, surface.side))
    ImageDraw.Draw(piece).polygon([(low[0] - 2, low[1] - 2), (high[0] + 2, low[1] - 2), *reversed(line)], fill=1)
    gone = ~np.asarray(piece)
    surface.part[gone] = NOTHING
    surface.depth[gone] = FAR


def _worn(find: Find) -> np.float32:
    return np.float32(0.5 if find.state == "worn" else 1.0)


def _tegula(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    right, up = uneven(at, random)
    half = np.float32(0.68) + np.float32(0.06) * up
    side = np.abs(right) / half
    height = np.float32(0.16) * (step(side, 0.80, 0.86) - step(side, 0.965, 1.0)) + np.float32(0.06)
    height += np.float32(0.03) * step(up, 0.86, 0.92)
    height += _marks(find.decoration, right, up) * _worn(find)
    emboss(surface, at, mask=(side < 1) & (np.abs(up) < 0.97), height=height)
    return 1.94


def _marks(decoration: str, right: Floats, up: Floats) -> Floats:
    """Fingers drawn through the wet clay, or the paws of the dog that crossed it."""
    if decoration == "finger marks":
        radius = np.sqrt(right**2 + (up + 0.97) ** 2)
        return -np.float32(0.035) * sum(
            (ridge(radius, place, 0.035) for place in (0.30, 0.39, 0.48)), np.zeros_like(up)
        )
    total = np.zeros_like(up)
    if decoration == "paw prints":
        for x, y in ((-0.22, -0.55), (0.12, -0.12), (-0.2, 0.32), (0.16, 0.68)):
            for dx, dy, size in (
                (0, 0, 0.085),
                (-0.10, 0.10, 0.04),
                (-0.035, 0.145, 0.042),
                (0.035, 0.145, 0.042),
                (0.10, 0.10, 0.04),
            ):
                away = np.sqrt((right - np.float32(x + dx)) ** 2 + (up - np.float32(y + dy)) ** 2)
                total -= np.float32(0.05) * step(-away, -size, -size * 0.4)
    return total


def _imbrex(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    """A half pipe seen from its lower end, which stands open."""
    right, up = uneven(at, random)
    half = np.float32(0.44) - np.float32(0.07) * up
    crown = np.sqrt(np.maximum(1 - (right / half) ** 2, 0))
    height = half * crown * np.float32(0.95)
    if find.decoration == "finger marks":
        waves = right + np.float32(0.16) * np.sin(up * 4)
        height = height - np.float32(0.03) * sum((ridge(waves, x, 0.035) for x in (-0.1, 0.0, 0.1)), np.zeros_like(up))
    rise = np.float32(0.26)
    length = up - rise * crown
    whole = (np.abs(right) < half) & (length < 0.70) & (up > -0.97)
    emboss(surface, at, mask=whole, height=height)
    window = surface.part[at.rows, at.columns]
    window[whole & (length < -0.97)] = BREAK
    inner = np.sqrt(np.maximum(1 - (right / (half * 0.83)) ** 2, 0))
    window[whole & (up < -0.97 + rise * 0.80 * inner) & (np.abs(right) < half * 0.83)] = HOLE
    return 1.94


def _antefix(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    right, up = uneven(at, random)
    arch = np.maximum(np.abs(right) / 0.80, 0)
    upper = np.sqrt((right / np.float32(0.80)) ** 2 + ((up - np.float32(0.02)) / np.float32(0.95)) ** 2)
    outline = np.where(up > 0.02, upper, np.maximum(arch, -up / np.float32(0.95)))
    motif = {
        "a female head": "woman",
        "a gorgon's head": "gorgon",
        "a lion's head": "lion's head",
        "a palmette": "palmettes",
    }
    height = pressed(at, motif[find.decoration], centre=(0.0, -0.08), height=1.62) * np.float32(0.36) * _worn(find)
    height *= 1 - step(outline, 0.84, 0.90)
    height += np.float32(0.06) * ridge(outline, 0.92, 0.07) + np.float32(0.05)
    emboss(surface, at, mask=outline < 1, height=height)
    return 1.92


def _disc(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    distance = np.sqrt(at.right**2 + at.up**2)
    angle = np.arctan2(at.right, at.up)
    outline = distance / (np.float32(0.86) * wobble(angle, random, 0.012))
    height = np.float32(0.06) * (ridge(outline, 0.93, 0.06) + ridge(outline, 0.80, 0.03)) + np.float32(0.04) * ridge(
        outline, 0.0, 0.14
    )
    if find.decoration == "concentric circles":
        height = height + np.float32(0.05) * sum(
            (ridge(outline, r, 0.045) for r in (0.22, 0.40, 0.58)), np.zeros_like(angle)
        )
    else:
        name = {"star": "star", "rosette": "rosettes", "wheel": "wheel"}[find.decoration]
        height = height + pressed(at, name, centre=(0.0, 0.0), height=1.25) * np.float32(0.2) * (
            1 - step(outline, 0.70, 0.76)
        )
    emboss(surface, at, mask=outline < 1, height=(height * _worn(find) + 0.02))
    return 1.72


def _mirror(surface: Surface, at: Sheet, find: Find, random: Generator) -> float:
    """A round disc with a handle below; what is engraved is cut into the disc."""
    middle = np.float32(0.32)
    distance = np.sqrt(at.right**2 + (at.up - middle) ** 2) / np.float32(0.64)
    handle = np.maximum(
        np.abs(at.right) / (np.float32(0.055) + np.float32(0.10) * step(-at.up, 0.55, 0.2)), -at.up / np.float32(0.98)
    )
    height = np.float32(0.05) * ridge(distance, 0.96, 0.05) + np.float32(0.03)
    grip = (distance >= 1) & (handle < 1) & (at.up < 0)
    cut = np.zeros_like(height)
    if find.decoration in ("an engraved head", "an engraved dancer"):
        name = "goddess" if find.decoration.endswith("head") else "dancers"
        relief = pressed(at, name, centre=(0.0, float(middle)), height=0.98)
        cut = ridge(relief, 0.5, 0.22) * (distance < 0.86)
    if find.decoration != "plain":
        angle = np.arctan2(at.right, at.up - middle)
        cut = cut + ridge(distance, 0.84 + 0.035 * np.sin(angle * 22), 0.028)
    height = np.where(
        grip, np.float32(0.09) * np.sqrt(np.maximum(1 - (at.right / 0.075) ** 2, 0)), height - 0.02 * cut * _worn(find)
    )
    emboss(surface, at, mask=(distance < 1) | grip, height=height)
    surface.along[at.rows, at.columns] = np.where((distance < 1) & (cut > 0.3), 0.0, 0.8)
    return 1.94
