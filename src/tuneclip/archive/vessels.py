"""Vessels: a profile turned about its axis, seen from somewhat above, with the handles set on."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from tuneclip.archive.forms import Form
from tuneclip.archive.surface import ADDED, INSIDE, NOTHING, OUTSIDE, Camera, Floats, Ints, Surface, add_tube, empty_surface

_SPACING = 0.75  # pixels between two rings of the profile


@dataclass(frozen=True)
class Profile:
    """Rings from the foot up the outside, over the lip and down the inside: radius, height, normal, all (n,).

    `along` runs from 0 to 1 on the outside and again on the inside; `part` says which.
    """

    radius: Floats
    height: Floats
    normal_out: Floats
    normal_up: Floats
    along: Floats
    part: Floats

    def radius_at(self, height: float) -> float:
        """The outer radius at that height."""
        outside = self.part == OUTSIDE
        return float(np.interp(height, self.height[outside], self.radius[outside]))

    def along_at(self, height: float) -> float:
        """How far along the outside that height is."""
        outside = self.part == OUTSIDE
        return float(np.interp(height, self.height[outside], self.along[outside]))


def turned_profile(form: Form, scale: float, random: Generator) -> Profile:
    """The form's profile, somewhat varied by lot, sampled for `scale` pixels per unit of height."""
    points = np.array(form.profile, dtype=np.float64)
    swing = 1 + 0.05 * np.sin(points[:, 1] * random.uniform(2, 7) + random.uniform(0, 6)) * random.uniform(0, 1)
    points[:, 0] *= swing * random.uniform(0.95, 1.06)
    outer = _smooth(points)
    outer[:, 1] = np.maximum.accumulate(outer[:, 1])
    inner = outer[outer[:, 1] > form.floor][::-1] - np.array([form.wall, 0.0])
    inner[:, 0] = np.maximum(inner[:, 0], 0.012)
    top = outer[-1]
    turn = np.linspace(0.15, np.pi - 0.15, 7)[:, None]
    half = form.wall / 2
    lip = np.hstack((top[0] - half + half * np.cos(turn), top[1] + half * np.sin(turn)))
    floor = np.linspace(inner[-1, 0], 0.0, 12)[1:, None]
    inside = np.vstack((lip, inner, np.hstack((floor, np.full_like(floor, inner[-1, 1])))))
    parts = [_resampled(outer, scale, OUTSIDE), _resampled(inside, scale, INSIDE)]
    return Profile(*(np.concatenate(columns).astype(np.float32) for columns in zip(*parts, strict=True)))


def _smooth(points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A Catmull-Rom curve through the points; a doubled point stays a corner."""
    pieces = []
    doubled = np.flatnonzero(np.all(np.diff(points, axis=0) == 0, axis=1)) + 1
    for run in np.split(points, doubled):
        ends = np.vstack((2 * run[0] - run[1], run, 2 * run[-1] - run[-2])) if len(run) > 1 else run
        share = np.linspace(0, 1, 9)[:-1, None]
        for a, b, c, d in zip(ends[:-3], ends[1:-2], ends[2:-1], ends[3:], strict=True):
            pieces.append(
                b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
            )
        pieces.append(run[-1:])
    return np.vstack(pieces)


def _resampled(curve: np.ndarray[tuple[int, int], np.dtype[np.float64]], scale: float, part: int) -> tuple[Floats, ...]:
    steps = np.hypot(*np.diff(curve, axis=0).T)
    length = np.concatenate(([0.0], np.cumsum(steps)))
    count = max(24, int(length[-1] * scale / _SPACING))
    places = np.linspace(0, length[-1], count)
    radius, height = np.interp(places, length, curve[:, 0]), np.interp(places, length, curve[:, 1])
    out, up = np.gradient(height), -np.gradient(radius)
    norm = np.maximum(np.hypot(out, up), 1e-9)
    return radius, height, out / norm, up / norm, places / length[-1], np.full(count, part)  # type: ignore[return-value]


def turn(profile: Profile, camera: Camera, side: int, *, cut: Floats | None = None) -> Surface:
    """The turned vessel as the camera sees it, on a square of `side` pixels.

    `cut` gives the heights at which it is broken off, for directions evenly round it.
    """
    surface = empty_surface(side)
    half_width = int(np.ceil(min(profile.radius.max() * camera.scale + 1, side)))
    columns = (np.arange(half_width, dtype=np.float32) + np.float32(0.5)) / np.float32(camera.scale)
    rings, fronts = _visible_rings(profile, camera, float(profile.height.max() if cut is None else cut.min()))
    radius, height = profile.radius[rings][:, None], profile.height[rings][:, None]
    square = radius * radius - columns * columns
    front = fronts[:, None]
    z = np.sqrt(np.maximum(square, 0)) * front
    sine, cosine = np.float32(np.sin(camera.elevation)), np.float32(np.cos(camera.elevation))
    facing = profile.normal_up[rings][:, None] * sine * radius + profile.normal_out[rings][:, None] * z * cosine
    row = np.float32(camera.centre[1]) - np.float32(camera.scale) * (height * cosine - z * sine)
    rows = row.astype(np.int32)
    seen = (square > 0) & (facing > 0) & (rows >= 0) & (rows < side)
    if cut is not None:
        direction = (np.arctan2(columns, z) / np.float32(2 * np.pi) + np.float32(0.5)) * np.float32(len(cut) - 1)
        seen &= height < np.interp(direction, np.arange(len(cut)), cut)
    ring, column = np.nonzero(seen)
    codes = np.full((side, half_width), -1, dtype=np.intp)
    codes[rows[ring, column], column] = ring  # rings rise, and what is higher hides what is lower: the last one stays
    codes = _filled(codes, int(4 + 0.08 * side * abs(float(sine))))
    _unfold(surface, profile, camera, (codes, rings, fronts))
    return surface


def _visible_rings(profile: Profile, camera: Camera, top: float) -> tuple[Ints, Floats]:
    """Indices of rings from bottom to top, each once per half that can be seen, and the half (1 front, -1 back)."""
    sine, cosine = np.sin(camera.elevation), np.cos(camera.elevation)
    level = profile.height * cosine
    edge = top * cosine - profile.radius_at(top) * sine - 2 / camera.scale
    front = (profile.part == OUTSIDE) | (profile.normal_up > 0.02)
    back = (profile.normal_up * sine > 0) | (profile.normal_out < 0)
    back &= (profile.part == OUTSIDE) | (level + profile.radius * sine > edge)
    indices = np.concatenate((np.flatnonzero(front), np.flatnonzero(back)))
    halves = np.concatenate((np.ones(int(front.sum())), -np.ones(int(back.sum()))))
    order = np.argsort(profile.height[indices], kind="stable")
    return indices[order], halves[order].astype(np.float32)


def _filled(codes: Ints, reach: int) -> Ints:
    """Close the gaps of at most `reach` pixels that steep faces leave between two rings of one column."""
    rows = np.arange(len(codes), dtype=np.int32)[:, None]
    known = codes >= 0
    above = np.maximum.accumulate(np.where(known, rows, -9999), axis=0)
    below = np.minimum.accumulate(np.where(known, rows, 9999)[::-1], axis=0)[::-1]
    gap = ~known & (below - above <= reach)
    row, column = np.nonzero(gap)
    codes[row, column] = codes[below[row, column], column]
    return codes


def _unfold(surface: Surface, profile: Profile, camera: Camera, seen: tuple[Ints, Ints, Floats]) -> None:
    """Write place and direction of each seen pixel of the right half, and of its mirror image on the left."""
    codes, rings, fronts = seen
    row, column = np.nonzero(codes >= 0)
    code = codes[row, column]
    ring = rings[code]
    x = (column.astype(np.float32) + np.float32(0.5)) / np.float32(camera.scale)
    radius = np.maximum(profile.radius[ring], x)
    z = np.sqrt(np.maximum(radius * radius - x * x, 0)) * fronts[code]
    sine, cosine = np.float32(np.sin(camera.elevation)), np.float32(np.cos(camera.elevation))
    over = profile.normal_out[ring] / np.maximum(radius, np.float32(1e-4))
    right, back_up = over * x, over * z
    rise = profile.normal_up[ring]
    up, toward = rise * cosine - back_up * sine, rise * sine + back_up * cosine
    depth = np.float32(camera.scale) * (profile.height[ring] * sine + z * cosine)
    angle = np.arctan2(x, z) * np.float32(1 / (2 * np.pi))
    middle = round(camera.centre[0])
    for sign in (1, -1):
        place = middle + column if sign > 0 else middle - 1 - column
        inside = (place >= 0) & (place < surface.side)
        at = (row, place) if inside.all() else (row[inside], place[inside])
        chosen = slice(None) if inside.all() else inside
        surface.depth[at] = depth[chosen]
        surface.normal[0][at] = sign * right[chosen]
        surface.normal[1][at] = up[chosen]
        surface.normal[2][at] = toward[chosen]
        surface.around[at] = sign * angle[chosen] - np.float32(camera.yaw / (2 * np.pi))
        surface.along[at] = profile.along[ring][chosen]
        surface.part[at] = profile.part[ring][chosen].astype(np.uint8)


Path = tuple[Floats, float]


def handle_paths(form: Form, profile: Profile) -> list[Path]:
    """The handles as curves (n, 3) in units of the vessel's height, each with its radius; lug pairs are two."""
    at = profile.radius_at

    def upright(high: float, low: float, out: float, lift: float, thick: float) -> Path:
        top, foot = at(high) - thick * 0.5, at(low) - thick * 0.3
        knots = [(top, high), (top + out * 0.55, high + lift), (max(top, foot) + out, high + lift * 0.4 - 0.01),
                 (max(top, foot) + out * 0.95, (high * 0.55 + low * 0.45)), (foot, low)]  # fmt: skip
        curve = _smooth(np.array(knots))[::3]
        return np.column_stack((curve, np.zeros(len(curve)))).astype(np.float32), thick

    def level(height: float, out: float, lift: float, thick: float) -> Path:
        spread = 0.42
        angle = np.linspace(-spread, spread, 13)
        swell = 1 - (angle / spread) ** 4
        radius = at(height) - thick * 0.4 + out * swell
        curve = np.column_stack((radius * np.cos(angle), height + lift * swell, radius * np.sin(angle)))
        return curve.astype(np.float32), thick

    pairs = {
        "amphora": lambda: [upright(0.93, 0.70, 0.10, 0.02, 0.026)] * 2,
        "tall": lambda: [upright(0.955, 0.70, 0.055, 0.015, 0.026)] * 2,
        "high": lambda: [upright(0.985, 0.45, 0.17, 0.42, 0.024)] * 2,
        "cup": lambda: [level(0.82, 0.42, 0.16, 0.05)] * 2,
        "skyphos": lambda: [level(0.84, 0.24, 0.03, 0.036)] * 2,
        "jug": lambda: [upright(0.975, 0.52, 0.11, 0.07, 0.03)],
        "hydria": lambda: [level(0.58, 0.13, 0.07, 0.025)] * 2 + [upright(0.95, 0.66, 0.10, 0.02, 0.025)],
        "krater": lambda: [level(0.40, 0.13, 0.12, 0.032)] * 2,
        "column": lambda: [upright(0.955, 0.70, 0.03, 0.0, 0.032)] * 2,
        "small": lambda: [upright(0.95, 0.68, 0.04, 0.0, 0.045)],
        "lugs": lambda: [upright(0.80, 0.70, 0.03, 0.0, 0.02)] * 2,
        "lekythos": lambda: [upright(0.88, 0.64, 0.06, 0.01, 0.022)],
        "lamp": lambda: [upright(0.85, 0.35, 0.55, 0.25, 0.11)],
    }  # fmt: skip
    return pairs[form.handles]() if form.handles in pairs else []


def set_handles(surface: Surface, paths: list[Path], camera: Camera, *, missing: bool) -> None:
    """Set the handles on: the first to the right, the second to the left, a third behind; a missing one is a stump."""
    for number, (path, thick) in enumerate(paths):
        turned = path.copy()
        angle = (0.0, np.pi, np.pi / 2)[number]
        turned[:, 0] = path[:, 0] * np.cos(angle) + path[:, 2] * np.sin(angle)
        turned[:, 2] = path[:, 2] * np.cos(angle) - path[:, 0] * np.sin(angle)
        seen = camera.see(turned)
        radii = np.full(len(seen), thick * camera.scale, dtype=np.float32)
        if missing and number == 0:
            add_tube(surface, seen[:2], radii[:2], part=ADDED)
            add_tube(surface, seen[-2:], radii[-2:], part=ADDED)
            continue
        add_tube(surface, seen, radii, part=ADDED)


__all__ = ["NOTHING", "Profile", "handle_paths", "set_handles", "turn", "turned_profile"]
