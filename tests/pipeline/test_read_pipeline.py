"""Pipeline files: every word known, or an error that names the nearest, before anything runs."""

import re
from pathlib import Path

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.call import settings_of
from tuneclip.pipeline.key import MAKES
from tuneclip.pipeline.read import STEPS, find_pipeline, read_pipeline
from tuneclip.project import Project

DOCS = Path(__file__).parents[2] / "docs" / "run.md"
HEAD = '[variables.dataset]\nhelp = "x"\n'


def step(verb: str = "index", **options: str) -> str:
    given = "\n".join(f"{name} = '{value}'" for name, value in options.items())
    return f'[[steps]]\nname = "one"\nverb = "{verb}"\n[steps.options]\n{given}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + step("indx", dataset="d", model="m"), "no step can be the verb 'indx'.*'index'"),
        (HEAD + step("serve"), "no step can be the verb 'serve'"),
        (HEAD + step(dataset="d", modle="m"), "unknown option of index 'modle'.*'model'"),
        (HEAD + step(dataset="d"), "index needs the option 'model'"),
        (HEAD + step(dataset="{datset}", model="m"), r"\{datset\} is no variable.*'dataset'"),
        (HEAD + step(dataset="{one}", model="m"), r"\{one\} is no variable"),
        (HEAD + step(dataset="{number}", model="m"), r"\{number\} is no variable"),
        ("variable = 1\n" + step(dataset="d", model="m"), "unknown key 'variable'.*'variables'"),
        (HEAD.replace("help", "hlp") + step(dataset="d", model="m"), "unknown key 'hlp'.*'help'"),
        (HEAD + 'type = "modell"\n' + step(dataset="d", model="m"), "unknown type 'modell'.*'model'"),
        (HEAD + 'default = "{later}"\n' + step(dataset="d", model="m"), r"\{later\} is no variable above"),
        (HEAD + step(dataset="d", model="m") * 2, "'one' cannot be the step's name"),
        (HEAD, "no steps"),
        (HEAD + step("gate", dataset="d", model="m", newest="n", moves="newest"), "'newest' is no variable"),
        ("[variables.set]\n" + step(dataset="d", model="m"), "'set' cannot be a variable"),
        ("[[steps", "not valid TOML"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_nearest(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(TuneclipError, match=message):
        read_pipeline(tmp_path / "p.toml")


def test_the_shipped_pipeline_has_the_variables_of_the_mission(tmp_path: Path) -> None:
    pipeline = read_pipeline(find_pipeline("train-and-embed", Project(tmp_path)))
    names = ["dataset", "base_model", "newest_model", "model_config", "collection"]
    assert [variable.name for variable in pipeline.variables] == names
    assert all(variable.help for variable in pipeline.variables)


def test_the_pipeline_of_the_docs_is_one(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "p.toml").write_text(next(block for block in blocks if "[[steps]]" in block))
    pipeline = read_pipeline(tmp_path / "p.toml")
    for step in pipeline.steps:
        settings_of(step, {"dataset": "finds", "part": "finds-part", "learn": "finds-1"})


def test_a_file_of_that_name_in_the_project_wins(tmp_path: Path) -> None:
    (tmp_path / "train-and-embed.toml").write_text(step(dataset="d", model="m"))
    assert find_pipeline("train-and-embed", Project(tmp_path)).parent == tmp_path


def test_a_pipeline_that_is_not_there_names_those_that_come_along(tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match=r"no pipeline 'nightly'.*train-and-embed\.toml"):
        find_pipeline("nightly", Project(tmp_path))


def test_of_every_step_it_is_known_what_it_makes() -> None:
    assert STEPS.keys() == MAKES.keys()
