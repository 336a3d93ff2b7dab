"""The peers' own virtual environment: made once, made anew when its requirements change."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
BINARIES = "Scripts" if os.name == "nt" else "bin"


def peers_python(cache: Path) -> Path:
    """The interpreter of the environment in `cache`; the first call installs it, which takes minutes and a network."""
    folder = cache / "environment"
    python, done = folder / BINARIES / "python", folder / "requirements.txt"
    if done.is_file() and done.read_bytes() == REQUIREMENTS.read_bytes():
        return python
    print(f"installing the peers into {folder}", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(CONSTRAINTS)]
    torch = next(line for line in REQUIREMENTS.read_text().splitlines() if line.startswith("torch=="))
    for wanted in ([torch], ["--requirement", str(REQUIREMENTS)]):  # torch first, or a build for GPUs may come
        subprocess.run([*install, *wanted], check=True, stdout=sys.stderr)
    shutil.copy(REQUIREMENTS, done)
    return python
