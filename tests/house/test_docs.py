"""Docs cannot lie: every verb and option is documented, links lead somewhere, names in tables exist."""

import dataclasses
import re
import runpy
from pathlib import Path

import pytest

import tuneclip
from tuneclip.settings import TrainingConfig
from tuneclip.verbs import VERBS, python_name

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMAND_LINE = ROOT / "docs" / "command-line.md"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_and_option_is_documented(name: str) -> None:
    text = COMMAND_LINE.read_text(encoding="utf-8")
    section = text.split(f"## {name}\n")[1].split("\n## ")[0]
    for field in dataclasses.fields(VERBS[name].settings):
        flag = field.name.upper() if field.metadata["kind"] == "argument" else f"-{field.name.replace('_', '-')}"
        assert flag in section, f"{flag} of {name} is missing from {COMMAND_LINE.name}"


def test_the_command_line_page_is_what_the_settings_say() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "generate.py"))["command_line"]()
    assert COMMAND_LINE.read_text(encoding="utf-8") == made, "run: python docs/generate.py"


def test_every_config_key_is_documented() -> None:
    text = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    assert not [field.name for field in dataclasses.fields(TrainingConfig) if f"`{field.name}`" not in text]


def test_every_verb_is_a_python_name() -> None:
    assert {python_name(name) for name in VERBS} <= set(tuneclip.__all__)
    for name in tuneclip.__all__:
        assert callable(getattr(tuneclip, name))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)\s]+)\)", text):
        assert (page.parent / target.split("#")[0]).exists(), f"{page.name} links to {target}"


def test_every_extra_that_code_names_exists() -> None:
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for path in (ROOT / "src").rglob("*.py"):
        for named in re.findall(r"tuneclip\[(\w+)\]", path.read_text(encoding="utf-8")):
            assert named in extras, f"{path} names the extra {named}"
