"""Flat things in relief, seen from above: heights over a sheet become directions of the face."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from PIL import Image, ImageFilter

from tuneclip.archive import faces, letters, motifs
from tuneclip.archive.surface import BREAK, OUTSIDE, Floats, Surface

Numbers = npt.NDArray[np.floating[Any]]

_FACES: dict[str, Callable[[], Floats]] = {"woman": faces.woman, "gorgon": faces.gorgon, "lion's head": faces.lion}


@dataclass(frozen=True)
class Sheet:
    """A square piece of the picture with coordinates of its own: right and up from −1 to 1, (n, n), maybe turned."""

    rows: slice
    columns: slice
    right: Floats
    up: Floats
    half: float  # pixels per unit


def sheet(side: int, centre: tuple[float, float], half: float, *, angle: float = 0.0) -> Sheet:
    """The sheet round `centre` (column, row) that reaches `half` pixels each way and is turned by `angle` radians."""
    reach = half * (abs(np.cos(angle)) + abs(np.sin(angle))) + 2
    columns = slice(max(0, int(centre[0] - reach)), min(side, int(centre[0] + reach) + 1))
    rows = slice(max(0, int(centre[1] - reach)), min(side, int(centre[1] + reach) + 1))
    x = (np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5) - centre[0]) / np.float32(half)
    y = (centre[1] - np.float32(0.5) - np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]) / np.float32(half)
    sine, cosine = np.float32(np.sin(angle)), np.float32(np.cos(angle))
    return Sheet(
        rows, columns, (x * cosine + y * sine).astype(np.float32), (y * cosine - x * sine).astype(np.float32), half
    )


def emboss(surface: Surface, at: Sheet, *, mask: npt.NDArray[np.bool_], height: Numbers) -> None:
    """Set the masked sheet on the surface; heights (n, n) in the sheet's units, which also become `along` (0…1)."""
    height = height.astype(np.float32)
    down, across = np.gradient(height * np.float32(at.half))
    length = np.sqrt(across * across + down * down + 1)
    window = (at.rows, at.columns)
    for number, part in enumerate((-across / length, down / length, 1 / length)):
        np.copyto(surface.normal[number][window], part.astype(np.float32), where=mask)
    np.copyto(surface.depth[window], height * np.float32(at.half), where=mask)
    top = np.float32(max(float(height[mask].max()), 1e-6)) if mask.any() else np.float32(1)
    np.copyto(surface.along[window], np.clip(height / top, 0, 1), where=mask)
    surface.part[window][mask] = OUTSIDE


def thicken(surface: Surface, thick: int, *, part: int = BREAK, lean: float = 0.3) -> None:
    """Show the lower edge of a flat thing, `thick` pixels of it."""
    kept = surface.part != 0
    edge = np.zeros_like(kept)
    for step in range(1, thick + 1):
        aside = int(step * lean)
        edge[step:, aside:] |= kept[:-step, : kept.shape[1] - aside]
    edge &= ~kept
    surface.part[edge] = part
    surface.depth[edge] = 0
    for number, value in enumerate((0.25, -0.72, 0.64)):
        surface.normal[number][edge] = value


@lru_cache(maxsize=64)
def mould(name: str) -> Floats:
    """A motif as rounded relief from 0 to 1, (192, 192 × aspect), with a margin."""
    tile = (
        _FACES[name]()
        if name in _FACES
        else letters.written(name[5:])
        if name.startswith("text:")
        else motifs.tile(name)
    )
    padded = np.pad(tile, 6)
    image = Image.fromarray(np.uint8(padded * 255))
    large = image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)
    total = np.zeros((large.height, large.width), dtype=np.float32)
    for radius, weight in ((1.6, 0.30), (4.0, 0.35), (9.0, 0.35)):
        total += weight * np.asarray(large.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
    if name in _FACES:
        fine = np.asarray(large.filter(ImageFilter.GaussianBlur(1.5)), dtype=np.float32)
        total = 0.75 * fine + 0.25 * total
    return total / np.float32(255)


def pressed(at: Sheet, name: str, *, centre: tuple[float, float], height: float) -> Floats:
    """The motif's relief on the sheet, its tile `height` units high round `centre`; zero elsewhere."""
    relief = mould(name)
    scale = np.float32(relief.shape[0] / (height * 108 / 96))
    x = (at.right - np.float32(centre[0])) * scale + np.float32(relief.shape[1] / 2)
    y = np.float32(relief.shape[0] / 2) - (at.up - np.float32(centre[1])) * scale
    column = np.clip(x, 0, relief.shape[1] - 1).astype(np.intp)
    row = np.clip(y, 0, relief.shape[0] - 1).astype(np.intp)
    result: Floats = relief[row, column]
    return result


def step(values: Numbers, low: float, high: float) -> Floats:
    """A smooth step from 0 at `low` to 1 at `high`."""
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    result: Floats = share * share * (3 - 2 * share)
    return result


def ridge(values: Numbers, place: float | Numbers, width: float) -> Floats:
    """A rounded ridge of height 1 where the values pass `place`."""
    result: Floats = np.maximum(1 - ((values - place) / np.float32(width)) ** 2, 0)
    return result


def wobble(angle: Floats, random: Generator, amount: float) -> Floats:
    """An uneven outline: 1 ± amount as a smooth function of the angle (−π…π)."""
    turn = np.linspace(-np.pi, np.pi, 257, dtype=np.float32)
    total = np.ones_like(turn)
    for wave in range(2, 7):
        total += np.float32(amount / wave * random.normal()) * np.sin(turn * wave + np.float32(random.uniform(0, 6.28)))
    steps = ((angle + np.float32(np.pi)) * np.float32(256 / (2 * np.pi))).astype(np.intp)
    result: Floats = total[steps]
    return result


def uneven(at: Sheet, random: Generator) -> tuple[Floats, Floats]:
    """The sheet's coordinates, bent so that straight edges are somewhat uneven, as on anything made by hand."""
    phase = random.uniform(0, 6, 4).tolist()
    right = at.right + np.float32(0.012) * (np.sin(at.up * 5 + phase[0]) + 0.5 * np.sin(at.up * 13 + phase[1]))
    up = at.up + np.float32(0.012) * (np.sin(at.right * 5 + phase[2]) + 0.5 * np.sin(at.right * 13 + phase[3]))
    return right.astype(np.float32), up.astype(np.float32)
