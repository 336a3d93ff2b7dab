"""Imports go one way, and importing changes nothing."""

import ast
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import tuneclip

PACKAGE = Path(tuneclip.__file__).parent
ORDER = ["errors", "records", "settings", "project", "progress", "pages", "archive"]
ORDER += ["data", "model", "training", "vectors", "learn", "measure", "web"]
ORDER += ["verbs", "pipeline", "start", "cli", "__init__", "__main__"]
"""From the bottom to the top: a room imports only from those before it."""
HEAVY = ("torch", "transformers", "lancedb", "pyarrow", "matplotlib", "PIL", "numpy", "rich", "jinja2")


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its room"
            names = [f"tuneclip.{a.name}" for a in node.names] if node.module == "tuneclip" else [node.module or ""]
        rooms |= {name.split(".")[1] for name in names if name.startswith("tuneclip.")}
    return rooms & set(ORDER)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_never_up(path: Path) -> None:
    assert room(path) in ORDER, f"{room(path)} has no place in the order yet"
    own = ORDER.index(room(path))
    assert not [name for name in imported_rooms(path) if ORDER.index(name) > own]


@pytest.mark.parametrize("module", ["tuneclip", "tuneclip.cli"])
def test_importing_the_package_or_its_command_line_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*[n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_help_answers_within_300_milliseconds() -> None:
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "tuneclip", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.3, f"{seconds} seconds of processor time, which other work on the machine does not lengthen"
