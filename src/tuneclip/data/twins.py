"""Pictures that are the same: byte for byte, or to the eye."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuneclip.data.look import THUMB, Look

LARGEST_DIFFERENCE = 12
"""Near twins: no area of the thumbnail differs by more, of 255 levels, in any channel. Found on two sets: the same
picture saved again at JPEG quality 50 or enlarged stays below 10 (144 px photographs), two shades of one lipstick on
white come to 15 to 30, two shots of one shelf to 18 and more."""
LIKELY = 0.985
"""Correlation of 8 × 8 colour thumbnails below which two pictures are not compared further."""
COMPARED = 8
"""A picture is compared closely with its likeliest so many earlier ones: bounds the work on a set of look-alikes."""
BLOCK = 256
"""Pictures compared with all earlier ones at once: 100 MB of correlations at 100,000 pictures."""
Groups = tuple[tuple[int, ...], ...]
Track = Callable[[range], Iterable[int]]


@dataclass(frozen=True)
class Twins:
    """Groups of record numbers, each of two at least, in order."""

    exact: Groups
    """The same bytes."""
    near: Groups
    """Different bytes that look the same; of exact twins only the first is listed."""
    same: Groups
    """Both together: all records of a group show one picture."""


def find_twins(looks: Sequence[Look], blank: Callable[[Look], bool], track: Track = iter) -> Twins:
    """The twins among pictures; those that could not be decoded or are blank are not near twins of anything.

    Near twins are found as perceptual hashes find them (Zauner, "Implementation and benchmarking of perceptual image
    hash functions", 2010), but without rounding a thumbnail to bits: a first pass by correlation, then area by area.
    """
    by_bytes: dict[bytes, list[int]] = {}
    for number, look in enumerate(looks):
        if look.thumb is not None:
            by_bytes.setdefault(look.digest, []).append(number)
    firsts = [group[0] for group in by_bytes.values() if not blank(looks[group[0]])]
    root = list(range(len(looks)))
    for later, earlier in _links(looks, firsts, track):
        root[_find(root, later)] = _find(root, earlier)
    near = _grouped(root, firsts)
    for group in by_bytes.values():
        for number in group[1:]:
            root[_find(root, number)] = _find(root, group[0])
    exact = tuple(tuple(group) for group in by_bytes.values() if len(group) > 1)
    return Twins(exact, near, _grouped(root, range(len(looks))))


def _find(root: list[int], number: int) -> int:
    while root[number] != number:
        root[number] = root[root[number]]
        number = root[number]
    return number


def _grouped(root: list[int], numbers: Iterable[int]) -> Groups:
    groups: dict[int, list[int]] = {}
    for number in numbers:
        groups.setdefault(_find(root, number), []).append(number)
    return tuple(sorted(tuple(group) for group in groups.values() if len(group) > 1))


def _links(looks: Sequence[Look], numbers: Sequence[int], track: Track) -> Iterable[tuple[int, int]]:
    """Pairs (later, earlier) of pictures that look the same."""
    if not numbers:
        return
    thumbs = np.stack([_thumb(looks[number]) for number in numbers])  # (n, THUMB, THUMB, 3) uint8
    vectors = _vectors(thumbs)  # (n, 192), unit length
    for start in track(range(0, len(numbers), BLOCK)):
        block = vectors[start : start + BLOCK]
        likeness = block @ vectors[: start + len(block)].T  # (block, earlier and block)
        for row, earlier in enumerate(likeness):
            candidates = np.flatnonzero(earlier[: start + row] > LIKELY)
            if len(candidates) > COMPARED:
                best = np.argpartition(-earlier[candidates], COMPARED)[:COMPARED]
                candidates = candidates[best]
            if len(candidates):
                own = thumbs[start + row].astype(np.int16)
                differences = np.abs(thumbs[candidates] - own).max(axis=(1, 2, 3))
                for other in candidates[differences <= LARGEST_DIFFERENCE].tolist():
                    yield numbers[start + row], numbers[other]


def _thumb(look: Look) -> npt.NDArray[np.uint8]:
    assert look.thumb is not None
    return look.thumb


def _vectors(thumbs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The thumbnails at 8 × 8, mean removed, as unit vectors: their dot product is a correlation."""
    half: npt.NDArray[np.float32] = thumbs.reshape(len(thumbs), THUMB // 2, 2, THUMB // 2, 2, 3).mean(
        axis=(2, 4), dtype=np.float32
    )
    flat = half.reshape(len(thumbs), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat
