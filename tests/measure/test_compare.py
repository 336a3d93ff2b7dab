"""The verb `compare` as its user meets it."""

import dataclasses
import io
import json
import shutil

import pytest
from rich.console import Console

from tuneclip.errors import TuneclipError
from tuneclip.measure.compare import compare, read_phrases
from tuneclip.settings import Compare


def shown(result, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    result.show(console)
    return console.file.getvalue()


def test_the_result_has_the_keys_of_the_contract(compared):
    result = json.loads(json.dumps(dataclasses.asdict(compared), allow_nan=False))
    assert {"dataset": "finds", "split": "test", "pictures": 24, "phrases": []}.items() <= result.items()
    metrics = [
        f"{way}_{m}" for way in ("t2i", "i2t") for m in ("recall@1", "recall@5", "recall@10", "mrr", "median_rank")
    ]
    assert [(s["model"], s["metric"]) for s in result["scores"]] == [
        (m, k) for m in ("first", "second") for k in metrics
    ]
    assert [d["metric"] for d in result["differences"]] == metrics
    assert all(d["models"] == ["first", "second"] and d["low"] <= d["high"] for d in result["differences"])


def test_differences_are_second_minus_first(compared):
    value = {(s.model, s.metric): s.value for s in compared.scores}
    for gain in compared.differences:
        assert gain.value == pytest.approx(value["second", gain.metric] - value["first", gain.metric])


def test_the_same_weights_differ_by_nothing(project, tmp_path):
    shutil.copytree(project.model("first"), tmp_path / "copy")
    result = compare(Compare("finds", ("first", str(tmp_path / "copy"))), project)
    assert {(d.value, d.low, d.high) for d in result.differences} == {(0.0, 0.0, 0.0)}
    assert "which may be chance" in shown(result)


def test_one_model_is_measured_alone(project):
    result = compare(Compare("finds", "first"), project)
    assert result.differences == ()
    assert "first finds the right picture" in shown(result)


def test_models_keep_the_names_that_the_user_typed(project):
    path = str(project.model("second"))
    result = compare(Compare("finds", ("first", path)), project)
    assert result.models == ["first", path]


def test_the_table_shows_percent_with_intervals_and_fits_eighty_columns(compared):
    text = shown(compared)
    assert "finds · test: 24 pictures, 48 captions" in text
    assert "recall@10" in text
    assert "difference" in text
    assert all(len(line) <= 80 for line in text.splitlines() if "[" in line and "report" not in line)


def test_phrases_are_answered_by_each_model(project, tmp_path):
    (tmp_path / "phrases.txt").write_text("a red bowl\n\n  an old lamp \na red bowl\n", encoding="utf-8")
    result = compare(Compare("finds", ("first", "second"), phrases=tmp_path / "phrases.txt"), project)
    assert [(f.phrase, f.model) for f in result.phrases] == [
        (phrase, model) for phrase in ("a red bowl", "an old lamp") for model in ("first", "second")
    ]
    assert all(len(found.hits) == 10 for found in result.phrases)
    assert "“an old lamp”" in shown(result)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"\n \n", "no phrases"), (b"\xff\xfe\x00", "not a text file")]
)
def test_a_bad_file_of_phrases_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "phrases.txt").write_bytes(content)
    with pytest.raises(TuneclipError, match=f"{message}.*one phrase a line"):
        read_phrases(tmp_path / "phrases.txt")


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ((), "no model is given"),
        (("first", "first"), "'first' is given twice"),
        (("first", "models/first"), "are the same model"),
        (("first", "frist"), "there is no model 'frist'"),
    ],
)
def test_bad_models_are_refused_before_any_work(project, monkeypatch, models, message):
    monkeypatch.chdir(project.root)
    with pytest.raises(TuneclipError, match=message):
        compare(Compare("no such dataset", models), project)


def test_a_model_with_damaged_weights_is_named(project, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(project.model("first"), tmp_path / "broken")
    state = {name: value * float("nan") for name, value in load_file(folder / "model.safetensors").items()}
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(TuneclipError, match=r"broken' gives vectors that are not finite"):
        compare(Compare("finds", ("first", str(folder))), project)


def test_a_missing_dataset_or_split_is_refused(project):
    with pytest.raises(TuneclipError, match="no dataset 'fnds'"):
        compare(Compare("fnds", ("first",)), project)
    with pytest.raises(TuneclipError, match=r"no split 'tset'.*test"):
        compare(Compare("finds", ("first",), split="tset"), project)


def test_a_report_is_not_written_over_a_folder(project, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(TuneclipError, match=r"would replace a folder.*report\.html"):
        compare(Compare("finds", ("first",), report=tmp_path / "out"), project)


def test_the_report_lies_in_the_project_or_where_asked(project, tmp_path):
    result = compare(Compare("finds", ("first",)), project)
    assert result.report == str(project.root / "runs/compare-finds/report.html")
    result = compare(Compare("finds", ("first",), report=tmp_path / "new/mine.html"), project)
    assert (tmp_path / "new/mine.html").stat().st_size > 10_000
    assert str(tmp_path / "new/mine.html") in shown(result, 200)


def test_the_same_seed_gives_the_same_result(project):
    options = Compare("finds", ("first", "second"), seed=3)
    assert compare(options, project) == compare(options, project)
