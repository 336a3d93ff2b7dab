"""Figures of people and animals, modelled from rolls of clay as their makers did."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from tuneclip.archive.record import Find
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import OUTSIDE, SECOND, THIRD
from tuneclip.archive.tubes import Roll, both, curve, paired, roll, set_up, spread

Paint = tuple[int, int]  # the parts that get the first and the second paint


def model(find: Find, side: int, random: Generator) -> Scene:
    """The figure as the record has it, standing on the ground."""
    paint = (SECOND, THIRD) if find.decoration == "painted" else (OUTSIDE, OUTSIDE)
    name = find.name.removeprefix("figurine of a ")
    rolls = _FIGURES[name](paint)
    if find.state == "fragment":
        rolls = _broken(name, rolls)
    animal = name in ("horse", "bull", "ram", "dove", "rider")
    yaw = random.uniform(-35, 35) if animal else random.uniform(-28, 28)
    surface, camera, extent = set_up(
        rolls, side, elevation=float(np.radians(random.uniform(4, 14))), yaw=float(np.radians(yaw)), stands=True
    )
    return Scene(surface, camera.scale * extent / find.sizes[0][1], stands=side * 0.83)


def _broken(name: str, rolls: list[Roll]) -> list[Roll]:
    """What is left of a broken figure: people lose the head, animals the legs' lower half."""
    if name in ("horse", "bull", "ram", "dove"):
        cut = 0.22
        kept = []
        for r in rolls:
            points = tuple((x, max(y, cut), z) for x, y, z in r.points)
            if max(y for _, y, _ in r.points) > cut:
                kept.append(Roll(points, r.radii, r.part, r.blend))
        return kept
    cut = 0.73 if name != "rider" else 0.98
    return [r for r in rolls if max(y for _, y, _ in r.points) < cut]


def _head(x: float, y: float, z: float, size: float, paint: Paint) -> list[Roll]:
    nose = roll([(x, y + size * 0.15, z + size * 0.8), (x, y - size * 0.2, z + size * 1.05)], size * 0.17, blend=0.01)
    eyes = both([(x + size * 0.36, y + size * 0.08, z + size * 0.84)], size * 0.13, paint[1], 0.0)
    return [
        roll([(x, y - size * 1.5, z - 0.01), (x, y - size * 0.6, z)], size * 0.5, blend=0.02),
        roll([(x, y - size * 0.25, z + size * 0.1), (x, y + size * 0.25, z)], (size * 0.82, size * 0.95), blend=0.02),
        nose,
        *eyes,
    ]


def _hair(y: float, size: float, paint: Paint) -> list[Roll]:
    cap = curve([(-size * 0.95, y - size * 0.2, 0.0), (-size * 0.7, y + size * 0.7, size * 0.3),
                 (0, y + size * 1.0, size * 0.45), (size * 0.7, y + size * 0.7, size * 0.3),
                 (size * 0.95, y - size * 0.2, 0.0)], 3)  # fmt: skip
    locks = both([(size * 0.95, y - size * 0.2, 0.0), (size * 1.0, y - size * 1.6, 0.03)], size * 0.3, paint[1], 0.01)
    return [roll(cap, size * 0.33, paint[1], 0.006), *locks]


def _woman(paint: Paint) -> list[Roll]:
    dress = [
        roll([(0, 0.03, 0), (0, 0.05, 0), (0, 0.25, 0), (0, 0.46, 0)], (0.185, 0.18, 0.135, 0.105), blend=0.02),
        roll([(0, 0.46, 0), (0, 0.62, 0)], (0.10, 0.115), blend=0.03),
    ]
    folds = [
        roll(
            [(0.16 * np.sin(a), 0.05, 0.165 * np.cos(a)), (0.085 * np.sin(a), 0.44, 0.09 * np.cos(a))],
            0.022,
            blend=0.012,
        )
        for a in np.linspace(-1.2, 1.2, 7)
    ]
    belt = [roll([(-0.085, 0.47, 0.05), (0, 0.47, 0.105), (0.085, 0.47, 0.05)], 0.02, paint[0])]
    hem = [roll([(0.18 * np.sin(a), 0.045, 0.18 * np.cos(a)) for a in np.linspace(-1.5, 1.5, 9)], 0.022, paint[0])]
    shoulders = [roll([(-0.095, 0.655, 0), (0.095, 0.655, 0)], 0.065, blend=0.03)]
    arms = [
        roll([(-0.14, 0.64, 0), (-0.18, 0.5, 0.02), (-0.03, 0.54, 0.14)], (0.05, 0.043, 0.036), blend=0.012),
        roll([(0.14, 0.64, 0), (0.175, 0.5, 0.02), (0.17, 0.36, 0.05)], (0.05, 0.043, 0.034), blend=0.012),
    ]
    hat = [roll([(0, 0.90, -0.01), (0, 0.985, -0.01)], (0.07, 0.085), paint[0], 0.004)]
    feet = both([(0.06, 0.02, 0.16), (0.06, 0.02, 0.21)], 0.035, blend=0.01)
    return [*dress, *folds, *hem, *belt, *shoulders, *arms, *feet, *_head(0, 0.83, 0.0, 0.088, paint),
            *_hair(0.83, 0.088, paint), *hat]  # fmt: skip


def _goddess(paint: Paint) -> list[Roll]:
    back = [roll([(-0.17, y, -0.1), (0.17, y, -0.1)], 0.035, paint[1], 0.01) for y in np.linspace(0.05, 0.72, 12)]
    finials = both([(0.2, 0.02, -0.1), (0.2, 0.8, -0.1)], (0.045, 0.035), paint[1], 0.01)
    seat = [roll([(-0.17, y, 0.02), (0.17, y, 0.02)], 0.06, paint[1], 0.02) for y in (0.06, 0.15, 0.24)]
    arms_of_chair = both([(0.205, 0.46, -0.08), (0.205, 0.44, 0.16)], 0.03, paint[1], 0.005)
    posts = both([(0.205, 0.02, 0.16), (0.205, 0.44, 0.16)], 0.028, paint[1])
    legs = [
        *both([(0.075, 0.36, 0.0), (0.08, 0.35, 0.2)], (0.095, 0.08), blend=0.03),
        *both([(0.08, 0.35, 0.2), (0.075, 0.05, 0.22)], (0.08, 0.075), blend=0.03),
        roll([(0, 0.34, 0.14), (0, 0.05, 0.18)], (0.09, 0.09), blend=0.04),
        *both([(0.07, 0.03, 0.24), (0.07, 0.025, 0.30)], 0.04, blend=0.01),
    ]
    stool = [roll([(-0.14, 0.0, 0.26), (0.14, 0.0, 0.26)], 0.03, paint[0])]
    body = [
        roll([(0, 0.38, -0.02), (0, 0.62, -0.03)], (0.115, 0.12), blend=0.03),
        roll([(-0.1, 0.655, -0.03), (0.1, 0.655, -0.03)], 0.062, blend=0.03),
    ]
    arms = both([(0.145, 0.64, -0.02), (0.175, 0.50, 0.0), (0.10, 0.42, 0.20)], (0.05, 0.042, 0.035), blend=0.012)
    border = [roll([(-0.06, 0.62, 0.07), (0, 0.55, 0.10), (0.06, 0.62, 0.07)], 0.013, paint[0])]
    hat = [roll([(0, 0.905, -0.03), (0, 0.99, -0.03)], (0.07, 0.082), paint[0], 0.004)]
    return [*back, *finials, *seat, *posts, *arms_of_chair, *legs, *stool, *body, *arms, *border,
            *_head(0, 0.83, -0.02, 0.085, paint), *_hair(0.83, 0.085, paint), *hat]  # fmt: skip


def _warrior(paint: Paint) -> list[Roll]:
    leg = (0.07, 0.052, 0.036, 0.03)
    legs = [
        roll([(-0.06, 0.42, 0), (-0.10, 0.24, 0.05), (-0.10, 0.04, 0.02), (-0.10, 0.03, 0.09)], leg, blend=0.012),
        roll([(0.06, 0.42, 0), (0.10, 0.24, -0.01), (0.12, 0.04, -0.05), (0.13, 0.03, 0.02)], leg, blend=0.012),
    ]
    base = [roll([(-0.15, 0.0, 0), (0.17, 0.0, 0)], 0.03)]
    body = [
        roll([(0, 0.44, 0), (0, 0.54, 0), (0, 0.65, 0)], (0.085, 0.08, 0.11), blend=0.02),
        roll([(-0.09, 0.42, 0.02), (0.09, 0.42, 0.02)], 0.05, blend=0.02),
        roll([(-0.10, 0.68, 0), (0.10, 0.68, 0)], 0.058, blend=0.025),
    ]
    spear_arm = [roll([(-0.13, 0.68, 0), (-0.25, 0.70, 0.03), (-0.27, 0.84, 0.07)], (0.045, 0.037, 0.03), blend=0.01)]
    shield_arm = [roll([(0.13, 0.68, 0), (0.20, 0.56, 0.06), (0.20, 0.52, 0.12)], (0.045, 0.037, 0.03), blend=0.01)]
    spear = [roll([(-0.30, 0.28, 0.08), (-0.25, 1.12, 0.08)], 0.011)]
    spear += [roll([(-0.252, 1.10, 0.08), (-0.247, 1.16, 0.08), (-0.243, 1.24, 0.08)], (0.008, 0.022, 0.003))]
    rings = [(r, 0.13 + (0.17 - r) * 0.35) for r in (0.17, 0.15, 0.12, 0.09, 0.06, 0.03)]
    angles = np.linspace(0, 2 * np.pi, 15)
    shield = [
        roll([(0.22 + r * np.cos(a), 0.52 + r * np.sin(a), z) for a in angles], 0.022, blend=0.008) for r, z in rings
    ]
    shield.append(roll([(0.22, 0.52, 0.20)], 0.03, blend=0.01))
    crest = curve([(0, 0.80, -0.13), (0, 0.93, -0.12), (0, 1.0, 0.0), (0, 0.965, 0.08)], 4)
    helmet = [
        roll([(0, 0.86, 0), (0, 0.885, 0)], 0.086, blend=0.01),
        *both([(0.06, 0.84, 0.05), (0.05, 0.76, 0.06)], (0.03, 0.022), blend=0.008),
        roll(crest, 0.026, paint[0]),
    ]
    return [*base, *legs, *body, *spear_arm, *_head(0, 0.83, 0.0, 0.078, paint), *helmet, *spear, *shield_arm, *shield]


def _beast(length: float, girth: float, leg: float) -> list[Roll]:
    half = length / 2
    hind = [(-half * 0.88, 0.42, 0.075), (-half * 1.0, 0.2, 0.085), (-half * 0.96, 0.03, 0.085)]
    fore = [(half * 0.85, 0.42, 0.075), (half * 0.86, 0.2, 0.085), (half * 0.88, 0.03, 0.085)]
    return [
        *paired(hind, (leg * 1.25, leg, leg * 0.95), blend=0.03),
        *paired(fore, (leg * 1.2, leg, leg * 0.95), blend=0.03),
        roll([(-half, 0.5, 0), (0, 0.485, 0), (half, 0.5, 0)], (girth, girth * 0.92, girth * 1.03), blend=0.03),
    ]


def _horse(paint: Paint) -> list[Roll]:
    mane = curve([(0.20, 0.66, 0), (0.27, 0.85, 0), (0.40, 0.985, 0), (0.45, 0.98, 0)], 4)
    return [
        *_beast(0.56, 0.13, 0.052),
        roll([(0.25, 0.52, 0), (0.36, 0.74, 0), (0.42, 0.88, 0)], (0.125, 0.09, 0.078), blend=0.03),
        roll([(0.42, 0.89, 0), (0.58, 0.76, 0)], (0.078, 0.05), blend=0.02),
        roll(mane, 0.026, paint[1], 0.006),
        *paired([(0.41, 0.95, 0.035), (0.415, 1.02, 0.045)], (0.024, 0.012), blend=0.005),
        *paired([(0.485, 0.87, 0.058)], 0.015, paint[1]),
        roll(
            curve([(-0.38, 0.53, 0), (-0.45, 0.45, 0), (-0.45, 0.2, 0)], 4),
            spread((0.03, 0.038, 0.02), 9),
            paint[1],
            0.01,
        ),
        roll(curve([(0.47, 0.775, 0.06), (0.40, 0.80, 0.085), (0.33, 0.70, 0.10)], 3), 0.011, paint[0]),
        roll([(0.26, 0.42, 0.115), (0.28, 0.55, 0.125), (0.24, 0.66, 0.06)], 0.017, paint[0]),
    ]


def _rider(paint: Paint) -> list[Roll]:
    leg = [(0.0, 0.62, 0.09), (0.08, 0.48, 0.15), (0.06, 0.30, 0.15), (0.12, 0.28, 0.15)]
    man = [
        roll([(-0.02, 0.60, 0), (0.0, 0.86, 0)], (0.085, 0.095), blend=0.02),
        *paired(leg, (0.055, 0.048, 0.035, 0.026), paint[0], 0.01),
        *paired([(0.0, 0.88, 0.09), (0.06, 0.74, 0.13), (0.24, 0.74, 0.07)], (0.042, 0.036, 0.028), blend=0.01),
        roll([(0.01, 0.93, 0), (0.01, 1.0, 0)], 0.04, blend=0.01),
        roll([(0.01, 1.05, 0), (0.012, 1.08, 0)], 0.072, blend=0.01),
        roll([(0.075, 1.055, 0), (0.09, 1.04, 0)], 0.014, blend=0.006),
        roll([(-0.02, 1.09, 0), (-0.02, 1.17, 0)], (0.076, 0.022), paint[1], 0.004),
        *paired([(0.065, 1.075, 0.035)], 0.012, paint[1]),
    ]
    return [*_horse(paint), *man]


def _bull(paint: Paint) -> list[Roll]:
    horn = curve([(0.42, 0.73, 0.05), (0.46, 0.80, 0.13), (0.52, 0.90, 0.13)], 3)
    return [
        *_beast(0.54, 0.165, 0.062),
        roll([(0.16, 0.60, 0), (0.22, 0.62, 0)], 0.125, blend=0.05),
        roll([(0.28, 0.55, 0), (0.42, 0.66, 0)], (0.15, 0.105), blend=0.04),
        roll([(0.28, 0.40, 0), (0.40, 0.52, 0)], (0.06, 0.05), blend=0.04),
        roll([(0.42, 0.67, 0), (0.56, 0.56, 0)], (0.10, 0.066), blend=0.02),
        *paired(horn, spread((0.034, 0.028, 0.01), len(horn)), paint[1], 0.004),
        *paired([(0.40, 0.70, 0.10), (0.38, 0.71, 0.155)], (0.026, 0.014), blend=0.005),
        *paired([(0.475, 0.67, 0.075)], 0.016, paint[1]),
        roll(curve([(-0.40, 0.56, 0), (-0.47, 0.48, 0), (-0.45, 0.22, 0.02)], 4), 0.022, paint[1], 0.006),
        roll([(-0.1, 0.34, 0.135), (-0.1, 0.5, 0.17), (-0.1, 0.64, 0.07)], 0.018, paint[0]),
        roll([(0.06, 0.34, 0.135), (0.06, 0.5, 0.17), (0.06, 0.64, 0.07)], 0.018, paint[0]),
    ]


def _ram(paint: Paint) -> list[Roll]:
    angle = np.linspace(0.6 * np.pi, -1.5 * np.pi, 14)
    radius = np.linspace(0.10, 0.028, 14)
    horn = [
        (0.355 + r * np.cos(a), 0.70 + r * np.sin(a), 0.085 + 0.0035 * i)
        for i, (r, a) in enumerate(zip(radius, angle, strict=True))
    ]
    wool = [
        roll([(x + shift, y, z)], 0.034, blend=0.016)
        for x in np.linspace(-0.30, 0.2, 10)
        for y, z, shift in (
            (0.39, 0.125, 0.0),
            (0.445, 0.143, 0.025),
            (0.505, 0.146, 0.0),
            (0.565, 0.128, 0.025),
            (0.62, 0.09, 0.0),
        )
    ]
    return [
        *_beast(0.46, 0.15, 0.048),
        *wool,
        roll([(0.2, 0.54, 0), (0.36, 0.70, 0)], (0.13, 0.09), blend=0.03),
        roll([(0.36, 0.71, 0), (0.52, 0.60, 0)], (0.085, 0.05), blend=0.02),
        *paired(horn, spread((0.04, 0.034, 0.016), len(horn)), paint[1], 0.002),
        *paired([(0.44, 0.70, 0.06)], 0.013, paint[1]),
        roll([(-0.36, 0.52, 0), (-0.43, 0.40, 0)], (0.05, 0.03), blend=0.02),
    ]


def _dove(paint: Paint) -> list[Roll]:
    wing = curve([(0.12, 0.44, 0.15), (-0.06, 0.46, 0.165), (-0.30, 0.36, 0.10)], 4)
    low = curve([(0.10, 0.37, 0.15), (-0.06, 0.38, 0.165), (-0.28, 0.31, 0.09)], 4)
    return [
        roll([(0, 0.0, 0), (0, 0.05, 0)], (0.16, 0.13), paint[1]),
        roll([(0, 0.05, 0), (0, 0.22, 0)], (0.06, 0.055), blend=0.02),
        roll([(0.14, 0.43, 0), (-0.06, 0.38, 0), (-0.34, 0.34, 0)], (0.17, 0.165, 0.065), blend=0.03),
        roll([(-0.34, 0.34, 0), (-0.54, 0.33, 0)], (0.05, 0.07), blend=0.02),
        roll([(0.18, 0.52, 0), (0.26, 0.66, 0)], (0.11, 0.08), blend=0.04),
        roll([(0.28, 0.70, 0), (0.285, 0.71, 0)], 0.086, blend=0.02),
        roll([(0.36, 0.69, 0), (0.42, 0.67, 0)], (0.028, 0.006), paint[0], 0.006),
        *paired([(0.315, 0.725, 0.072)], 0.016, paint[1]),
        *paired(wing, spread((0.05, 0.05, 0.012), len(wing)), paint[0], 0.008),
        *paired(low, spread((0.035, 0.035, 0.01), len(low)), OUTSIDE, 0.008),
    ]


_FIGURES: dict[str, Callable[[Paint], list[Roll]]] = {
    "standing woman": _woman, "seated goddess": _goddess, "warrior": _warrior, "horse": _horse, "rider": _rider,
    "bull": _bull, "ram": _ram, "dove": _dove,
}  # fmt: skip
