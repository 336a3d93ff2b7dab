"""`tuneclip index` in a process whose largest memory is told: `python -m engines.indexing PROJECT`."""

import json
import resource
import sys
from pathlib import Path

from tuneclip.cli import main


def peak_memory() -> int:
    """The largest resident memory that this process has had, bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux hands the other figure down from the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def index(project: str) -> None:
    """Do what the command line does, and print a line with the largest memory besides."""
    try:
        main(["index", "finds", "--model", "starter", "--project", project, "--json"])
    except SystemExit as end:
        if end.code:
            raise
    print(json.dumps({"peak_memory_bytes": peak_memory()}))


if __name__ == "__main__":
    index(sys.argv[1])
