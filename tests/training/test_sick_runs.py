"""Runs that are sick on purpose, and healthy ones: the diagnosis names each sickness and is silent on health.

Real training of the starter on a drawn archive, of another seed than those on which the limits were chosen.
"""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import tuneclip
from tuneclip.archive import draw_archive
from tuneclip.errors import TuneclipError

pytestmark = pytest.mark.slow
VALIDATION = 48
BOILERPLATE = "photograph taken for the inventory of the department and kept with the notes of the excavation; " * 6
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with 180 drawn finds and the rows that datasets are made from."""
    root = tmp_path_factory.mktemp("sick")
    finds = json.loads(draw_archive(root / "archive", 128 + VALIDATION, seed=11, size=96).read_text())["finds"]
    rows = [
        {"file_name": f["picture"]["file"], "captions": [f["label"], *filter(None, [f.get("description")])]}
        for f in finds
    ]
    (root / "rows.json").write_text(json.dumps(rows))
    return root


def codes(archive: Path, name: str, pictures: int = 128, change: Callable[[Rows], None] | None = None, **config: Any):
    """The codes that a run's result holds; what it said on the way is in the log."""
    rows = json.loads((archive / "rows.json").read_text())[: pictures + VALIDATION]
    rows = [{**row, "id": str(i), "group": str(i)} for i, row in enumerate(rows)]
    for i, row in enumerate(rows):
        row |= {"split": "train" if i < pictures else "validation", "text": row["captions"][0], "metadata": {}}
    if change:
        change(rows)
    folder = archive / "datasets" / name
    folder.mkdir(parents=True)
    (folder / "pictures").symlink_to(archive / "archive" / "pictures")
    (folder / "dataset.json").write_text("{}")
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = config.pop("model", "starter")
    settings = {"num_epochs": 1, "batch_size": 16, "precision": "fp32", "interpolate": False} | config
    (archive / f"{name}.json").write_text(json.dumps(settings))
    trained = tuneclip.train(name, model=model, to=name, config=archive / f"{name}.json", project=archive)
    return [finding.code for finding in trained.findings]


def shuffle(rows: Rows) -> None:
    captions = [row["captions"] for row in rows]
    random.Random(3).shuffle(captions)
    for row, own in zip(rows, captions, strict=True):
        row |= {"captions": own, "text": own[0]}


def constant(rows: Rows) -> None:
    for row in rows:
        row |= {"captions": ["a find"], "text": "a find"}


def lengthen(rows: Rows) -> None:
    for row in rows:
        row |= {"captions": [BOILERPLATE + caption for caption in row["captions"]]}


SICK: dict[str, dict[str, Any]] = {
    "learning_rate_high": {"learning_rate": 1e-2, "num_epochs": 2},
    "unrelated_pairs": {"change": shuffle, "num_epochs": 2},
    "twin_captions": {"change": constant, "pictures": 64},
    "captions_cut": {"change": lengthen, "pictures": 64},
    "few_pictures": {"pictures": 40},
    "nothing_moves": {"learning_rate": 0.0, "pictures": 64},
}


@pytest.mark.parametrize("code", SICK)
def test_a_sick_run_is_named(code: str, archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = codes(archive, code, **SICK[code])
    assert found[0] == code
    assert f"{code}: " in caplog.text  # said on the way, not only at the end


HEALTHY: dict[str, dict[str, Any]] = {
    "full": {"num_epochs": 2},
    "small": {"num_epochs": 2, "pictures": 80, "seed": 1},
    "blocks": {"num_epochs": 3, "recipe": "blocks", "views": 2},
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_is_left_in_peace(name: str, archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert codes(archive, name, **HEALTHY[name]) == []
    assert "What to do" not in caplog.text


def test_a_model_that_is_good_already_is_left_in_peace(archive: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert codes(archive, "taught", num_epochs=1, model="full") in ([], ["no_gain"])
    assert "What to do" not in caplog.text


@pytest.mark.parametrize(("precision", "code"), [("fp16", "fp16_overflow"), ("fp32", "not_finite")])
def test_numbers_that_overflow_are_named(archive: Path, tiny_model: Path, precision: str, code: str) -> None:
    model = archive / "models" / f"hot-{precision}"
    shutil.copytree(tiny_model, model)
    weights = load_file(model / "model.safetensors")
    weights["visual_projection.weight"] *= {"fp16": 1e7, "fp32": 1e39}[precision]
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    try:
        found = codes(archive, f"over-{precision}", pictures=64, precision=precision, model=model.name)
    except TuneclipError as error:
        found = [str(error).partition("; ")[2].partition(":")[0]]
    assert code in found
