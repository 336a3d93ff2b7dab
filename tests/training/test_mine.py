"""Hard negatives: near but not too near, brought together without tearing an epoch, the same after a kill."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_train import keep_the_last_epoch, losses, write_config

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.records import Record
from tuneclip.training.mine import Miner, bring_together, find_alike
from tuneclip.training.order import Order


def clusters(count: int, size: int, noise: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of pictures and of their texts, which share what their cluster has."""
    random = np.random.default_rng(0)
    middle = np.repeat(random.normal(size=(count, 64)), size, axis=0)
    own = middle + noise * random.normal(size=middle.shape)
    return own.astype(np.float32), (own + 0.1 * random.normal(size=own.shape)).astype(np.float32)


def nothing_apart(records: int) -> list[np.ndarray]:
    return [np.arange(records)]


def test_the_alike_are_of_the_same_kind_and_never_the_record_itself() -> None:
    found = find_alike(*clusters(6, 8), nothing_apart(48), np.random.default_rng(0))
    first = found[:, :3]
    assert (first >= 0).all()
    assert (first // 8 == np.arange(48)[:, None] // 8).mean() > 0.95
    assert (found != np.arange(48)[:, None]).all()


def test_what_is_as_near_as_the_own_text_is_no_negative() -> None:
    pictures, texts = clusters(6, 8)
    pictures[1], texts[1] = pictures[0] * 2, texts[0] * 3
    found = find_alike(pictures, texts, nothing_apart(48), np.random.default_rng(0))
    assert 1 not in found[0]
    assert 0 not in found[1]


def test_what_belongs_together_is_never_mined() -> None:
    groups = np.arange(48) // 2
    found = find_alike(*clusters(6, 8), [groups], np.random.default_rng(0))
    assert not ((found >= 0) & (groups[found] == groups[:, None])).any()


def test_records_that_were_not_embedded_yet_are_left_out() -> None:
    pictures, texts = clusters(6, 8)
    pictures[5], texts[9] = 0, np.nan
    found = find_alike(pictures, texts, nothing_apart(48), np.random.default_rng(0))
    assert (found[[5, 9]] == -1).all()
    assert not np.isin(found, [5, 9]).any()


def share_of_alike(batches: list[np.ndarray], alike: np.ndarray) -> float:
    """The share of rows that another row of their batch names."""
    named = [np.isin(batch, alike[batch]).sum() for batch in batches]
    return sum(named) / sum(map(len, batches))


@settings(deadline=None)
@given(share=st.floats(0.05, 0.9), seed=st.integers(0, 20), size=st.integers(4, 40))
def test_swaps_keep_each_picture_once_and_twins_apart(share: float, seed: int, size: int) -> None:
    labels = np.arange(160) % 40
    records = tuple(Record(str(n), f"{n}.png", (str(label),)) for n, label in enumerate(labels))
    order = Order(records, tuple(r.picture for r in records), seed, hard_negatives=share)
    alike = np.random.default_rng(seed).integers(-1, 160, (160, 16))
    plain, mined = order.batches(2, size), order.batches(2, size, alike)
    assert sorted(np.concatenate(mined)) == list(range(160))
    assert [len(batch) for batch in mined] == [len(batch) for batch in plain]
    twins = [max(Counter(labels[batch]).values()) for batch in mined]
    assert max(twins) == max(max(Counter(labels[batch]).values()) for batch in plain)


def test_the_wanted_share_of_a_batch_sits_beside_its_like() -> None:
    alike = find_alike(*clusters(160, 4), nothing_apart(640), np.random.default_rng(0))[:, :3]
    batches = np.array_split(np.random.default_rng(1).permutation(640), 20)
    for share in (0.25, 0.5, 0.8):
        mined = bring_together(batches, alike, [], share=share, random=np.random.default_rng(2))
        assert share_of_alike(batches, alike) < 0.2 < share <= share_of_alike(mined, alike)


def test_what_was_mined_is_found_again_after_a_kill(tmp_path: Path) -> None:
    pictures, texts = (torch.from_numpy(v) for v in clusters(6, 8))
    miner = Miner(tmp_path, records=48, seed=0)
    assert miner.alike(1, nothing_apart(48)) is None
    miner.note(np.arange(48), pictures, texts)
    mined = miner.alike(2, nothing_apart(48))
    miner.note(np.arange(20), texts[:20], pictures[:20])  # steps of epoch 2, then the kill
    again = Miner(tmp_path, records=48, seed=0)
    assert mined is not None
    assert np.array_equal(again.alike(2, nothing_apart(48)), mined)
    again.note(np.arange(48), pictures.flip(0), texts)
    assert not np.array_equal(again.alike(3, nothing_apart(48)), mined)


def test_a_run_torn_by_a_picture_goes_on_when_it_is_mended_and_ends_as_the_undisturbed_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneclip.training.batches.KEPT_BYTES", 0)
    keep_the_last_epoch(project)
    config = write_config(project, hard_negatives=0.5, num_epochs=3)
    tuneclip.train("small", model="tiny", to="calm", config=config, project=project)
    picture = next((project / "datasets" / "small" / "pictures").iterdir())
    whole, noted = picture.read_bytes(), Miner.note

    steps: list[int] = []

    def tear_at_the_eighth_step(miner: Miner, *arguments: Any) -> None:
        noted(miner, *arguments)
        steps.append(len(steps) + 1)
        if len(steps) == 8:
            picture.write_bytes(b"torn")

    monkeypatch.setattr(Miner, "note", tear_at_the_eighth_step)
    with pytest.raises(TuneclipError, match=picture.name):
        tuneclip.train("small", model="tiny", to="torn", config=config, project=project)
    picture.write_bytes(whole)
    tuneclip.train("small", model="tiny", to="torn", config=config, resume=True, project=project)
    assert losses(project, "torn") == losses(project, "calm")
    assert len(steps) == len(losses(project, "calm"))
    assert not (project / "runs" / "torn" / "mined.safetensors").exists()
