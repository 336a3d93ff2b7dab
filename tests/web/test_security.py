"""Who may talk to the page, and what it gives away: nothing but pictures by id, and only to this machine."""

import re
from pathlib import Path

import pytest
from serving import HOME

SAME = {"Origin": HOME}


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "evil.example:8863", "[::2]", ""]
)
def test_a_foreign_host_is_refused(page, indexed: Path, host: str) -> None:
    for path in ("/", "/api/search?collection=small", "/static/page.css"):
        assert page(indexed).get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:8863"])
def test_this_machines_own_names_are_answered(page, indexed: Path, host: str) -> None:
    assert page(indexed).get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1", "http://localhost:8863"])
def test_a_write_from_another_origin_is_refused(page, indexed: Path, origin: str) -> None:
    asked = {"Origin": origin} if origin else {}
    assert page(indexed).post("/api/pictures", json={"data": ""}, headers=asked).status_code == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_write_that_is_not_json_is_refused(page, indexed: Path, kind: str) -> None:
    answer = page(indexed).post("/api/pictures", content='{"data": ""}', headers=SAME | {"Content-Type": kind})
    assert answer.status_code == 415


def test_another_site_may_link_here_but_not_read_or_embed(page, indexed: Path) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert page(indexed).get("/", headers=foreign | {"Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert (
        page(indexed).get("/api/search?collection=small", headers=foreign | {"Sec-Fetch-Mode": "cors"}).status_code
        == 403
    )
    assert (
        page(indexed).get("/", headers={"Origin": "http://evil.example"}).headers.get("access-control-allow-origin")
        is None
    )


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/../../../../etc/passwd",
        "/pictures/collections/..%2f..%2fetc?id=passwd",
        "/pictures/collections/small?id=../../../etc/passwd",
        "/pictures/collections/small?id=/etc/passwd",
        "/pictures/datasets/small?id=pictures/000.png",
        "/pictures/datasets/..?id=find-0",
        "/pictures/dropped/..%2f..%2fetc%2fpasswd",
        "/pictures/collections//tmp?id=x",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/reports/%2e%2e",
        "/reports/..%2f..%2fetc",
        "/pictures/collections/small?id=",
        "/pictures/collections/small",
        "/pictures/collections/%00?id=x",
    ],
)
def test_only_what_a_collection_names_is_given_out(page, indexed: Path, path: str) -> None:
    answer = page(indexed).get(path)
    assert 400 <= answer.status_code < 500
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_a_picture_is_given_by_its_id_made_anew_and_cached_by_its_tag(page, indexed: Path) -> None:
    client = page(indexed)
    first = client.get("/pictures/collections/small?id=find-0")
    assert first.status_code == 200
    assert first.content.startswith(b"\xff\xd8")
    assert first.headers["content-type"] == "image/jpeg"
    again = client.get("/pictures/collections/small?id=find-0", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content
    assert client.get("/pictures/datasets/small?id=find-0").content == first.content


def test_the_camera_s_position_does_not_leave_and_its_orientation_is_heeded(
    page, indexed: Path, tmp_path: Path
) -> None:
    import base64
    import io

    from PIL import Image

    image, exif = Image.new("RGB", (40, 20), "red"), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"
    held = io.BytesIO()
    image.save(held, "JPEG", exif=exif)
    body = {"data": base64.b64encode(held.getvalue()).decode()}
    key = page(indexed).post("/api/pictures", json=body, headers=SAME).json()["picture"]
    given = page(indexed).get(f"/pictures/dropped/{key}")
    assert b"where I live" not in given.content
    assert Image.open(io.BytesIO(given.content)).size == (20, 40)


@pytest.mark.parametrize("data", ["", "not base64!", "aGVsbG8=", 7, None])
def test_a_dropped_thing_that_is_no_picture_is_refused_in_words(page, indexed: Path, data: object) -> None:
    answer = page(indexed).post("/api/pictures", json={"data": data}, headers=SAME)
    assert answer.status_code == 400
    assert answer.json()["what"]


def test_the_policy_lets_nothing_run_or_load_but_our_own_files(page, indexed: Path) -> None:
    for path in ("/", "/compare", "/label", "/project", "/nowhere", "/api/search?collection=small"):
        policy = page(indexed).get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
    assert page(indexed).get("/").headers["x-content-type-options"] == "nosniff"


def test_no_page_holds_a_script_or_a_style_of_its_own(page, indexed: Path) -> None:
    for path in ("/", "/compare", "/label", "/project", "/nowhere"):
        text = page(indexed).get(path).text
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", text)


def test_what_a_person_typed_is_escaped(page, indexed: Path) -> None:
    prompt = "<script>alert(1)</script>\"'"
    answer = page(indexed).get("/label", params={"prompt": prompt, "collection": "small", "to": prompt})
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_without_the_token_nothing_is_given(page, indexed: Path) -> None:
    client = page(indexed, token="secret", local=False)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "tuneclip-token=wrong"}):
        for path in (
            "/",
            "/static/page.css",
            "/api/search?collection=small",
            "/?token=wrong",
            "/pictures/collections/small?id=find-0",
        ):
            assert client.get(path, headers=headers).status_code == 401
    assert (
        client.get("/", headers={"Authorization": "Bearer secret", "Host": "a-name-in-the-network"}).status_code == 200
    )


def test_the_token_of_the_address_becomes_a_cookie_and_leaves_the_address(page, indexed: Path) -> None:
    client = page(indexed, token="secret", local=False)
    answer = client.get("/?words=a+bowl&token=secret", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?words=a+bowl"
    assert {"HttpOnly", "SameSite=strict"} <= set(answer.headers["set-cookie"].split("; "))
    assert client.get("/").status_code == 200


def test_a_report_runs_no_script(page, project: Path) -> None:
    folder = project / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<script>alert(1)</script>")
    policy = page(project).get("/reports/one").headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
