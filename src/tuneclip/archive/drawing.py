"""The archaeologist's ink drawing: outline, decoration, stippled shade, and a vessel's section on the left."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from PIL import Image, ImageDraw

from tuneclip.archive.colouring import coloured
from tuneclip.archive.photograph import FINER
from tuneclip.archive.record import Find
from tuneclip.archive.scalebar import draw_scale
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import ADDED, HOLE, INSIDE, OUTSIDE, Camera, Floats

Mask = npt.NDArray[np.bool_]

_LIGHT = np.array([-0.55, 0.6, 0.58], dtype=np.float32)  # from the upper left, as the convention has it
_STEEP = 0.80  # a relief's slope, as the part of its direction towards the viewer, that is drawn as a line
_FOLD = 0.55  # cosine between neighbouring directions below which a face is drawn as folded
_BLACKENED = 10.0  # darker than any dot's threshold
_BLACK = 26  # ink's level on paper


def draw(find: Find, scene: Scene, *, size: int, random: Generator) -> Image.Image:
    """An RGB picture in shades of grey, `size` by `size` pixels; the scene has `FINER` times as many each way."""
    pixels = coloured(find, scene, random)
    side = scene.surface.side
    ink = np.zeros((side, side), dtype=np.bool_)
    painted = pixels.ink > 0.5
    ink.ravel()[pixels.place[painted]] = True
    ink.ravel()[pixels.place[pixels.part == HOLE]] = True
    stippled = find.family != "vessel" or find.ware in ("coarseware", "impasto")
    if stippled:
        strength = 1.0 if find.family != "vessel" else 0.45
        normal = pixels.normal / np.sqrt((pixels.normal**2).sum(0))
        dark = np.float32(strength) * (np.float32(0.92) - (_LIGHT[:, None] * normal).sum(0))
        if scene.relief:
            dark += np.float32(2.5) * np.maximum(np.float32(0.93) - normal[2], 0)
            dark[(normal[2] < _STEEP) & (pixels.part == OUTSIDE)] = _BLACKENED
        dotted = dark > _stipple(side).ravel()[pixels.place]
        ink.ravel()[pixels.place[dotted]] = True
    lined = scene.section and not find.fragment and scene.camera is not None and scene.camera.elevation == 0
    if lined and scene.camera is not None:
        ink[:, : int(scene.camera.centre[0])] &= scene.surface.part[:, : int(scene.camera.centre[0])] == ADDED
    ink |= _contours(scene, max(1, round(side / 300)))
    sheet = Image.fromarray(np.where(ink, np.uint8(_BLACK), np.uint8(255)))
    if scene.section and scene.camera is not None:
        if lined:
            _section(
                sheet, scene, scene.camera, hatched=random.random() < 0.35, whole=find.state != "upper part missing"
            )
        elif find.fragment:
            _wall_beside(sheet, scene, scene.camera)
    paper = np.asarray(sheet.reduce(FINER), dtype=np.float32) * np.float32(random.uniform(0.95, 1.0))
    paper += np.float32(random.uniform(0.5, 2.0)) * random.standard_normal(paper.shape, dtype=np.float32)
    image = Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8)).convert("RGB")
    if size >= 48:
        draw_scale(image, scene.pixels_per_cm / FINER, dark=False, random=random)
    return image


def _contours(scene: Scene, thick: int) -> Mask:
    """Where the thing ends, where one part hides another, and where its face turns sharply."""
    surface = scene.surface
    there = surface.part != 0
    edge = np.zeros_like(there)
    level = scene.camera is None or scene.camera.elevation == 0  # else the rings of a vessel would show as folds
    reach = np.float32((0.03 if level else 0.12) * surface.side)
    for way in (0, 1):
        now = [slice(None), slice(None)]
        after = [slice(None), slice(None)]
        now[way], after[way] = slice(None, -1), slice(1, None)
        a, b = tuple(now), tuple(after)
        both = there[a] & there[b]
        rod = surface.part[a] == ADDED  # a handle is too thin for its roundness to be a fold
        jump = np.abs(surface.depth[a] - surface.depth[b]) > reach
        edge[a] |= (there[a] != there[b]) | (both & jump)
        if not level:
            edge[a] |= both & ((surface.part[a] == INSIDE) != (surface.part[b] == INSIDE))
        else:
            alike = sum((axis[a] * axis[b] for axis in surface.normal), np.zeros_like(surface.depth[a]))
            edge[a] |= both & ~rod & (alike < _FOLD)
    grown: Mask = edge.copy()
    for step in range(1, thick + 1):
        grown[step:] |= edge[:-step]
        grown[:, step:] |= edge[:, :-step]
    return grown


def _points(section: tuple[tuple[float, float], ...], camera: Camera) -> list[tuple[float, float]]:
    return [(camera.centre[0] - r * camera.scale, camera.centre[1] - h * camera.scale) for r, h in section]


def _section(sheet: Image.Image, scene: Scene, camera: Camera, *, hatched: bool, whole: bool) -> None:
    """Cut the left half open: the wall in black or hatched, the axis, and the line of the rim."""
    wall = _points(scene.section, camera)
    axis, foot = camera.centre
    inner = wall[-1][1]
    hollow = max(min(foot - inner - 0.04 * camera.scale, 0.10 * camera.scale), 0.0)
    ring = (axis - (axis - wall[0][0]) * 0.72, foot)
    outline = [*wall, (axis, foot - hollow), ring]
    pen = ImageDraw.Draw(sheet)
    line = max(2, round(sheet.width / 260))
    inside = Image.new("L", sheet.size, 0)
    ImageDraw.Draw(inside).polygon(outline, fill=255)
    covered = [(axis, foot), *wall, (axis, wall[-1][1])]
    pen.polygon(covered, fill=255)
    if hatched:
        lines = Image.new("L", sheet.size, 255)
        hatch = ImageDraw.Draw(lines)
        for start in range(-sheet.width, sheet.width, max(4, sheet.width // 80)):
            hatch.line([(start, sheet.height), (start + sheet.height, 0)], fill=_BLACK, width=max(1, line // 2))
        sheet.paste(lines, (0, 0), inside)
        pen.line([*outline, outline[0]], fill=_BLACK, width=line)
    else:
        sheet.paste(_BLACK, (0, 0), inside)
    top = min(y for _, y in wall)
    if whole:
        rim = min(x for x, y in wall if y < top + 0.03 * camera.scale)
        pen.line([(rim, top), (2 * axis - rim, top)], fill=_BLACK, width=line)
    pen.line([(axis, top), (axis, foot)], fill=_BLACK, width=line)


def _wall_beside(sheet: Image.Image, scene: Scene, camera: Camera) -> None:
    """The sherd's section, to its left, at the same height and scale."""
    rows, columns = np.nonzero(scene.surface.part)
    low, high = rows.min(), rows.max()
    wall = [(x, y) for x, y in _points(scene.section, camera) if low <= y <= high]
    if len(wall) < 3:
        return
    thick = max(x for x, _ in wall) - min(x for x, _ in wall)
    aim = float(columns.min()) - 0.05 * sheet.width - thick
    if aim < 0.02 * sheet.width:  # a wall as flared as that leaves no room
        return
    shift = aim - min(x for x, _ in wall)
    ImageDraw.Draw(sheet).polygon([(x + shift, y) for x, y in wall], fill=_BLACK)


@lru_cache(maxsize=4)
def _stipple(side: int) -> Floats:
    """Dots on a shaken grid, each with the darkness (0.35…1.5) from which it is set; elsewhere far above any."""
    random = np.random.default_rng(5)
    sheet = np.full((side, side), 9, dtype=np.float32)
    pitch = max(3.0, side / 102)
    dot = max(0.8, side / 470)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    cells = int(side / pitch) + 1
    places = (np.moveaxis(np.mgrid[0:cells, 0:cells], 0, -1) + random.uniform(0.1, 0.9, (cells, cells, 2))) * pitch
    levels = random.uniform(0.35, 1.5, (cells, cells)).astype(np.float32)
    near_row = np.minimum((rows / pitch).astype(np.intp), cells - 1)
    near_column = np.minimum((columns / pitch).astype(np.intp), cells - 1)
    spot = places[near_row, near_column]
    close = (rows - spot[..., 0]) ** 2 + (columns - spot[..., 1]) ** 2 < dot * dot
    sheet[close] = levels[near_row, near_column][close]
    return sheet
