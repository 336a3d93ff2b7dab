"""A small drawn dataset, and two tiny models that differ, in one project."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tuneclip.project import Project

COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "white": (240, 240, 235), "black": (20, 20, 20)}


def write_dataset(folder: Path, captions: list[list[str]], split: str = "test") -> Path:
    """A dataset of flat coloured pictures, two of a group, with these captions."""
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for i, own in enumerate(captions):
        colour = list(COLOURS.values())[i % len(COLOURS)]
        Image.new("RGB", (40 + i, 60), colour).save(folder / f"pictures/{i:03}.png")
        row = {
            "file_name": f"pictures/{i:03}.png",
            "text": own[0] if own else "",
            "captions": own,
            "id": f"find-{i:03}",
        }
        rows.append(row | {"group": f"series-{i // 2}", "split": split, "metadata": {"number": i}})
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "dataset.json").write_text("{}")
    return folder


def finds(count: int = 24) -> list[list[str]]:
    return [[f"{list(COLOURS)[i % 4]} bowl {i % 10}", f"find {i}"] for i in range(count)]


@pytest.fixture
def project(tmp_path: Path, two_models: Path) -> Project:
    """A project with the models `first` and `second` and the dataset `finds`."""
    write_dataset(tmp_path / "datasets/finds", finds())
    (tmp_path / "models").symlink_to(two_models)
    return Project(tmp_path)


@pytest.fixture(scope="session")
def compared(two_models: Path, tmp_path_factory: pytest.TempPathFactory):
    """What `compare` returns for `first` and `second` on `finds`, to be looked at only."""
    from tuneclip.measure.compare import compare
    from tuneclip.settings import Compare

    folder = tmp_path_factory.mktemp("compared")
    write_dataset(folder / "datasets/finds", finds())
    (folder / "models").symlink_to(two_models)
    return compare(Compare("finds", ("first", "second")), Project(folder))


@pytest.fixture(scope="session")
def two_models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("two")
    for name in ("first", "second"):
        shutil.copytree(tiny_model, folder / name)
    weights = folder / "second/model.safetensors"
    state = load_file(weights)
    save_file({name: value.flip(0) for name, value in state.items() if value.dim()} |
              {name: value for name, value in state.items() if not value.dim()}, weights, {"format": "pt"})  # fmt: skip
    return folder


@pytest.fixture
def add_dataset(project: Project):
    """A function that adds a dataset with these captions to the project."""
    return lambda name, captions, split="test": write_dataset(project.root / "datasets" / name, captions, split)
