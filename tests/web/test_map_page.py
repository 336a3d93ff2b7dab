"""The page of a map as a person at a real browser sees it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from browsing import browsing, grave_violations, needs_chromium
from serving import served

from tuneclip.project import Project
from tuneclip.vectors.collection import Origin, Row, open_collection
from tuneclip.vectors.map_collection import Mapped
from tuneclip.vectors.map_lists import Duplicates, Neighbour, Outlier
from tuneclip.vectors.map_page import write_map_page
from tuneclip.vectors.map_pairs import Pairs
from tuneclip.vectors.map_store import About, Chart, write_chart


def draw_page(root: Path, dataset: Path) -> Path:
    """The page of a map of four pictures, one in the middle, made without a model or PaCMAP; the map is stored too."""
    collection = open_collection("finds", root, origin=Origin("tiny", "f", 4, "small", str(dataset)))
    names = [f"f{n}" for n in range(4)]
    ware = ["clay", "clay", "bronze", "bronze"]
    rows = [Row(names[n], np.eye(4)[n], f"pictures/{n:03}.png", {"ware": ware[n]}, (f"find {n}",)) for n in range(4)]
    collection.upsert(rows)
    places = np.array([[0, 0], [1, 1], [0.5, 0.5], [0, 1]], np.float32)
    pairs = Pairs(np.zeros((4, 1), np.int32), np.zeros((4, 1), np.float32), np.array([0, 0, -1, -1]), np.ones(1))
    about = About("finds", "tiny", "f", "k", 4, None, None, 0.99, 0.2, "pacmap", 100, 0)
    paths = tuple(str(dataset / row.path) for row in rows)
    twins = (Duplicates(("f0", "f1"), paths[:2], 0.9987, False),)
    far = (Outlier("f3", paths[3], 0.7, (Neighbour("f2", 0.3),)),)
    told = {"count": 4, "projected": 4, "method": "pacmap", "seconds": 1.0, "points": "p", "unchanged": False}
    given = {
        "collection": "finds",
        "model": "tiny",
        "fingerprint": "f",
        "where": None,
        "threshold": 0.99,
        "random": 0.2,
    }
    mapped = Mapped(**told, **given, duplicates=twins, outliers=far)
    write_chart(Project(root).map("finds"), Chart(about, tuple(names), pairs, places))
    write_map_page(root / "map.html", mapped, Chart(about, tuple(names), pairs, places), collection, root=root)
    return root / "map.html"


@needs_chromium
def test_points_answer_mouse_and_keyboard_and_the_lists_are_text(tmp_path: Path, small_dataset: Path) -> None:
    with browsing(draw_page(tmp_path, small_dataset).as_uri()) as (page, _):
        box = page.locator("#map").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert page.locator("#card").inner_text().split() == ["find", "2", "f2"]
        with page.expect_popup() as opened:
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert opened.value.url.endswith("pictures/002.png")
        page.locator("#field").select_option(label="ware")
        assert page.locator("#legend").inner_text().split("\n") == ["bronze (2)", "clay (2)"]
        page.locator("#words").fill("FIND 3")
        assert page.locator("#found").inner_text() == "1 of 4"
        page.locator("#map").press("+")
        assert "cosine 0.9987 · 2 pictures" in page.inner_text("body")
        assert "cosine 0.300" in page.inner_text("body")
        assert grave_violations(page) == []


@needs_chromium
def test_the_server_shows_the_stored_map_and_says_when_it_is_stale(tmp_path: Path, small_dataset: Path) -> None:
    draw_page(tmp_path, small_dataset)
    with served(tmp_path, "--no-open") as (home, _), browsing(f"{home}project") as (page, _):
        page.get_by_role("link", name="map").click()
        box = page.locator("#map").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.locator("#card img").wait_for()
        page.locator("#card img").evaluate("picture => picture.decode()")
        assert page.locator("#card").inner_text().split() == ["find", "2", "f2"]
        assert "The collection has changed since this map was made" in page.inner_text("body")


def test_a_map_that_is_not_there_is_not_found(page: Callable[..., Any], tmp_path: Path) -> None:
    open_collection("finds", tmp_path, origin=Origin("tiny", "f", 4)).upsert([Row("a", np.ones(4), "a.png")])
    assert page(tmp_path).get("/maps/finds").status_code == 404
    assert ">map</a>" not in page(tmp_path).get("/project").text
