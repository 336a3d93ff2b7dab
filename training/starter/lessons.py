"""What a step learns from: views of pictures drawn by chance, what the teacher saw in them, and their classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .sources import Source
from .teacher import Views

SHARES = {"flickr8k": 0.45, "tiny-imagenet": 0.47, "grocery": 0.08}  # of a step's pictures


def _mirror(crops: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """`crops` (pictures, height, width, 3) with about half of them mirrored; the array is changed in place."""
    mirrored = random.random(len(crops)) < 0.5
    crops[mirrored] = crops[mirrored, :, ::-1]
    return crops


@dataclass(frozen=True)
class Lesson:
    """The pictures of one step; those with captions come first."""

    crops: Tensor  # (pictures, 96, 96, 3), uint8
    features: Tensor  # (pictures, 1280)
    captioned: NDArray[np.int64]  # which captioned pictures
    classes: Tensor  # class of each of the other pictures


class Pictures:
    """All views of the training pictures, to draw lessons from."""

    def __init__(self, sources: list[Source], views: list[Views], labels: list[str]) -> None:
        place = {label: number for number, label in enumerate(labels)}
        self.views = {source.name: view for source, view in zip(sources, views, strict=True)}
        self.classes = {
            source.name: np.array([place[label] for label in source.classes], dtype=np.int64) for source in sources
        }

    def draw(self, pictures: int, random: np.random.Generator, *, crops: bool = True) -> Lesson:
        """One random view of each of `pictures` different pictures, mirrored half of the time."""
        chosen: dict[str, NDArray[np.int64]] = {}
        seen, features = [], []
        for name, share in SHARES.items():
            views = self.views[name]
            count, each = views.crops.shape[:2]
            chosen[name] = np.sort(random.choice(count, round(pictures * share), replace=False))
            view = random.integers(0, each, len(chosen[name]))
            if crops:
                seen.append(torch.from_numpy(_mirror(views.crops[chosen[name], view], random)))
            features.append(torch.from_numpy(views.features[chosen[name], view].astype(np.float32)))
        classes = [self.classes[name][rows] for name, rows in chosen.items() if len(self.classes[name])]
        captioned = next(rows for name, rows in chosen.items() if not len(self.classes[name]))
        picture = torch.cat(seen) if crops else torch.empty(0)
        return Lesson(picture, torch.cat(features), captioned, torch.from_numpy(np.concatenate(classes)))

    def some(self, name: str, count: int) -> Tensor:
        """Every n-th picture of a source, about `count` of them, one view each."""
        crops = self.views[name].crops
        return torch.from_numpy(np.ascontiguousarray(crops[:: max(1, len(crops) // count), 1]))

    def sample_features(self) -> Tensor:
        """The teacher's features of the first two views of every seventh picture, (views, 1280)."""
        parts = [views.features[::7, :2].reshape(-1, views.features.shape[2]) for views in self.views.values()]
        return torch.from_numpy(np.concatenate(parts).astype(np.float32))
