"""Faces seen from the front, as heights: what moulds for roof ornaments and mirrors are cut from."""

from __future__ import annotations

import numpy as np

from tuneclip.archive.motifs import Floats, Sketch


def _features(s: Sketch, *, eyes: float, mouth: str) -> None:
    s.oval((0.5, 0.52), (0.235, 0.315), ink=190)
    s.oval((0.5, 0.66), (0.16, 0.16), ink=205)
    for x in (0.395, 0.605):
        s.oval((x, 0.47), (eyes * 1.35, eyes), ink=150)
        s.oval((x, 0.47), (eyes, eyes * 0.62), ink=235)
        s.oval((x, 0.47), (eyes * 0.4, eyes * 0.4), ink=160)
        s.line([(x - 0.085, 0.405), (x, 0.385), (x + 0.085, 0.405)], 0.03, ink=235)
    s.line([(0.5, 0.42), (0.5, 0.60)], 0.055, ink=240)
    s.oval((0.5, 0.61), (0.05, 0.034), ink=255)
    if mouth == "smile":
        s.line([(0.42, 0.705), (0.5, 0.725), (0.58, 0.705)], 0.042, ink=245)
        s.line([(0.42, 0.70), (0.5, 0.72), (0.58, 0.70)], 0.012, ink=110)
    else:
        s.oval((0.5, 0.72), (0.15, 0.062), ink=120)
        for x in np.linspace(0.39, 0.61, 7):
            s.line([(float(x), 0.68), (float(x), 0.70)], 0.022, ink=250)
        s.oval((0.5, 0.78), (0.06, 0.085), ink=245)


def woman() -> Floats:
    """A smiling woman with a diadem and long locks, (96, 96)."""
    s = Sketch(wraps=False)
    s.oval((0.5, 0.46), (0.34, 0.37), ink=110)
    for x in (0.2, 0.27, 0.73, 0.80):
        for y in np.linspace(0.45, 0.92, 7):
            s.oval((x, float(y)), (0.045, 0.042), ink=170)
    _features(s, eyes=0.05, mouth="smile")
    for angle in np.linspace(1.13 * np.pi, 1.87 * np.pi, 10):
        s.oval((0.5 + 0.245 * float(np.cos(angle)), 0.50 + 0.27 * float(np.sin(angle))), (0.042, 0.042), ink=215)
    s.line([(0.20, 0.30), (0.32, 0.15), (0.5, 0.10), (0.68, 0.15), (0.80, 0.30)], 0.06, ink=200)
    return s.tile()


def gorgon() -> Floats:
    """A gorgon with staring eyes, tongue out, snakes round the head, (96, 96)."""
    s = Sketch(wraps=False)
    s.oval((0.5, 0.5), (0.36, 0.40), ink=90)
    for angle in np.linspace(0.80 * np.pi, 2.2 * np.pi, 13):
        x, y = 0.5 + 0.34 * float(np.cos(angle)), 0.5 + 0.38 * float(np.sin(angle))
        out = (0.5 + 0.45 * float(np.cos(angle)), 0.5 + 0.47 * float(np.sin(angle)))
        s.line([(x, y), out], 0.04, ink=180)
        s.oval(out, (0.045, 0.045), ink=210)
    _features(s, eyes=0.066, mouth="tongue")
    for angle in np.linspace(1.12 * np.pi, 1.88 * np.pi, 9):
        s.oval((0.5 + 0.25 * float(np.cos(angle)), 0.52 + 0.30 * float(np.sin(angle))), (0.04, 0.04), ink=225)
    return s.tile()


def lion() -> Floats:
    """A lion's head with its mane, (96, 96)."""
    s = Sketch(wraps=False)
    for ring, ink in ((0.43, 110), (0.36, 140)):
        for angle in np.linspace(0, 2 * np.pi, 19)[:-1]:
            s.oval((0.5 + ring * float(np.cos(angle)), 0.5 + ring * float(np.sin(angle))), (0.075, 0.075), ink=ink)
    s.oval((0.5, 0.52), (0.29, 0.32), ink=165)
    for x in (0.26, 0.74):
        s.oval((x, 0.24), (0.085, 0.085), ink=190)
        s.oval((x, 0.25), (0.045, 0.045), ink=110)
    for x in (0.39, 0.61):
        s.oval((x, 0.44), (0.062, 0.045), ink=95)
        s.oval((x, 0.44), (0.04, 0.03), ink=210)
        s.line([(x - 0.08, 0.375), (x + 0.06, 0.375)], 0.045, ink=215)
    s.area([(0.43, 0.36), (0.57, 0.36), (0.60, 0.60), (0.40, 0.60)], ink=215)
    s.oval((0.5, 0.62), (0.105, 0.065), ink=250)
    for x in (0.42, 0.58):
        s.oval((x, 0.71), (0.10, 0.075), ink=225)
    s.oval((0.5, 0.80), (0.12, 0.055), ink=70)
    s.oval((0.5, 0.83), (0.06, 0.04), ink=210)
    return s.tile()
