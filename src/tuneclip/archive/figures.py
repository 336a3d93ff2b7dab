"""Silhouettes of animals, people and things, as painters of vases and cutters of coin dies drew them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuneclip.archive.motifs import Sketch

_CUT = 0  # the ink that takes paint away again: the incised line of the black-figure painter


def _quadruped(s: Sketch, *, neck: float, girth: float = 0.115) -> None:
    s.oval((0.50, 0.50), (0.235, girth))
    s.oval((0.70, 0.48), (0.10, girth * 1.12))
    s.oval((0.31, 0.49), (0.11, girth * 1.12))
    for path in (((0.27, 0.52), (0.23, 0.70), (0.26, 0.80), (0.22, 0.95)), ((0.34, 0.54), (0.33, 0.72), (0.38, 0.80),
                 (0.36, 0.95)), ((0.69, 0.54), (0.68, 0.74), (0.66, 0.95)),
                 ((0.74, 0.52), (0.83, 0.66), (0.80, 0.79), (0.84, 0.92))):  # fmt: skip
        s.line(path, 0.052)
        s.line([path[-1], (path[-1][0] + 0.045, path[-1][1])], 0.045)
    if neck:
        s.area([(0.62, 0.44), (0.80, 0.50), (0.90, neck + 0.06), (0.78, neck)])


def horse(s: Sketch) -> None:
    """A pacing horse to the right."""
    _quadruped(s, neck=0.2, girth=0.105)
    s.area([(0.76, 0.16), (0.88, 0.15), (1.03, 0.32), (1.0, 0.37), (0.93, 0.36), (0.84, 0.32)])
    s.line([(0.80, 0.18), (0.81, 0.08)], 0.035)
    s.line([(0.62, 0.42), (0.68, 0.26), (0.78, 0.14)], 0.07)
    s.line([(0.22, 0.44), (0.14, 0.50), (0.10, 0.64), (0.11, 0.78)], 0.045)
    s.line([(0.69, 0.35), (0.80, 0.44)], 0.016, ink=_CUT)
    s.oval((0.895, 0.225), (0.015, 0.015), ink=_CUT)


def deer(s: Sketch) -> None:
    """A grazing stag to the right."""
    _quadruped(s, neck=0.24, girth=0.095)
    s.area([(0.78, 0.20), (0.88, 0.17), (1.0, 0.27), (0.97, 0.31), (0.86, 0.31)])
    for lean in (-0.1, 0.06):
        s.line([(0.83, 0.18), (0.83 + lean, 0.02)], 0.026)
        s.line([(0.83 + lean * 0.5, 0.11), (0.83 + lean * 0.5 + 0.07, 0.05)], 0.022)
    s.line([(0.20, 0.46), (0.15, 0.50)], 0.05)
    for x, y in ((0.42, 0.47), (0.52, 0.53), (0.60, 0.46)):
        s.oval((x, y), (0.016, 0.016), ink=_CUT)
    s.oval((0.88, 0.215), (0.013, 0.013), ink=_CUT)


def lion(s: Sketch) -> None:
    """A lion to the right, mane bristling and tail up."""
    _quadruped(s, neck=0)
    s.oval((0.77, 0.36), (0.155, 0.175))
    s.oval((0.90, 0.35), (0.105, 0.095))
    s.oval((0.965, 0.38), (0.06, 0.055))
    s.line([(0.24, 0.45), (0.10, 0.44), (0.06, 0.28), (0.13, 0.16), (0.20, 0.19)], 0.036)
    s.oval((0.20, 0.19), (0.045, 0.035))
    s.line([(0.84, 0.21), (0.80, 0.30), (0.84, 0.40), (0.80, 0.50)], 0.018, ink=_CUT)
    s.line([(0.95, 0.41), (1.01, 0.405)], 0.016, ink=_CUT)
    s.oval((0.915, 0.325), (0.017, 0.017), ink=_CUT)
    s.line([(0.66, 0.36), (0.68, 0.56)], 0.016, ink=_CUT)


def bull(s: Sketch) -> None:
    """A butting bull to the right."""
    _quadruped(s, neck=0, girth=0.145)
    s.oval((0.72, 0.42), (0.15, 0.16))
    s.area([(0.78, 0.34), (0.94, 0.40), (0.97, 0.56), (0.90, 0.60), (0.80, 0.52)])
    s.line([(0.90, 0.40), (0.98, 0.36), (1.0, 0.26)], 0.036)
    s.line([(0.86, 0.37), (0.90, 0.28), (0.88, 0.20)], 0.036)
    s.line([(0.22, 0.42), (0.12, 0.34), (0.10, 0.55), (0.08, 0.66)], 0.03)
    s.oval((0.905, 0.45), (0.015, 0.015), ink=_CUT)


def waterbird(s: Sketch) -> None:
    """A long-necked waterbird to the right."""
    s.oval((0.42, 0.60), (0.25, 0.14))
    s.area([(0.24, 0.52), (0.02, 0.50), (0.10, 0.60), (0.02, 0.66), (0.28, 0.68)])
    s.line([(0.60, 0.58), (0.68, 0.46), (0.64, 0.32), (0.66, 0.20), (0.74, 0.16)], 0.062)
    s.oval((0.745, 0.175), (0.062, 0.05))
    s.area([(0.77, 0.14), (0.93, 0.20), (0.77, 0.22)])
    for x in (0.38, 0.48):
        s.line([(x, 0.72), (x + 0.02, 0.94), (x + 0.09, 0.94)], 0.028)
    s.line([(0.26, 0.58), (0.42, 0.63), (0.58, 0.58)], 0.018, ink=_CUT)
    s.oval((0.75, 0.165), (0.013, 0.013), ink=_CUT)


def warrior(s: Sketch) -> None:
    """A hoplite striding to the right with helmet, round shield and spear."""
    s.line([(0.40, 0.56), (0.24, 0.76), (0.12, 0.94), (0.20, 0.95)], 0.075)
    s.line([(0.46, 0.56), (0.60, 0.72), (0.60, 0.94), (0.69, 0.95)], 0.075)
    s.area([(0.30, 0.26), (0.56, 0.26), (0.52, 0.62), (0.34, 0.62)])
    s.oval((0.46, 0.17), (0.075, 0.085))
    s.line([(0.24, 0.26), (0.27, 0.12), (0.38, 0.05), (0.52, 0.05)], 0.05)
    s.area([(0.48, 0.14), (0.57, 0.14), (0.55, 0.25), (0.48, 0.24)])
    s.line([(0.32, 0.30), (0.18, 0.40), (0.26, 0.46)], 0.06)
    s.line([(0.02, 0.53), (0.98, 0.26)], 0.022)
    s.area([(0.92, 0.25), (1.04, 0.235), (0.94, 0.31)])
    s.oval((0.54, 0.43), (0.185, 0.185))
    s.oval((0.54, 0.43), (0.15, 0.15), ink=_CUT, ring=0.018)
    s.oval((0.54, 0.43), (0.05, 0.05), ink=_CUT)
    s.line([(0.52, 0.155), (0.57, 0.155)], 0.02, ink=_CUT)


def dancer(s: Sketch) -> None:
    """A woman dancing, arms raised, in a long dress."""
    s.oval((0.42, 0.13), (0.075, 0.085))
    s.oval((0.35, 0.15), (0.06, 0.07))
    s.line([(0.42, 0.2), (0.42, 0.28)], 0.06)
    s.area([(0.33, 0.26), (0.51, 0.26), (0.49, 0.46), (0.64, 0.88), (0.20, 0.88), (0.35, 0.46)])
    s.line([(0.34, 0.28), (0.18, 0.32), (0.14, 0.16)], 0.05)
    s.line([(0.50, 0.28), (0.66, 0.34), (0.76, 0.22)], 0.05)
    s.line([(0.32, 0.88), (0.28, 0.95), (0.36, 0.95)], 0.05)
    s.line([(0.52, 0.88), (0.56, 0.95), (0.64, 0.95)], 0.05)
    for x in (0.32, 0.42, 0.52):
        s.line([(0.42 + (x - 0.42) * 0.5, 0.50), (x, 0.86)], 0.014, ink=_CUT)
    s.line([(0.35, 0.46), (0.49, 0.46)], 0.018, ink=_CUT)
    s.oval((0.455, 0.12), (0.013, 0.013), ink=_CUT)


def dolphin(s: Sketch) -> None:
    """A leaping dolphin to the right."""
    s.area([(0.08, 0.72), (0.18, 0.48), (0.36, 0.32), (0.58, 0.27), (0.78, 0.36), (0.88, 0.50), (1.02, 0.56),
            (0.86, 0.60), (0.74, 0.56), (0.55, 0.50), (0.36, 0.54), (0.20, 0.68)])  # fmt: skip
    s.area([(0.12, 0.64), (-0.04, 0.66), (0.02, 0.76), (0.02, 0.92), (0.16, 0.78), (0.22, 0.68)])
    s.area([(0.48, 0.30), (0.46, 0.14), (0.64, 0.29)])
    s.area([(0.56, 0.50), (0.54, 0.68), (0.66, 0.54)])
    s.oval((0.80, 0.46), (0.02, 0.02), ink=_CUT)
    s.line([(0.30, 0.48), (0.52, 0.41), (0.72, 0.47)], 0.016, ink=_CUT)


def owl(s: Sketch) -> None:
    """An owl, body to the right, face to the front."""
    s.area([(0.36, 0.34), (0.66, 0.36), (0.72, 0.60), (0.58, 0.80), (0.36, 0.88), (0.14, 0.96), (0.24, 0.70)])
    s.oval((0.52, 0.26), (0.19, 0.165))
    s.line([(0.54, 0.80), (0.54, 0.94), (0.63, 0.94)], 0.05)
    s.line([(0.45, 0.84), (0.45, 0.94), (0.52, 0.94)], 0.05)
    for x in (0.44, 0.60):
        s.oval((x, 0.25), (0.065, 0.065), ink=_CUT)
        s.oval((x, 0.25), (0.032, 0.032))
    s.area([(0.50, 0.29), (0.54, 0.29), (0.52, 0.37)], ink=_CUT)
    for step in range(3):
        s.line([(0.34 + step * 0.09, 0.48), (0.28 + step * 0.09, 0.68)], 0.02, ink=_CUT)


def eagle(s: Sketch) -> None:
    """An eagle with open wings, head to the right."""
    s.oval((0.50, 0.52), (0.11, 0.2))
    s.area([(0.44, 0.42), (0.10, 0.16), (0.04, 0.34), (0.12, 0.52), (0.22, 0.64), (0.42, 0.60)])
    s.area([(0.56, 0.42), (0.90, 0.16), (0.96, 0.34), (0.88, 0.52), (0.78, 0.64), (0.58, 0.60)])
    s.area([(0.44, 0.66), (0.56, 0.66), (0.64, 0.92), (0.36, 0.92)])
    s.oval((0.52, 0.28), (0.08, 0.08))
    s.area([(0.57, 0.25), (0.68, 0.30), (0.56, 0.33)])
    for side in (-1, 1):
        for step in range(3):
            x = 0.5 + side * (0.19 + 0.08 * step)
            s.line([(x, 0.36 - 0.05 * step), (x + side * 0.02, 0.56 - 0.02 * step)], 0.018, ink=_CUT)
    s.oval((0.54, 0.265), (0.014, 0.014), ink=_CUT)


def ship(s: Sketch) -> None:
    """A galley to the right: ram, oars, mast and sail."""
    s.area([(0.04, 0.42), (0.14, 0.58), (0.80, 0.58), (0.90, 0.46), (0.94, 0.66), (1.05, 0.72), (0.88, 0.76),
            (0.18, 0.76), (0.06, 0.62)])  # fmt: skip
    s.line([(0.05, 0.46), (0.02, 0.34), (0.09, 0.28)], 0.04)
    s.line([(0.48, 0.6), (0.48, 0.08)], 0.03)
    s.area([(0.24, 0.14), (0.72, 0.14), (0.78, 0.48), (0.20, 0.48)])
    for x in (0.36, 0.60):
        s.line([(x, 0.15), (x, 0.47)], 0.016, ink=_CUT)
    for step in range(6):
        s.line([(0.26 + step * 0.11, 0.7), (0.18 + step * 0.11, 0.94)], 0.022)
    s.line([(0.16, 0.66), (0.86, 0.66)], 0.016, ink=_CUT)
    s.oval((0.88, 0.61), (0.018, 0.018), ink=_CUT)


_PROFILE = ((0.60, 0.10), (0.68, 0.16), (0.72, 0.27), (0.715, 0.36), (0.785, 0.50), (0.775, 0.535), (0.725, 0.545),
            (0.74, 0.585), (0.725, 0.61), (0.74, 0.65), (0.715, 0.685), (0.715, 0.74), (0.67, 0.79), (0.565, 0.77),
            (0.54, 0.84), (0.60, 0.97), (0.28, 0.97), (0.31, 0.80), (0.24, 0.62), (0.22, 0.38), (0.30, 0.18),
            (0.46, 0.08))  # fmt: skip


def _face(s: Sketch) -> None:
    s.area(_PROFILE)
    s.line([(0.625, 0.385), (0.70, 0.365)], 0.022, ink=_CUT)
    s.area([(0.63, 0.43), (0.70, 0.415), (0.69, 0.455)], ink=_CUT)
    s.line([(0.69, 0.635), (0.735, 0.632)], 0.016, ink=_CUT)
    s.oval((0.455, 0.52), (0.035, 0.055), ink=_CUT, ring=0.02)


def goddess(s: Sketch) -> None:
    """A woman's head in profile, hair rolled and tied in a knot."""
    _face(s)
    s.oval((0.20, 0.60), (0.10, 0.095))
    for step in range(5):
        s.line([(0.63 - step * 0.02, 0.20 + step * 0.05), (0.34 - step * 0.02, 0.24 + step * 0.085)], 0.016, ink=_CUT)
    s.line([(0.65, 0.29), (0.50, 0.38), (0.40, 0.46), (0.27, 0.56)], 0.02, ink=_CUT)
    s.line([(0.44, 0.585), (0.44, 0.63)], 0.022, ink=_CUT)
    s.oval((0.44, 0.64), (0.022, 0.022), ink=_CUT)
    s.line([(0.34, 0.90), (0.56, 0.90)], 0.018, ink=_CUT)


def king(s: Sketch) -> None:
    """A bearded head in profile with a fillet."""
    _face(s)
    s.area([(0.47, 0.58), (0.58, 0.66), (0.70, 0.655), (0.74, 0.74), (0.70, 0.88), (0.58, 0.90), (0.46, 0.78)])
    s.line([(0.25, 0.44), (0.45, 0.30), (0.70, 0.25)], 0.026, ink=_CUT)
    for step in range(4):
        s.line([(0.52 + step * 0.05, 0.69), (0.53 + step * 0.05, 0.85)], 0.014, ink=_CUT)
    for step in range(4):
        s.line([(0.32 + step * 0.08, 0.20), (0.36 + step * 0.08, 0.28)], 0.016, ink=_CUT)
    s.line([(0.25, 0.44), (0.14, 0.58), (0.18, 0.70)], 0.03)


def emperor(s: Sketch) -> None:
    """A clean-shaven head in profile with a laurel wreath and its ribbons."""
    _face(s)
    for step in range(6):
        x, y = 0.30 + step * 0.07, 0.40 - step * 0.032
        s.line([(x, y), (x + 0.065, y - 0.085)], 0.024, ink=_CUT)
        s.line([(x, y), (x + 0.075, y + 0.03)], 0.024, ink=_CUT)
    s.line([(0.25, 0.46), (0.12, 0.62)], 0.03)
    s.line([(0.25, 0.46), (0.17, 0.70)], 0.03)
    s.line([(0.40, 0.92), (0.50, 0.84)], 0.018, ink=_CUT)


def amphora(s: Sketch) -> None:
    """A neck amphora."""
    s.area([(0.40, 0.06), (0.60, 0.06), (0.58, 0.14), (0.565, 0.30), (0.68, 0.40), (0.72, 0.52), (0.62, 0.76),
            (0.54, 0.87), (0.62, 0.94), (0.38, 0.94), (0.46, 0.87), (0.38, 0.76), (0.28, 0.52), (0.32, 0.40),
            (0.435, 0.30), (0.42, 0.14)])  # fmt: skip
    for side in (-1, 1):
        s.line(
            [(0.5 + side * 0.07, 0.14), (0.5 + side * 0.2, 0.14), (0.5 + side * 0.21, 0.30), (0.5 + side * 0.15, 0.42)],
            0.04,
        )
    s.line([(0.30, 0.50), (0.70, 0.50)], 0.02, ink=_CUT)


def wheel(s: Sketch) -> None:
    """A wheel with four spokes."""
    s.oval((0.5, 0.5), (0.42, 0.42), ring=0.08)
    s.oval((0.5, 0.5), (0.09, 0.09))
    s.line([(0.5, 0.1), (0.5, 0.9)], 0.055)
    s.line([(0.1, 0.5), (0.9, 0.5)], 0.055)


def star(s: Sketch) -> None:
    """A star of eight rays."""
    for ray in range(8):
        angle = ray * math.pi / 4
        x, y = math.cos(angle), math.sin(angle)
        s.area([(0.5 + 0.44 * x, 0.5 + 0.44 * y), (0.5 - 0.08 * y, 0.5 + 0.08 * x), (0.5 + 0.08 * y, 0.5 - 0.08 * x)])
    s.oval((0.5, 0.5), (0.11, 0.11))


def wreath(s: Sketch) -> None:
    """A wreath of laurel, open at the top."""
    for side in (-1, 1):
        for leaf in range(9):
            angle = math.pi / 2 + side * (0.1 + leaf * 0.31)
            x, y = 0.5 + 0.34 * math.cos(angle), 0.5 + 0.34 * math.sin(angle)
            for lean, out in ((0.5, 1.0), (-0.75, 0.4)):
                way = angle + side * (math.pi / 2 - lean * 0.9)
                s.line([(x, y), (x + 0.11 * math.cos(way) * out, y + 0.11 * math.sin(way) * out)], 0.045)
    s.line([(0.42, 0.90), (0.58, 0.82)], 0.03)
    s.line([(0.58, 0.90), (0.42, 0.82)], 0.03)


FIGURES: dict[str, tuple[float, Callable[[Sketch], None]]] = {
    "horses": (1.12, horse), "deer": (1.12, deer), "lions": (1.14, lion), "bulls": (1.1, bull),
    "waterbirds": (1.0, waterbird), "warriors": (1.02, warrior), "dancers": (0.86, dancer),
    "dolphins": (1.1, dolphin), "owls": (0.85, owl), "eagles": (1.05, eagle), "ships": (1.15, ship),
    "goddess": (1.0, goddess), "king": (1.0, king), "emperor": (1.0, emperor),
    "amphora": (1.0, amphora), "wheel": (1.0, wheel), "star": (1.0, star), "wreath": (1.0, wreath),
}  # fmt: skip
"""Width of each silhouette's tile in heights, and the hand that draws it."""
