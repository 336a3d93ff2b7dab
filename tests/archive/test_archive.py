import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuneclip.archive import draw_archive, draw_finds, draw_sheet
from tuneclip.archive.choose import choose_find
from tuneclip.archive.record import published
from tuneclip.archive.words import material

REQUIRED = {"id", "label", "category", "object", "context", "technique_of_record", "picture"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = draw_archive(tmp_path_factory.mktemp("archive"), 40, seed=7, size=64)
    return path.parent, json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finds():
    return list(draw_finds(320, size=64))


def object_levels(pictures):
    """Mean level of the middle of the pictures, where the thing is."""
    return np.mean([np.asarray(picture.convert("L"))[24:44, 24:40].mean() for picture in pictures])


def test_the_same_seed_draws_the_same_finds():
    first, again = (list(draw_finds(6, seed=3, size=64)) for _ in range(2))
    assert [find for find, _ in first] == [find for find, _ in again]
    assert all(a.tobytes() == b.tobytes() for (_, a), (_, b) in zip(first, again, strict=True))


def test_another_seed_draws_other_finds():
    labels = [[find.label for find, _ in draw_finds(6, seed=seed, size=32)] for seed in (1, 2)]
    assert labels[0] != labels[1]


def test_fewer_finds_are_the_first_of_more():
    few, many = list(draw_finds(3, size=64)), list(draw_finds(8, size=64))
    for (find, picture), (same, alike) in zip(few, many[:3], strict=True):
        assert find == same
        assert picture.tobytes() == alike.tobytes()


def test_every_find_has_its_picture_and_every_picture_opens(archive):
    folder, content = archive
    files = [find["picture"]["file"] for find in content["finds"]]
    assert len(files) == len(set(files)) == len(list((folder / "pictures").iterdir())) == 40
    for name in files:
        with Image.open(folder / name) as picture:
            picture.load()
            assert (picture.size, picture.mode, picture.format) == ((64, 64), "RGB", "JPEG")


def test_a_half_written_archive_is_not_left_behind(archive):
    folder, _ = archive
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["archive.json"]


def test_every_find_has_what_a_dataset_needs(archive):
    _, content = archive
    assert set(content) == {"archive", "finds"}
    for find in content["finds"]:
        assert set(find) >= REQUIRED
        assert find["id"]
        assert find["label"]
        assert set(find["picture"]) == {"url", "file"}
        assert {"site", "name", "kind"} <= set(find["context"])


def test_optional_entries_are_missing_here_and_there(archive):
    _, content = archive
    assert 0 < sum("period" not in find or "dimensions" not in find for find in content["finds"]) < 20
    defaults = sum(find["picture"]["url"].endswith("/default.jpg") for find in content["finds"])
    assert 20 < defaults < 40


def test_findspots_are_decimal_degrees_near_their_site(finds):
    by_site = {}
    for find, _ in finds:
        assert 35 < find.place.latitude < 47
        assert 6 < find.place.longitude < 19
        by_site.setdefault(find.place.site, []).append(find.place.latitude)
    assert all(max(values) - min(values) < 0.01 for values in by_site.values())


def test_three_hundred_finds_show_nearly_every_category(finds):
    names = {find.category for find, _ in finds[:300]}
    assert len(names) >= 30
    assert {"amphora", "kantharos", "bowl", "jug", "oil lamp", "coin", "fibula", "figurine", "roof tile"} <= names


def test_labels_differ_enough_to_learn_from(finds):
    assert len({find.label for find, _ in finds}) > 250


def test_bucchero_is_darker_than_buff_ware(finds):
    photographs = [(find, picture) for find, picture in finds if find.technique == "photograph" and not find.fragment]
    dark = [picture for find, picture in photographs if find.ware == "bucchero" and find.family == "vessel"]
    pale = [picture for find, picture in photographs if find.ware == "buff ware"]
    assert len(dark) > 2
    assert len(pale) > 2
    assert object_levels(dark) < 0.6 * object_levels(pale)


def test_line_drawings_have_no_colour_and_are_a_fifth(finds):
    drawings = [picture for find, picture in finds if find.technique == "line drawing"]
    spreads = [np.ptp(np.asarray(picture, dtype=int), axis=2).mean() for picture in drawings]
    assert max(spreads) < 2
    assert 0.14 < len(drawings) / len(finds) < 0.27


def test_what_the_description_says_is_what_the_record_holds(finds):
    for find, _ in finds:
        assert find.name in find.description
        assert find.decoration in ("plain", "painted") or " / " in find.decoration or find.decoration in find.label
        assert find.inscription in find.description
        assert find.start < find.end


def test_letters_are_not_mirrored():
    from tuneclip.archive.letters import written

    tile = written("L")
    left, right = np.hsplit(tile[:, : tile.shape[1] // 2 * 2], 2)
    assert left.sum() > 1.5 * right.sum()  # the upright of an L stands on the left


def test_drawing_needs_neither_torch_nor_the_rest():
    code = "import sys, tuneclip.archive; print('torch' in sys.modules or 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_record_in_the_docs_is_a_real_one():
    text = (Path(__file__).parents[2] / "docs" / "archive.md").read_text(encoding="utf-8")
    shown = json.loads(text.split("```json")[1].split("```")[0])
    find = choose_find(0, int(shown["id"].removeprefix("TC-")) - 1)
    assert published(find, material=material(find)) == shown


def test_a_sheet_shows_its_finds_side_by_side():
    sheet = draw_sheet([0, 1, 2], size=32, columns=2)
    (_, first), *_ = draw_finds(1, size=32)
    assert sheet.size == (66, 66)
    assert sheet.crop((0, 0, 32, 32)).tobytes() == first.tobytes()
