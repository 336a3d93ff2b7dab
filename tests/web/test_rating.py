"""Rating by the keyboard alone, in a real browser over a real server, to a classifier that classifies."""

import json
from pathlib import Path

import pytest
from browsing import browsing, grave_violations, needs_chromium
from serving import served

import tuneclip


def rated(project: Path, name: str) -> dict[str, float]:
    return json.loads((project / "classifiers" / f"{name}.json").read_text())["ratings"]


@needs_chromium
@pytest.mark.slow
def test_thirty_pictures_rated_by_keyboard_alone_become_a_classifier(project: Path) -> None:
    from playwright.sync_api import expect

    tuneclip.index("small", model="tiny", project=project)
    with (
        served(project, "small", "a red bowl", "--to", "bowls", verb="label") as (address, _),
        browsing(address) as (page, _),
    ):
        facts = page.locator("#facts")
        expect(page.locator("#grid button.tile.here").first).to_be_visible()
        for number in range(1, 7):
            expect(facts).to_contain_text(f"round {number}")
            for key in "51423":
                page.keyboard.press(key)
            expect(facts).to_contain_text("5 of 5 on this page")
            if number < 6:
                page.keyboard.press("n")
        page.keyboard.press("u")
        expect(facts).to_contain_text("29 rated in all")
        page.reload()
        expect(facts).to_contain_text("4 of 5 on this page")
        page.keyboard.press("5")
        expect(facts).to_contain_text("30 rated in all")
        expect(page.locator("#found img").first).to_be_visible()
        assert grave_violations(page) == []
        page.keyboard.press("d")
        expect(page.locator("#done")).to_contain_text("bowls is ready")
        expect(page.locator("#done code")).to_contain_text("tuneclip classify bowls --collection small")
        assert grave_violations(page) == []
    assert len(rated(project, "bowls")) == 30
    results = tuneclip.classify("bowls", collection="small", project=project).results
    assert [result.score for result in results] == sorted((result.score for result in results), reverse=True)
    assert len(results) == 36


def test_a_rating_the_page_could_not_make_is_refused(page, indexed: Path, tmp_path: Path) -> None:
    client, who = page(indexed), {"collection": "small", "prompt": "a red bowl", "to": "other"}
    headers = {"Origin": "http://127.0.0.1:8863"}
    for body in (
        {"id": "find-0", "value": 7},
        {"id": "find-0", "value": True},
        {"id": "nobody", "value": 1},
        {"value": 1},
        {},
    ):
        assert client.post("/api/rounds/rate", json=who | body, headers=headers).status_code == 400
    assert client.post("/api/rounds/dance", json=who, headers=headers).status_code == 400
    for wrong in ({"to": "../../escaped"}, {"to": ""}, {"collection": "/tmp/elsewhere"}, {"prompt": 3}):
        assert client.post("/api/rounds/open", json=who | wrong, headers=headers).status_code == 400


def test_a_name_is_made_from_the_prompt() -> None:
    from tuneclip.web.rating import name_of

    assert name_of(" Dogs in the snow! ") == "dogs-in-the-snow"
    with pytest.raises(tuneclip.TuneclipError, match="no name can be made"):
        name_of("?!")


def test_label_without_its_collection_serves_nothing(project: Path) -> None:
    with pytest.raises(tuneclip.TuneclipError, match="no collection 'nowhere'"):
        tuneclip.label("nowhere", "a bowl", project=project)
