"""The verb check: findings, page and mended dataset."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.project import Project


def draw_finds(root: Path, count: int = 30) -> None:
    """A dataset of noise with one truncated, one blank, one tiny picture and a twin that leaks into test."""
    folder = root / "datasets" / "troubled"
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for n in range(count):
        path = folder / f"pictures/{n}.jpg"
        Image.effect_noise((60, 50), 40 + n).convert("RGB").save(path)
        split = ("train", "validation", "test")[max(0, n % 10 - 7)]
        row = {"file_name": f"pictures/{n}.jpg", "text": f"<b>find</b> {n}", "captions": [f"<b>find</b> {n}"]}
        rows.append({**row, "id": f"f{n}", "group": f"f{n}", "split": split, "metadata": {"number": n}})
    (folder / "pictures/1.jpg").write_bytes((folder / "pictures/1.jpg").read_bytes()[:500])
    Image.new("RGB", (60, 50), "white").save(folder / "pictures/2.jpg")
    Image.effect_noise((20, 50), 90).convert("RGB").save(folder / "pictures/3.jpg")
    (folder / "pictures/4.jpg").write_bytes((folder / "pictures/9.jpg").read_bytes())
    rows[5]["captions"] = ["a long caption " * 20]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "dataset.json").write_text("{}")


@pytest.fixture
def troubled(project: Project) -> Project:
    draw_finds(project.root)
    return project


def test_every_trouble_is_found_once_the_gravest_first(troubled: Project) -> None:
    result = tuneclip.check("troubled", model="first", project=troubled.root)
    found = {f.code: f.examples for f in result.findings if f.code != "few_pictures"}
    assert found == {
        "unreadable": ("f1",),
        "blank": ("f2",),
        "twins_across_splits": ("f4", "f9"),
        "tiny": ("f3",),
        "exact_twins": ("f4", "f9"),
        "captions_cut": ("f5",),
    }
    levels = [f.level for f in result.findings]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)


def test_fix_makes_a_dataset_without_them_and_says_why(troubled: Project) -> None:
    result = tuneclip.check("troubled", model="first", fix=True, to="sound", project=troubled.root)
    assert result.fixed is not None
    assert (result.fixed["taken"], result.fixed["skipped"]) == (26, 4)
    again = tuneclip.check("sound", model="first", project=troubled.root)
    assert {f.code for f in again.findings} == {"captions_cut", "few_pictures", "skipped"}
    assert "f9" in {record.id for record in tuneclip.open_dataset("sound", troubled.root).records}


def test_the_report_shows_pictures_escapes_captions_and_loads_nothing(troubled: Project, tmp_path: Path) -> None:
    tuneclip.check("troubled", model="first", report=tmp_path / "r.html", project=troubled.root)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Pictures that cannot be read" in page
    assert "&lt;b&gt;find&lt;/b&gt; 9" in page
    assert "<b>find" not in page
    assert "data:image/jpeg;base64," in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


def test_fix_and_to_belong_together(troubled: Project) -> None:
    for options in ({"fix": True}, {"to": "sound"}):
        with pytest.raises(TuneclipError, match="belong together"):
            tuneclip.check("troubled", model="first", project=troubled.root, **options)


def test_a_fix_that_would_empty_a_split_is_refused(troubled: Project) -> None:
    path = troubled.root / "datasets/troubled/metadata.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"group": "all"}) + "\n" for row in rows))
    with pytest.raises(TuneclipError, match="nothing of train would be left"):
        tuneclip.check("troubled", model="first", fix=True, to="sound", project=troubled.root)
    assert not (troubled.root / "datasets/sound").exists()


def test_the_command_prints_findings_as_json_and_for_people(troubled: Project, capsys: pytest.CaptureFixture) -> None:
    from tuneclip.cli import main

    words = ["check", "troubled", "--model", "first", "--project", str(troubled.root)]
    for extra in (["--json"], []):
        with pytest.raises(SystemExit) as end:
            main([*words, *extra])
        assert end.value.code == 0
        out = capsys.readouterr().out
        if extra:
            finding = json.loads(out)["findings"][0]
            assert {"code", "count", "share", "examples", "remedy"} <= set(finding)
    assert "error  pictures that cannot be read: 1 (3.3 %)" in out
    assert "→ tuneclip check troubled --fix --to troubled-fixed" in out


def test_a_sound_dataset_is_said_to_be_so(capsys: pytest.CaptureFixture) -> None:
    from rich.console import Console

    from tuneclip.measure.check import Checked

    Checked("finds", "datasets/finds", 12, "starter", ()).show(Console())
    assert "nothing wrong was found in 12 records of finds" in capsys.readouterr().out
