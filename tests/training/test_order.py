"""Order: each picture once an epoch, twins apart, captions in turn, the same for the same seed."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneclip.records import Record
from tuneclip.training.order import Order, batches_per_epoch, deal


def order_of(captions: list[str], pictures: list[str] | None = None, *, seed: int = 0, twins: bool = True) -> Order:
    records = tuple(Record(str(n), f"{n}.png", tuple(text.split("|"))) for n, text in enumerate(captions))
    return Order(records, tuple(pictures or [r.picture for r in records]), seed, twins)


def most_twins(batches: list[np.ndarray], keys: list[str]) -> int:
    return max(Counter(keys[i] for i in batch).most_common(1)[0][1] for batch in batches)


@pytest.mark.parametrize("twins", [True, False])
@settings(deadline=None)
@given(records=st.integers(2, 400), size=st.integers(2, 128), epoch=st.integers(1, 5), labels=st.integers(1, 400))
def test_an_epoch_has_every_picture_once_in_even_batches(
    twins: bool, records: int, size: int, epoch: int, labels: int
) -> None:
    batches = order_of([str(n % labels) for n in range(records)], twins=twins).batches(epoch, size)
    assert sorted(np.concatenate(batches)) == list(range(records))
    assert len(batches) == batches_per_epoch(records, size)
    sizes = [len(batch) for batch in batches]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 2
    assert max(sizes) <= max(size, 3)


@settings(deadline=None)
@given(
    families=st.lists(st.integers(0, 30), min_size=2, max_size=300), count=st.integers(1, 40), seed=st.integers(0, 9)
)
def test_families_are_spread_as_evenly_as_can_be(families: list[int], count: int, seed: int) -> None:
    numbers = np.array(families)
    for batch in deal(numbers, count, np.random.default_rng(seed)):
        for family, largest in Counter(families).items():
            assert np.count_nonzero(numbers[batch] == family) <= -(-largest // count)


def test_captions_that_say_the_same_do_not_meet() -> None:
    captions = ["A red bowl", "a  red bowl"] * 8 + [f"coin {n}" for n in range(48)]
    keys = ["bowl"] * 16 + captions[16:]
    assert most_twins(order_of(captions).batches(1, 4), keys) == 1
    assert max(most_twins(order_of(captions, twins=False).batches(e, 4), keys) for e in (1, 2, 3)) > 1


def test_one_picture_with_several_records_does_not_meet_itself() -> None:
    pictures = [f"{n // 5}.png" for n in range(100)]
    order = order_of([f"caption {n}" for n in range(100)], pictures)
    assert all(most_twins(order.batches(epoch, 10), pictures) == 1 for epoch in (1, 2, 3))


def test_the_order_changes_with_the_epoch_and_repeats_with_the_seed() -> None:
    captions = [f"find {n}" for n in range(50)]
    first, again, next_one = (np.concatenate(order_of(captions).batches(e, 8)) for e in (1, 1, 2))
    assert (first == again).all()
    assert (first != next_one).any()


def test_all_captions_of_a_picture_have_their_turn() -> None:
    order = order_of(["a|b|c"] * 40)
    for index in range(40):
        assert {order.caption(epoch, index) for epoch in (4, 5, 6)} == {"a", "b", "c"}
    assert {order.caption(1, index) for index in range(40)} == {"a", "b", "c"}
