"""The search views: what the server answers, and what a person at a real browser sees."""

from pathlib import Path

import pytest
from browsing import browsing, grave_violations, needs_chromium
from serving import HOME, served


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["hits"]]


def test_words_find_what_the_verb_search_finds(page, indexed: Path) -> None:
    import tuneclip

    found = tuneclip.search("small", "a red clay bowl", k=7, where="split = 'train'", project=indexed)
    asked = {"collection": "small", "words": "a red clay bowl", "k": 7, "where": "split = 'train'"}
    assert ids(page(indexed).get("/api/search", params=asked)) == [hit.id for hit in found.hits]


def test_more_like_this_leaves_out_the_picture_itself(page, indexed: Path) -> None:
    found = ids(page(indexed).get("/api/search?collection=small&like=find-5&k=3"))
    assert len(found) == 3
    assert "find-5" not in found


def test_a_dropped_picture_finds_its_like_after_a_restart_too(page, indexed: Path) -> None:
    import base64

    data = base64.b64encode((indexed / "datasets/small/pictures/005.png").read_bytes()).decode()
    key = page(indexed).post("/api/pictures", json={"data": data}, headers={"Origin": HOME}).json()["picture"]
    hits = page(indexed).get(f"/api/search?collection=small&picture={key}").json()["hits"]
    assert hits[0]["score"] > 0.99


def test_what_is_taken_away_falls(page, indexed: Path) -> None:
    client = page(indexed)
    before = ids(client.get("/api/search?collection=small&like=find-2&k=36"))
    after = ids(client.get("/api/search?collection=small&like=find-2&unlike=find-24&k=36"))
    assert "find-24" not in after
    assert after.index("find-12") > before.index("find-12")  # the same shape in the same colour


def test_filters_hold_together_and_without_words_too(page, indexed: Path) -> None:
    asked = {"collection": "small", "where": ["colour = 'red'", "shape = 'coin'"]}
    assert sorted(ids(page(indexed).get("/api/search", params=asked))) == ["find-1", "find-13", "find-25"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("collection=nowhere", "no collection 'nowhere'"),
        ("collection=small&where=colur = 1", "unknown field 'colur'"),
        ("collection=small&where=1) or (1=1", "filter"),
        ("collection=small&k=0", "cannot be shown"),
        ("collection=small&k=²", "cannot be shown"),
        ("collection=small&like=nobody", "there is no 'nobody'"),
        ("collection=small&minus=bowl", "only what is not wanted"),
        ("collection=small&picture=../../x", "no longer kept"),
        ("collection=small&like=find-0&unlike=find-0&like=find-0", ""),
        ("", "name"),
    ],
)
def test_what_cannot_be_answered_is_told_in_words(page, indexed: Path, asked: str, said: str) -> None:
    answer = page(indexed).get(f"/api/search?{asked}")
    assert answer.status_code in (200, 400)
    assert said in answer.text


def test_a_picture_that_has_gone_leaves_the_others_to_be_seen(page, project: Path) -> None:
    import tuneclip

    tuneclip.index("small", model="tiny", project=project)
    (project / "datasets/small/pictures/003.png").unlink()
    client = page(project)
    hits = {hit["id"]: hit["width"] for hit in client.get("/api/search?collection=small").json()["hits"]}
    assert hits["find-3"] is None
    assert hits["find-4"] == 48
    assert client.get("/pictures/collections/small?id=find-3").status_code == 404


@needs_chromium
@pytest.mark.slow
def test_a_search_by_keyboard_has_an_address_that_reload_and_back_keep(home: str) -> None:
    from playwright.sync_api import expect

    with browsing(home) as (page, _):
        tiles = page.locator("#grid button.tile")
        expect(tiles).to_have_count(36)
        page.keyboard.press("/")
        page.keyboard.type("a red bowl")
        page.keyboard.press("Enter")
        expect(page.locator("#facts")).to_contain_text("36 of 36 · by tiny")
        assert "words=a+red+bowl" in page.url
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        detail = page.locator("#detail")
        expect(detail).to_be_visible()
        title = detail.locator("h2").inner_text()
        assert grave_violations(page) == []
        page.reload()
        expect(detail.locator("h2")).to_have_text(title)
        page.keyboard.press("Escape")
        expect(detail).to_be_hidden()
        detail_closed = page.url
        page.keyboard.press("m")
        expect(page.locator(".chip.like")).to_be_visible()
        page.keyboard.press("u")
        expect(page.locator(".chip.words")).to_have_text("+a red bowl")
        assert page.url.split("&open")[0] == detail_closed.split("&open")[0]
        page.keyboard.press("?")
        expect(page.locator("#key-map")).to_contain_text("more like this")
        assert grave_violations(page) == []


@needs_chromium
@pytest.mark.slow
def test_chips_can_be_turned_and_removed_and_a_value_becomes_a_filter(home: str) -> None:
    from playwright.sync_api import expect

    with browsing(f"{home}?collection=small&words=a+bowl&words=green") as (page, seen):
        expect(page.locator(".chip.words")).to_have_count(2)
        page.get_by_role("button", name="Take away green").click()
        expect(page.locator(".chip.minus")).to_contain_text("green")
        page.get_by_role("button", name="Remove green").click()
        expect(page.locator(".chip")).to_have_count(1)
        page.locator("#grid button.tile").first.click()
        colour = page.locator("#detail dd").first.inner_text()
        page.locator("#detail dd button").first.click()
        expect(page.locator("#filters .chip code")).to_have_text(f"colour = '{colour}'")
        expect(page.locator("#grid button.tile")).to_have_count(9)
        page.locator("#condition").fill("number > 1000")
        page.keyboard.press("Enter")
        expect(page.locator("#problem")).to_contain_text("No picture passes the filter")
        page.locator("#condition").fill("numbr = 1")
        page.keyboard.press("Enter")
        expect(page.locator("#problem")).to_contain_text("unknown field 'numbr'")
        assert [line for line in seen.complaints if "400" not in line] == []  # Chromium itself tells of the refusal
        seen.complaints.clear()


@needs_chromium
@pytest.mark.slow
def test_a_picture_is_dropped_on_the_page_and_back_takes_it_away(home: str) -> None:
    from playwright.sync_api import expect

    dropping = """async (source) => {
        const blob = await (await fetch(source)).blob();
        const transfer = new DataTransfer();
        transfer.items.add(new File([blob], "dropped.jpg", {type: "image/jpeg"}));
        for (const kind of ["dragenter", "dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
    }"""
    with browsing(f"{home}?collection=small") as (page, _):
        expect(page.locator("#facts")).to_contain_text("36 pictures")
        page.evaluate(dropping, "/pictures/collections/small?id=find-7")
        expect(page.locator(".chip.picture")).to_have_count(1)
        expect(page.locator("#facts")).to_contain_text("36 of 36")
        page.reload()
        expect(page.locator(".chip.picture")).to_have_count(1)
        page.keyboard.press("u")
        expect(page.locator(".chip.picture")).to_have_count(0)


@needs_chromium
@pytest.mark.slow
def test_axe_finds_nothing_serious_in_any_view_light_or_dark(home: str) -> None:
    searched = "?collection=small&words=a+bowl&minus=coin&where=colour+%3D+'red'"
    with browsing(home) as (page, _):
        for path in ("", searched, "compare?words=a+bowl", "label", "project"):
            page.goto(home + path)
            page.wait_for_load_state("networkidle")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert grave_violations(page) == [], (path, scheme)


@needs_chromium
@pytest.mark.slow
def test_a_picked_picture_is_looked_for_and_captions_are_only_text(project: Path) -> None:
    from playwright.sync_api import expect

    import tuneclip

    metadata = project / "datasets/small/metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("a red clay bowl", "<img src=x onerror=alert(1)><b>bowl"))
    tuneclip.index("small", model="tiny", project=project)
    with served(project) as (address, _), browsing(address) as (page, _):
        page.locator("#pick").set_input_files(project / "datasets/small/pictures/000.png")
        expect(page.locator(".chip.picture img")).to_be_visible()
        expect(page.locator("#grid button.tile .caption", has_text="<img src=x").first).to_be_attached()
        assert page.locator("#grid .caption img, #grid .caption b").count() == 0
