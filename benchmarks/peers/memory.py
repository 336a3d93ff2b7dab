"""How much memory a process has had."""

import resource
import sys
from pathlib import Path


def peak_memory() -> int:
    """The largest resident memory that this process has had, bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux hands the other figure down from the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
