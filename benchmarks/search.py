"""How fast and how right a search is, ours and the peers': python benchmarks/search.py [--quick] [--json] [--data DIR].

Vectors of 512 dimensions: embeddings of real pictures from `--data` (folders tiny-imagenet and fashion with parquet
files), varied to the number wanted (see `engines/prepare.py`); queries are pictures that are not among them and texts,
half and half. Without `--data` (or $DATA) the vectors are synthetic clusters, and `source` says so. Every engine runs
alone, in a process of its own, since two do not fit into memory at a million; files, queries and truth are the same.

- lancedb: the default collection, through `Collection.nearest`; hits come with metadata, which the peers don't give.
- exact: the same collection, every vector compared; numpy: the plain scan that it is held against.
- faiss: IVF, probed as widely as recall 0.95 needs; usearch: HNSW, its defaults; llm similar: as llm has it.
- `--store postgresql milvus`: the same collection there; a server is started for it and removed afterwards, as the
  tests do it. An address (`postgresql://…`) names one that runs; its collection `tuneclip-benchmark` is replaced.

Filter "1 %" lets one vector in a hundred through, "seen" every second one. `build_seconds` is what makes searching
fast, `write_seconds` what stores the rows; `memory_bytes` is what the process holds for itself (what it maps from files
not counted, nor what a server holds); `disk_bytes` is what was written, by a server with its journal (0 for one that
was not started here); `index` is what ours tells of itself. Times are warm, one query at a time.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engines.material import Material
from engines.prepare import prepare
from engines.servers import serving
from engines.worker import Task
from peers.environment import CACHE, peers_python

HERE = Path(__file__).parent
OURS, PEERS = ("lancedb", "exact", "numpy"), ("faiss", "usearch", "llm similar")
PACKAGES = HERE / "engines" / "engines.txt"
FEWER = {"usearch": 20_000, "llm similar": 20_000}  # vectors with --quick: building, or searching, takes too long
LATE_SECONDS = 210
"""With --quick no further peer begins after that long, so that a slow machine comes to an end in five minutes."""
SLOW = {"llm similar": 3}  # queries; each takes seconds


def rows_of(task: Task, python: str) -> list[dict[str, Any]]:
    """What one engine's process prints; none, and a message, if it cannot run here."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "LLM_USER_PATH": task.scratch}
    command = [python, "-m", "engines.worker", json.dumps(asdict(task))]
    done = subprocess.run(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{task.engine} at {task.n:,}: no result (status {done.returncode})", file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def measure(engine: str, material: Material, options: argparse.Namespace, scratch: str) -> list[dict[str, Any]]:
    """The rows of one engine, one for each filter that it knows."""
    name, _, store = engine.partition("=")
    python = str(peers_python(options.peers, PACKAGES)) if name in PEERS else sys.executable
    seconds = 30.0 if options.quick else 1800.0
    with serving(store) as (address, folder):
        queries = SLOW.get(name, 100)
        task = Task(name, str(material.folder), material.n, scratch, address, queries, seconds, server=folder)
        rows = rows_of(task, python)
    for row in rows:
        print(line(row), file=sys.stderr)
    return rows


def engines(options: argparse.Namespace) -> list[str]:
    """Names of engines; those of a store with its address, or with the kind of server that is to be started."""
    stores = [f"{store.partition(':')[0]}={store}" for store in options.store]
    return [*OURS, *stores, *(() if options.no_peers else PEERS)]


def line(row: dict[str, Any]) -> str:
    """A row for people."""
    sizes = f"memory {row['memory_bytes'] / 1e6:,.0f} MB, disk {row['disk_bytes'] / 1e6:,.0f} MB"
    times = f"p50 {row['p50_ms']:.1f} ms, p95 {row['p95_ms']:.1f} ms, build {row['build_seconds']:.1f} s"
    name = f"{row['engine']:12} {row['n']:>9,} {row['filter'] or '-':>5}"
    return f"{name}  recall@10 {row['recall@10']:.3f}, {times}, {sizes}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 vectors, slow peers fewer; within five minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA"), help="folder of data sets ($DATA)")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of vectors (100000 1000000)")
    stores = "stores of ours to measure too: postgresql or milvus (a server is started), or an address"
    parser.add_argument("--store", nargs="+", action="extend", default=[], help=stores)
    parser.add_argument("--no-peers", action="store_true", help="only ours")
    parser.add_argument("--peers", type=Path, default=CACHE, metavar="DIR", help=f"where the peers live ({CACHE})")
    options = parser.parse_args()
    data = options.data if options.data and (options.data / "tiny-imagenet" / "train.parquet").is_file() else None
    if data is None:
        print("no data: the vectors are synthetic clusters", file=sys.stderr)
    rows: list[dict[str, Any]] = []
    began = time.monotonic()
    for n in options.sizes or ((100_000,) if options.quick else (100_000, 1_000_000)):
        with tempfile.TemporaryDirectory(prefix="tuneclip-search-") as scratch:
            for engine in engines(options):
                if options.quick and engine in PEERS and time.monotonic() - began > LATE_SECONDS:
                    print(f"{engine}: left out, it is late", file=sys.stderr)
                    continue
                size = min(n, FEWER.get(engine, n)) if options.quick else n
                material = prepare(options.peers, data, size, 2400 if options.quick else 9000)
                rows += measure(engine, material, options, scratch)
    result = {"rows": rows, "source": material.source, "processor": platform.processor(), "cores": os.cpu_count()}
    print(json.dumps(result) if options.json else "\n".join(map(line, rows)))


if __name__ == "__main__":
    main()
