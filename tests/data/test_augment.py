"""Varied pictures keep their captions true."""

import numpy as np
import pytest
from PIL import Image

from tuneclip.data.augment import may_mirror, vary
from tuneclip.records import Record


def grey(width: int = 60, height: int = 40) -> Image.Image:
    return Image.new("RGB", (width, height), (200, 190, 180))


def test_no_view_has_black_corners() -> None:
    darkest = min(np.asarray(vary(grey(), np.random.default_rng(seed), mirror=True)).min() for seed in range(50))
    assert darkest > 90


def test_the_aspect_is_kept() -> None:
    for seed in range(30):
        view = vary(grey(300, 200), np.random.default_rng(seed), mirror=True)
        assert view.width / view.height == pytest.approx(1.5, abs=0.03)


def test_the_same_seed_gives_the_same_view() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 70, 3), dtype=np.uint8))
    first, again = (vary(noise, np.random.default_rng(7), mirror=True).tobytes() for _ in range(2))
    assert first == again


def test_a_mirror_happens_only_where_it_may() -> None:
    halves = Image.new("RGB", (60, 60), (0, 0, 0))
    halves.paste((255, 255, 255), (30, 0, 60, 60))
    for mirror, seen in ((False, {True}), (True, {True, False})):
        views = [np.asarray(vary(halves, np.random.default_rng(s), mirror=mirror)) for s in range(20)]
        assert {bool(v[:, -5:].mean() > v[:, :5].mean()) for v in views} == seen


@pytest.mark.parametrize(
    ("captions", "metadata", "allowed"),
    [
        (("a horse facing left",), {}, False),
        (("stamped tile",), {}, False),
        (("a bowl", "cup with inscribed foot"), {}, False),
        (("a bowl",), {"inscription": "MI LARTHIA"}, False),
        (("a bowl",), {"inscription": None}, True),
        (("a leftover bright bowl",), {}, True),
    ],
)
def test_sides_and_inscriptions_forbid_the_mirror(
    captions: tuple[str, ...], metadata: dict[str, str], allowed: bool
) -> None:
    assert may_mirror(Record("x", "x.jpg", captions, metadata)) is allowed


def test_one_pixel_is_no_problem() -> None:
    assert vary(grey(1, 1), np.random.default_rng(0), mirror=True).size == (1, 1)
