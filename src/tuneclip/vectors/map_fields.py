"""Metadata fields as colours of points: the commonest values of a field, or its numbers from low to high."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tuneclip.records import Scalar

COLOURS = 9  # values of a field that have one of their own
STEPS = 200  # of a scale of numbers
NONE = 255  # a point without a value, or with one of the others
MOST_FIELDS = 20
SHARE = 0.5  # of the points that must have a value which is not theirs alone


def packed(values: "np.ndarray[Any, Any]") -> str:
    """The array's bytes as text."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def colourings(metadata: Sequence[Mapping[str, Scalar]]) -> list[dict[str, Any]]:
    """The fields by which points can be coloured, in the order of their names; ids and titles of their own cannot.

    Each has `name`, `codes` (a byte a point, see `NONE`), and either `values` with `counts`, or `low` and `high`.
    """
    names = sorted({name for fields in metadata for name in fields})
    found = (_colouring(name, [fields.get(name) for fields in metadata]) for name in names)
    return [field for field in found if field is not None][:MOST_FIELDS]


def _colouring(name: str, values: Sequence[Scalar]) -> dict[str, Any] | None:
    counts = Counter(value for value in values if value is not None)
    if len(counts) < 2:
        return None
    if len(counts) > COLOURS and all(isinstance(v, int | float) and not isinstance(v, bool) for v in counts):
        return _numbers(name, values)
    if sum(count for count in counts.values() if count > 1) < SHARE * len(values):
        return None
    common = [value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:COLOURS]]
    code = {value: number for number, value in enumerate(common)}
    codes = [NONE if value is None else code.get(value, NONE) for value in values]
    rest = len(counts) - len(common)
    return {
        "name": name,
        "values": [str(value) for value in common],
        "counts": [counts[value] for value in common],
        "codes": packed(np.array(codes, np.uint8)),
        "rest": f"{rest} more values, or none" if rest else "no value",
    }


def _numbers(name: str, values: Sequence[Scalar]) -> dict[str, Any]:
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    codes = np.where(np.isnan(numbers), NONE, np.rint((numbers - low) / ((high - low) or 1) * (STEPS - 1)))
    return {"name": name, "low": low, "high": high, "codes": packed(codes.astype(np.uint8)), "rest": "no value"}
