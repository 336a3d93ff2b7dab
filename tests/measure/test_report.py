"""The report: one file, nothing from elsewhere, nothing of the user's that is taken for markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tuneclip.measure.compare import compare
from tuneclip.measure.report import choose_examples
from tuneclip.settings import Compare

VOID = {"meta", "link", "img", "br", "hr"}


class Balanced(HTMLParser):
    """Fails on an element that is closed out of order."""

    def __init__(self):
        super().__init__()
        self.open, self.pictures, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.pictures += [attributes["src"]] if tag == "img" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def page_of(project, *models, **options):
    result = compare(Compare("finds", models or ("first", "second"), **options), project)
    return Path(result.report).read_text(encoding="utf-8")


def test_the_page_loads_nothing_from_elsewhere_and_is_well_formed(compared):
    page = Path(compared.report).read_text(encoding="utf-8")
    code = re.sub(r"base64,[\w+/=]+", "", page)
    assert not re.search(r"https?:|//\w|@import|<script|url\((?!#)", code)
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert len(parser.pictures) > 20
    assert all(source.startswith("data:image/jpeg;base64,") for source in parser.pictures)


def test_captions_names_and_phrases_are_text_and_never_markup(project, add_dataset, tmp_path):
    evil = "<script>alert(1)</script> \"'& {{ 7*7 }} $x$"
    add_dataset("odd", [[f"{evil} {i}"] for i in range(4)])
    (tmp_path / "phrases.txt").write_text(evil, encoding="utf-8")
    result = compare(Compare("odd", ("first", "second"), phrases=tmp_path / "phrases.txt"), project)
    page = Path(result.report).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page


def test_plots_take_their_colours_from_the_page(compared):
    page = Path(compared.report).read_text(encoding="utf-8")
    drawn = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert "var(--accent)" in drawn
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)
    assert "font-family" not in drawn


def test_training_curves_show_when_the_model_has_a_run(project):
    assert "Training" not in page_of(project)
    folder = project.run("second")
    folder.mkdir(parents=True)
    rows = [{"kind": "step", "step": i + 1, "loss": 4.0 - i / 50, "chance": 4.1} for i in range(100)]
    rows += [{"kind": "epoch", "epoch": i, "loss": 3.0, "validation_t2i_recall@10": 0.1 * i} for i in range(3)]
    rows += [{"kind": "step", "step": 101}, {"kind": "step", "step": 102, "loss": float("nan")}, {"kind": "odd"}, 7]
    torn = "".join(json.dumps(row) + "\n" for row in rows) + '{"kind": "st'
    (folder / "metrics.jsonl").write_text(torn, encoding="utf-8")
    page = page_of(project)
    assert "Loss per step" in page
    assert "chance" in page
    assert "second: validation recall@10 0.0 % at epoch 0, highest 20.0 % at epoch 2" in page


def test_metrics_without_validation_show_the_loss_alone(project):
    folder = project.run("second")
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text('{"kind": "step", "step": 1, "loss": 2.5}\n', encoding="utf-8")
    page = page_of(project)
    assert "Loss per step" in page
    assert "Validation recall" not in page


def write_run(project, model, **changes):
    """Twenty steps of a run of the model, healthy but for the changed figures."""
    folder = project.run(model)
    folder.mkdir(parents=True)
    figures = {"chance": 2.77, "floor": 0.0, "pair_auc": 0.9, "picture_cosine": 0.5, "text_cosine": 0.3, "pairs": 16}
    figures |= {"update": 0.004, "temperature": 20.0, "gradient_norm": 9.0, "learning_rate": 3e-4, "twins": 0.0}
    facts = {"pictures": 400, "validation": 100, "learning_rate": 3e-4, "usual_learning_rate": 3e-4}
    facts |= {key: value for key, value in changes.items() if not callable(value)}
    rows = [{"kind": "facts", "epoch": 0, **facts}]
    rows += [{"kind": "epoch", "epoch": 0, "validation_t2i_recall@10": 0.2, "validation_mean_recall": 0.2}]
    for i in range(20):
        seen = {key: value(i) for key, value in changes.items() if callable(value)}
        rows.append({"kind": "step", "step": i + 1, "epoch": 1, "loss": 3.0 - i / 10, **figures, **seen})
    rows += [{"kind": "epoch", "epoch": 1, "loss": 2.0, "validation_t2i_recall@10": 0.5, "validation_mean_recall": 0.5}]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_sick_run_has_its_findings_as_cards_with_number_reason_and_remedy(project):
    write_run(project, "second", learning_rate=1e-2, picture_cosine=lambda i: 1 - 0.5 * 0.3**i)
    page = page_of(project)
    assert page.count('class="finding"') == 2
    assert "Learning rate high <code>learning_rate_high</code>" in page
    assert "33 times what this base asks for" in page
    assert "Set &#34;learning_rate&#34;: 0.0003 in the config and train anew." in page
    assert "<details open>" in page
    for title in ("Norm of the gradient", "Logit scale", "Learning rate", "Mean cosine between different captions"):
        assert f"<h3>{title}" in page


def test_a_healthy_run_says_what_was_looked_at(project):
    write_run(project, "second")
    page = page_of(project)
    assert 'class="finding"' not in page
    assert "second: nothing was found wrong (loss 1.15 at the end, guessing gives 2.77" in page
    assert "<details>" in page


def test_findings_of_a_model_that_is_ready_are_those_of_its_manifest(project, two_models, tmp_path):
    import shutil

    write_run(project, "third")
    (project.root / "models").unlink()
    shutil.copytree(two_models, project.root / "models")
    shutil.copytree(two_models / "second", project.root / "models" / "third")
    found = {"code": "made_up", "number": 7, "reason": "it <b>was</b>", "remedy": "do"}
    (project.root / "models/third/tuneclip.json").write_text(json.dumps({"trained": {"findings": [found]}}))
    page = page_of(project, "first", "third")
    assert "Made up <code>made_up</code>" in page
    assert "It &lt;b&gt;was&lt;/b&gt;." in page


def test_a_failed_report_leaves_the_old_one(project, monkeypatch):
    old = page_of(project)
    monkeypatch.setattr("tuneclip.measure.wording.verdict", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        page_of(project)
    assert (project.run("compare-finds") / "report.html").read_text(encoding="utf-8") == old


def test_examples_are_the_greatest_gains_and_losses_and_some_at_random():
    found = np.array([[50] * 20, [50] * 17 + [1, 2, 900]])
    chosen = choose_examples(found, np.arange(20), 0)
    assert chosen["Greatest gains"] == [17, 18]
    assert chosen["Greatest losses"] == [19]
    assert len(chosen["At random"]) == 3
    assert chosen == choose_examples(found, np.arange(20), 0) != choose_examples(found, np.arange(20), 1)


def test_without_a_second_model_all_examples_are_random():
    chosen = choose_examples(np.arange(1, 21)[None], np.arange(20), 0)
    assert list(chosen) == ["At random"]
    assert len(set(chosen["At random"])) == 8


def test_no_picture_is_shown_for_two_captions():
    found = np.array([[50] * 20, [1] * 10 + [900] * 10])
    chosen = choose_examples(found, np.arange(20) // 5, 0)
    shown = [text // 5 for texts in chosen.values() for text in texts]
    assert sorted(shown) == [0, 1, 2, 3]
