"""How fast `import` is and how much memory it takes: python benchmarks/import.py [--quick] [--json].

Draws noise pictures of 64 × 64 pixels with a nested JSON list of metadata in a temporary folder, imports each size in a
process of its own, and prints records a second, the processor's seconds (for machines that do other work beside) and
the peak of resident memory: for 10,000 and 100,000 records, with `--quick` for 2,000 and 10,000. Memory should not grow
with the number of records.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import tuneclip

SIZES, QUICK_SIZES = (10_000, 100_000), (2_000, 10_000)
SIDE = 64  # pixels


def draw(folder: Path, count: int) -> Path:
    """Noise pictures in folders of a thousand, and `finds.json`, a nested list of records that names them."""
    random = np.random.default_rng(1)
    with (folder / "finds.json").open("w") as file:
        for number in range(count):
            path = folder / f"photos/{number // 1000:03}/{number:06}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(path, quality=80)
            record = {
                "picture": {"file": path.relative_to(folder).as_posix()},
                "title": f"find {number} of clay, with a wave and {number % 89} dots",
                "object": {"material": ("clay", "bronze", "glass")[number % 3], "weight": number / 7},
                "context": {"site": f"trench {number % 40}", "depth": number % 300},
            }
            file.write(("[" if number == 0 else ",") + json.dumps(record))
        file.write("]")
    return folder / "finds.json"


def measure(source: Path) -> dict[str, Any]:
    """Import one source in this process: seconds, and the peak of resident memory."""
    with tempfile.TemporaryDirectory() as project:
        start, worked = time.perf_counter(), time.process_time()
        result = tuneclip.import_dataset(source, to="finds", project=project)
        seconds, worked = time.perf_counter() - start, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "records": result.taken,
        "source_bytes": source.stat().st_size,
        "seconds": seconds,
        "processor_seconds": worked,
        "records_per_second": result.taken / seconds,
        "peak_memory_bytes": peak,
    }


def measure_apart(count: int) -> dict[str, Any]:
    """The same in a fresh process, so that each size has a peak of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = draw(Path(folder), count)
        command = [sys.executable, __file__, "--source", str(source)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    row: dict[str, Any] = json.loads(answer)
    return row


def main() -> None:
    """Measure every size and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 and 10,000 records")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.source:
        print(json.dumps(measure(options.source)))
        return
    rows = [measure_apart(count) for count in (QUICK_SIZES if options.quick else SIZES)]
    growth = rows[-1]["peak_memory_bytes"] / rows[0]["peak_memory_bytes"]
    if options.json:
        print(json.dumps({"quick": options.quick, "rows": rows, "memory_growth": growth}))
        return
    print(f"{'records':>9} {'seconds':>9} {'processor':>9} {'records/s':>10} {'peak MiB':>9}")
    for row in rows:
        peak = row["peak_memory_bytes"] / 2**20
        times = f"{row['seconds']:>9.1f} {row['processor_seconds']:>9.1f}"
        print(f"{row['records']:>9,} {times} {row['records_per_second']:>10,.0f} {peak:>9.0f}")
    print(f"{rows[-1]['records'] / rows[0]['records']:.0f} times the records take {growth:.2f} times the memory")


if __name__ == "__main__":
    main()
