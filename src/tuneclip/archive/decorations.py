"""Where a decoration sits on a vessel, and how it is laid onto the pixels that show it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuneclip.archive import letters, motifs
from tuneclip.archive.forms import Form
from tuneclip.archive.record import Find
from tuneclip.archive.surface import INSIDE, OUTSIDE, Floats, Ints
from tuneclip.archive.vessels import Profile

PAINT, WHITE, INCISE, RELIEF = "paint", "white", "incise", "relief"
_EDGE = 0.05  # square of the slope from which on a relief's edge is drawn in ink
_UNSEEN = 0.02  # coverage below this is left out


@dataclass(frozen=True)
class Band:
    """A motif round the vessel between two places along its profile (0 foot … 1 rim).

    `repeats` times round, each filling `share` of its room; `how` it is made: painted, in white, cut in or raised.
    """

    low: float
    high: float
    motif: str
    repeats: int = 1
    how: str = PAINT
    part: int = OUTSIDE
    share: float = 1.0

    @property
    def tile(self) -> Floats:
        """The motif's coverage, (height, width)."""
        return letters.written(self.motif[5:]) if self.motif.startswith("text:") else motifs.tile(self.motif)


@dataclass(frozen=True)
class Pixels:
    """The pixels that show the thing, one value each: (n,), normals and colours (3, n); colours from 0 to 1.

    `place` counts pixels row by row over the whole square; `ink` says how much a line drawing blackens the pixel,
    `gloss` how much it shines.
    """

    place: Ints
    normal: Floats
    around: Floats
    along: Floats
    part: npt.NDArray[np.uint8]
    colour: Floats
    gloss: Floats
    ink: Floats


_MAIN: dict[str, tuple[str, str]] = {
    "incised fans": ("fans", INCISE), "incised lines": ("comb", INCISE), "ribbing": ("ribs", RELIEF),
    "incised spirals": ("spirals", INCISE), "incised horses": ("horses", INCISE),
    "stamped rosettes": ("rosettes", RELIEF), "incised zigzag": ("double zigzag", INCISE),
    "incised meander": ("meander", INCISE), "knobs": ("knobs", RELIEF), "white triangles": ("triangles", WHITE),
    "a finger-impressed cordon": ("cordon", RELIEF), "combed waves": ("combed", INCISE),
    "comb strokes": ("strokes", INCISE), "wavy line": ("wavy", PAINT), "dots": ("dots", PAINT),
    "net pattern": ("net", PAINT), "meander": ("meander", PAINT), "zigzag": ("zigzag", PAINT),
    "checkerboard": ("checker", PAINT), "concentric circles": ("circles", PAINT), "waterbirds": ("waterbirds", PAINT),
    "lozenges": ("lozenges", PAINT), "deer frieze": ("deer", PAINT), "lion frieze": ("lions", PAINT),
    "rosettes": ("rosettes", PAINT), "scales": ("scales", PAINT), "tongues": ("tongues", PAINT),
    "warriors": ("warriors", PAINT), "horses": ("horses", PAINT), "dancers": ("dancers", PAINT),
    "ivy": ("ivy", PAINT), "a ship": ("ships", PAINT), "owls": ("owls", PAINT), "a head": ("goddess", PAINT),
    "palmettes": ("palmettes", PAINT), "dolphins": ("dolphins", PAINT), "stamped palmettes": ("palmettes", RELIEF),
    "a wave pattern": ("waves", PAINT), "rouletting": ("strokes", RELIEF), "relief rosettes": ("rosettes", RELIEF),
    "relief dolphins": ("dolphins", RELIEF), "relief wreath": ("ivy", RELIEF), "white dots": ("dot row", WHITE),
    "burnished net": ("net", PAINT), "barbotine dots": ("dots", RELIEF), "yellow threads": ("feathers", PAINT),
    "white threads": ("feathers", WHITE), "embossed dots": ("dot row", RELIEF), "granulation": ("dots", RELIEF),
    "a rayed disc": ("tongues", RELIEF),
}  # fmt: skip
"""The motif of each decoration and how it is made."""

_FLAT = ("comb", "strokes", "wavy", "zigzag", "double zigzag", "combed", "waves", "ivy", "dot row", "meander", "cordon",
         "rosettes", "palmettes", "spirals", "rouletting")  # fmt: skip
_WHOLE = ("net", "scales", "dots", "feathers", "ribs", "checker")
_SINGLE = ("ships", "goddess")


def bands_for(find: Find, form: Form, profile: Profile, *, zone: tuple[float, float] | None = None) -> list[Band]:
    """The bands that the find's decoration and inscription ask for, in `zone` (heights) or the form's own."""
    heights = zone or form.zone
    low, high = profile.along_at(heights[0]), profile.along_at(heights[1])
    part = OUTSIDE
    if form.inside and zone is None:
        low, high, part = (0.12, 0.46, INSIDE) if form.handles != "lamp" else (0.25, 0.7, INSIDE)
    measure = _Measure(profile, part)
    bands: list[Band] = []
    if zone and find.ware == "black-figure ware":
        bands += [Band(0.0, low - 0.04, "solid", 4), Band(low - 0.025, low - 0.01, "solid", 4)]
        bands += [Band(high + 0.01, high + 0.025, "solid", 4), Band(0.94, 1.0, "solid", 4)]
    elif find.ware in ("black-figure ware", "red-figure ware") and zone is None:
        bands += _attic_frame(find, measure, low, high)
    if find.decoration in ("bands", "white bands"):
        how = WHITE if "white" in find.decoration else PAINT
        for share in (0.0, 0.2, 0.75, 1.0):
            place = low + share * (high - low)
            thick = 0.035 if share in (0.0, 1.0) else 0.016
            bands.append(Band(place - thick / 2, place + thick / 2, "solid", 8, how, part))
        bands.append(Band(0.965 if part == OUTSIDE else 0.0, 1.0 if part == OUTSIDE else 0.06, "solid", 8, how, part))
    elif find.decoration in _MAIN:
        bands += _main(find, measure, low, high)
    if find.inscription:
        bands.append(_inscription(find, measure, low, high))
    return bands


@dataclass(frozen=True)
class _Measure:
    profile: Profile
    part: int

    def length(self) -> float:
        """The profile's length on this side, in heights of the vessel."""
        at = self.profile.part == self.part
        return float(np.hypot(np.diff(self.profile.radius[at]), np.diff(self.profile.height[at])).sum())

    def repeats(self, motif: str, low: float, high: float) -> int:
        """How often the motif fits round undistorted."""
        at = self.profile.part == self.part
        radius = float(np.interp((low + high) / 2, self.profile.along[at], self.profile.radius[at]))
        height = (high - low) * self.length()
        rows, columns = Band(low, high, motif).tile.shape
        return max(2, round(float(2 * np.pi * radius / (height * columns / rows))))


def _attic_frame(find: Find, measure: _Measure, low: float, high: float) -> list[Band]:
    gap = 0.012
    if find.ware == "red-figure ware":
        below = Band(low - 0.09, low - 0.015, "meander", measure.repeats("meander", low - 0.09, low - 0.015))
        return [
            below,
            Band(high + 0.02, high + 0.055, "tongues", measure.repeats("tongues", high + 0.02, high + 0.055)),
        ]
    rays = Band(0.10, 0.19, "rays", measure.repeats("rays", 0.10, 0.19))
    return [
        Band(0.0, 0.09, "solid", 4), rays, Band(0.205, low - 0.03, "solid", 4), Band(low - 0.02, low - gap, "solid", 4),
        Band(high + gap, high + 0.02, "solid", 4), Band(0.945, 1.0, "solid", 4),
        Band(high + 0.03, high + 0.075, "tongues", measure.repeats("tongues", high + 0.03, high + 0.075)),
    ]  # fmt: skip


def _main(find: Find, measure: _Measure, low: float, high: float) -> list[Band]:
    motif, how = _MAIN[find.decoration]
    part = measure.part
    if motif in _FLAT and part == OUTSIDE:
        middle, half = (low + high) / 2 + 0.1 * (high - low), (high - low) * 0.27
        low, high = middle - half, middle + half
    elif motif == "fans":
        low = high - (high - low) * 0.6
    repeats = measure.repeats(motif, low, high)
    if motif in _WHOLE:
        rows = 1 if motif == "ribs" else 3 if motif == "dots" else 2
        step = (high - low) / rows
        repeats = measure.repeats(motif, low, low + step)
        return [Band(low + i * step, low + (i + 1) * step, motif, repeats, how, part) for i in range(rows)]
    share = 1.0
    if motif in _SINGLE:
        share, repeats = 2 / repeats, 2
    lines: list[Band] = []
    if how in (PAINT, WHITE) and find.ware not in ("black-figure ware", "red-figure ware"):
        for place in (low - 0.025, high + 0.025):
            lines.append(Band(place - 0.007, place + 0.007, "solid", 8, how, part))
    return [*lines, Band(low, high, motif, repeats, how, part, min(share, 1.0))]


def _inscription(find: Find, measure: _Measure, low: float, high: float) -> Band:
    motif = f"text:{find.inscription}"
    middle, half = (low + high) / 2, (high - low) * 0.26
    room = measure.repeats(motif, middle - half, middle + half)
    while room < (8 if find.technique == "line drawing" else 4) and half > 0.02:  # a long name is written smaller
        half *= 0.8
        room = measure.repeats(motif, middle - half, middle + half)
    return Band(middle - half, middle + half, motif, 1, INCISE, OUTSIDE, 1 / room)


def lay(pixels: Pixels, bands: list[Band], colours: dict[str, Floats], *, wear: Floats | None = None) -> None:
    """Lay the bands onto the pixels in place: colour, ink and, where cut or raised, the direction of the face.

    `colours` gives the colour (3,) for each way of making; `wear` (n,) from 0 to 1 says what is left of the paint.
    """
    for band in bands:
        at = np.flatnonzero((pixels.part == band.part) & (pixels.along > band.low) & (pixels.along < band.high))
        if len(at) == 0:
            continue
        rise = (pixels.along[at] - band.low) / np.float32(band.high - band.low)
        down = rise if band.part == INSIDE else 1 - rise
        turn = pixels.around[at] * np.float32(band.repeats)
        if band.share < 1:
            turn = (turn + np.float32(0.5) - np.floor(turn + np.float32(0.5)) - np.float32(0.5)) / band.share + 0.5
            kept = (turn > 0) & (turn < 1)
            at, turn, down = at[kept], turn[kept], down[kept]
        _print(pixels, band, at, (turn - np.floor(turn), down), (colours, wear))


def _print(
    pixels: Pixels, band: Band, at: Ints, place: tuple[Floats, Floats], look: tuple[dict[str, Floats], Floats | None]
) -> None:
    tile = band.tile
    colours, wear = look
    y = np.minimum((place[1] * tile.shape[0]).astype(np.intp), tile.shape[0] - 1)
    x = np.minimum((place[0] * tile.shape[1]).astype(np.intp), tile.shape[1] - 1)
    cover = tile[y, x]
    if band.how in (INCISE, RELIEF):
        _carve(pixels, band, at, (y, x))
    used = np.flatnonzero(cover > _UNSEEN)
    at, cover = at[used], cover[used]
    if band.how == RELIEF:
        colour = np.ones(3, dtype=np.float32)
        cover *= np.float32(0.12)
    else:
        pixels.ink[at] = np.maximum(pixels.ink[at], cover)
        colour = colours[band.how]
        cover *= 1 if wear is None else wear[at]
    for channel, value in zip(pixels.colour, colour, strict=True):
        channel[at] += cover * (value - channel[at])


def _carve(pixels: Pixels, band: Band, at: Ints, spot: tuple[Ints, Ints]) -> None:
    """Turn the face where the motif is cut in or raised."""
    if band.motif.startswith("text:"):
        return
    across, down = (slope[spot] for slope in motifs.slopes(band.motif))
    strength = np.float32(-1.1 if band.how == RELIEF else 0.3)
    if band.how == RELIEF:
        pixels.ink[at] = np.maximum(pixels.ink[at], across * across + down * down > _EDGE)
    right = pixels.normal[0][at]
    pixels.normal[0][at] = right + strength * across * np.sqrt(np.maximum(1 - right * right, 0))
    pixels.normal[1][at] -= strength * down
    pixels.normal[2][at] -= strength * across * right
