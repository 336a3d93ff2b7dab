"""One model on one split."""

import logging

import numpy as np
import pytest

from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.measure.evaluate import choose_part, embed, evaluate, measure, top_hits
from tuneclip.model.open import open_model
from tuneclip.model.retrieval import recall_at, text_to_picture_ranks


def test_the_test_split_is_measured_else_validation(project, add_dataset):
    add_dataset("young", [["a"], ["b"]], split="validation")
    assert choose_part(open_dataset("finds", project)).split == "test"
    assert choose_part(open_dataset("young", project)).split == "validation"


def test_a_dataset_with_only_training_pictures_is_refused(project, add_dataset):
    add_dataset("learnt", [["a"], ["b"]], split="train")
    with pytest.raises(TuneclipError, match=r"neither a test nor a validation split.*--split and one of train"):
        choose_part(open_dataset("learnt", project))
    assert choose_part(open_dataset("learnt", project), "train").split == "train"


def test_one_captioned_picture_cannot_be_told_apart(project, add_dataset, caplog):
    add_dataset("lonely", [["a"], [" "], []])
    with caplog.at_level(logging.INFO), pytest.raises(TuneclipError, match=r"has 1 captioned picture .*at least two"):
        choose_part(open_dataset("lonely", project))
    assert "2 of 3 pictures have no caption" in caplog.text


def test_groups_are_counted_and_few_of_them_are_mentioned(project, caplog):
    with caplog.at_level(logging.INFO):
        part = choose_part(open_dataset("finds", project))
    assert part.groups.tolist() == [i // 2 for i in range(24)]
    assert "only 12 independent pictures or groups" in caplog.text


def test_scores_are_those_of_the_embeddings(project):
    part, encoder = choose_part(open_dataset("finds", project)), open_model("first", project)
    scores = {score.metric: score for score in evaluate(encoder, part)}
    seen = embed(part, encoder)
    found = text_to_picture_ranks(seen.pictures, seen.texts, part.pairs)
    score = scores["t2i_recall@10"]
    assert (score.model, score.n, score.value) == ("first", 48, pytest.approx(recall_at(found, 10)))
    assert score.low <= score.value <= score.high


def test_zero_shot_is_measured_where_captions_are_labels_only(project, add_dataset):
    add_dataset("labelled", [["red"], ["green"], ["white"], ["black"]] * 4)
    encoder = open_model("first", project)
    for name, expected in (("labelled", {"zero_shot_top1", "zero_shot_top1_ensemble"}), ("finds", set())):
        part = choose_part(open_dataset(name, project))
        metrics = {m.metric for m in measure(part, embed(part, encoder))}
        assert {m for m in metrics if m.startswith("zero")} == expected


def test_hits_are_the_nearest_pictures_with_their_paths(project):
    part = choose_part(open_dataset("finds", project))
    seen = embed(part, open_model("first", project), phrases=["a red bowl"])
    (hits,) = top_hits(part, seen, seen.phrases, 3)
    best = int(np.argmax(seen.pictures @ seen.phrases[0]))
    assert hits[0].id == part.records[best].id
    assert hits[0].path == str(part.dataset.picture_path(part.records[best]))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
