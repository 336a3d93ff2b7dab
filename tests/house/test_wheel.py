"""The built wheel works without the repository."""

import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_brings_the_starter_and_the_templates(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    parts = (
        "model/starter/model.safetensors",
        "model/starter/tokenizer.json",
        "pipeline/train-and-embed.toml",
        "py.typed",
    )
    for needed in parts:
        assert f"tuneclip/{needed}" in names
    assert any(name.startswith("tuneclip/measure/templates/") for name in names)
    assert not [name for name in names if name.startswith(("tests", "training"))]


@pytest.mark.slow
def test_the_wheel_installed_alone_runs_doctor(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    # The libraries come from this environment; the .pth of its editable install is not read there.
    environment = os.environ | {"PYTHONPATH": site.getsitepackages()[0]}
    where = subprocess.run(
        [python, "-c", "import tuneclip; print(tuneclip.__file__)"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) in where.stdout
    command = [tmp_path / "venv" / "bin" / "tuneclip", "doctor"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "all of the core is here" in done.stdout
