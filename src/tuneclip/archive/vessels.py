"""Vessels: a profile turned about its axis, seen from somewhat above, with the handles set on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from tuneclip.archive.forms import Form
from tuneclip.archive.surface import (
    ADDED,
    FAR,
    INSIDE,
    NOTHING,
    OUTSIDE,
    Camera,
    Floats,
    Ints,
    Surface,
    add_tube,
    empty_surface,
)

Curve = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]

_STEEP = 0.3  # sine of the camera's elevation from which on it looks onto level faces
_LEVEL = 0.7  # upward part of a face's direction from which on it counts as level
_REACH = 4  # pixels; wider gaps between rings are bridged along the profile
_SPACING = 1.0  # pixels between two rings of the profile


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


def outline(form: Form, random: Generator) -> Curve:
    """The form's outer curve (n, 2) as radius and height, somewhat varied by lot: no two pots are the same."""
    points = np.array(form.profile, dtype=np.float64)
    swing = 1 + 0.05 * np.sin(points[:, 1] * random.uniform(2, 7) + random.uniform(0, 6)) * random.uniform(0, 1)
    points[:, 0] *= swing * random.uniform(0.95, 1.06)
    outer = _smooth(points)
    outer[:, 1] = np.maximum.accumulate(outer[:, 1])
    return outer


def sherd_profile(form: Form, scale: float, *, rim: bool) -> tuple[Profile, float]:
    """A piece of the form's wall set upright, from the rim down or round its decoration's middle, and its length."""
    outer = _smooth(np.array(form.profile, dtype=np.float64))
    length = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(outer, axis=0).T))))
    middle = float(np.interp(np.mean(form.zone), outer[:, 1], length))
    radius = float(np.interp(middle, length, outer[:, 0]))
    reach = float(np.clip(1.25 * radius, 0.2, 0.5 * length[-1]))
    end = float(length[-1]) if rim else min(middle + reach / 2, float(length[-1]))
    places = np.linspace(end - reach, end, 48)
    piece = np.column_stack((np.interp(places, length, outer[:, 0]), np.interp(places, length, outer[:, 1])))
    chord = piece[-1] - piece[0]
    chord /= np.hypot(*chord)
    moved = piece - piece[0]
    height = moved @ chord
    bulge = moved @ np.array([chord[1], -chord[0]])
    upright = np.column_stack((max(radius, 0.6 * reach) + bulge, np.maximum.accumulate(height)))
    return walled(upright, form.wall, floor=-1.0, scale=scale / reach), reach


def walled(outer: Curve, wall: float, *, floor: float, scale: float) -> Profile:
    """The profile with a wall of that thickness, a rounded lip and a floor, sampled for `scale` pixels per unit."""
    inner = outer[outer[:, 1] > floor][::-1] - np.array([wall, 0.0])
    inner[:, 0] = np.maximum(inner[:, 0], 0.012)
    top = outer[-1]
    bend = np.linspace(0.15, np.pi - 0.15, 7)[:, None]
    half = wall / 2
    lip = np.hstack((top[0] - half + half * np.cos(bend), top[1] + half * np.sin(bend)))
    bottom = np.linspace(inner[-1, 0], 0.0, 12)[1:, None]
    inside = np.vstack((lip, inner, np.hstack((bottom, np.full_like(bottom, inner[-1, 1])))))
    parts = [_resampled(outer, scale, OUTSIDE), _resampled(inside, scale, INSIDE)]
    return Profile(*(np.concatenate(columns).astype(np.float32) for columns in zip(*parts, strict=True)))


def _smooth(points: Curve) -> Curve:
    """A Catmull-Rom curve through the points; a doubled point stays a corner."""
    pieces = []
    doubled = np.flatnonzero(np.all(np.diff(points, axis=0) == 0, axis=1)) + 1
    for run in np.split(points, doubled):
        ends = np.vstack((2 * run[0] - run[1], run, 2 * run[-1] - run[-2]))
        share = np.linspace(0, 1, 9)[:-1, None, None]
        a, b, c, d = ends[:-3], ends[1:-2], ends[2:-1], ends[3:]
        between = b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
        pieces += [between.transpose(1, 0, 2).reshape(-1, 2), run[-1:]]
    return np.vstack(pieces)


def _resampled(curve: Curve, scale: float, part: int) -> tuple[Curve, ...]:
    """Rings evenly along the curve; directions run smoothly from knot to knot, as light shows every facet."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    curve = curve[np.concatenate(([True], steps > 1e-9))]
    steps = steps[steps > 1e-9]
    length = np.concatenate(([0.0], np.cumsum(steps)))
    count = max(24, int(length[-1] * scale / _SPACING))
    places = np.linspace(0, length[-1], count)
    tangents = np.diff(curve, axis=0) / steps[:, None]
    knots = np.vstack((tangents[:1], (tangents[:-1] + tangents[1:]) / 2, tangents[-1:]))
    out, up = np.interp(places, length, knots[:, 1]), -np.interp(places, length, knots[:, 0])
    norm = np.maximum(np.hypot(out, up), 1e-9)
    radius, height = np.interp(places, length, curve[:, 0]), np.interp(places, length, curve[:, 1])
    return radius, height, out / norm, up / norm, places / length[-1], np.full(count, float(part))


def turn(profile: Profile, camera: Camera, side: int, *, cut: Floats | None = None) -> Surface:
    """The turned vessel as the camera sees it, on a square of `side` pixels.

    `cut` gives the heights at which it is broken off, for directions evenly round it.
    """
    surface = empty_surface(side)
    half_width = min(int(np.ceil(profile.radius.max() * camera.scale + 1)), side - round(camera.centre[0]))
    columns = (np.arange(half_width, dtype=np.float32) + np.float32(0.5)) / np.float32(camera.scale)
    rings, fronts = _visible_rings(profile, camera, float(profile.height.max() if cut is None else cut.min()))
    radius, height = profile.radius[rings][:, None], profile.height[rings][:, None]
    square = radius * radius - columns * columns
    z = np.sqrt(np.maximum(square, 0)) * fronts[:, None]
    sine, cosine = np.float32(np.sin(camera.elevation)), np.float32(np.cos(camera.elevation))
    lean = profile.normal_up[rings][:, None] * sine * radius
    seen = (lean + (profile.normal_out[rings] * cosine)[:, None] * z > 0) & (square > 0)
    level = np.float32(camera.centre[1]) - np.float32(camera.scale) * cosine * height
    rows = (level + np.float32(camera.scale) * sine * z).astype(np.int32)
    seen &= (rows >= 0) & (rows < side)
    if cut is not None:
        direction = (np.arctan2(columns, z) / np.float32(2 * np.pi) + np.float32(0.5)) * np.float32(len(cut) - 1)
        seen &= height < np.interp(direction, np.arange(len(cut)), cut)
    place = np.where(seen, rows * half_width + np.arange(half_width, dtype=np.int32), side * half_width)
    codes = np.full(side * half_width + 1, -1, dtype=np.int32)
    # rings rise, and what is higher hides what is lower: the last one written stays
    codes[place.ravel()] = np.repeat(np.arange(len(rings), dtype=np.int32), half_width)
    half = codes[:-1].reshape(side, half_width)
    _bridge(half, rows, seen, _next_rings(rings, fronts))
    used = np.flatnonzero(half.max(1) >= 0)
    if len(used):
        window = slice(int(used[0]), int(used[-1]) + 1)
        _unfold(surface, profile, camera, (_filled(half[window], _REACH), window, rings, fronts))
    return surface


def _next_rings(rings: Ints, fronts: Floats) -> Ints:
    """For each ring the next one along the profile on the same half, itself where that cannot be seen."""
    order = np.arange(len(rings))
    places = np.full((2, int(rings.max()) + 2), -1, dtype=np.intp)
    half = (fronts > 0).astype(np.intp)
    places[half, rings] = order
    following = places[half, rings + 1]
    return np.where(following < 0, order, following)


def _bridge(codes: Codes, rows: Codes, seen: npt.NDArray[np.bool_], following: Ints) -> None:
    """Fill the rows between neighbouring rings, far apart where the face bends away, so that nothing shows through."""
    gap = rows[following] - rows
    at = np.flatnonzero((np.abs(gap) > 1) & (seen | seen[following]))
    ring, column = at // rows.shape[1], at % rows.shape[1]
    after = following[ring]
    code = np.maximum(np.where(seen[ring, column], ring, -1), np.where(seen[after, column], after, -1)).astype(np.int32)
    start, span = rows[ring, column], gap[ring, column]
    flat = codes.ravel()
    for step in range(1, int(np.abs(span).max(initial=0))):
        kept = np.flatnonzero(np.abs(span) > step)
        row = start[kept] + step * np.sign(span[kept])
        kept, row = kept[(row >= 0) & (row < len(codes))], row[(row >= 0) & (row < len(codes))]
        np.maximum.at(flat, row * codes.shape[1] + column[kept], code[kept])


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


def _filled(codes: Codes, reach: int) -> Codes:
    """Close the gaps of at most `reach` pixels that steep faces leave between two rings of one column."""
    rows = np.arange(len(codes), dtype=np.int16)[:, None]
    known = codes >= 0
    above = np.maximum.accumulate(np.where(known, rows, np.int16(-9999)), axis=0)
    below = np.minimum.accumulate(np.where(known, rows, np.int16(9999))[::-1], axis=0)[::-1]
    at = np.flatnonzero((below - above <= reach) & ~known)
    flat = codes.ravel()
    flat[at] = flat[below.ravel()[at].astype(np.intp) * codes.shape[1] + at % codes.shape[1]]
    return flat.reshape(codes.shape)


def _unfold(surface: Surface, profile: Profile, camera: Camera, seen: tuple[Codes, slice, Ints, Floats]) -> None:
    """Write place and direction of each seen pixel of the right half, and of its mirror image on the left."""
    codes, window, rings, fronts = seen
    there = codes >= 0
    codes = np.maximum(codes, 0)
    ring, front = rings[codes], fronts[codes]
    x = (np.arange(codes.shape[1], dtype=np.float32) + np.float32(0.5)) / np.float32(camera.scale)
    radius = np.maximum(profile.radius.take(ring), x)
    sine, cosine = np.float32(np.sin(camera.elevation)), np.float32(np.cos(camera.elevation))
    out, rise = profile.normal_out.take(ring), profile.normal_up.take(ring)
    deep = np.sqrt(np.maximum(radius * radius - x * x, 0)) * front
    if sine > _STEEP:  # on level faces the row itself says how far to the front a pixel lies
        rows = np.arange(window.start, window.stop, dtype=np.float32)[:, None] + np.float32(0.5 - camera.centre[1])
        exact = (rows / np.float32(camera.scale) + (profile.height * cosine).take(ring)) / sine
        deep = np.where(rise > _LEVEL, exact, deep)
        radius = np.sqrt(x * x + deep * deep)
    share, deep = x / radius, deep / radius
    over = out * deep
    depth = np.float32(camera.scale) * ((profile.height * sine).take(ring) + radius * deep * cosine)
    # arc cosine after Abramowitz and Stegun 4.4.45, within 7e-5: a quarter of the time of arctan2
    angle = np.sqrt(1 - share) * (1.5707288 + share * (-0.2121144 + share * (0.0742610 - 0.0187293 * share)))
    turns = (np.float32(0.25) - angle * np.float32(0.5 / np.pi)) * np.sign(deep) + np.float32(0.25) * (
        1 - np.sign(deep)
    )
    part = np.where(there, profile.part.astype(np.uint8).take(ring), np.uint8(NOTHING))
    values = (
        (surface.depth, np.where(there, depth, FAR)),
        (surface.normal[1], rise * cosine - over * sine),
        (surface.normal[2], rise * sine + over * cosine),
        (surface.along, profile.along.take(ring)),
        (surface.part, part),
    )
    middle, width = round(camera.centre[0]), codes.shape[1]
    right, left = slice(middle, middle + width), slice(max(middle - width, 0), middle)
    kept = left.stop - left.start
    for target, value in values:
        target[window, right] = value
        target[window, left] = value[:, :kept][:, ::-1]
    yaw = np.float32(camera.yaw / (2 * np.pi))
    surface.normal[0][window, right] = out * share
    surface.normal[0][window, left] = -(out * share)[:, :kept][:, ::-1]
    surface.around[window, right] = turns - yaw
    surface.around[window, left] = -turns[:, :kept][:, ::-1] - yaw


Path = tuple[Floats, float]


def handle_paths(form: Form, profile: Profile) -> list[Path]:
    """The handles as curves (n, 3) in units of the vessel's height, each with its radius; lug pairs are two."""
    at = profile.radius_at

    def upright(high: float, low: float, out: float, lift: float, thick: float) -> Path:
        top, foot = at(high) - thick * 0.5, at(low) - thick * 0.3
        far, drop = max(top, foot) + out, high - low
        knots = [
            (top, high),
            (top + (far - top) * 0.45, high + lift),
            (far - out * 0.12, high + lift * 0.55 - drop * 0.06),
            (far, high - drop * 0.32),
            (far - (far - foot) * 0.30, high - drop * 0.72),
            (foot, low),
        ]
        curve = _smooth(np.array(knots))[::2]
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
        "high": lambda: [upright(0.985, 0.45, 0.16, 0.30, 0.026)] * 2,
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
            for stump in (slice(0, 3), slice(-3, None)):
                add_tube(surface, seen[stump], radii[stump], part=ADDED, blend=thick * camera.scale * 0.3)
            continue
        add_tube(surface, seen, radii, part=ADDED, blend=thick * camera.scale * 0.3)
