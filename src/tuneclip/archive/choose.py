"""Draws lots: which find comes next, with a ware, a decoration and dates that are plausible for it."""

import numpy as np
from numpy.random import Generator

from tuneclip.archive import words
from tuneclip.archive.forms import FORMS, Form
from tuneclip.archive.kinds import COINS, KINDS, CoinType, Kind
from tuneclip.archive.places import choose_dates, choose_place, period_name
from tuneclip.archive.record import Find
from tuneclip.archive.wares import WARES, Ware

_DRAWN_SHARE = 0.2  # line drawings among the pictures
_VESSELS, _COINS = 0.58, 0.70  # cumulative shares of the families; the rest are other small finds
_INSCRIPTIONS = ("LARTH", "MI ARATHIA", "KALOS", "VELTHVR", "RAMTHA", "HERAKLES", "ASKA", "THANA", "MENRVA")
_INSCRIBED_WARES = ("bucchero", "impasto", "coarseware", "grey ware", "black-gloss ware", "buff ware")
_VESSEL_STATES = (("complete", 46), ("mended from sherds", 11), ("worn", 9), ("handle missing", 9),
                  ("upper part missing", 5), ("rim sherd", 12), ("body sherd", 8))  # fmt: skip
_INSCRIBED_SHARE = 0.5  # of the plain vessels of wares that were written on
_HIGHEST_BREAK = 0.72  # vessels decorated higher up are not left without their upper part
_OPTIONAL = (("findspot", 0.07), ("period", 0.05), ("dimensions", 0.1), ("colour", 0.06), ("state", 0.05),
             ("description", 0.04))  # fmt: skip


def choose_find(seed: int, number: int) -> Find:
    """The find of that number (from 0): everything about it depends on (seed, number) only."""
    random = np.random.default_rng((seed, number))
    facts = _choose_thing(random)
    dates = facts.pop("dates")
    assert isinstance(dates, tuple)
    start, end = choose_dates(random, dates)
    identifier = f"TC-{number + 1:05d}"
    own_name = random.random() < 0.25
    path = f"pictures/{identifier.lower()}.jpg" if own_name else f"iiif/{identifier}/full/max/0/default.jpg"
    find = Find(
        seed=seed,
        number=number,
        id=identifier,
        technique="line drawing" if random.random() < _DRAWN_SHARE else "photograph",
        place=choose_place(random),
        period=period_name(start, end),
        start=start,
        end=end,
        label="",
        description="",
        url=f"https://archive.example/{path}",
        omitted=tuple(name for name, share in _OPTIONAL if random.random() < share),
        **facts,  # type: ignore[arg-type]
    )
    return words.described(find, random)


def _choose_thing(random: Generator) -> dict[str, object]:
    share = random.random()
    if share < _VESSELS:
        return _choose_vessel(random, FORMS[int(random.integers(len(FORMS)))])
    if share < _COINS:
        return _choose_coin(random, COINS[int(random.integers(len(COINS)))])
    return _choose_kind(random, KINDS[int(random.integers(len(KINDS)))])


def _pick(random: Generator, options: tuple[tuple[str, int], ...]) -> str:
    weights = np.array([weight for _, weight in options], dtype=float)
    return options[int(random.choice(len(options), p=weights / weights.sum()))][0]


def _choose_vessel(random: Generator, form: Form) -> dict[str, object]:
    ware = WARES[str(random.choice(form.wares))]
    state = _vessel_state(random, form, ware)
    decoration = str(random.choice(_fitting_decorations(form, ware)))
    inscription = ""
    writable = ware.name in _INSCRIBED_WARES and not form.inside and not state.endswith("sherd")
    if decoration == "plain" and writable and random.random() < _INSCRIBED_SHARE:
        inscription = str(random.choice(_INSCRIPTIONS))
    height = round(float(random.uniform(*form.heights)), 1)
    width = round(2 * height * max(radius for radius, _ in form.profile), 1)
    sizes = (("height", height), ("diameter", width))
    if state.endswith("sherd"):
        sizes = (("length", round(float(random.uniform(3.5, 11)), 1)), ("thickness", round(0.35 + height / 60, 1)))
    return {
        "family": "vessel", "category": form.category, "name": form.name, "ware": ware.name,
        "colour": ware.colours[int(random.integers(len(ware.colours)))][0], "decoration": decoration,
        "state": state, "view": "", "inscription": inscription, "sizes": sizes, "dates": ware.dates,
    }  # fmt: skip


def _fitting_decorations(form: Form, ware: Ware) -> tuple[str, ...]:
    """Those of the ware's decorations that this form is found with."""
    if form.handles == "lamp":
        return ("plain",) if ware.metal else ("plain", "relief rosettes", "relief dolphins", "a rayed disc")
    if form.name in ("transport amphora", "unguentarium"):
        return tuple(name for name in ware.decorations if name in ("plain", "bands", "white bands")) or ("plain",)
    if form.inside:
        return tuple(name for name in ware.decorations if name not in ("ribbing", "knobs", "barbotine dots"))
    return ware.decorations


def _vessel_state(random: Generator, form: Form, ware: Ware) -> str:
    """How much of the vessel is left: metal does not break, and no handle is lost where there was none."""
    state = _pick(random, _VESSEL_STATES)
    if ware.metal or form.handles == "lamp":
        return str(random.choice(("complete", "complete", "worn")))
    open_above = form.zone[1] > _HIGHEST_BREAK or form.inside
    handled = form.handles not in ("none", "lugs")
    if (state == "upper part missing" and open_above) or (state == "handle missing" and not handled):
        return "mended from sherds"
    return state


def _choose_coin(random: Generator, coin: CoinType) -> dict[str, object]:
    view = str(random.choice(("both faces", "both faces", "both faces", "obverse", "reverse")))
    ware = WARES[coin.metal]
    return {
        "family": "coin", "category": "coin", "name": coin.name, "ware": ware.name,
        "colour": ware.colours[int(random.integers(len(ware.colours)))][0],
        "decoration": {"obverse": coin.obverse, "reverse": coin.reverse}.get(view, f"{coin.obverse} / {coin.reverse}"),
        "state": str(random.choice(("complete", "complete", "worn", "fragment"), p=(0.35, 0.35, 0.22, 0.08))),
        "view": view, "inscription": coin.legend if view != "obverse" else "",
        "sizes": (("diameter", round(float(random.uniform(*coin.diameter)), 2)),), "dates": coin.dates,
    }  # fmt: skip


def _choose_kind(random: Generator, kind: Kind) -> dict[str, object]:
    ware = WARES[str(random.choice(kind.wares))]
    motifs = kind.motifs
    if ware.material in ("bronze", "iron", "marble") and "painted" in motifs:
        motifs = ("plain",)
    states: tuple[str, ...] = ("complete", "complete", "worn")
    if kind.category in ("roof tile", "figurine", "antefix"):
        states = ("complete", "complete", "worn", "fragment")
    length = round(float(random.uniform(*kind.lengths)), 1)
    return {
        "family": kind.category, "category": kind.category, "name": kind.name, "ware": ware.name,
        "colour": ware.colours[int(random.integers(len(ware.colours)))][0],
        "decoration": str(random.choice(motifs)), "state": str(random.choice(states)), "view": "",
        "inscription": "", "sizes": (("length", length),), "dates": kind.dates or ware.dates,
    }  # fmt: skip
