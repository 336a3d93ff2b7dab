"""The page as a real server in a second process."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOME = "http://127.0.0.1:8863"


@contextmanager
def served(project: Path, *arguments: str, verb: str = "serve") -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """A real server on a free port in a second process; gives the address that it tells."""
    command = [sys.executable, "-m", "tuneclip", verb, *arguments, "--port", "0", "--project", str(project)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        told = process.stderr.readline() if process.stderr else ""
        found = re.search(r"http://\S+", told)
        assert found, told + (process.stderr.read() if process.stderr and process.poll() is not None else "")
        yield found[0], process
    finally:
        process.kill()
        process.communicate()
