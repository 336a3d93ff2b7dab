"""The report's section on forgetting."""

import json
from pathlib import Path
from typing import Any

import pytest

from tuneclip.measure.compare import compare
from tuneclip.measure.forgetting import mixings
from tuneclip.project import Project
from tuneclip.settings import Compare


def curve(probe: float | None) -> list[dict[str, Any]]:
    noise = None if probe is None else 0.01
    return [
        {"alpha": alpha / 10, "validation_mean_recall": 0.2 + alpha / 40, "validation_noise": 0.01}
        | {"probe_recall": probe and probe - (alpha / 30) ** 2, "probe_noise": noise}
        for alpha in range(11)
    ]


@pytest.fixture
def swept(project: Project) -> Project:
    """The project, in which `second` has a sweep with a probe in its manifest."""
    models = project.root / "models"
    real = models.resolve()
    models.unlink()
    models.mkdir()
    for name in ("first", "second"):
        (models / name).mkdir()
        for path in (real / name).iterdir():
            (models / name / path.name).symlink_to(path)
    sweep = {"alpha": 0.8, "pictures": 200, "probe": "<b>general</b>", "probe_pictures": 90, "curve": curve(0.5)}
    (models / "second" / "tuneclip.json").write_text(json.dumps({"trained": {"interpolation": sweep}}))
    return project


def test_the_report_shows_the_mixtures_and_marks_the_chosen_one(swept: Project, tmp_path: Path) -> None:
    compare(Compare("finds", ("first", "second"), report=tmp_path / "r.html"), swept)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    section = page[page.index("<h2>Forgetting</h2>") :].split("</section>")[0]
    assert "mixture at α = 0.8" in section
    assert section.count("<svg") == 1
    assert "<b>general" not in section


def test_a_sweep_without_a_probe_says_that_forgetting_was_not_measured(swept: Project) -> None:
    path = swept.root / "models" / "second" / "tuneclip.json"
    sweep = {"alpha": 1.0, "pictures": 200, "probe": None, "probe_pictures": 0, "curve": curve(None)}
    path.write_text(json.dumps({"trained": {"interpolation": sweep}}))
    (mixing,) = mixings(swept, ["first", "second"])
    assert mixing.model == "second"
    assert mixing.notes[1].startswith("Forgetting was not measured")


def test_models_without_a_sweep_have_no_section(project: Project) -> None:
    assert mixings(project, ["first", "second", "starter", "nowhere/else"]) == []
