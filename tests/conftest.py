"""Tiny real things that every room tests with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tiny import save_dataset, save_tiny


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache is a folder of the test session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.delenv("TUNECLIP_ENCODER", raising=False)
        yield folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, own_cache: Path) -> Path:
    """A folder with a tiny random CLIPModel, its tokenizer and processor, as transformers saves them.

    Its fast encoder lies in the session's cache, where copies of the model find it too.
    """
    from tuneclip.model.open import load_model
    from tuneclip.model.ready import make_ready
    from tuneclip.project import Project

    folder = save_tiny(tmp_path_factory.mktemp("models") / "tiny", "clip")
    assert make_ready(load_model(folder), Project(tmp_path_factory.mktemp("nowhere")))
    return folder


@pytest.fixture(scope="session")
def tiny_siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the SigLIP family."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny-siglip", "siglip")


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 drawn pictures of 4 colours and 3 shapes with two captions each: 24 to train on, 12 to validate."""
    return save_dataset(tmp_path_factory.mktemp("datasets") / "small")


@pytest.fixture
def project(tmp_path: Path, small_dataset: Path, tiny_model: Path) -> Path:
    """A project folder with the dataset `small` and the model `tiny`."""
    import shutil

    shutil.copytree(small_dataset, tmp_path / "datasets" / "small")
    shutil.copytree(tiny_model, tmp_path / "models" / "tiny")
    return tmp_path
