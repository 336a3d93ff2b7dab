"""Coins: a flan struck with a die on either face."""

import numpy as np
from numpy.random import Generator

from tuneclip.archive import letters
from tuneclip.archive.record import Find
from tuneclip.archive.reliefs import Sheet, emboss, pressed, sheet, step, wobble
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import Floats, Surface, empty_surface

MOTIFS = {
    "head of a goddess": "goddess", "head of a king": "king", "head of an emperor": "emperor", "owl": "owls",
    "horse": "horses", "dolphin": "dolphins", "amphora": "amphora", "eagle": "eagles", "wheel": "wheel",
    "ship": "ships", "wreath": "wreath", "bull": "bulls", "star": "star",
}  # fmt: skip


def strike(find: Find, side: int, random: Generator) -> Scene:
    """The coin's face, or both faces side by side, seen from above."""
    surface = empty_surface(side)
    faces = find.decoration.split(" / ")
    half = side * (0.215 if len(faces) == 2 else 0.30)
    places = (0.27, 0.73) if len(faces) == 2 else (0.5,)
    drawing = find.technique == "line drawing"
    for place, motif in zip(places, faces, strict=True):
        reverse = motif is faces[-1] and find.view != "obverse"
        turn = 0.0 if drawing else float(random.uniform(-0.3, 0.3))
        at = sheet(side, (side * place, side * 0.46), half * 1.08, angle=turn)
        _face(surface, at, (MOTIFS[motif], find.inscription if reverse else ""), (find.state, random))
    diameter = find.sizes[0][1]
    return Scene(surface, 2 * half / diameter, relief=0.45)


def _face(surface: Surface, at: Sheet, what: tuple[str, str], how: tuple[str, Generator]) -> None:
    (motif, legend), (state, random) = what, how
    distance = np.sqrt(at.right**2 + at.up**2)
    angle = np.arctan2(at.right, at.up)  # 0 at the top, growing clockwise
    outline = distance / (np.float32(0.925) * wobble(angle, random, 0.035))
    shift = random.uniform(-0.05, 0.05, 2).tolist()
    die = np.sqrt((at.right - shift[0]) ** 2 + (at.up - shift[1]) ** 2)
    height = pressed(at, motif, centre=(shift[0], shift[1]), height=1.08 if legend else 1.28) * np.float32(0.22)
    height *= 1 - step(die, 0.76, 0.82)
    beads = np.maximum(0, np.sin(angle * 34)) * np.maximum(1 - ((die - np.float32(0.86)) / np.float32(0.035)) ** 2, 0)
    height += np.float32(0.045) * beads
    if legend:
        height += np.float32(0.13) * _legend(legend, angle, die)
    height *= np.float32(0.45 if state == "worn" else 1.0)
    height += np.float32(0.10) * (1 - step(outline, 0.93, 1.0))
    mask = outline < 1
    if state == "fragment":
        cut = random.uniform(-0.2, 0.25)
        mask &= 0.825 * at.right + 0.565 * at.up + 0.05 * np.sin(at.up * 9) < cut + 0.2
    emboss(surface, at, mask=mask, height=height)


def _legend(text: str, angle: Floats, distance: Floats) -> Floats:
    """The letters along the upper left edge, read clockwise."""
    tile = letters.written(text)
    inner, outer = 0.58, 0.82
    span = (outer - inner) * tile.shape[1] / tile.shape[0] / 0.72
    start = -0.5 * span if span > 2.2 else -0.35 - span
    x = (angle - np.float32(start)) / np.float32(span)
    y = (np.float32(outer) - distance) / np.float32(outer - inner)
    inside = (x > 0) & (x < 1) & (y > 0) & (y < 1)
    column = np.clip(x * tile.shape[1], 0, tile.shape[1] - 1).astype(np.intp)
    row = np.clip(y * tile.shape[0], 0, tile.shape[0] - 1).astype(np.intp)
    letters_there: Floats = tile[row, column] * inside
    return letters_there
