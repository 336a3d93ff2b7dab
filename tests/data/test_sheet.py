"""A contact sheet fits every picture without squashing it."""

from pathlib import Path

import numpy as np
from PIL import Image

from tuneclip.data.picture import load_picture
from tuneclip.data.sheet import CELL, Strip, draw_sheet


def test_pictures_keep_their_shape_on_the_sheet(tmp_path: Path) -> None:
    draw_sheet(tmp_path / "sheet.png", ["wide", "tall"], [Strip([red(300, 100), red(50, 100)], "two")])
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"), int)
    area = (abs(pixels - (200, 0, 0)).sum(axis=2) < 30).sum()
    assert abs(area - (CELL * round(CELL / 3) + CELL // 2 * CELL)) < CELL


def test_long_words_do_not_widen_the_sheet(tmp_path: Path) -> None:
    for number, words in enumerate(("short", "long " * 500 + "Ἀθηνᾶ", "", "two\nlines")):
        draw_sheet(tmp_path / f"{number}.png", ["one"], [Strip([red(10, 10)], words)])
    assert len({load_picture(path).size for path in tmp_path.iterdir()}) == 1


def red(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), (200, 0, 0))
