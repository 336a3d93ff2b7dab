"""Captions from metadata, in place and as a new dataset."""

import json
from pathlib import Path

import pytest

import tuneclip
from tuneclip.errors import TuneclipError


def rows(project: Path, name: str = "small") -> list[dict]:
    return [json.loads(line) for line in (project / "datasets" / name / "metadata.jsonl").read_text().splitlines()]


def test_several_templates_give_several_captions_in_place(project: Path) -> None:
    before = rows(project)
    result = tuneclip.caption("small", template=("a {colour} {shape}", "{shape}"), model="tiny", project=project)
    after = rows(project)
    assert after[0]["captions"] == ["a red bowl", "bowl"]
    assert after[0]["text"] == "a red bowl"
    assert (result.taken, result.skipped, result.captions) == (36, 0, 72)
    for old, new in zip(before, after, strict=True):
        assert {k: v for k, v in old.items() if k not in ("text", "captions")} == {
            k: v for k, v in new.items() if k not in ("text", "captions")
        }


def test_old_captions_stay_behind_the_new_with_keep(project: Path) -> None:
    tuneclip.caption("small", template="{shape}", keep=True, model="tiny", project=project)
    assert rows(project)[0]["captions"] == ["bowl", "a red clay bowl", "the bowl, red"]


def test_a_new_dataset_leaves_the_old_one_alone(project: Path) -> None:
    before = rows(project)
    result = tuneclip.caption("small", template="{shape}", to="new", model="tiny", project=project)
    assert rows(project) == before
    assert (result.dataset, result.splits) == ("new", {"train": 24, "validation": 12})
    assert {tuple(row["captions"]) for row in rows(project, "new")} == {("bowl",), ("coin",), ("lamp",)}
    source = json.loads((project / "datasets/new/dataset.json").read_text())["source"]
    assert source["options"]["template"] == ["{shape}"]


def test_lines_hold_all_fields(project: Path) -> None:
    tuneclip.caption("small", lines=True, model="tiny", project=project)
    assert rows(project)[0]["captions"] == ["colour: red\nshape: bowl\nnumber: 0"]


def test_tokens_are_counted_against_the_model_and_cuts_are_said(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long = "{shape} " * 30
    result = tuneclip.caption("small", template=(long, "{shape}"), model="tiny", project=project)
    assert (result.tokens.context, result.tokens.captions, result.tokens.cut) == (24, 72, 36)
    assert result.tokens.share == 0.5
    assert result.tokens.longest >= 32
    assert "would be cut" in caplog.text


def test_records_without_the_fields_keep_their_captions(project: Path) -> None:
    changed = rows(project)
    changed[0]["metadata"]["colour"] = None
    text = "".join(json.dumps(row) + "\n" for row in changed)
    (project / "datasets/small/metadata.jsonl").write_text(text)
    result = tuneclip.caption("small", template="a {colour} thing", model="tiny", project=project)
    assert result.unchanged == 1
    assert rows(project)[0]["captions"] == changed[0]["captions"]


def test_the_record_itself_has_fields_too(project: Path) -> None:
    tuneclip.caption("small", template="{id}: {caption}", model="tiny", project=project)
    assert rows(project)[0]["text"] == "find-0: a red clay bowl"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "{color}"}, "did you mean 'colour'"),
        ({"template": "{number:yeer}"}, "no form 'yeer'.*year"),
        ({}, "nothing says what the captions are.*--template"),
        ({"template": "a coin"}, "no field in the template"),
        ({"template": "{shape:year}"}, "no record has"),
        ({"template": "{shape}", "to": "small"}, "cannot replace"),
        ({"template": "{shape}", "model": "none"}, "there is no model 'none'"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(project: Path, options: dict, message: str) -> None:
    before = rows(project)
    with pytest.raises(TuneclipError, match=message):
        tuneclip.caption("small", **{"model": "tiny", **options}, project=project)
    assert rows(project) == before


def test_a_folder_made_elsewhere_is_not_changed(project: Path) -> None:
    (project / "datasets/small/dataset.json").unlink()
    with pytest.raises(TuneclipError, match=r"not made here.*--to"):
        tuneclip.caption("small", template="{shape}", model="tiny", project=project)


def test_the_command_prints_captions_and_tokens(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tuneclip.cli import main

    with pytest.raises(SystemExit) as end:
        main(["caption", "small", "--template", "{colour} {shape}", "--model", "tiny", "--project", str(project)])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert "red bowl" in out
    assert "tokens of tiny: median" in out
