"""Letters scratched with a point: an archaic alphabet of straight strokes, always written from left to right."""

from functools import lru_cache

from tuneclip.archive.motifs import Floats, Sketch

# strokes as points on a grid 4 wide and 6 high, y down
_STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "A": (((0, 6), (2, 0), (4, 6)), ((0.7, 4), (3.3, 3.6))),
    "C": (((4, 0.6), (1.4, 0.4), (0, 3), (1.4, 5.6), (4, 5.4)),),
    "D": (((0, 0), (0, 6), (2.4, 5.4), (4, 3), (2.4, 0.6), (0, 0)),),
    "E": (((4, 0), (0, 0.3), (0, 6), (4, 5.7)), ((0, 3), (3.2, 2.8))),
    "G": (((4, 1), (2, 0), (0, 3), (2, 6), (4, 5), (4, 3.4), (2.4, 3.4)),),
    "H": (((0, 0), (0, 6)), ((4, 0), (4, 6)), ((0, 3), (4, 3))),
    "I": (((2, 0), (2, 6)),),
    "K": (((0.4, 0), (0.4, 6)), ((4, 0.2), (0.4, 3.2), (4, 6))),
    "L": (((0.5, 0), (0.5, 6), (4, 5.6)),),
    "M": (((0, 6), (0.3, 0), (2, 3.4), (3.7, 0), (4, 6)),),
    "N": (((0, 6), (0.2, 0), (3.8, 6), (4, 0)),),
    "O": (((2, 0.4), (0.3, 2), (0.3, 4), (2, 5.6), (3.7, 4), (3.7, 2), (2, 0.4)),),
    "P": (((0.4, 6), (0.4, 0), (3.6, 1), (3.6, 2.6), (0.4, 3.3)),),
    "R": (((0.4, 6), (0.4, 0), (3.6, 1), (3.4, 2.5), (0.4, 3.3), (4, 6)),),
    "S": (((4, 0.6), (1, 0.2), (0.6, 2), (3.4, 3.8), (3, 5.8), (0, 5.4)),),
    "T": (((2, 0), (2, 6)), ((0, 0.4), (4, 0))),
    "V": (((0, 0), (2, 6), (4, 0)),),
}


@lru_cache(maxsize=64)
def written(text: str) -> Floats:
    """The text as a tile of coverage from 0 to 1, (96, 96 × width), with a margin all round."""
    pitch = 0.62
    sketch = Sketch(aspect=0.3 + pitch * len(text), wraps=False)
    for number, letter in enumerate(text):
        left = 0.2 + pitch * number
        for stroke in _STROKES.get(letter, ()):
            sketch.line([(left + x * 0.105, 0.17 + y * 0.11) for x, y in stroke], 0.08)
    return sketch.tile()
