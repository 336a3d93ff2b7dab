"""Arrays kept on disk: complete or absent, found again, never more than the disk holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneclip.errors import TuneclipError
from tuneclip.training import kept
from tuneclip.training.kept import Job, keep


def job(started: list[int], pieces: int = 4, fail_after: int | None = None, **values: Any) -> Job:
    def make(start: int) -> Iterator[Any]:
        for piece in range(start, pieces):
            if piece == fail_after:
                raise KeyboardInterrupt
            started.append(piece)
            yield np.arange(piece * 2, piece * 2 + 2), np.full((2, 3), piece, np.float32)

    return Job("a test", {"of": "a test", **values}, (pieces * 2, 3), np.float16, pieces, make)


def test_a_killed_computation_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "SAVED_SECONDS", -1.0)
    made: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        keep([job(made, fail_after=3)], tmp_path)
    assert not list(tmp_path.glob("[!.]*.npy"))
    (array,) = keep([job(made)], tmp_path)
    assert made == [0, 1, 2, 3]
    assert array.tolist() == [[piece] * 3 for piece in (0, 0, 1, 1, 2, 2, 3, 3)]


def test_what_was_kept_is_found_again_and_only_by_the_same_job(tmp_path: Path) -> None:
    made: list[int] = []
    keep([job(made)], tmp_path)
    keep([job(made)], tmp_path)
    assert len(made) == 4
    keep([job(made, seed=1)], tmp_path)
    assert len(made) == 8


def test_a_disk_without_room_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    made: list[int] = []
    with pytest.raises(TuneclipError, match=r"no room .*lower `views`"):
        keep([job(made)], tmp_path)
    assert made == []


def test_activations_beyond_half_precision_are_refused(tmp_path: Path) -> None:
    huge = Job("huge", {}, (1, 1), np.float16, 1, lambda _: iter([(np.array([0]), np.array([[1e6]]))]))
    with pytest.raises(TuneclipError, match=r"1e\+06 cannot be kept in float16"):
        keep([huge], tmp_path)
