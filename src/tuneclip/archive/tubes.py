"""Things modelled from rolls of clay or wire: chains of cones, framed and set before the camera."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuneclip.archive.surface import FAR, NOTHING, OUTSIDE, Camera, Floats, Surface, add_tube, empty_surface

XYZ = tuple[float, float, float]
_ROOM = 0.70  # share of the picture that the thing may take
_FLOOR = 0.83


@dataclass(frozen=True)
class Roll:
    """A chain through points (x right, y up, z to the front), its radii, its part, and how far it runs into others."""

    points: tuple[XYZ, ...]
    radii: tuple[float, ...]
    part: int = OUTSIDE
    blend: float = 0.0


def roll(
    points: Sequence[Sequence[float]], radii: Sequence[float] | float, part: int = OUTSIDE, blend: float = 0.0
) -> Roll:
    """A roll; points of two numbers lie in the plane, one radius serves all points."""
    full = tuple((float(p[0]), float(p[1]), float(p[2]) if len(p) > 2 else 0.0) for p in points)
    sizes = (float(radii),) * len(full) if isinstance(radii, int | float) else tuple(float(r) for r in radii)
    if len(full) == 1:
        full, sizes = (full[0], (full[0][0], full[0][1] + 1e-4, full[0][2])), sizes * 2
    return Roll(full, sizes, part, blend)


def both(
    points: Sequence[Sequence[float]], radii: Sequence[float] | float, part: int = OUTSIDE, blend: float = 0.0
) -> list[Roll]:
    """The roll and its mirror image across the plane x = 0."""
    mirrored = [(-p[0], *p[1:]) for p in points]
    return [roll(points, radii, part, blend), roll(mirrored, radii, part, blend)]


def paired(
    points: Sequence[Sequence[float]], radii: Sequence[float] | float, part: int = OUTSIDE, blend: float = 0.0
) -> list[Roll]:
    """The roll and its mirror image across the plane z = 0: an animal's left and right leg."""
    mirrored = [(p[0], p[1], -p[2]) for p in points]
    return [roll(mirrored, radii, part, blend), roll(points, radii, part, blend)]


def turned(rolls: list[Roll], angle: float) -> list[Roll]:
    """The rolls turned in the picture's plane by `angle` radians."""
    sine, cosine = float(np.sin(angle)), float(np.cos(angle))
    return [
        Roll(tuple((x * cosine - y * sine, x * sine + y * cosine, z) for x, y, z in r.points), r.radii, r.part, r.blend)
        for r in rolls
    ]


def set_up(
    rolls: list[Roll], side: int, *, elevation: float = 0.0, yaw: float = 0.0, stands: bool = False
) -> tuple[Surface, Camera, float]:
    """Surface and camera that fill the frame with the rolls, and their longest extent in the rolls' units.

    What stands is set on the ground line, what lies goes to the middle.
    """
    points = np.array([p for r in rolls for p in r.points], dtype=np.float32)
    radii = np.array([size for r in rolls for size in r.radii], dtype=np.float32)
    flat = Camera(1.0, (0.0, 0.0), elevation, yaw).see(points)
    low = (flat[:, :2] - radii[:, None]).min(0)
    high = (flat[:, :2] + radii[:, None]).max(0)
    width, height = (high - low).tolist()
    scale = _ROOM * side / max(width, height)
    column = side / 2 - scale * float(low[0] + high[0]) / 2
    row = side * _FLOOR - scale * float(high[1]) if stands else side * 0.48 - scale * float(low[1] + high[1]) / 2
    camera = Camera(scale, (column, row), elevation, yaw)
    surface = empty_surface(side)
    for r in rolls:
        seen = camera.see(np.array(r.points, dtype=np.float32))
        add_tube(
            surface, seen, np.array(r.radii, dtype=np.float32) * np.float32(scale), part=r.part, blend=r.blend * scale
        )
    if stands:
        _cut_below_ground(surface, camera)
    return surface, camera, max(width, height)


def _cut_below_ground(surface: Surface, camera: Camera) -> None:
    """Take away what would lie under the ground, so that round feet stand flat."""
    rows = np.arange(surface.side, dtype=np.float32)[:, None] + np.float32(0.5)
    up = (np.float32(camera.centre[1]) - rows) * np.float32(np.cos(camera.elevation))
    under = up + surface.depth * np.float32(np.sin(camera.elevation)) < 0
    surface.part[under] = NOTHING
    surface.depth[under] = FAR


def curve(points: Sequence[Sequence[float]], steps: int = 6) -> list[tuple[float, ...]]:
    """A smooth curve (Catmull-Rom) through the points."""
    knots = np.array(points, dtype=np.float64)
    ends = np.vstack((2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]))
    share = np.linspace(0, 1, steps + 1)[:-1, None]
    made = [
        b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(ends[:-3], ends[1:-2], ends[2:-1], ends[3:], strict=True)
    ]
    return [tuple(float(x) for x in row) for row in np.vstack([*made, knots[-1:]])]


def spread(values: Sequence[float], count: int) -> list[float]:
    """The values stretched evenly over `count` places."""
    return [float(x) for x in np.interp(np.linspace(0, len(values) - 1, count), np.arange(len(values)), values)]


def extent(points: Floats) -> float:
    """The longer side of the box round points (n, 2)."""
    return float((points.max(0) - points.min(0)).max())
