"""Servers that are away, that come back, that want another password: one clear line each, and work goes on."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import numpy as np
import pytest
from backends import BACKENDS, named, parameters
from servers import MILVUS_PASSWORD, PASSWORD, PostgresServer, free_port

from tuneclip.errors import TuneclipError
from tuneclip.vectors import milvus, milvus_index, milvus_server, postgres_index, postgres_server
from tuneclip.vectors.collection import Origin, Row, open_collection

ORIGIN = Origin("tiny", "0123456789abcdef", 64, "finds")


def some(first: int, last: int) -> list[Row]:
    return [Row(f"find {n}", np.eye(64)[n % 64] + n / 1000, f"{n}.jpg", {"number": n}) for n in range(first, last)]


@pytest.mark.parametrize("name", parameters([each.name for each in BACKENDS.values() if each.restarts]))
def test_work_goes_on_after_the_server_was_killed_and_came_back(name, request, tmp_path: Path, monkeypatch):
    collection = BACKENDS[name].open(tmp_path, request, ORIGIN)
    server = request.getfixturevalue(name)
    collection.upsert(some(0, 20))
    pages = collection.iterate(8)
    next(pages)
    server.kill()
    try:
        for module in (milvus_server, postgres_server):
            monkeypatch.setattr(module, "RESTART_SECONDS", 0.5)
        with pytest.raises(TuneclipError, match=r"server cannot be reached .*Next: see that the server runs"):
            collection.count()
    finally:
        monkeypatch.undo()
        server.start()
    collection.upsert(some(10, 40))
    assert collection.count() == len(collection.contents()) == 40
    assert collection.nearest(np.eye(64)[30], 1, where="number >= 25")[0].id == "find 30"
    assert sum(map(len, pages)) >= 12


def test_a_password_in_the_address_is_used_but_never_kept(postgres: PostgresServer, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("PGPASSWORD")
    full = postgres.uri.replace("tuneclip@", f"tuneclip:{quote(PASSWORD, safe='')}@")
    collection = open_collection(named(tmp_path), tmp_path, store=full, origin=ORIGIN)
    collection.upsert(some(0, 3))
    assert collection.store == postgres.uri
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert postgres.uri in kept
    assert PASSWORD not in kept
    assert quote(PASSWORD, safe="") not in kept
    with pytest.raises(TuneclipError, match=r"wants a password .*Next: set PGPASSWORD"):
        open_collection(named(tmp_path), tmp_path)
    (tmp_path / ".env").write_text(f"PGPASSWORD='{PASSWORD}'\n")
    assert open_collection(named(tmp_path), tmp_path).count() == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("tuneclip@", "tuneclip:secret@"), "wrong user or password"),
        (("tuneclip@", "nobody:secret@"), "wrong user or password"),
        (("/finds", "/nowhere?password=p@ss/wörd"), "there is no such database on the server"),
        (("127.0.0.1:{port}", "me:secret@127.0.0.1:{free}"), "the server cannot be reached"),
        (
            ("127.0.0.1:{port}", "me:secret@127.0.0.1:port"),
            "the PostgreSQL address cannot be read|cannot be reached|refused",
        ),
        (("finds", "finds?sslmode=secret"), "cannot be read|refused|lost"),
    ],
)
def test_what_keeps_a_server_from_opening_is_one_line_without_a_password(postgres, tmp_path, change, message):
    old, new = (part.format(port=postgres.port, free=free_port()) for part in change)
    with pytest.raises(TuneclipError, match=message) as caught:
        open_collection("finds", tmp_path, store=postgres.uri.replace(old, new, 1), origin=ORIGIN)
    assert "secret" not in str(caught.value).replace("sslmode=secret", "")
    assert PASSWORD not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_of_somebody_else_is_left_alone(postgres: PostgresServer, tmp_path: Path):
    import psycopg

    with psycopg.connect(postgres.uri, autocommit=True) as connection:
        connection.execute("create table tuneclip_taken (id int)")
    with pytest.raises(TuneclipError, match=r"a table 'tuneclip_taken', but it is no collection.*another name"):
        open_collection("taken", tmp_path, store=postgres.uri, origin=ORIGIN)


def random_vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2000, 64))


def random_rows() -> list[Row]:
    return [Row(f"find {n}", vector, f"{n}.jpg", {"number": n % 100}) for n, vector in enumerate(random_vectors())]


def measured_from_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milvus, "MEASURED_FROM", 1000)
    monkeypatch.setattr(postgres_index, "EXACT_BELOW", 1000)


@pytest.mark.parametrize("name", parameters(["postgres", "milvus"]))
def test_an_index_tells_what_it_was_measured_to_find_also_to_who_opens_it_later(name, tmp_path, monkeypatch, request):
    measured_from_a_thousand(monkeypatch)
    collection = BACKENDS[name].open(tmp_path, request, ORIGIN)
    collection.upsert(random_rows())
    before = collection.searching()
    assert (before.kind if before else "not measured") == {"postgres": "exact", "milvus": "not measured"}[name]
    collection.optimize()
    told = collection.searching()
    assert (told.kind, told.recall >= 0.95, told.candidates >= 40, told.seconds > 0) == ("hnsw", True, True, True)
    assert (told.bytes or 2000 * 64 * 4) >= 2000 * 64 * 4
    assert BACKENDS[name].open(tmp_path, request, ORIGIN).searching() == told
    measured: list[int] = []
    for module in (milvus_index, postgres_index):
        monkeypatch.setattr(module, "wide_enough", lambda *_: measured.append(1) or (100, 0.99))
    collection.upsert(some(0, 1))
    collection.optimize()
    assert (collection.searching(), measured) == (told, [])
    collection.upsert([replace(row, id=f"more {row.id}") for row in random_rows()])
    collection.optimize()
    assert (collection.searching().candidates, measured) == (100, [1])
    assert len(collection.sample(500)) == 500


def test_a_collection_of_an_older_version_is_measured_by_the_next_index(postgres, tmp_path, monkeypatch, request):
    import psycopg

    monkeypatch.setattr(postgres_index, "EXACT_BELOW", 1000)
    collection = BACKENDS["postgres"].open(tmp_path, request, ORIGIN)
    collection.upsert(random_rows())
    collection.optimize()
    with psycopg.connect(postgres.uri, autocommit=True) as connection:
        connection.execute("alter table tuneclip_collections drop recall, drop seconds, drop measured")
    older = BACKENDS["postgres"].open(tmp_path, request, ORIGIN)
    assert (older.searching(), len(older.nearest(random_vectors()[0], 10))) == (None, 10)
    older.optimize()
    told = older.searching()
    assert (told.kind, told.recall >= 0.95, told.seconds) == ("hnsw", True, None)


@pytest.mark.parametrize("name", parameters(["postgres", "milvus"]))
def test_an_index_finds_what_comparing_all_finds_also_under_a_filter(name, tmp_path: Path, monkeypatch, request):
    measured_from_a_thousand(monkeypatch)
    collection, vectors = BACKENDS[name].open(tmp_path, request, ORIGIN), random_vectors()
    collection.upsert(random_rows())
    exact = [[hit.id for hit in collection.nearest(query, 10)] for query in vectors[:20] + 0.5]
    rare = [hit.id for hit in collection.nearest(vectors[0], 15, where="number = 7")]
    collection.optimize()
    found = [[hit.id for hit in collection.nearest(query, 10)] for query in vectors[:20] + 0.5]
    hits = sum(len(set(a) & set(b)) for a, b in zip(exact, found, strict=True))
    assert hits >= 190
    assert len(set(rare) & {hit.id for hit in collection.nearest(vectors[0], 15, where="number = 7")}) >= 14
    assert len(collection.nearest(vectors[0], 2000)) == 2000


@pytest.mark.parametrize("name", parameters(["postgres", "milvus"]))
def test_searches_are_right_while_two_processes_make_the_index(name, tmp_path: Path, monkeypatch, request):
    measured_from_a_thousand(monkeypatch)
    collection, vectors = BACKENDS[name].open(tmp_path, request, ORIGIN), random_vectors()
    collection.upsert(random_rows())
    makers = [Thread(target=BACKENDS[name].open(tmp_path, request, ORIGIN).optimize) for _ in range(2)]
    for maker in makers:
        maker.start()
    searches = 0
    while any(maker.is_alive() for maker in makers):
        number = searches % len(vectors)
        hits = collection.nearest(vectors[number], 10)
        assert (hits[0].id, len({hit.id for hit in hits})) == (f"find {number}", 10)
        searches += 1
    assert (searches > 0, collection.count(), collection.searching().kind) == (True, 2000, "hnsw")


def test_a_full_disk_of_the_server_is_one_clear_line(postgres: PostgresServer, tmp_path: Path, request):
    import psycopg

    folder = postgres.folder.parent / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.name != "posix" or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a small file system here")
    try:
        shutil.chown(folder, postgres.folder.owner())
        with psycopg.connect(postgres.uri, autocommit=True) as connection:
            connection.execute(f"create tablespace small location '{folder}'")
            connection.execute("alter role tuneclip set default_tablespace = small")
        collection = BACKENDS["postgres"].open(tmp_path, request, ORIGIN)
        collection.upsert(some(0, 500))
        with pytest.raises(TuneclipError, match=r"the server's disk is full.*Next: free some space on the server"):
            collection.upsert(some(500, 20_000))
        assert collection.count() == 500
    finally:
        with psycopg.connect(postgres.uri, autocommit=True) as connection:
            connection.execute("alter role tuneclip reset default_tablespace")
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_milvus_file_that_another_process_has_open_is_one_clear_line(tmp_path: Path, request):
    import sys

    BACKENDS["milvus-lite"].open(tmp_path, request, ORIGIN)
    worker = Path(__file__).parent / "worker.py"
    command = [sys.executable, str(worker), "search", str(tmp_path), "finds", f"milvus://{tmp_path}/milvus.db"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "TuneclipError: another process has this Milvus file open" in done.stderr


def test_a_milvus_server_that_is_away_is_one_clear_line_without_its_key(tmp_path: Path):
    with pytest.raises(TuneclipError, match="the server cannot be reached") as caught:
        open_collection("finds", tmp_path, store=f"milvus://me:secret@127.0.0.1:{free_port()}", origin=ORIGIN)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "token", "message"),
    [
        ("root@", "wrong", "wrong user or password"),
        ("nobody@", "Milvus", "wrong user or password"),
        ("", "root:wrong", "wrong user or password"),
        ("root@", "", "the server wants a password"),
        ("", "", "the server wants a password"),
    ],
)
@pytest.mark.slow
@pytest.mark.alone
def test_a_wrong_or_missing_password_of_milvus_is_one_line(milvus, user, token, message, tmp_path, monkeypatch):
    monkeypatch.setenv("MILVUS_TOKEN", token)
    with pytest.raises(TuneclipError, match=rf"{message} .*Next: set MILVUS_TOKEN") as caught:
        open_collection("finds", tmp_path, store=milvus.uri.replace("root@", user), origin=ORIGIN)
    assert "wrong:" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.alone
def test_a_password_in_the_address_of_milvus_is_used_but_never_kept(milvus, tmp_path, monkeypatch):
    monkeypatch.delenv("MILVUS_TOKEN")
    full = milvus.uri.replace("root@", f"root:{MILVUS_PASSWORD}@")
    collection = open_collection(named(tmp_path), tmp_path, store=full, origin=ORIGIN)
    collection.upsert(some(0, 3))
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert (collection.store, milvus.uri in kept, MILVUS_PASSWORD in kept) == (milvus.uri, True, False)
    with pytest.raises(TuneclipError, match=r"wants a password .*Next: set MILVUS_TOKEN"):
        open_collection(named(tmp_path), tmp_path)
    (tmp_path / ".env").write_text(f"MILVUS_TOKEN=root:{MILVUS_PASSWORD}\n")
    assert open_collection(named(tmp_path), tmp_path).count() == 3


def test_full_text_finds_captions_and_metadata_also_under_a_filter(tmp_path: Path, request):
    collection = BACKENDS["postgres"].open(tmp_path, request, ORIGIN)
    one = Row("one", np.eye(64)[0], "1.jpg", {"ware": "bucchero", "year": 300}, ("a black jug",))
    two = Row("two", np.eye(64)[1], "2.jpg", {"ware": "clay"}, ("a jug", "ein Krug"))
    collection.upsert([one, two])
    assert collection.matching("jug bucchero", 5) == ["one", "two"]
    assert collection.matching("KRUG", 5) == ["two"]
    assert collection.matching("jug", 5, "ware ilike 'CL%'") == ["two"]
    assert collection.matching("jug", 1, "ware != 'x'") == ["one"]
    assert collection.matching("' & |", 5) == []
