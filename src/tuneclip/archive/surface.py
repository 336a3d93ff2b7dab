"""What the camera sees, before light falls on it: depth, direction and place on the thing, pixel by pixel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

NOTHING, OUTSIDE, INSIDE, ADDED, BREAK, HOLE, SECOND, THIRD, CRACK = range(9)
"""Parts of a thing: body outside and inside, what was added (handles), broken edges, holes, painted details, joins."""

FAR = np.float32(-1e9)


@dataclass(frozen=True)
class Camera:
    """Orthographic: `scale` pixels per unit, the origin seen at `centre` (column, row); angles in radians."""

    scale: float
    centre: tuple[float, float]
    elevation: float = 0.0
    yaw: float = 0.0

    def see(self, points: Floats) -> Floats:
        """Points (n, 3) as x right, y up, z to the front → (n, 3) column, row, depth in pixels, depth to the viewer."""
        turn, tilt = np.float32(self.yaw), np.float32(self.elevation)
        x = points[:, 0] * np.cos(turn) + points[:, 2] * np.sin(turn)
        z = points[:, 2] * np.cos(turn) - points[:, 0] * np.sin(turn)
        up = points[:, 1] * np.cos(tilt) - z * np.sin(tilt)
        depth = points[:, 1] * np.sin(tilt) + z * np.cos(tilt)
        seen = np.stack((self.centre[0] + self.scale * x, self.centre[1] - self.scale * up, self.scale * depth), 1)
        return seen.astype(np.float32)


@dataclass(frozen=True)
class Surface:
    """One value per pixel: (side, side), normals (3, side, side) as right, up, to the viewer, of unit length.

    `around` counts turns about a vessel's axis, `along` runs from 0 at the foot to 1 at the rim; on flat things both
    are coordinates from 0 to 1.
    """

    depth: Floats
    normal: Floats
    around: Floats
    along: Floats
    part: npt.NDArray[np.uint8]

    @property
    def side(self) -> int:
        """Pixels along one edge of the square picture."""
        return int(self.depth.shape[0])


def empty_surface(side: int) -> Surface:
    """A surface with nothing on it."""
    return Surface(
        depth=np.full((side, side), FAR, dtype=np.float32),
        normal=np.zeros((3, side, side), dtype=np.float32),
        around=np.zeros((side, side), dtype=np.float32),
        along=np.zeros((side, side), dtype=np.float32),
        part=np.zeros((side, side), dtype=np.uint8),
    )


def add_tube(surface: Surface, points: Floats, radii: Floats, *, part: int = ADDED, blend: float = 0.0) -> None:
    """Add a chain of cones with round ends through points (n, 3) as the camera sees them, radii (n,) in pixels.

    What lies nearer covers what lies behind; with `blend` pixels both run into each other like clay.
    """
    margin = float(radii.max()) + 1
    left, top = np.maximum(np.floor(points[:, :2].min(0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(points[:, :2].max(0) + margin), surface.side).astype(int)
    if right <= left or bottom <= top:
        return
    # per pixel of the nearest cone: its axis away to the right and down, the axis' depth, the radius, the share of it
    best = np.zeros((6, bottom - top, right - left), dtype=np.float32)
    best[4], best[5] = 1, -FAR
    corner = np.array([left, top, 0], dtype=np.float32)
    for index in range(len(points) - 1):
        _nearer_cone(best, points[index : index + 2] - corner, radii[index : index + 2])
    at = np.flatnonzero(best[4] < 1)
    away_x, away_y, axis, radius, square, _ = best.reshape(6, -1)[:, at]
    height = np.sqrt(1 - square)
    place = (at // (right - left) + top) * surface.side + at % (right - left) + left
    _merge(surface, place, axis + radius * height, (away_x / radius, -away_y / radius, height), (part, blend))


def _nearer_cone(best: Floats, ends: Floats, radii: Floats) -> None:
    """Note the cone on the pixels whose nearest it is so far."""
    margin = float(radii.max()) + 1
    low = np.maximum(np.floor(ends[:, :2].min(0) - margin), 0).astype(int)
    high = np.ceil(ends[:, :2].max(0) + margin).astype(int)
    window = best[:, low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
    rows, columns = window.shape[1:]
    x = np.arange(columns, dtype=np.float32) + np.float32(low[0] + 0.5 - ends[0, 0])
    y = np.arange(rows, dtype=np.float32)[:, None] + np.float32(low[1] + 0.5 - ends[0, 1])
    step = ends[1] - ends[0]
    length = np.float32(max(float(step[0] ** 2 + step[1] ** 2), 1e-6))
    share = np.clip(x * (step[0] / length) + y * (step[1] / length), 0, 1)
    away_x, away_y = x - share * step[0], y - share * step[1]
    even = abs(float(radii[1] - radii[0])) < 1e-3
    radius = max(radii[0], np.float32(0.3)) if even else np.maximum(radii[0] + share * (radii[1] - radii[0]), 0.3)
    square = (away_x * away_x + away_y * away_y) / (radius * radius)
    axis = ends[0, 2] + share * step[2]
    score = square - np.float32(0.01) * axis / radius  # of two that lie over one another, the nearer
    closer = (square < 1) & (score < window[5])
    for target, value in zip(window, (away_x, away_y, axis, radius, square, score), strict=True):
        np.copyto(target, value, where=closer)


def _merge(
    surface: Surface, place: Ints, depth: Floats, normal: tuple[Floats, Floats, Floats], kind: tuple[int, float]
) -> None:
    """Set the pixels at `place` (n,) where they are nearer than what is there, or blend them with it."""
    part, blend = kind
    depths = surface.depth.ravel()
    old = depths[place]
    nearer = depth > old
    if blend:
        share = np.clip((depth - old) * np.float32(0.5 / blend) + np.float32(0.5), 0, 1)
        share = np.where(old > FAR / 2, share, nearer).astype(np.float32)
        for axis, value in zip(surface.normal, normal, strict=True):
            was = axis.ravel()[place]
            axis.ravel()[place] = was + share * (value - was)
        depths[place] = np.where(
            share < 1, old + share * (depth - old) + np.float32(blend) * share * (1 - share), depth
        )
    else:
        place, depth = place[nearer], depth[nearer]
        for axis, value in zip(surface.normal, normal, strict=True):
            axis.ravel()[place] = value[nearer]
        depths[place] = depth
    surface.part.ravel()[place[nearer] if blend else place] = part
