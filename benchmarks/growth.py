"""How `tuneclip index` grows: python benchmarks/growth.py [--quick] [--json] [--data DIR] [--sizes N …].

For each size a fresh project, and in it the verb as a process of its own, with the starter: once when all pictures are
new, once when nothing has changed. The pictures are those of tiny-imagenet (below `--data` or $DATA), else drawn ones,
as JPEG files; where there are too few, each stands in several files with another comment, so that no two files are
equal and every one is read, decoded and embedded. They are imported beforehand, which is not counted.

`startup_seconds` is the same process with 16 pictures: importing, opening the model, making the table. Without it
`seconds_per_1000` should be the same at every size, within a tenth; `ratio` is to the smallest size.
`peak_memory_bytes` is the largest resident memory of the process (Linux: VmHWM); `memory_ratio` is to the smallest
size. The second run's are `again_seconds` and `again_memory_bytes`. `processor_seconds` are for machines that do other
work beside. Sizes up to 1,000 are measured three times: medians.
"""

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pyarrow import parquet

import tuneclip

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (1_000, 10_000)
FEW = 16  # pictures whose indexing is all but start-up
WARM = 300  # pictures that are enough to choose between int8 and float32
ROUNDS, SMALL = 3, 1_000  # sizes up to SMALL are measured so often
DRAWN, SIDE = 500, 64
PACKED = 256  # pictures read at once


def encoded(data: Path | None) -> Iterator[bytes]:
    """JPEG pictures, again and again, none equal to another."""
    number = 0
    while True:
        for picture in _real(data) if data else _drawn():
            yield _marked(picture, f"copy {number}")
            number += 1


def _real(data: Path) -> Iterator[bytes]:
    with parquet.ParquetFile(data) as file:
        for batch in file.iter_batches(PACKED, columns=["image"]):
            yield from (picture["bytes"] for picture in batch.column("image").to_pylist())


def _drawn() -> Iterator[bytes]:
    """Soft shapes with grain, about as large on the disk as photographs of that size."""
    random = np.random.default_rng(0)
    for _ in range(DRAWN):
        soft = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((SIDE, SIDE))
        grain = random.normal(0, 6, (SIDE, SIDE, 1))
        file = io.BytesIO()
        Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=88)
        yield file.getvalue()


def _marked(picture: bytes, comment: str) -> bytes:
    """The picture with a comment segment (ITU-T T.81, B.2.4.5) behind its first marker."""
    text = comment.encode()
    return picture[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + picture[2:]


def make_project(folder: Path, count: int, data: Path | None) -> None:
    """A project with the dataset `finds` of so many pictures; their sources are removed."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        source = Path(place) / "finds"
        source.mkdir()
        with (source / "metadata.jsonl").open("w") as file:
            for number, picture in enumerate(islice(encoded(data), count)):
                path = source / f"{number // 1000:03}" / f"{number:06}.jpg"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(picture)
                row = {"file_name": path.relative_to(source).as_posix(), "text": f"find {number} with a wave"}
                file.write(json.dumps({**row, "site": f"trench {number % 40}", "depth": number % 300}) + "\n")
        tuneclip.import_dataset(source, to="finds", project=folder)


def index(folder: Path) -> dict[str, Any]:
    """What `tuneclip index` says, with the seconds that its process took and its largest memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "engines.indexing", str(folder)]
    done = subprocess.run(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, check=True, text=True)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told, peak = (json.loads(line) for line in done.stdout.splitlines())
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor_seconds": worked, "added": told["added"], **peak}


def measure(count: int, data: Path | None, scratch: Path) -> dict[str, Any]:
    """Both runs at one size, the medians of several if it is small."""
    rounds = []
    for number in range(ROUNDS if count <= SMALL else 1):
        with tempfile.TemporaryDirectory(dir=scratch) as place:
            make_project(Path(place), count, data)
            new, again = index(Path(place)), index(Path(place))
        if (new["added"], again["added"]) != (count, 0):
            raise SystemExit(f"{new['added']} of {count} pictures were indexed, then {again['added']}")
        print(f"{count:,} pictures, round {number + 1}: {new['seconds']:.1f} s", file=sys.stderr)
        repeated = {"again_seconds": again["seconds"], "again_memory_bytes": again["peak_memory_bytes"]}
        rounds.append({**new, **repeated})
    names = [name for name in rounds[0] if name != "added"]
    return {"pictures": count, **{name: statistics.median(each[name] for each in rounds) for name in names}}


def measure_all(sizes: list[int], data: Path | None) -> dict[str, Any]:
    """Every size, and how it compares with the smallest."""
    with tempfile.TemporaryDirectory(prefix="tuneclip-growth-") as place:
        with tempfile.TemporaryDirectory(dir=place) as first:  # makes the fast encoder ready, and chooses its precision
            make_project(Path(first), WARM, data)
            index(Path(first))
        least = measure(FEW, data, Path(place))
        rows = [measure(count, data, Path(place)) for count in sorted(sizes)]
    for row in rows:
        for name in ("seconds", "processor_seconds"):
            row[f"{name}_per_1000"] = 1000 * (row[name] - least[name]) / (row["pictures"] - FEW)
        row["ratio"] = row["seconds_per_1000"] / rows[0]["seconds_per_1000"]
        row["memory_ratio"] = row["peak_memory_bytes"] / rows[0]["peak_memory_bytes"]
    kind = "tiny-imagenet" if data else "drawn"
    machine = {"pictures_are": kind, "cores": os.cpu_count()}
    return {
        **machine,
        "startup_seconds": least["seconds"],
        "startup_memory_bytes": least["peak_memory_bytes"],
        "rows": rows,
    }


def show(result: dict[str, Any]) -> None:
    """A table for people."""
    print(f"start-up: {result['startup_seconds']:.1f} s, {result['startup_memory_bytes'] / 2**20:,.0f} MiB")
    print(f"{'pictures':>9} {'seconds':>9} {'s/1,000':>9} {'ratio':>6} {'peak MiB':>9} {'ratio':>6} {'again s':>8}")
    for row in result["rows"]:
        times = f"{row['seconds']:>9.1f} {row['seconds_per_1000']:>9.2f} {row['ratio']:>6.2f}"
        memory = f"{row['peak_memory_bytes'] / 2**20:>9,.0f} {row['memory_ratio']:>6.2f}"
        print(f"{row['pictures']:>9,} {times} {memory} {row['again_seconds']:>8.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 pictures; within five minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA"), help="folder of data sets ($DATA)")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of pictures (1000 10000 100000)")
    options = parser.parse_args()
    data = options.data / "tiny-imagenet" / "train.parquet" if options.data else None
    sizes = options.sizes or (QUICK_SIZES if options.quick else SIZES)
    result = measure_all(list(sizes), data if data and data.is_file() else None)
    if options.json:
        print(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
