"""The verb `classify`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tuneclip
from tiny import save_tiny
from tuneclip.errors import TuneclipError
from tuneclip.learn.classifier import load_classifier
from tuneclip.learn.classify import Classified
from tuneclip.learn.rounds import start
from tuneclip.project import Project


@pytest.fixture
def reds(indexed: Project) -> Project:
    """A project with the classifier `reds`."""
    rounds = start("finds", "a red bowl", to="reds", project=indexed, batch=12)
    for _ in range(2):
        for hit in rounds.state().page:
            rounds.rate(hit.id, 1 if hit.metadata["colour"] == "red" else -1)
        rounds.next_round()
    rounds.finish()
    return indexed


def by_id(found: Classified) -> dict[str, float]:
    return {result.id: result.score for result in found.results}


def test_a_collection_its_dataset_and_its_pictures_get_the_same_scores_best_first(reds: Project) -> None:
    stored = tuneclip.classify("reds", collection="finds", project=reds.root)
    embedded = tuneclip.classify("reds", dataset="small", project=reds.root)
    assert by_id(stored) == pytest.approx(by_id(embedded), abs=0.02)
    scores = [result.score for result in stored.results]
    assert scores == sorted(scores, reverse=True)
    assert all(result.positive == (result.score >= stored.threshold) for result in stored.results)
    one = tuneclip.classify("reds", [stored.results[0].path], project=reds.root)
    assert one.results[0].score == pytest.approx(scores[0], abs=0.02)


def test_a_folder_stands_for_its_pictures_and_broken_ones_are_reported(reds: Project, tmp_path: Path) -> None:
    folder = reds.dataset("small") / "pictures"
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (folder / "notes.txt").write_text("not looked at")
    found = tuneclip.classify("reds", str(folder), project=reds.root)
    assert len(found.results) == 36
    assert [Path(one.id).name for one in found.unreadable] == ["broken.jpg"]


def test_texts_are_classified_line_by_line(reds: Project, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a red bowl\n\nan old green lamp\na red bowl\n", encoding="utf-8")
    found = tuneclip.classify("reds", texts=tmp_path / "texts.txt", project=reds.root)
    assert {result.id for result in found.results} == {"a red bowl", "an old green lamp"}


def test_a_threshold_that_is_given_counts_instead(reds: Project) -> None:
    lowest = tuneclip.classify("reds", collection="finds", threshold=-1e9, project=reds.root)
    assert lowest.positives == len(lowest.results)


def test_vectors_of_another_model_are_refused(reds: Project) -> None:
    path = reds.classifier("reds")
    path.write_text(path.read_text().replace(json.loads(path.read_text())["fingerprint"], "0123456789abcdef"))
    with pytest.raises(TuneclipError, match="two models"):
        tuneclip.classify("reds", collection="finds", project=reds.root)
    with pytest.raises(TuneclipError, match="has changed"):
        tuneclip.classify("reds", dataset="small", project=reds.root)


def test_after_the_collection_went_to_another_model_the_message_says_what_takes_the_ratings_along(
    reds: Project,
) -> None:
    before = load_classifier("reds", reds).ratings
    save_tiny(reds.model("tiny").with_name("other"), "clip", seed=1)
    tuneclip.reindex("finds", model="other", project=reds.root)
    with pytest.raises(TuneclipError, match=r"Next: tuneclip label finds 'a red bowl' --to reds, which takes"):
        tuneclip.classify("reds", collection="finds", project=reds.root)
    start("finds", "a red bowl", to="reds", project=reds).finish()
    assert load_classifier("reds", reds).ratings == before
    assert tuneclip.classify("reds", collection="finds", project=reds.root).model == "other"


@pytest.mark.parametrize("given", [{}, {"collection": "finds", "dataset": "small"}])
def test_exactly_one_kind_of_thing_is_classified(reds: Project, given: dict[str, str]) -> None:
    with pytest.raises(TuneclipError, match="one of them"):
        tuneclip.classify("reds", project=reds.root, **given)


def test_a_classifier_that_is_not_there_or_torn_is_an_error_that_says_so(reds: Project) -> None:
    with pytest.raises(TuneclipError, match="one of reds"):
        tuneclip.classify("blues", collection="finds", project=reds.root)
    reds.classifier("reds").write_text('{"name": "reds"}')
    with pytest.raises(TuneclipError, match="not a classifier"):
        tuneclip.classify("reds", collection="finds", project=reds.root)


def test_the_command_line_takes_several_pictures_and_prints_one_json_object(reds: Project) -> None:
    pictures = sorted(map(str, (reds.dataset("small") / "pictures").iterdir()))[:3]
    command = [sys.executable, "-m", "tuneclip", "classify", "reds", *pictures, "--project", str(reds.root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    assert printed["classifier"] == "reds"
    assert sorted(result["id"] for result in printed["results"]) == pictures
    assert {"id", "score", "positive"} <= set(printed["results"][0])
