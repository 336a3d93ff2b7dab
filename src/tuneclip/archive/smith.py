"""Things of wire and rod: brooches, pins, rings, strings of beads."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from tuneclip.archive.record import Find
from tuneclip.archive.scene import Scene
from tuneclip.archive.surface import HOLE, SECOND, THIRD
from tuneclip.archive.tubes import Roll, curve, roll, set_up, spread, turned


def forge(find: Find, side: int, random: Generator) -> Scene:
    """The thing as the record has it, lying before the camera."""
    rolls = _THINGS[find.name](find.decoration)
    angle = random.uniform(-0.5, 0.5)
    if find.category == "pin":
        angle += float(random.choice((0.0, np.pi / 4, np.pi / 2)))
    if find.technique == "line drawing":
        angle = np.pi / 2 if find.category == "pin" else 0.0
    surface, camera, extent = set_up(turned(rolls, angle), side)
    wares = {SECOND: "bone", THIRD: "glass"} if find.name in _MIXED or find.category in ("finger ring", "bead") else {}
    if find.decoration == "an amber bead":
        wares = {SECOND: "glass"}
    return Scene(surface, camera.scale * extent / find.sizes[0][1], wares=wares)


_MIXED = ("bow fibula",)


def _spring(x: float, y: float, size: float) -> list[Roll]:
    """Two and a half turns of wire."""
    steps = np.linspace(0, 2 * np.pi, 13)
    return [
        roll([(x + shift + size * np.cos(a), y + size * np.sin(a), shift) for a in steps], size * 0.3)
        for shift in (0.0, size * 0.42, size * 0.84)
    ]


def _pin_and_catch(left: float, right: float, catch: float) -> list[Roll]:
    """The needle below the bow, and the plate at its end that holds the tip."""
    plate = [
        roll([(right - catch, -0.045 + dy), (right + 0.02 - dy * 0.8, -0.045 + dy)], 0.018, blend=0.008)
        for dy in np.linspace(0, 0.10, 7)
    ]
    needle = [roll([(left, -0.06, 0.02), (right - 0.03, -0.075, 0.02)], (0.015, 0.006))]
    fold = [roll([(right - catch, -0.075, 0.03), (right, -0.075, 0.03)], 0.014)]
    return [*plate, *needle, *fold]


def _bow(knots: list[tuple[float, float]], radii: list[float], decoration: str) -> list[Roll]:
    path = curve(knots, 7)
    sizes = spread(radii, len(path))
    made = [roll(path, sizes)]
    if decoration in ("ribbing", "incised rings", "twisted bow"):
        step = {"ribbing": 2, "incised rings": 4, "twisted bow": 1}[decoration]
        for i in range(2, len(path) - 2, step):
            (x0, y0), (x1, y1) = path[i - 1][:2], path[i + 1][:2]
            length = float(np.hypot(x1 - x0, y1 - y0))
            across = (-(y1 - y0) / length * sizes[i], (x1 - x0) / length * sizes[i])
            lean = 0.6 if decoration == "twisted bow" else 0.0
            along = ((x1 - x0) / length * sizes[i] * lean, (y1 - y0) / length * sizes[i] * lean)
            x, y = path[i][0], path[i][1]
            ring = [
                (x + across[0] * s + along[0] * s, y + across[1] * s + along[1] * s, sizes[i] * np.sqrt(1 - s * s))
                for s in np.linspace(-1, 1, 7)
            ]
            made.append(roll(ring, 0.011))
    return made


def _leech(decoration: str) -> list[Roll]:
    bow = _bow([(-0.40, 0.02), (-0.34, 0.20), (-0.12, 0.34), (0.10, 0.24), (0.18, 0.04)],
               [0.024, 0.05, 0.105, 0.06, 0.026], decoration)  # fmt: skip
    return [*_spring(-0.43, -0.01, 0.05), *bow, *_pin_and_catch(-0.42, 0.52, 0.36)]


def _arch(decoration: str) -> list[Roll]:
    angles = np.linspace(np.pi, 0, 9)
    bow = _bow([(0.40 * float(np.cos(a)), 0.40 * float(np.sin(a))) for a in angles], [0.026, 0.036, 0.026], decoration)
    return [*_spring(-0.43, -0.01, 0.052), *bow, *_pin_and_catch(-0.42, 0.44, 0.12)]


def _serpentine(decoration: str) -> list[Roll]:
    knots = [(-0.42, 0.0), (-0.36, 0.22), (-0.22, 0.26), (-0.12, 0.10), (0.0, 0.08), (0.06, 0.26), (0.16, 0.30),
             (0.22, 0.16), (0.24, 0.02)]  # fmt: skip
    made = _bow(knots, [0.022, 0.034, 0.03, 0.034, 0.026], decoration)
    if decoration == "knobs":
        for x, y in ((-0.36, 0.24), (-0.22, 0.29), (0.06, 0.29), (0.17, 0.33)):
            made += [roll([(x, y, 0.0), (x * 1.05, y + 0.05, 0.0)], (0.02, 0.034), blend=0.004)]
    return [*_spring(-0.44, -0.02, 0.045), *made, *_pin_and_catch(-0.43, 0.60, 0.36)]


def _beaded(decoration: str) -> list[Roll]:
    bow = _bow([(-0.40, 0.02), (-0.30, 0.24), (0.0, 0.34), (0.24, 0.22), (0.30, 0.03)], [0.022] * 3, "plain")
    if decoration == "an amber bead":
        beads = [roll([(-0.10, 0.315), (0.10, 0.315)], 0.115, SECOND, 0.01)]
    else:
        places = ((-0.27, 0.245), (-0.16, 0.30), (-0.04, 0.325), (0.08, 0.315), (0.19, 0.255))
        beads = [roll([(x, y, 0.01)], 0.062, SECOND) for x, y in places]
    return [*_spring(-0.43, -0.01, 0.048), *bow, *beads, *_pin_and_catch(-0.42, 0.40, 0.16)]


def _ring(decoration: str) -> list[Roll]:
    steps = np.linspace(0, 2 * np.pi, 33)
    flat = 0.78
    hoop = [roll([(0.4 * np.cos(a), 0.4 * flat * np.sin(a)) for a in steps], 0.042)]
    bezel: list[Roll] = []
    if decoration == "a glass bezel":
        setting = [(0.15 * np.cos(a), -0.33 + 0.115 * np.sin(a), 0.1) for a in steps]
        bezel = [roll(setting, 0.035), roll([(-0.05, -0.33, 0.09), (0.05, -0.33, 0.09)], 0.105, THIRD)]
    elif decoration == "an engraved bird":
        bezel = [roll([(-0.08, -0.33, 0.0), (0.08, -0.33, 0.0)], 0.14)]
        bird = [
            (-0.12, -0.34, 0.16),
            (-0.02, -0.36, 0.16),
            (0.05, -0.33, 0.16),
            (0.07, -0.27, 0.16),
            (0.12, -0.28, 0.16),
        ]
        bezel += [roll(bird, (0.008, 0.03, 0.02, 0.016, 0.005), HOLE)]
        bezel += [roll([(-0.01, -0.37, 0.16), (-0.01, -0.43, 0.15)], 0.008, HOLE)]
    return [*hoop, *bezel]


def _beads(decoration: str) -> list[Roll]:
    made = []
    for index, angle in enumerate(np.linspace(0.62 * np.pi, 2.38 * np.pi, 21)):
        size = 0.042 + 0.022 * (1 - abs(index - 10) / 10)
        x, y = 0.42 * float(np.cos(angle)), 0.44 * float(np.sin(angle))
        made.append(roll([(x, y)], size))
        if decoration == "eye beads":
            for a in (0.0, 2.1, 4.2):
                spot = (x + size * 0.5 * np.cos(a), y + size * 0.5 * np.sin(a), size * 0.62)
                made.append(roll([spot], size * 0.34, SECOND))
                made.append(roll([(spot[0], spot[1], spot[2] + size * 0.2)], size * 0.17, HOLE))
    return made


def _dress_pin(decoration: str) -> list[Roll]:
    shaft = [roll([(0, 0.40), (0, -0.6)], (0.026, 0.007))]
    if decoration == "a round head":
        head = [roll([(0, 0.44)], 0.075), roll([(0, 0.355), (0, 0.36)], 0.034)]
    elif decoration == "a cone head":
        head = [roll([(0, 0.37), (0, 0.50)], (0.075, 0.012)), roll([(0, 0.33), (0, 0.335)], 0.036)]
    else:
        steps = np.linspace(0, 2 * np.pi, 17)
        head = [roll([(0.07 * np.cos(a), 0.47 + 0.07 * np.sin(a)) for a in steps], 0.021)]
    return [*shaft, *head]


_THINGS: dict[str, Callable[[str], list[Roll]]] = {
    "leech fibula": _leech, "arch fibula": _arch, "serpentine fibula": _serpentine, "bow fibula": _beaded,
    "finger ring": _ring, "string of beads": _beads, "dress pin": _dress_pin,
}  # fmt: skip
