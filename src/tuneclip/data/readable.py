"""How the value of a field reads in a caption: numbers short, years with their era, coordinates with their side."""

import re
from collections.abc import Callable, Mapping

from tuneclip.data.row import Value, as_texts

_LINK = re.compile(r"[a-z][a-z0-9+.-]*://")
_TIME = re.compile(r"period|year|dat(e|ing)|era$|chronology|time", re.IGNORECASE)
_YEARS_BC = re.compile(r"(\d+) BC( ?[–-] ?)(\d+) BC")
_YEARS_AD = re.compile(r"AD (\d+)( ?[–-] ?)AD (\d+)")


def sources(placeholder: str) -> list[str]:
    """The fields that a placeholder (the text between braces) reads: `findspot:coordinates` reads two."""
    name, how = _parted(placeholder)
    return [f"{name}.{part}" for part in ("latitude", "longitude")] if how == "coordinates" else [name]


def read(placeholder: str, fields: Mapping[str, Value]) -> str:
    """The text that stands for a placeholder; empty where a field is missing or is not what its form needs."""
    name, how = _parted(placeholder)
    if how == "coordinates":
        parts = [read(f"{name}.{part}:{part}", fields) for part in ("latitude", "longitude")]
        return ", ".join(parts) if all(parts) else ""
    value = fields.get(name)
    if how is None:
        return plain(value)
    texts = [FORMS[how](text) for text in as_texts(value)]
    return ", ".join(text for text in texts if text)


def as_lines(fields: Mapping[str, Value]) -> str:
    """All fields that have a value, one a line: `material: bronze`. Links are left out; of a dotted name the dots go.

    A latitude with its longitude becomes one line, and so do the start and end of a period or date.
    """
    lines, told = [], set[str]()
    for name, value in fields.items():
        parent, _, last = name.rpartition(".")
        other = {"latitude": "longitude", "start": "end"}.get(last, "")
        pair = f"{parent}.{other}" if parent else other
        text = _pair(parent, last, fields) if other and pair in fields else ""
        if text:
            told.add(pair)
        if name not in told and (text or (text := plain(value))) and not _LINK.match(text):
            label = (parent if pair in told else name) or "place"
            label = re.sub(r"[._\s]+", " ", label).strip()
            lines.append(f"{label}: {text}")
    return "\n".join(lines)


def _pair(parent: str, last: str, fields: Mapping[str, Value]) -> str:
    """Both ends of a place or of a time; empty where they are neither."""
    prefix = f"{parent}." if parent else ""
    if last == "latitude":
        parts = [read(f"{prefix}{part}:{part}", fields) for part in ("latitude", "longitude")]
        return ", ".join(parts) if all(parts) else ""
    parts = [read(f"{prefix}{part}:year", fields) for part in ("start", "end")]
    return year_range("–".join(parts)) if all(parts) and _TIME.search(parent) else ""


def plain(value: Value) -> str:
    """A value as it reads by itself: lists joined by commas, decimal numbers with two places at most."""
    items = value if isinstance(value, list) else [value]
    return ", ".join(as_texts([_short(item) if isinstance(item, float) else item for item in items]))


def year(text: str) -> str:
    """`-625` is "625 BC", `93` is "AD 93", `1450` is "1450"; empty for what is not a year."""
    number = _number(text)
    if number is None or not number.is_integer() or number == 0:
        return ""
    whole = int(number)
    return f"{-whole} BC" if whole < 0 else f"AD {whole}" if whole < 1000 else str(whole)


def year_range(text: str) -> str:
    """The same text with the era said once: `625 BC–575 BC` is "625–575 BC"."""
    return _YEARS_AD.sub(r"AD \1\2\3", _YEARS_BC.sub(r"\1\2\3 BC", text))


def latitude(text: str) -> str:
    """Decimal degrees as "43.15° N", to about a kilometre; empty beyond the poles."""
    return _degrees(text, "NS", 90)


def longitude(text: str) -> str:
    """Decimal degrees as "11.40° E"; empty beyond ± 180."""
    return _degrees(text, "EW", 180)


FORMS: dict[str, Callable[[str], str]] = {
    "year": year,
    "latitude": latitude,
    "longitude": longitude,
    "lower": str.lower,
}
NAMES = (*FORMS, "coordinates")
"""What may stand behind a colon."""


def _parted(placeholder: str) -> tuple[str, str | None]:
    """A field's name and its form; a colon that no form follows belongs to the name (`oc-gen:has-cat`)."""
    name, colon, how = placeholder.rpartition(":")
    return (name.strip(), how.strip()) if colon and how.strip() in NAMES else (placeholder.strip(), None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _short(number: float) -> str:
    """At most two places, but never so few that a small number reads as nothing."""
    if 0 < abs(number) < 0.01:
        return f"{number:.2g}"
    return f"{number:.2f}".rstrip("0").rstrip(".") if number else "0"


def _degrees(text: str, sides: str, limit: int) -> str:
    number = _number(text)
    if number is None or not -limit <= number <= limit:
        return ""
    return f"{abs(number):.2f}° {sides[number < 0]}"
