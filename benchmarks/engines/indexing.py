"""`tuneclip index` in a process whose largest memory is told: `python -m engines.indexing PROJECT`."""

import json
import sys

from peers.memory import peak_memory
from tuneclip.cli import main


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
