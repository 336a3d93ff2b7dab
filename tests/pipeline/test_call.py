"""A step's options become the settings of its verb, each of its type."""

from pathlib import Path

import pytest

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.pipeline.call import settings_of
from tuneclip.pipeline.read import Step
from tuneclip.settings import Compare, Sample, Train


def test_options_get_the_types_of_the_settings() -> None:
    options = {"dataset": "{d}", "to": "{d}-1", "model": "{m}", "config": "c.json", "batch_size": "{n}", "resume": True}
    settings = settings_of(Step("one", "train", options), {"d": "finds", "m": "a/b", "n": 8})
    assert settings == Train("finds", to="finds-1", model="a/b", config=Path("c.json"), batch_size=8, resume=True)


def test_a_list_of_placeholders_becomes_a_tuple() -> None:
    step = Step("one", "compare", {"dataset": "d", "models": ["starter", "{learn}"]})
    assert settings_of(step, {"learn": "d-1"}) == Compare("d", models=("starter", "d-1"))


def test_a_new_name_made_of_a_hub_id_or_a_path_has_no_slash() -> None:
    step = Step("one", "sample", {"dataset": "{d}", "to": "{d}-{m}", "size": 3})
    assert settings_of(step, {"d": "/data/finds", "m": "owner/name"}) == Sample(
        "/data/finds", to="finds-owner-name", size=3
    )


@pytest.mark.parametrize("verb", ["index", "embed"])
@pytest.mark.parametrize(
    ("store", "variable"),
    [
        ("postgresql://me:hidden@host/db", "PGPASSWORD"),
        ("postgresql://me@host/db?password=hidden", "PGPASSWORD"),
        ("milvus://me:hidden@host:19530", "MILVUS_TOKEN"),
    ],
)
def test_a_password_in_a_store_is_refused_before_anything_is_written_and_never_told(
    tmp_path: Path, verb: str, store: str, variable: str
) -> None:
    (tmp_path / "p.toml").write_text(
        f'[variables.where]\n[[steps]]\nname = "one"\nverb = "{verb}"\n'
        'options = { dataset = "d", model = "m", to = "c", store = "{where}" }\n'
    )
    with pytest.raises(TuneclipError, match=rf"option 'store'.*Next: {variable}=…") as caught:
        tuneclip.run("p", set={"where": store}, project=tmp_path)
    written = [path.read_text() for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert "hidden" not in "".join([str(caught.value), *written])


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("recipe", "ful", "one of full, lora"),
        ("resume", "yes", "true or false"),
        ("batch_size", "many", "a whole number or one of auto"),
        ("batch_size", 2.5, "one of auto"),
        ("model", ["a"], "a text"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_the_step_and_the_option(
    option: str, value: object, expected: str
) -> None:
    options = {"dataset": "d", "to": "t", option: value}
    with pytest.raises(TuneclipError, match=f"step 'one', option '{option}'.*{expected}"):
        settings_of(Step("one", "train", options), {})
