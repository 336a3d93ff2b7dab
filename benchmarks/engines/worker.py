"""One engine in a process of its own: `python -m engines.worker '{"engine": …}'` builds, searches, prints its rows."""

import importlib
import json
import resource
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.material import FILTERS, Material

MODULES = {"lancedb": "ours", "exact": "ours", "numpy": "plain", "faiss": "faiss_ivf", "usearch": "usearch_hnsw"}
MODULES |= {"llm similar": "llm_similar", **dict.fromkeys(("postgresql", "postgres", "milvus", "milvus+https"), "ours")}
WARM = 5


@dataclass(frozen=True)
class Task:
    """What a worker does."""

    engine: str
    folder: str
    n: int
    scratch: str
    store: str = ""
    queries: int = 100
    seconds: float = 300.0
    """After that long a build or the searches of one filter end."""
    server: str = ""
    """The folder of the store's server, if it was started for this task."""


@dataclass(frozen=True)
class Row:
    """One line of the result."""

    engine: str
    n: int
    filter: str | None
    recall: float
    p50_ms: float
    p95_ms: float
    build_seconds: float
    write_seconds: float
    memory_bytes: int
    disk_bytes: int
    index: dict[str, Any] | None = None
    """What a collection of ours tells of how it searches."""

    def as_dict(self) -> dict[str, Any]:
        """With the name that the contract has for recall."""
        return {("recall@10" if name == "recall" else name): value for name, value in asdict(self).items()}


def resident() -> int:
    """Bytes of memory that are this process's own; what it maps from files can be dropped at any time."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def disk(folder: Path) -> int:
    """Bytes of the files in a folder; some may go while they are counted."""
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def main(task: Task) -> None:
    """Build the engine, search with every filter that it knows, print a row for each."""
    material = Material(Path(task.folder), task.n, "")
    module = importlib.import_module(f"engines.{MODULES[task.engine]}")
    queries = material.queries()[: task.queries]
    engine = module.Engine(task, material)
    before = resident()
    write_seconds, build_seconds = engine.build()
    for name in FILTERS:
        if not engine.knows(name):
            continue
        truth = material.truth(name)
        for query in queries[: min(WARM, task.queries - 1)]:
            engine.search(query, name)
        times, recalls = [], []
        began = time.monotonic()
        for query, right in zip(queries, truth, strict=False):
            start = time.perf_counter()
            found = engine.search(query, name)
            times.append(1000 * (time.perf_counter() - start))
            recalls.append(len(set(right.tolist()) & set(found)) / len(right))
            if time.monotonic() - began > task.seconds:
                break
        p50, p95 = np.percentile(times, [50, 95])
        figures = (round(float(np.mean(recalls)), 4), round(float(p50), 2), round(float(p95), 2))
        sizes = (resident() - before, engine.disk())
        seconds = (round(build_seconds, 2), round(write_seconds, 2))
        row = Row(task.engine, task.n, name, *figures, *seconds, *sizes, index=getattr(engine, "told", None))
        print(json.dumps(row.as_dict()), flush=True)


if __name__ == "__main__":
    main(Task(**json.loads(sys.argv[1])))
