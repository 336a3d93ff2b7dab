"""Pictures to pixel values exactly as the checkpoint's own processor does it, with Pillow and NumPy alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError
from tuneclip.project import read_json

if TYPE_CHECKING:
    from PIL.Image import Image

READ_LARGER = 3
"""A JPEG that is shrunk for a model is read this much larger at least. Cosine to the starter's vector of the whole
picture, on mosaics of photographs, mean and smallest: 0.9996 and 0.9989 at 3, 0.9980 and 0.9951 at 2."""
FILES = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class Preprocessing:
    """What a checkpoint does to a picture before its picture tower; all values come from its files."""

    shortest_edge: int | None
    size: tuple[int, int] | None
    """(height, width) to resize to, aspect not kept; used where there is no `shortest_edge`."""
    crop: tuple[int, int] | None
    """(height, width) cut out of the middle."""
    resample: int
    """Pillow's number of the filter: 2 bilinear, 3 bicubic."""
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pictures: list["Image"]) -> npt.NDArray[np.float32]:
        """RGB pictures of any size to (n, 3, height, width) float32."""
        return np.stack([self.normalise(self.resize(picture)) for picture in pictures])

    def resize(self, picture: "Image") -> npt.NDArray[np.uint8]:
        """One RGB picture to (height, width, 3) uint8, resized and cropped."""
        if self.shortest_edge is not None:
            width, height = picture.size
            short, long = min(width, height), max(width, height)
            other = int(self.shortest_edge * long / short)
            to = (self.shortest_edge, other) if width <= height else (other, self.shortest_edge)
            picture = picture.resize(to, self.resample)
        elif self.size is not None:
            picture = picture.resize((self.size[1], self.size[0]), self.resample)
        pixels = np.asarray(picture)
        return pixels if self.crop is None else _centre(pixels, self.crop)

    def normalise(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(height, width, 3) uint8 to (3, height, width) float32 with the checkpoint's mean and deviation."""
        slope, offset = self.slope_and_offset
        values: npt.NDArray[np.float32] = (pixels * slope - offset).astype(np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1))

    @property
    def least(self) -> int | None:
        """Pixels that both sides of a picture must have for `resize` to give, but for noise, what it gives of more."""
        target = self.shortest_edge or (max(self.size) if self.size else None)
        return None if target is None else target * READ_LARGER

    @property
    def slope_and_offset(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(3,) each: a uint8 value times slope minus offset is the normalised value of its channel."""
        slope = (self.scale / np.asarray(self.std)).astype(np.float32)
        offset = (np.asarray(self.mean) / np.asarray(self.std)).astype(np.float32)
        return slope, offset


def _centre(pixels: npt.NDArray[np.uint8], crop: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """The middle of the picture; black beyond its edges, as transformers does it."""
    short = [max(0, want - have) for want, have in zip(crop, pixels.shape[:2], strict=True)]
    if any(short):
        before = [(s + 1) // 2 for s in short]
        pixels = np.pad(pixels, [(before[0], short[0] - before[0]), (before[1], short[1] - before[1]), (0, 0)])
    top, left = ((have - want) // 2 for want, have in zip(crop, pixels.shape[:2], strict=True))
    return pixels[top : top + crop[0], left : left + crop[1]]


def read_preprocessing(folder: Path) -> Preprocessing:
    """The preprocessing that a model folder in the Hub's layout describes; TuneclipError when it has none."""
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise TuneclipError("the model has no picture processor", where=folder, expected=" or ".join(FILES))
    raw = read_json(path)
    values = raw.get("image_processor", raw)
    try:
        return _parsed(values)
    except (KeyError, TypeError, ValueError) as error:
        raise TuneclipError(f"cannot read the picture processor: {error!r}", where=path) from error


def _parsed(values: dict[str, Any]) -> Preprocessing:
    size = values.get("size") if values.get("do_resize", True) else None
    if isinstance(size, int):
        size = {"shortest_edge": size}
    crop = values.get("crop_size") if values.get("do_center_crop", False) else None
    if isinstance(crop, int):
        crop = {"height": crop, "width": crop}
    normal = values.get("do_normalize", True)
    return Preprocessing(
        shortest_edge=int(size["shortest_edge"]) if size and "shortest_edge" in size else None,
        size=(int(size["height"]), int(size["width"])) if size and "height" in size else None,
        crop=(int(crop["height"]), int(crop["width"])) if crop else None,
        resample=int(values.get("resample", 3)),
        scale=float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0,
        mean=tuple(values["image_mean"]) if normal else (0.0, 0.0, 0.0),
        std=tuple(values["image_std"]) if normal else (1.0, 1.0, 1.0),
    )
