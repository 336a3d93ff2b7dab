"""Which split a record falls into: what the source says, else a deterministic choice by the hash of its group."""

import re
from collections.abc import Callable, Iterable
from hashlib import blake2b

MADE = {"train": 0.8, "validation": 0.1, "test": 0.1}
CARVED = {"train": 0.9, "validation": 0.1}
_WORDS = {
    "train": ("train", "training", "trn", "restval"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
_NAMES = {word: name for name, words in _WORDS.items() for word in words}


def split_order(name: str) -> tuple[int, str]:
    """Sort key of a split's name: train, validation, test, then any other by name."""
    usual = ("train", "validation", "test")
    return (usual.index(name) if name in usual else len(usual), name)


def split_name(word: str) -> str | None:
    """The split that a word names (`val` and `dev` are validation); None when it names none."""
    return _NAMES.get(word.strip().lower())


def split_in_path(path: str) -> str | None:
    """The split that a file or folder name carries, as `train-00000-of-00002.parquet` or `test/a.jpg` do."""
    for part in reversed(path.split("/")):
        for word in re.split(r"[-._ 0-9]+", part):
            name = split_name(word)
            if name:
                return name
    return None


def position(group: str, seed: int) -> float:
    """Where a group stands in [0, 1): uniform over groups, the same on every machine."""
    digest = blake2b(f"{seed}\0{group}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def choose_splits(groups: Iterable[str], shares: dict[str, float], seed: int) -> Callable[[str], str]:
    """A function from group to split with about these shares of the groups.

    A group's split depends on its name and the seed alone, so added records move nothing. Only where that leaves a
    split empty (a handful of groups) the groups are dealt out in the order of their hashes instead, one at least to
    validation when there are two groups, one to test when there are three.
    """
    waiting = set(shares)
    few: list[str] = []
    for group in groups:
        waiting.discard(_by_position(group, shares, seed))
        few.append(group)
        if not waiting:
            return lambda group: _by_position(group, shares, seed)
    dealt = _deal(sorted(few, key=lambda group: (position(group, seed), group)), shares)
    return lambda group: dealt[group]


def _by_position(group: str, shares: dict[str, float], seed: int) -> str:
    place, end, name = position(group, seed), 0.0, ""
    for name, share in shares.items():
        end += share
        if place < end:
            return name
    return name


def _deal(groups: list[str], shares: dict[str, float]) -> dict[str, str]:
    dealt = dict.fromkeys(groups, "train")
    taken = 0
    for name in [name for name in shares if name != "train"]:
        room = len(groups) - taken - 1  # one group at least stays in train
        count = min(room, max(1, round(len(groups) * shares[name])))
        for group in groups[taken : taken + max(0, count)]:
            dealt[group] = name
        taken += max(0, count)
    return dealt
