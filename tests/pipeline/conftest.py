"""A project in which the pipeline has run once, made once for all tests."""

import shutil
from pathlib import Path

import pytest
from small_run import QUICK, settings

import tuneclip


@pytest.fixture(scope="session")
def ran_once(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, tiny_model: Path) -> Path:
    root = tmp_path_factory.mktemp("ran")
    shutil.copytree(small_dataset, root / "datasets" / "small")
    shutil.copytree(tiny_model, root / "models" / "tiny")
    (root / "tuneclip.toml").write_text(QUICK)
    result = tuneclip.run(set=settings(), project=root)
    assert [step.status for step in result.steps] == ["done"] * 3
    return root


@pytest.fixture
def ran(ran_once: Path, tmp_path: Path) -> Path:
    """A copy of that project, to go on with."""
    return Path(shutil.copytree(ran_once, tmp_path / "project"))
