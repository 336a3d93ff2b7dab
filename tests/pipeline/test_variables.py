"""Where the values of variables come from, and what they may be."""

import json
from pathlib import Path

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.read import Pipeline, read_pipeline
from tuneclip.pipeline.variables import filled, resolve
from tuneclip.project import Project

TEXT = """
[variables]
words = "default"
copy = "{words}-2"
[variables.size]
type = "number"
default = 3
[variables.dataset]
type = "dataset"
default = "small"
[variables.base]
type = "model"
default = "tiny"
[variables.config]
type = "config"
default = "{}"
[[steps]]
verb = "index"
options = { dataset = "d", model = "m" }
"""


@pytest.fixture
def pipeline(project: Path) -> Pipeline:
    (project / "p.toml").write_text(TEXT)
    return read_pipeline(project / "p.toml")


def test_the_default_yields_to_the_project_file_that_to_the_environment_and_that_to_set(
    pipeline: Pipeline, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words(*given: str) -> object:
        return resolve(pipeline, Project(project), given)["words"]

    assert words() == "default"
    (project / "tuneclip.toml").write_text('[variables]\nwords = "file"\n')
    assert words() == "file"
    monkeypatch.setenv("TUNECLIP_RUN_WORDS", "environment")
    assert words() == "environment"
    assert words("words=flag") == "flag"


def test_a_default_may_name_a_variable_above(pipeline: Pipeline, project: Path) -> None:
    assert resolve(pipeline, Project(project), ("words=a",))["copy"] == "a-2"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("word=x", "unknown variable 'word'.*'words'"),
        ("words", "sets nothing; expected name=value"),
        ("size=large", "'large' is no number"),
        ("dataset=other", "no dataset 'other'"),
        ("config={1}", "config is not valid JSON"),
        ('config={"lr": 1}', "unknown config key 'lr'"),
        ('config={"model_name": "other"}', "model_name 'other', which no variable is: base is tiny"),
        ("config=none.json", "no such file"),
    ],
)
def test_a_value_that_cannot_be_is_refused(pipeline: Pipeline, project: Path, given: str, message: str) -> None:
    with pytest.raises(TuneclipError, match=message):
        resolve(pipeline, Project(project), (given,))


def test_a_config_is_a_file_json_text_or_a_table_of_the_project_file(pipeline: Pipeline, project: Path) -> None:
    def read(*given: str) -> object:
        return json.loads(Path(resolve(pipeline, Project(project), given)["config"]).read_text())

    (project / "c.json").write_text('{"num_epochs": 2}')
    assert read(f"config={project / 'c.json'}") == read('config={"num_epochs": 2}') == {"num_epochs": 2}
    (project / "tuneclip.toml").write_text("[variables.config]\nnum_epochs = 4\n")
    assert read() == {"num_epochs": 4}


def test_values_are_never_read_as_placeholders_again() -> None:
    assert filled("{a} {b} {}", {"a": "{b}", "b": 1}) == "{b} 1 {}"
    assert filled("{b}", {"b": 1}) == 1
