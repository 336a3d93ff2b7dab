"""Fixed crops of the training pictures, and what a MobileNetV2 trained on ImageNet makes of each.

The student later sees exactly the crops that the teacher saw, as in Beyer et al., "Knowledge distillation: a good
teacher is patient and consistent" (arXiv 2106.05237), at its own 96 px; the teacher saw them at 224 px.
"""

from __future__ import annotations

import math
import multiprocessing
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from .sources import VIEWS, Source, decode

SIDE, TEACHER_SIDE = 96, 224  # px: the student's picture, the teacher's picture
FEATURES, CLASSES = 1280, 1001
CHUNK = 64  # pictures that are finished together
SMALLEST_CROP = 0.35  # share of the picture's area
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Views:
    """Memory-mapped crops of one split and the teacher's answers, each (pictures, views, …)."""

    crops: np.ndarray[Any, Any]  # uint8, (pictures, views, 96, 96, 3)
    features: np.ndarray[Any, Any]  # float16, (pictures, views, 1280), not standardised
    scores: np.ndarray[Any, Any]  # uint8, (pictures, views, 1001), probability x 256
    done: np.ndarray[Any, Any]  # uint8, one mark for each chunk of pictures


def open_views(folder: Path, count: int, views: int) -> Views:
    """Open (or make) the memory-mapped arrays of `count` pictures with `views` crops each."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {
        "crops": ((count, views, SIDE, SIDE, 3), np.uint8),
        "features": ((count, views, FEATURES), np.float16),
        "scores": ((count, views, CLASSES), np.uint8),
        "done": ((math.ceil(count / CHUNK),), np.uint8),
    }
    arrays = {}
    for name, (shape, dtype) in shapes.items():
        path = folder / f"{name}.npy"
        if not path.exists():
            np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape).flush()
        arrays[name] = np.load(path, mmap_mode="r+")
    return Views(**arrays)


def centre_box(width: int, height: int) -> Box:
    """The largest square in the middle."""
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def random_box(width: int, height: int, random: np.random.Generator) -> Box:
    """A box of 35–100 % of the area and a shape of 3:4 to 4:3, as in Szegedy et al. (arXiv 1409.4842)."""
    for _ in range(10):
        area = width * height * random.uniform(SMALLEST_CROP, 1)
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = math.sqrt(area * aspect), math.sqrt(area / aspect)
        if wide <= width and high <= height:
            left, top = random.uniform(0, width - wide), random.uniform(0, height - high)
            return left, top, left + wide, top + high
    return centre_box(width, height)


def crops(picture: Image.Image, views: int, seed: tuple[int, ...]) -> Iterator[tuple[Image.Image, Image.Image]]:
    """The fixed views of a picture at the student's and at the teacher's size: the centre, then random ones."""
    random = np.random.default_rng(seed)
    for view in range(views):
        box = random_box(*picture.size, random) if view else centre_box(*picture.size)
        pair = [picture.resize((side, side), Image.Resampling.BICUBIC, box=box) for side in (SIDE, TEACHER_SIDE)]
        if view and random.random() < 0.5:
            pair = [one.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for one in pair]
        yield pair[0], pair[1]


class Teacher:
    """The int8 MobileNetV2: one picture of 224 px in, 1,280 pooled features and 1,001 class scores out."""

    def __init__(self, model: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # keeping all tensors is what we want: the features are not an output
            self.interpreter = Interpreter(model_path=str(model), num_threads=1, experimental_preserve_all_tensors=True)
        self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]["index"]
        self.output = self.interpreter.get_output_details()[0]["index"]
        details = self.interpreter.get_tensor_details()
        self.pooled = next(detail for detail in details if list(detail["shape"]) == [1, 1, 1, FEATURES])

    def __call__(self, picture: Image.Image) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Features (1280,) in float32 and class scores (1001,) in uint8."""
        self.interpreter.set_tensor(self.input, np.asarray(picture, dtype=np.uint8)[None])
        self.interpreter.invoke()
        scale, zero = self.pooled["quantization"]
        raw = self.interpreter.get_tensor(self.pooled["index"]).reshape(FEATURES)
        return (raw.astype(np.float32) - zero) * scale, self.interpreter.get_tensor(self.output)[0]


def views_of(work: Path, source: Source, split: str) -> Views:
    """The arrays of one split of a source: all its views of the training pictures, else only the centre."""
    views = VIEWS[source.name] if split == "train" else 1
    return open_views(work / "views" / f"{source.name}-{split}", len(source.pictures), views)


def _watch(model: Path, source: Source, into: Views, part: int, parts: int) -> None:
    """Fill every chunk of this part that is not marked as done."""
    teacher = Teacher(model)
    for chunk in range(part, len(into.done), parts):
        if into.done[chunk]:
            continue
        for index in range(chunk * CHUNK, min((chunk + 1) * CHUNK, len(source.pictures))):
            seed = (list(VIEWS).index(source.name), index)
            pairs = crops(decode(source.pictures[index]), into.crops.shape[1], seed)
            for view, (small, large) in enumerate(pairs):
                into.crops[index, view] = np.asarray(small)
                into.features[index, view], into.scores[index, view] = teacher(large)
        into.done[chunk] = 1


def watch(model: Path, source: Source, into: Views, processes: int = 2) -> None:
    """Crop the pictures of a source and ask the teacher about each crop; what is done already is skipped."""
    if into.done.all():
        return
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_watch, args=(model, source, into, part, processes)) for part in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"{source.name}: a process that asked the teacher failed; run the command again")
