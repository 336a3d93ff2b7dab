"""Batches: pictures and texts of an order, the same whatever was done before and however many share the work."""

import dataclasses
from pathlib import Path

import pytest
import torch

from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training import batches
from tuneclip.training.batches import Feed
from tuneclip.training.order import make_order


def feed_of(folder: Path, model: Path, *, augment: bool = True) -> Feed:
    dataset = open_dataset(folder)
    return Feed(dataset, load_model(model), make_order(dataset, TrainingConfig()), augment=augment)


def test_an_epoch_begun_in_the_middle_gives_the_same_batches(small_dataset: Path, tiny_model: Path) -> None:
    feed = feed_of(small_dataset, tiny_model)
    whole, rest = list(feed.epoch(2, 5)), list(feed.epoch(2, 5, start=3))
    assert len(rest) == len(whole) - 3
    for late, early in zip(rest, whole[3:], strict=True):
        assert late.captions == early.captions
        assert torch.equal(late.picture_inputs, early.picture_inputs)
        assert torch.equal(late.text_inputs["input_ids"], early.text_inputs["input_ids"])


def test_processes_share_a_batch_row_by_row_and_all_know_its_keys(small_dataset: Path, tiny_model: Path) -> None:
    feed = feed_of(small_dataset, tiny_model)
    alone = list(feed.epoch(1, 9))
    for whole, *parts in zip(alone, *(feed.epoch(1, 9, share=(rank, 2)) for rank in (0, 1)), strict=True):
        assert torch.equal(torch.cat([part.picture_inputs for part in parts]), whole.picture_inputs)
        assert parts[0].captions + parts[1].captions == whole.captions
        assert parts[0].keys == parts[1].keys == whole.keys


def test_texts_are_cut_to_the_longest_of_the_batch(small_dataset: Path, tiny_model: Path) -> None:
    feed = feed_of(small_dataset, tiny_model, augment=False)
    batch = next(feed.epoch(1, 8))
    assert batch.text_inputs["attention_mask"].sum(1).max() == batch.text_inputs["input_ids"].shape[1] < 24


def test_pictures_kept_in_memory_change_nothing(
    small_dataset: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = feed_of(small_dataset, tiny_model)
    list(kept.epoch(1, 8))
    monkeypatch.setattr(batches, "KEPT_BYTES", 0)
    monkeypatch.setattr(batches, "WORKERS", 1)
    for one, other in zip(kept.epoch(2, 8), feed_of(small_dataset, tiny_model).epoch(2, 8), strict=True):
        assert torch.equal(one.picture_inputs, other.picture_inputs)


def test_a_batch_larger_than_what_waits_is_whole(
    small_dataset: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = list(feed_of(small_dataset, tiny_model).epoch(1, 24))
    monkeypatch.setattr(batches, "AHEAD_BYTES", 0)
    monkeypatch.setattr(batches, "PART", 5)
    for one, other in zip(feed_of(small_dataset, tiny_model).epoch(1, 24), usual, strict=True):
        assert torch.equal(one.picture_inputs, other.picture_inputs)


def test_an_unreadable_picture_is_named_at_its_batch(project: Path, tiny_model: Path) -> None:
    feed = feed_of(project / "datasets" / "small", tiny_model)
    path = project / "datasets" / "small" / feed.order.records[feed.order.batches(1, 5)[2][0]].picture
    path.write_bytes(b"torn")
    epoch = feed.epoch(1, 5)
    assert len([next(epoch), next(epoch)]) == 2
    with pytest.raises(TuneclipError, match=rf"{path.name}.*--resume; tuneclip check small"):
        next(epoch)


def test_a_picture_without_a_file_or_a_caption_is_refused_before_training(project: Path) -> None:
    dataset = open_dataset(project / "datasets" / "small")
    bare = dataclasses.replace(dataset, given=(dataclasses.replace(dataset.records[0], captions=()),))
    with pytest.raises(TuneclipError, match=r"find-0.*tuneclip caption small"):
        make_order(bare, TrainingConfig())
    (project / "datasets" / "small" / dataset.records[3].picture).unlink()
    with pytest.raises(TuneclipError, match=r"003.png.*tuneclip check small"):
        make_order(dataset, TrainingConfig())


def test_files_with_the_same_bytes_are_one_picture(project: Path) -> None:
    dataset = open_dataset(project / "datasets" / "small")
    first, second = (dataset.picture_path(record) for record in dataset.records[:2])
    second.write_bytes(first.read_bytes())
    keys = make_order(dataset, TrainingConfig()).pictures
    assert keys[0] == keys[1]
    assert len(set(keys)) == len(keys) - 1
