"""Batches: each picture once an epoch, no batch of one, the same whatever was done before."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuneclip.data.load import open_dataset
from tuneclip.model.batches import Feed, batches_per_epoch, epoch_order
from tuneclip.model.open import load_model


@given(records=st.integers(2, 400), size=st.integers(2, 128), epoch=st.integers(0, 5))
def test_an_epoch_has_every_picture_once_and_no_batch_of_one(records: int, size: int, epoch: int) -> None:
    batches = epoch_order(records, size, seed=3, epoch=epoch)
    assert sorted(np.concatenate(batches)) == list(range(records))
    assert len(batches) == batches_per_epoch(records, size)
    assert all(2 <= len(batch) <= max(size, 3) for batch in batches)


def test_the_order_changes_with_the_epoch_and_repeats_with_the_seed() -> None:
    first, again, next_one = (np.concatenate(epoch_order(50, 8, seed=0, epoch=e)) for e in (1, 1, 2))
    assert (first == again).all()
    assert (first != next_one).any()


def test_an_epoch_begun_in_the_middle_gives_the_same_batches(small_dataset: Path, tiny_model: Path) -> None:
    dataset, loaded = open_dataset(small_dataset), load_model(tiny_model)
    feed = Feed(dataset, dataset.split("train"), loaded, seed=0, augment=True)
    whole, rest = list(feed.epoch(2, 5)), list(feed.epoch(2, 5, start=3))
    assert len(rest) == len(whole) - 3
    for late, early in zip(rest, whole[3:], strict=True):
        assert late.captions == early.captions
        assert torch.equal(late.picture_inputs, early.picture_inputs)
        assert torch.equal(late.text_inputs["input_ids"], early.text_inputs["input_ids"])


def test_texts_are_cut_to_the_longest_of_the_batch(small_dataset: Path, tiny_model: Path) -> None:
    dataset, loaded = open_dataset(small_dataset), load_model(tiny_model)
    batch = next(Feed(dataset, dataset.split("train"), loaded, seed=0, augment=False).epoch(1, 8))
    assert batch.text_inputs["attention_mask"].sum(1).max() == batch.text_inputs["input_ids"].shape[1] < loaded.context


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_all_captions_of_a_picture_are_used_over_the_epochs(epoch: int, small_dataset: Path, tiny_model: Path) -> None:
    dataset, loaded = open_dataset(small_dataset), load_model(tiny_model)
    feed = Feed(dataset, dataset.split("train"), loaded, seed=0, augment=False)
    keys = {key for batch in feed.epoch(epoch, 8) for key in batch.captions}
    assert any(key.startswith("a ") for key in keys)
    assert any(key.startswith("the ") for key in keys)
