"""The verb `map`: neighbours, duplicates and outliers by comparing all pairs, points, what is stored, the page."""

import base64
import hashlib
import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.vectors import map_collection, map_pairs
from tuneclip.vectors.collection import Origin, Row, open_collection
from tuneclip.vectors.map_fields import colourings

TOO_FEW_FOR_POINTS = 18


def unit(count: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def finds(count: int) -> list[Row]:
    """Rows around one direction, of which 3 and 4 are one file, 5 and 6 nearly so, and 7 points elsewhere."""
    vectors = unit(count) * 0.3 + np.eye(8, dtype=np.float32)[0]
    vectors[4], vectors[6] = vectors[3], vectors[5] + 0.03 * unit(1, seed=1)[0]
    vectors[7] = -np.eye(8)[1] - np.eye(8)[0] / 2
    contents = [f"content {3 if n == 4 else n}" for n in range(count)]
    ware = [{"ware": "clay <b>" if n % 2 else "bronze", "number": n} for n in range(count)]
    return [
        Row(f"f{n:03}", vectors[n], f"pictures/{n % 36:03}.png", ware[n], (f"a find, <i>{n}",), contents[n])
        for n in range(count)
    ]


@pytest.fixture
def place(tmp_path: Path, small_dataset: Path) -> Path:
    """A project whose collection `finds` shows the pictures of a small dataset."""
    origin = Origin("tiny", "0123456789abcdef", 8, "small", str(small_dataset))
    open_collection("finds", tmp_path, origin=origin).upsert(finds(TOO_FEW_FOR_POINTS))
    return tmp_path


@pytest.mark.parametrize(("block", "across"), [(1024, 16_384), (7, 11), (64, 90)])
def test_neighbours_are_those_of_a_full_comparison_whatever_the_blocks(
    block: int, across: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(map_pairs, "BLOCK", block)
    monkeypatch.setattr(map_pairs, "ACROSS", across)
    vectors = unit(200)
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    found = map_pairs.compare_all(vectors, 0.9, [str(n) for n in range(200)])
    np.testing.assert_allclose(found.cosines, -np.sort(-scores, axis=1)[:, :10], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(scores, found.neighbours, axis=1), found.cosines, atol=1e-6)


@pytest.mark.parametrize("links", [4_000_000, 5])
def test_groups_are_chains_of_near_rows_and_tell_the_lowest_cosine_in_them(links: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(map_pairs, "LINKS", links)
    monkeypatch.setattr(map_pairs, "BLOCK", 4)
    angles = np.radians([0, 120, 3, 6, 123, 240, 9])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = map_pairs.compare_all(vectors, float(np.cos(np.radians(3.5))), list("abcdefg"))
    assert found.groups.tolist() == [0, 1, 0, 0, 1, -1, 0]
    np.testing.assert_allclose(found.lowest, np.cos(np.radians([9, 3])), atol=1e-5)


def test_a_thousand_equal_rows_are_one_group_and_cost_no_more_than_others():
    vectors = np.repeat(unit(1), 1100, axis=0)
    found = map_pairs.compare_all(vectors, 1.0, [str(n) for n in range(1100)])
    assert (set(found.groups.tolist()), found.neighbours.shape) == ({0}, (1100, 10))


def test_the_cosine_of_duplicates_follows_the_scale_of_the_model():
    wide, narrow = unit(500, 64), unit(500, 64) * 0.3 + np.eye(64, dtype=np.float32)[0]
    narrow /= np.linalg.norm(narrow, axis=1, keepdims=True)
    assert map_pairs.typical(wide) == pytest.approx(0, abs=0.01)
    assert map_pairs.typical(narrow) == pytest.approx(0.92, abs=0.01)
    assert map_pairs.threshold(0.0) == pytest.approx(0.99)
    assert map_pairs.threshold(0.92) == pytest.approx(0.9992)


def test_duplicates_and_outliers_are_listed_with_their_paths(place: Path, small_dataset: Path):
    found = tuneclip.map_collection("finds", outliers=2, project=place)
    assert [(group.ids, group.identical) for group in found.duplicates] == [
        (("f003", "f004"), True),
        (("f005", "f006"), False),
    ]
    assert found.threshold < found.duplicates[1].cosine < 1
    assert found.outliers[0].id == "f007"
    assert found.outliers[0].path == str(small_dataset / "pictures/007.png")
    assert (len(found.outliers), len(found.outliers[0].neighbours)) == (2, 3)
    assert (found.count, found.projected, found.method, found.model) == (TOO_FEW_FOR_POINTS, 0, "", "tiny")


def test_a_second_run_uses_what_is_stored_and_a_change_makes_it_anew(place: Path):
    first = tuneclip.map_collection("finds", project=place)
    again = tuneclip.map_collection("finds", outliers=5, project=place)
    assert (first.unchanged, again.unchanged, len(again.outliers)) == (False, True, 5)
    assert again.duplicates == first.duplicates
    stricter = tuneclip.map_collection("finds", duplicates=1.0, project=place)
    assert (stricter.unchanged, [group.ids for group in stricter.duplicates]) == (False, [("f003", "f004")])
    open_collection("finds", place).delete(["f004"])
    less = tuneclip.map_collection("finds", project=place)
    assert (less.unchanged, less.count, [group.ids for group in less.duplicates]) == (False, 17, [("f005", "f006")])


def test_other_tools_open_the_stored_table(place: Path):
    found = tuneclip.map_collection("finds", project=place)
    table = pq.read_table(found.points)
    rows = {row["id"]: row for row in table.to_pylist()}
    assert rows["f003"]["group"] == rows["f004"]["group"] is not None
    assert (rows["f007"]["group"], rows["f007"]["x"]) == (None, None)
    assert list(rows)[rows["f003"]["neighbours"][0]] == "f004"
    assert json.loads(table.schema.metadata[b"tuneclip"])["fingerprint"] == "0123456789abcdef"


@pytest.mark.parametrize("damage", [b"", b"no table"])
def test_a_damaged_map_is_made_anew(place: Path, damage: bytes):
    path = Path(tuneclip.map_collection("finds", project=place).points)
    path.write_bytes(damage)
    assert not tuneclip.map_collection("finds", project=place).unchanged


def test_a_filter_picks_the_rows_that_are_compared(place: Path):
    found = tuneclip.map_collection("finds", where="ware = 'bronze'", project=place)
    assert (found.count, found.duplicates) == (9, ())
    assert {outlier.id for outlier in found.outliers} <= {f"f{n:03}" for n in range(0, 18, 2)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"where": "wear = 'bronze'"}, r"expected ware\?"),
        ({"where": "number < 2"}, "the filter picks 2 rows.*three or more"),
        ({"duplicates": 97.0}, "97.0 is no cosine of duplicates"),
        ({"size": 5}, "--size 20 or more"),
        ({"outliers": -1}, "--outliers 0 or more"),
        ({"collection": "fnds"}, "expected one of finds"),
    ],
)
def test_what_cannot_be_mapped_is_refused(place: Path, options: dict, message: str):
    with pytest.raises(TuneclipError, match=message):
        tuneclip.map_collection(**{"collection": "finds", "project": place} | options)


def test_a_row_that_is_gone_before_it_is_read_stops_the_map_with_a_message(place: Path):
    collection = open_collection("finds", place)
    contents = {row.id: row.content for row in finds(TOO_FEW_FOR_POINTS)}
    collection.delete(["f009"])
    gathered = map_collection._gathered(collection, contents, place)
    with pytest.raises(TuneclipError, match=r"was changed while it was read\. Next: end what writes to it"), gathered:
        pass


def test_forget_removes_the_map_too(place: Path):
    path = Path(tuneclip.map_collection("finds", project=place).points)
    tuneclip.forget("finds", project=place)
    assert not path.exists()


def test_without_the_extra_there_are_the_lists_and_one_line_that_says_how_to_get_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("tuneclip.vectors.map_points.find_spec", lambda name: None)
    open_collection("finds", place).upsert(finds(30))
    found = tuneclip.map_collection("finds", html=place / "map.html", project=place)
    assert (len(found.duplicates), found.projected) == (2, 0)
    assert caplog.messages == ["only the lists, no map: that needs pacmap. Next: pip install 'tuneclip[map]'"]
    assert "There is no map, only the lists" in (place / "map.html").read_text()


def test_the_command_says_what_json_promises_and_people_see_a_table(place: Path):
    command = [sys.executable, "-m", "tuneclip", "map", "finds", "--html", "map.html", "--json"]
    done = subprocess.run(command, check=True, cwd=place, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert result.keys() >= {"collection", "model", "fingerprint", "count", "projected", "method", "seconds", "points"}
    assert (result["html"], result["duplicates"][0]["ids"]) == ("map.html", ["f003", "f004"])
    console = Console(width=70, record=True, file=io.StringIO())
    tuneclip.map_collection("finds", project=place).show(console)
    shown = console.export_text()
    assert re.search(r"same file +2 +f003 · f004", shown)
    assert "up to date" in shown


def test_the_page_escapes_what_it_shows_and_loads_nothing_from_elsewhere(place: Path):
    tuneclip.map_collection("finds", html=place / "map.html", project=place)
    page = (place / "map.html").read_text()
    assert "a find, &lt;i&gt;3" in page
    assert "<i>3" not in page
    assert page.count('src="data:image/jpeg;base64,') == 4 + 4 * TOO_FEW_FOR_POINTS
    assert not re.search(r"""(src|href)=.(https?:|//)""", page)


def test_points_are_coloured_by_fields_that_repeat_and_by_numbers():
    fields = colourings([{"ware": "ab"[n % 2], "title": f"find {n}", "year": n * 10.0, "all": 1} for n in range(40)])
    assert [field["name"] for field in fields] == ["ware", "year"]
    assert (fields[0]["values"], fields[0]["counts"]) == (["a", "b"], [20, 20])
    assert (fields[1]["low"], fields[1]["high"]) == (0, 390)
    codes = base64.b64decode(fields[1]["codes"])
    assert (codes[0], codes[39], len(codes)) == (0, 199, 40)


def test_a_kill_while_points_are_laid_out_leaves_the_lists_and_no_litter(place: Path):
    open_collection("finds", place).upsert(finds(30))
    code = f"""
import os, signal
import tuneclip
from tuneclip.vectors import map_collection
map_collection._points = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
tuneclip.map_collection("finds", project={str(place)!r})
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert sorted(path.name for path in (place / "vectors").iterdir()) == ["finds.lance", "finds.map.parquet"]
    assert len(pq.read_table(place / "vectors/finds.map.parquet")) == 30


@pytest.mark.slow  # compiles PaCMAP's code the first time
def test_near_pictures_are_near_on_the_map_the_same_each_time_and_of_a_large_collection_a_part(place: Path):
    pytest.importorskip("pacmap")
    centres = np.repeat(np.eye(8, dtype=np.float32)[:3], 60, axis=0)
    vectors = centres + 0.1 * unit(180)
    rows = [Row(f"f{n:03}", vectors[n], "pictures/000.png", {"centre": n // 60}, (), f"c{n}") for n in range(180)]
    open_collection("finds", place).upsert(rows)
    found = tuneclip.map_collection("finds", html=place / "map.html", project=place)
    points = np.array([[row["x"], row["y"]] for row in pq.read_table(found.points).to_pylist()])
    far = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert (far.argmin(axis=1) // 60 == np.arange(180) // 60).all()
    part = tuneclip.map_collection("finds", size=50, project=place)
    assert (part.projected, part.count, part.duplicates) == (50, 180, found.duplicates)
    tuneclip.map_collection("finds", project=place)
    again = np.array([[row["x"], row["y"]] for row in pq.read_table(found.points).to_pylist()])
    np.testing.assert_array_equal(again, points)
    page = (place / "map.html").read_text()
    script = page.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
