"""Says in English what a record holds: the label and one or two sentences, the same facts as the picture shows."""

import dataclasses

from numpy.random import Generator

from tuneclip.archive.record import Find
from tuneclip.archive.wares import WARES

_LOOKS = ("A {thing}{decoration}.", "This {thing}{where} is {state}{decoration}.", "{Thing}{decoration}{where}.",
          "{Thing}, {state}{decoration}.", "Seen here is a {thing}{decoration}.", "The {thing} is {state}{decoration}.",
          )  # fmt: skip
_VIEWS = ("Drawn in ink{where}.", "An ink drawing{where}.", "Archaeological drawing{where}.")
_DATES = ("It dates to {dates}.", "Made in {dates}.", "{Period}, {dates}.", "Dated {dates}.", "")
_SINGULAR = ("incised meander", "incised zigzag", "wavy line", "net pattern", "meander", "zigzag", "checkerboard",
             "deer frieze", "lion frieze", "relief wreath", "burnished net", "star", "rosette", "wheel",
             "twisted bow")  # fmt: skip
_STATES = {"handle missing": "missing a handle", "upper part missing": "missing its upper part"}
_COLOURED = ("black-figure ware", "red-figure ware", "black-gloss ware", "buff ware", "grey ware", "gold", "silver")


def described(find: Find, random: Generator) -> Find:
    """The same find with its label and description, worded by lot."""
    coloured = random.random() < 0.5
    label = _label(find, coloured=coloured)
    return dataclasses.replace(find, label=label, description=_description(find, random))


def phrase(find: Find) -> str:
    """What decorates the find, to follow its name; empty where nothing does."""
    if find.family == "coin":
        faces = " and ".join(_definite(face) for face in find.decoration.split(" / "))
        return f" with {faces}" + ("" if find.view == "both faces" else f" ({find.view})")
    if find.decoration == "plain":
        return ""
    if find.decoration == "painted":
        return ", painted"
    return f" with {_article(find.decoration) if find.decoration in _SINGULAR else find.decoration}"


def _definite(face: str) -> str:
    return f"the {face}" if face.startswith("head") else _article(face)


def _noun(find: Find, *, coloured: bool) -> str:
    ware = find.ware.removesuffix(" ware")
    colour = f"{find.colour} " if coloured and find.ware not in _COLOURED and find.colour not in ware else ""
    if find.category == "figurine":
        return f"{colour}{ware} {find.name}"
    return f"{colour}{ware} {find.name}"


def _label(find: Find, *, coloured: bool) -> str:
    noun = _noun(find, coloured=coloured)
    if find.state.endswith("sherd"):
        noun = f"{find.state} of {_article(noun)}"
    elif find.state in ("worn", "fragment"):
        noun = f"worn {noun}" if find.state == "worn" else f"fragment of {_article(noun)}"
    text = noun + phrase(find)
    if find.inscription and find.family != "coin":
        text += f" inscribed {find.inscription}"
    if find.state in ("mended from sherds", "handle missing", "upper part missing"):
        text += f", {find.state}"
    return _capital(text)


def _description(find: Find, random: Generator) -> str:
    noun = _noun(find, coloured=True)
    state = find.state
    patterns: tuple[str, ...] = _LOOKS
    if find.fragment:
        noun = f"{state} of {_article(noun)}"
        patterns = tuple(pattern for pattern in _LOOKS if "{state}" not in pattern)
    where = f" from {find.place.context[0].lower()}{find.place.context[1:]} at {find.place.site}"
    pattern = patterns[int(random.integers(len(patterns)))]
    decoration = phrase(find)
    if "{state}{decoration}" in pattern and decoration.startswith(" with"):
        decoration = f", decorated{decoration}" if find.family != "coin" else f", showing{decoration[5:]}"
    values = {
        "thing": noun,
        "Thing": _capital(noun),
        "state": _STATES.get(state, state),
        "decoration": decoration,
        "where": where,
    }
    first = pattern.format(**values).replace("A " + noun, _capital(_article(noun))).replace("a " + noun, _article(noun))
    if find.inscription:
        first += f" It reads “{find.inscription}”."
    if find.technique == "line drawing":
        second = _VIEWS[int(random.integers(len(_VIEWS)))].format(where="" if where in first else where)
    else:
        second = _DATES[int(random.integers(len(_DATES)))].format(dates=years(find.start, find.end), Period=find.period)
    return f"{first} {second}".strip()


def years(start: int, end: int) -> str:
    """A range of years in words: 625-575 BCE, 25 BCE-50 CE, 100-150 CE."""
    if end <= 0:
        return f"{-start}–{-end} BCE"
    return f"{-start} BCE–{end} CE" if start < 0 else f"{start}–{end} CE"


def material(find: Find) -> str:
    """The material of the find's ware."""
    return WARES[find.ware].material


def _article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' and not noun.startswith(('one', 'uni')) else 'a'} {noun}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
