"""Draws the archive and writes it to disk as a museum would publish it."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tuneclip.archive.choose import choose_find
from tuneclip.archive.drawing import draw
from tuneclip.archive.figurines import model
from tuneclip.archive.mint import strike
from tuneclip.archive.photograph import FINER, photograph
from tuneclip.archive.potter import throw
from tuneclip.archive.record import Find, published
from tuneclip.archive.scene import Scene
from tuneclip.archive.smith import forge
from tuneclip.archive.tilery import press
from tuneclip.archive.tools import carve
from tuneclip.archive.words import material

_QUALITY = 88
_HANDS: dict[str, Callable[[Find, int, np.random.Generator], Scene]] = {
    "vessel": throw, "coin": strike, "figurine": model, "roof tile": press, "antefix": press, "mirror": press,
    "disc fibula": press, "fibula": forge, "finger ring": forge, "bead": forge, "pin": forge, "loom weight": carve,
    "spindle whorl": carve, "arrowhead": carve, "spearhead": carve, "die": carve,
}  # fmt: skip
"""Whose hand makes what: by the thing's name where it is listed, else by its family."""
_TITLE = "The drawn archive: imaginary finds from imaginary sites"


def draw_finds(finds: int, *, seed: int = 0, size: int = 256) -> Iterator[tuple[Find, Image.Image]]:
    """Yield that many finds with their RGB pictures of `size` by `size` pixels; find i depends on (seed, i) only."""
    for number in range(finds):
        find = choose_find(seed, number)
        yield find, picture(find, size)


def picture(find: Find, size: int) -> Image.Image:
    """The find's picture, RGB, `size` by `size` pixels: everything that the record says, and only that."""
    random = np.random.default_rng((find.seed, find.number, 1))
    scene = _HANDS.get(find.name, _HANDS[find.family])(find, size * FINER, random)
    record = draw if find.technique == "line drawing" else photograph
    return record(find, scene, size=size, random=random)


def draw_sheet(numbers: Sequence[int], *, seed: int = 0, size: int = 256, columns: int = 6) -> Image.Image:
    """A contact sheet of the finds with these numbers (from 0), row by row, each `size` pixels wide and high."""
    gap = max(2, size // 64)
    rows = -(-len(numbers) // columns)
    sheet = Image.new("RGB", (columns * (size + gap) - gap, rows * (size + gap) - gap), "white")
    for place, number in enumerate(numbers):
        corner = (place % columns * (size + gap), place // columns * (size + gap))
        sheet.paste(picture(choose_find(seed, number), size), corner)
    return sheet


def draw_archive(folder: Path, finds: int, *, seed: int = 0, size: int = 256) -> Path:
    """Draw that many finds into `folder/pictures` and write `folder/archive.json`, whose path is returned.

    The same seed draws the same finds, and fewer finds are the first of more. The JSON is written last and renamed
    into place, so that an archive with its JSON is complete. Raises OSError where the folder cannot be written.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    entries = []
    for find, image in draw_finds(finds, seed=seed, size=size):
        image.save(folder / find.file, quality=_QUALITY)
        entries.append(published(find, material=material(find)))
    about = {"title": _TITLE, "site": "Poggio al Vento and others", "publisher": "tuneclip", "seed": seed}
    target = folder / "archive.json"
    beside = target.with_name("archive.json.part")
    text = json.dumps({"archive": about, "finds": entries}, ensure_ascii=False, indent=1)
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(target)
    return target
