"""Twins: the same bytes, or the same to the eye."""

from io import BytesIO

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tuneclip.data.findings import is_blank
from tuneclip.data.look import THUMB, Look, look_at_bytes
from tuneclip.data.twins import find_twins


def photograph(seed: int) -> Image.Image:
    """A smooth random scene of 160 × 120 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC)


def look(image: Image.Image, quality: int = 90) -> Look:
    held = BytesIO()
    image.save(held, "JPEG", quality=quality)
    return look_at_bytes(held.getvalue())


def test_the_same_bytes_are_exact_twins() -> None:
    looks = [look(photograph(0)), look(photograph(1)), look(photograph(0))]
    twins = find_twins(looks, is_blank)
    assert (twins.exact, twins.near, twins.same) == (((0, 2),), (), ((0, 2),))


def test_saved_again_smaller_or_larger_is_a_near_twin() -> None:
    scene = photograph(3)
    looks = [
        look(scene),
        look(photograph(4)),
        look(scene, 40),
        look(scene.resize((80, 60))),
        look(scene.resize((300, 225))),
    ]
    assert find_twins(looks, is_blank).near == ((0, 2, 3, 4),)


def test_near_and_exact_twins_together_are_one_picture() -> None:
    scene = photograph(3)
    twins = find_twins([look(scene), look(scene, 40), look(scene), look(scene, 40)], is_blank)
    assert twins.near == ((0, 1),)
    assert twins.same == ((0, 1, 2, 3),)


def test_another_colour_of_a_small_part_is_another_picture() -> None:
    scene = photograph(5)
    changed = scene.copy()
    changed.paste((255, 0, 0), (60, 40, 80, 60))
    changed.paste((0, 0, 255), (60, 60, 80, 80))
    assert find_twins([look(scene), look(changed)], is_blank).same == ()


def test_blank_and_unreadable_pictures_are_no_near_twins() -> None:
    looks = [look(Image.new("RGB", (40, 40), (9, 9, grey))) for grey in (9, 200)] + [Look(problem="torn")] * 2
    assert find_twins(looks, is_blank).same == ()


def test_nothing_has_no_twins() -> None:
    assert find_twins([], is_blank).same == ()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30))
def test_groups_are_exactly_the_equal_pictures(kinds: list[int]) -> None:
    random = np.random.default_rng(0)
    thumbs = [random.integers(0, 256, (THUMB, THUMB, 3), dtype=np.uint8) for _ in range(6)]
    looks = [Look(bytes([number]), (64, 64), thumbs[kind]) for number, kind in enumerate(kinds)]
    expected = {tuple(i for i, other in enumerate(kinds) if other == kind) for kind in kinds}
    assert set(find_twins(looks, is_blank).near) == {group for group in expected if len(group) > 1}
