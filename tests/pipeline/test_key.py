"""What a step's key is made of: content, not names or dates."""

import os
import shutil
from pathlib import Path

import pytest

from tuneclip.pipeline.key import key_of, look
from tuneclip.project import Project
from tuneclip.settings import Import, Index, Train


def test_options_at_their_default_are_no_part_of_the_key(project: Path) -> None:
    assert key_of("index", Index("small", model="tiny"), Project(project))["options"] == {}


def test_a_model_counts_by_its_content_not_by_its_name(project: Path) -> None:
    shutil.copytree(project / "models" / "tiny", project / "models" / "twin")
    keys = [key_of("train", Train("small", to="x", model=name), Project(project)) for name in ("tiny", "twin")]
    assert keys[0] == keys[1]


def test_a_config_counts_by_its_content_not_by_its_place(project: Path) -> None:
    def key(name: str, text: str) -> object:
        (project / name).write_text(text)
        return key_of("train", Train("small", to="x", model="tiny", config=project / name), Project(project))

    assert key("a.json", "{}") == key("b.json", "{}")
    assert key("a.json", "{}") != key("a.json", '{"seed": 1}')


def test_a_picture_with_another_date_is_another_for_embedding_only(project: Path) -> None:
    def keys() -> list[object]:
        train, index = Train("small", to="x", model="tiny"), Index("small", model="tiny")
        return [key_of(verb, options, Project(project)) for verb, options in (("train", train), ("index", index))]

    before = keys()
    os.utime(project / "datasets" / "small" / "pictures" / "000.png", (0, 0))
    assert [now == then for now, then in zip(keys(), before, strict=True)] == [True, False]


def test_a_folder_counts_by_what_is_in_it(project: Path) -> None:
    source = project / "source"
    source.mkdir()
    before = key_of("import", Import(source, to="x"), Project(project))
    (source / "a.csv").write_text("a")
    assert key_of("import", Import(source, to="x"), Project(project)) != before


@pytest.mark.parametrize("kind", ["dataset", "model", "collection", "file"])
def test_what_is_not_there_has_no_content(kind: str, tmp_path: Path) -> None:
    assert look(kind, "nothing", Project(tmp_path)).content == ""
