"""Two processes write, a third searches, one is killed again and again: nothing is lost, doubled or wrong."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from backends import BACKENDS, named, parameters
from worker import BASE, MORE, ORIGIN, row

WORKER = Path(__file__).parent / "worker.py"
SECONDS = float(os.environ.get("TUNECLIP_KILL_SECONDS", "4"))
"""How long; two minutes find what seconds do not."""


def start(task: str, root: Path, store: str | None) -> subprocess.Popen[str]:
    command = [sys.executable, str(WORKER), task, str(root), named(root), store or ""]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


@pytest.mark.parametrize("name", parameters([each.name for each in BACKENDS.values() if each.processes]))
def test_writers_that_are_killed_leave_every_row_once_and_no_search_goes_wrong(name, request, tmp_path: Path):
    backend = BACKENDS[name]
    store = backend.store(tmp_path, request)
    collection = backend.open(tmp_path, request, ORIGIN)
    collection.upsert([row(number) for number in range(BASE)])
    searcher, *writers = [start(task, tmp_path, store) for task in ("search", "write", "write")]
    deadline, kills = time.monotonic() + SECONDS, 0
    while time.monotonic() < deadline or kills < 2:
        victim = kills % 2
        assert writers[victim].stdout.readline() == "wrote\n", writers[victim].stderr.read()
        time.sleep(random.uniform(0, 0.3))
        writers[victim].kill()
        writers[victim].communicate()
        writers[victim], kills = start("write", tmp_path, store), kills + 1
    (tmp_path / "end").touch()
    for writer in writers:
        end(writer)
    searches = int(end(searcher).splitlines()[-1])
    met = Counter(found.id for batch in collection.iterate(50) for found in batch)
    print(f"{name}: {kills} kills, {searches} searches, {SECONDS:.0f} s")
    assert searches > 0
    assert set(met.values()) == {1}
    assert len(met) == collection.count() == len(collection.contents()) == BASE + MORE
    found = collection.nearest(row(BASE).vector, BASE + MORE)
    assert len({hit.id for hit in found}) == len(found) == BASE + MORE
