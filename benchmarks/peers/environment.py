"""The peers' own virtual environment: made once, made anew when its requirements change."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
CACHE = Path.home() / ".cache" / "tuneclip-benchmarks"
"""Where the benchmarks keep what takes minutes to make."""
BINARIES = "Scripts" if os.name == "nt" else "bin"


def peers_python(cache: Path, requirements: Path = REQUIREMENTS) -> Path:
    """The interpreter of an environment in `cache` with what the file of requirements names.

    The first call installs it, which takes a network and, for the models' peers, minutes.
    """
    folder = cache / ("environment" if requirements == REQUIREMENTS else f"environment-{requirements.stem}")
    python, done = folder / BINARIES / "python", folder / "requirements.txt"
    if done.is_file() and done.read_bytes() == requirements.read_bytes():
        return python
    print(f"installing the peers into {folder}", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(CONSTRAINTS)]
    torch = [line for line in requirements.read_text().splitlines() if line.startswith("torch==")]
    for wanted in (torch, ["--requirement", str(requirements)]):  # torch first, or a build for GPUs may come
        if wanted:
            subprocess.run([*install, *wanted], check=True, stdout=sys.stderr)
    shutil.copy(requirements, done)
    return python
