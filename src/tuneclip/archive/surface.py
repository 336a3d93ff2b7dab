"""What the camera sees, before light falls on it: depth, direction and place on the thing, pixel by pixel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

NOTHING, OUTSIDE, INSIDE, ADDED, BREAK, HOLE, SECOND, THIRD = range(8)
"""Parts of a thing: its body outside and inside, what was added (handles), broken edges, holes, painted details."""

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
    for index in range(len(points) - 1):
        _add_cone(surface, points[index : index + 2], radii[index : index + 2], part, blend)


def add_ball(surface: Surface, centre: Floats, radius: float, *, part: int = ADDED, blend: float = 0.0) -> None:
    """Add a sphere at centre (3,) as the camera sees it, radius in pixels."""
    near = np.stack((centre, centre + np.float32(0.01)))
    _add_cone(surface, near, np.array([radius, radius], dtype=np.float32), part, blend)


def _add_cone(surface: Surface, ends: Floats, radii: Floats, part: int, blend: float) -> None:
    side = surface.side
    margin = float(radii.max()) + 1
    left, top = np.maximum(np.floor(ends[:, :2].min(0) - margin), 0).astype(int)
    right, bottom = np.minimum(np.ceil(ends[:, :2].max(0) + margin), side).astype(int)
    if right <= left or bottom <= top:
        return
    x = np.arange(left, right, dtype=np.float32) + np.float32(0.5) - ends[0, 0]
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(0.5) - ends[0, 1]
    step = ends[1] - ends[0]
    length = np.float32(max(float(step[0] ** 2 + step[1] ** 2), 1e-6))
    share = np.clip((x * step[0] + y * step[1]) / length, 0, 1)
    away_x, away_y = x - share * step[0], y - share * step[1]
    radius = radii[0] + share * (radii[1] - radii[0])
    inner = radius * radius - away_x * away_x - away_y * away_y
    height = np.sqrt(np.maximum(inner, 0))
    depth = ends[0, 2] + share * step[2] + height
    window = (slice(top, bottom), slice(left, right))
    normal = np.stack((away_x, -away_y, height)) / np.maximum(radius, np.float32(1e-3))
    _merge(surface, window, np.where(inner > 0, depth, FAR), normal, (part, blend))


def _merge(
    surface: Surface, window: tuple[slice, slice], depth: Floats, normal: Floats, kind: tuple[int, float]
) -> None:
    part, blend = kind
    old = surface.depth[window]
    nearer = depth > old
    surface.part[window][nearer] = part
    normals = surface.normal[:, window[0], window[1]]
    if not blend:
        np.copyto(normals, normal, where=nearer)
        np.copyto(old, depth, where=nearer)
        return
    share = np.clip((depth - old) / np.float32(2 * blend) + np.float32(0.5), 0, 1)
    both = (old > FAR / 2) & (depth > FAR / 2)
    share = np.where(both, share, nearer)
    mixed = normals + share * (normal - normals)
    np.copyto(normals, mixed, where=share > 0)
    swell = np.float32(blend) * share * (1 - share)
    joined = np.where(both, old + share * (depth - old) + swell, np.maximum(depth, old))
    np.copyto(old, joined)
