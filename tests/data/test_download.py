"""The verb `download`, against a real server with bad habits."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from drawn import draw, lines, picture_bytes
from server import Pictures, serving

import tuneclip
from tuneclip.cli import main
from tuneclip.data.address import Guard, PrivateAddressError
from tuneclip.data.fetch import Fetcher, Limits, RefusedError, part_of
from tuneclip.data.links import link_column
from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError

QUICK = {"allow_private": True, "wait_seconds": 0.02}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pictures]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with serving() as running:
        yield running


@pytest.fixture
def archive(tmp_path: Path, server: Pictures) -> Callable[..., Any]:
    """Imports a JSON list of finds whose pictures lie at these paths of the server; returns the import's result."""

    def make(*paths: str, **options: Any) -> Any:
        rows = [
            {"id": f"find {n}", "title": f"coin {n}", "picture": {"url": path if "://" in path else server.url + path}}
            for n, path in enumerate(paths)
        ]
        (tmp_path / "archive.json").write_text(json.dumps(rows))
        return tuneclip.import_dataset(tmp_path / "archive.json", to="finds", project=tmp_path, **options)

    return make


def fetch(project: Path, **options: Any) -> tuple[Any, Dataset]:
    result = tuneclip.download("finds", project=project, **(QUICK | options))
    return result, tuneclip.open_dataset("finds", project)


def contents(folder: Path) -> dict[str, bytes]:
    found = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return {name: data for name, data in found.items() if not name.startswith(".download")}


def reason_of(archive: Callable[..., Any], project: Path, path: str, **options: Any) -> str:
    """Why the picture at `path` does not come, beside one that does."""
    archive("/ok/1", path)
    result, _ = fetch(project, **options)
    assert (result.taken, result.skipped, result.failed[0].id) == (1, 1, "find 1")
    row = lines(project / "datasets/finds/pending.jsonl")[0]
    assert (row["id"], row["reason"]) == ("find 1", result.failed[0].reason)
    return str(row["reason"])


def test_a_hundred_pictures_called_default_get_names_of_their_own(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    imported = archive(*[f"/ok/{n}/full/max/0/default.jpg" for n in range(100)])
    assert (imported.taken, imported.pending, imported.skipped) == (0, 100, 0)
    result, dataset = fetch(tmp_path)
    assert (result.taken, result.skipped, result.already, sum(result.splits.values())) == (100, 0, 0, 100)
    assert [record.id for record in dataset.records] == [f"find {n}" for n in range(100)]
    assert dataset.records[42].picture == "pictures/find-42.jpg"
    assert dataset.picture_path(dataset.records[42]).read_bytes() == picture_bytes(42, size=(160, 120))
    assert dataset.records[42].metadata["picture.url"] == server.url + "/ok/42/full/max/0/default.jpg"
    assert sorted(contents(dataset.path))[:3] == ["README.md", "dataset.json", "metadata.jsonl"]
    assert server.most_active <= 4
    assert {headers["user-agent"].split("/")[0] for _, headers in server.asked} == {"tuneclip"}


def test_links_without_ids_get_distinct_names_too(tmp_path: Path, server: Pictures) -> None:
    rows = [{"title": f"coin {n}", "image_url": f"{server.url}/ok/{n}/default.jpg"} for n in range(12)]
    (tmp_path / "archive.json").write_text(json.dumps(rows))
    tuneclip.import_dataset(tmp_path / "archive.json", to="finds", project=tmp_path)
    _, dataset = fetch(tmp_path)
    assert len({record.picture for record in dataset.records}) == len({record.id for record in dataset.records}) == 12
    for number, record in enumerate(dataset.records):
        assert dataset.picture_path(record).read_bytes() == picture_bytes(number, size=(160, 120))


def test_records_with_a_file_keep_it_and_the_order_stays(tmp_path: Path, server: Pictures) -> None:
    draw(tmp_path / "source/a.jpg")
    rows = [
        {"file": name, "title": f"coin {n}", "picture_url": f"{server.url}/ok/{n}.jpg"}
        for n, name in enumerate(["gone.jpg", "a.jpg", None])
    ]
    (tmp_path / "source/finds.json").write_text(json.dumps(rows))
    imported = tuneclip.import_dataset(tmp_path / "source/finds.json", to="finds", project=tmp_path)
    assert (imported.taken, imported.pending) == (1, 2)
    assert len(tuneclip.open_dataset("finds", tmp_path).records) == 1
    result, dataset = fetch(tmp_path)
    assert (result.taken, result.already) == (2, 1)
    assert [record.captions[0] for record in dataset.records] == ["coin 0", "coin 1", "coin 2"]


def test_the_result_does_not_depend_on_what_arrives_first(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    paths = [f"/{'ill' if n % 3 == 0 else 'ok'}/{n}" for n in range(9)]
    archive(*paths)
    fetch(tmp_path, retries=0)
    pending = tmp_path / "datasets/finds/pending.jsonl"
    pending.write_text(pending.read_text().replace("/ill/", "/ok/"))
    result, dataset = fetch(tmp_path)
    assert (result.taken, result.already) == (3, 6)
    assert [record.id for record in dataset.records] == [f"find {n}" for n in range(9)]
    assert not pending.exists()


def test_run_again_takes_only_what_is_missing(archive: Callable[..., Any], server: Pictures, tmp_path: Path) -> None:
    archive("/ok/1", "/gone/2", "/ok/3")
    first, _ = fetch(tmp_path)
    server.asked.clear()
    again, dataset = fetch(tmp_path)
    assert (first.taken, first.skipped) == (2, 1)
    assert (again.taken, again.skipped, again.already, len(dataset.records)) == (0, 1, 2, 2)
    assert [path for path, _ in server.asked] == ["/gone/2"]


def test_the_same_import_again_keeps_what_was_fetched(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    archive("/ok/1", "/gone/2", "/ok/3")
    fetch(tmp_path)
    again = archive("/ok/9", "/gone/2", "/ok/3", "/ok/4")  # one more find, and one with another picture
    assert (again.taken, again.pending) == (1, 3)
    server.asked.clear()
    result, dataset = fetch(tmp_path)
    assert (result.taken, result.already, result.skipped) == (2, 1, 1)
    assert sorted(path for path, _ in server.asked) == ["/gone/2", "/ok/4", "/ok/9"]
    assert dataset.picture_path(dataset.records[0]).read_bytes() == picture_bytes(9, size=(160, 120))


def test_a_sample_is_drawn_before_anything_is_fetched_and_fetched_alone(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    archive(*[f"/ok/{n}" for n in range(30)])
    tuneclip.sample("finds", to="few", size=5, project=tmp_path)
    result = tuneclip.download("few", project=tmp_path, **QUICK)
    assert (result.taken, len(server.asked), len(tuneclip.open_dataset("few", tmp_path).records)) == (5, 5, 5)


def test_a_dataset_without_any_picture_yet_says_what_is_to_do(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive("/ok/1")
    with pytest.raises(TuneclipError, match=r"still to be fetched.*Next: tuneclip download finds"):
        tuneclip.open_dataset("finds", tmp_path).split("train")


def test_a_dataset_with_all_its_pictures_has_nothing_to_fetch(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    archive("/ok/1")
    _, dataset = fetch(tmp_path)
    before = contents(dataset.path)
    result, _ = fetch(tmp_path)
    assert (result.taken, result.skipped, result.already, len(server.asked)) == (0, 0, 1, 1)
    assert contents(dataset.path) == before


def test_a_connection_that_breaks_off_is_gone_on_with(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    archive("/breaks/7")
    _, dataset = fetch(tmp_path)
    assert dataset.picture_path(dataset.records[0]).read_bytes() == picture_bytes(7, size=(160, 120))
    asked = [headers for _, headers in server.asked]
    assert (asked[1]["if-range"], len(asked)) == ('"one"', 2)
    assert int(asked[1]["range"].removeprefix("bytes=").removesuffix("-")) > 100


@pytest.mark.parametrize(("path", "number"), [("/changes/7", 99), ("/forgets/7", 7), ("/lies/7", 7)])
def test_what_cannot_be_gone_on_with_is_fetched_whole(
    archive: Callable[..., Any], tmp_path: Path, path: str, number: int
) -> None:
    archive(path)
    _, dataset = fetch(tmp_path)
    assert dataset.picture_path(dataset.records[0]).read_bytes() == picture_bytes(number, size=(160, 120))


@pytest.mark.parametrize("path", ["/busy/1", "/dated/1"])
def test_a_server_that_asks_for_patience_gets_it(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path, path: str
) -> None:
    archive(path)
    began = time.monotonic()
    result, _ = fetch(tmp_path)
    assert result.taken == 1
    assert time.monotonic() - began >= 0.9
    assert server.seen[path] == 2


def test_a_host_that_wants_no_more_is_left_alone(archive: Callable[..., Any], server: Pictures, tmp_path: Path) -> None:
    archive(*[f"/closed/{n}" for n in range(40)])
    with pytest.raises(TuneclipError, match=r"none of 40 pictures arrived: 429 Too Many Requests \(40\)"):
        fetch(tmp_path)
    assert len(server.asked) <= 4


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/gone/2", "404 Not Found"),
        ("/page/2", "an HTML page, not a picture"),
        ("/json/2", "a JSON document, not a picture"),
        ("/empty/2", "the picture file is empty"),
        ("/torn/2", "damaged picture"),
        ("/huge/2", "larger than the limit of 2 MB"),
        ("/long/2", "larger than the limit of 2 MB"),
        ("/loop/2", "more than 10 redirects"),
        ("/file/2", "not an http(s) address: file:"),
        ("http://127.0.0.1:port/2", "not a web address"),
    ],
)
def test_what_will_not_come_is_asked_for_once_and_its_reason_kept(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path, path: str, reason: str
) -> None:
    assert reason_of(archive, tmp_path, path, max_megabytes=2).startswith(reason)
    assert server.seen[path] == {"/loop/2": 11, "http://127.0.0.1:port/2": 0}.get(path, 1)
    assert not list((tmp_path / "datasets/finds/.download").glob("*.part"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/ill/2", "500 Internal Server Error"), ("/short/2", "the connection broke off")],
)
def test_what_may_come_is_tried_again_as_often_as_allowed(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path, path: str, reason: str
) -> None:
    assert reason_of(archive, tmp_path, path, retries=2) == reason
    assert server.seen[path] == 3


def test_a_picture_that_drips_is_given_up(archive: Callable[..., Any], tmp_path: Path) -> None:
    assert reason_of(archive, tmp_path, "/drip/2", max_seconds=0.3, retries=0) == "not complete after 0.3 s"


def test_redirects_and_wrong_content_types_do_no_harm(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive("/moved/5", "/mislabelled/6", "/slow/7")
    _, dataset = fetch(tmp_path)
    held = [dataset.picture_path(record).read_bytes() for record in dataset.records]
    assert held == [picture_bytes(number, size=(160, 120)) for number in (5, 6, 7)]


def test_private_addresses_are_refused_unless_allowed(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    archive("/ok/1", server.url.replace("127.0.0.1", "localhost") + "/ok/2")
    with pytest.raises(TuneclipError, match="a private address") as error:
        fetch(tmp_path, allow_private=False)
    assert "--allow-private" in str([row["reason"] for row in lines(tmp_path / "datasets/finds/pending.jsonl")])
    assert "\n" not in str(error.value)
    assert server.asked == []


def test_a_redirect_into_a_private_network_is_refused(server: Pictures, tmp_path: Path) -> None:
    guard = Guard((ip_network("127.0.0.1/32"),))
    fetcher = Fetcher(Limits(), guard, threading.Event())
    part = part_of(tmp_path, "x")
    assert fetcher.fetch(server.url + "/moved/1", part) is False
    with pytest.raises(RefusedError, match=r"a private address, .*: 127\.0\.0\.2"):
        fetcher.fetch(server.url + "/inside/1", part)
    fetcher.close()


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "169.254.169.254", "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "0.0.0.0",
     "100.64.0.1", "224.0.0.1", "2002:7f00:1::"],
)  # fmt: skip
def test_every_kind_of_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(PrivateAddressError):
        Guard().check(address, address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e"])
def test_public_addresses_pass(address: str) -> None:
    Guard().check(address, address)


def test_the_proxy_of_the_environment_is_used_but_not_into_private_networks(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    archive("http://archive.invalid/ok/5", "http://10.0.0.1/ok/6")
    result, _ = fetch(tmp_path, allow_private=False)
    assert (result.taken, server.asked[0][0]) == (1, "http://archive.invalid/ok/5")
    assert result.failed[0].reason.startswith("a private address")
    assert len(server.asked) == 1


def test_a_host_that_is_not_there_is_not_asked_for_ever(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive(*[f"http://127.0.0.1:1/{n}.jpg" for n in range(60)])
    began = time.monotonic()
    with pytest.raises(TuneclipError, match=r"none of 60 pictures arrived: no connection \(60\)"):
        fetch(tmp_path, wait_seconds=0.1)
    assert time.monotonic() - began < 5


def test_records_on_one_link_share_a_group_and_get_a_file_each(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path
) -> None:
    archive("/ok/1", "/ok/1", "/ok/2")
    result, dataset = fetch(tmp_path)
    assert (result.taken, len({record.picture for record in dataset.records})) == (3, 3)
    assert dataset.records[0].group == dataset.records[1].group != dataset.records[2].group
    assert server.seen["/ok/1"] == 1


def test_rows_of_one_link_without_ids_become_one_record_with_all_captions(tmp_path: Path, server: Pictures) -> None:
    rows = "".join(f"{server.url}/ok/{n}.jpg,caption {n} {m}\n" for n in range(2) for m in range(5))
    (tmp_path / "captions.csv").write_text("image,caption\n" + rows)
    imported = tuneclip.import_dataset(tmp_path / "captions.csv", to="finds", project=tmp_path)
    assert (imported.pending, imported.merged) == (2, 8)
    _, dataset = fetch(tmp_path)
    assert dataset.records[1].captions == tuple(f"caption 1 {m}" for m in range(5))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("when", [1, 12])
def test_a_killed_download_goes_on_and_ends_the_same(
    archive: Callable[..., Any], server: Pictures, tmp_path: Path, when: int
) -> None:
    paths = [f"/slow/{n}/default.jpg" for n in range(24)]
    archive(*paths)
    process = start(tmp_path)
    wait_for(process, tmp_path, when)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    time.sleep(0.3)  # until the server has noticed
    here = len(list((tmp_path / "datasets/finds/pictures").glob("[!.]*")))
    server.asked.clear()
    result, dataset = fetch(tmp_path)
    assert (result.taken, len(server.asked)) == (24, 24 - here)
    killed = contents(dataset.path)
    (dataset.path).rename(tmp_path / "other")
    archive(*paths)
    fetch(tmp_path)
    assert contents(dataset.path) == killed


def start(project: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tuneclip", "download", "finds", "--allow-private", "--project", str(project)]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else a child of a background shell ignores it
    try:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(process: "subprocess.Popen[str]", project: Path, pictures: int) -> None:
    while process.poll() is None and len(list((project / "datasets/finds/pictures").glob("[!.]*"))) < pictures:
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_an_interrupted_download_keeps_what_has_arrived(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive(*[f"/slow/{n}" for n in range(40)])
    process = start(tmp_path)
    wait_for(process, tmp_path, 6)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode not in (0, -signal.SIGINT)
    assert "are kept" in said
    assert 6 <= len(tuneclip.open_dataset("finds", tmp_path).records) < 40


def test_a_kill_between_metadata_and_the_list_of_the_rest_doubles_nothing(
    archive: Callable[..., Any], tmp_path: Path
) -> None:
    archive("/ok/0", "/gone/1", "/ok/2", "/ok/3")
    pending = tmp_path / "datasets/finds/pending.jsonl"
    before = pending.read_text()
    _, dataset = fetch(tmp_path)
    state = contents(dataset.path)
    pending.write_text(before)  # as a kill just before its renewal leaves it
    result, dataset = fetch(tmp_path)
    assert (result.taken, result.already) == (0, 3)
    assert contents(dataset.path) == state


def test_only_one_process_downloads_into_a_dataset(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive(*[f"/slow/{n}" for n in range(30)])
    process = start(tmp_path)
    wait_for(process, tmp_path, 1)
    with pytest.raises(TuneclipError, match="another process"):
        fetch(tmp_path)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_json_has_the_contract_and_people_get_the_reasons(
    archive: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive("/ok/1", "/gone/2", "/gone/3", "/page/4")
    command = ["download", "finds", "--allow-private", "--project", str(tmp_path)]
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as stop:
            main([*command, *more])
        assert not stop.value.code
        written = capsys.readouterr().out
        if more:
            answer = json.loads(written)
            assert set(answer) >= {"dataset", "path", "taken", "skipped", "splits", "already", "failed"}
            assert set(answer["failed"][0]) >= {"id", "url", "reason"}
        else:
            assert "2  404 Not Found" in " ".join(written.split("\n")).replace("     ", "")
            assert "an HTML page" in written


def test_nothing_arrived_exits_one(
    archive: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive("/gone/1", "/gone/2")
    with pytest.raises(SystemExit) as stop:
        main(["download", "finds", "--allow-private", "--project", str(tmp_path)])
    assert stop.value.code == 1
    assert "none of 2 pictures arrived: 404 Not Found (2)" in capsys.readouterr().err


def test_an_unknown_dataset_names_those_there_are(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive("/ok/1")
    with pytest.raises(TuneclipError, match="datasets here: finds"):
        tuneclip.download("fnds", project=tmp_path)


def test_a_password_in_a_link_is_not_shown(archive: Callable[..., Any], server: Pictures, tmp_path: Path) -> None:
    archive("/ok/1", server.url.replace("//", "//me:secret@") + "/gone/2")
    result, _ = fetch(tmp_path)
    assert "secret" not in result.failed[0].url


def test_the_column_of_links_is_found_by_name_and_by_what_it_holds() -> None:
    page, picture = "https://a.org/finds/1", "https://a.org/1/default.jpg"
    assert link_column({"url": [page], "picture.url": [page]}) == "picture.url"
    assert link_column({"url": [page], "scan": [picture]}) == "scan"
    assert link_column({"thumbnail_url": [picture], "media.url": [[picture, picture]]}) == "media.url"
    assert link_column({"homepage": [page], "image": ["a.jpg"], "image_url": ["s3://a/1.jpg"]}) is None


def test_the_column_of_links_can_be_named(tmp_path: Path, server: Pictures) -> None:
    row = {"title": "a coin", "image_url": f"{server.url}/gone/1", "best": f"{server.url}/ok/2"}
    (tmp_path / "archive.json").write_text(json.dumps([row]))
    tuneclip.import_dataset(tmp_path / "archive.json", to="finds", url="best", project=tmp_path)
    assert fetch(tmp_path)[0].taken == 1


def test_a_list_that_leads_out_of_the_dataset_is_refused(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive("/ok/1")
    pending = tmp_path / "datasets/finds/pending.jsonl"
    pending.write_text(pending.read_text().replace("pictures/find-0", "../../find"))
    with pytest.raises(TuneclipError, match="cannot be a picture's name"):
        fetch(tmp_path)


def test_a_torn_list_names_the_line(archive: Callable[..., Any], tmp_path: Path) -> None:
    archive("/ok/1", "/ok/2")
    pending = tmp_path / "datasets/finds/pending.jsonl"
    pending.write_text(pending.read_text()[:-40])
    with pytest.raises(TuneclipError, match=r"pending\.jsonl, line 2"):
        fetch(tmp_path)


def test_failures_for_good_are_no_error_where_other_records_have_pictures(
    archive: Callable[..., Any], tmp_path: Path
) -> None:
    archive("/ok/1", "/gone/2", "/ill/3")
    fetch(tmp_path, retries=0)
    assert fetch(tmp_path, retries=0)[0].skipped == 2
    pending = tmp_path / "datasets/finds/pending.jsonl"
    pending.write_text(pending.read_text().replace("/gone/", "/ill/"))
    with pytest.raises(TuneclipError, match="none of 2 pictures arrived"):
        fetch(tmp_path, retries=0)
