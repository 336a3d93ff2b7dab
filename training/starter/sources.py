"""The pictures and texts that the starter learns from: three data sets, read from their parquet files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pyarrow import parquet

VIEWS = {"flickr8k": 13, "tiny-imagenet": 4, "grocery": 9}  # fixed crops a picture, the centre one first


@dataclass(frozen=True)
class Source:
    """One split of one data set: encoded pictures, the captions of each, or its class and the names of that class."""

    name: str
    pictures: list[bytes]
    captions: list[list[str]]  # per picture; empty lists for data sets of classes
    classes: list[str]  # per picture; empty for data sets of captions
    names: dict[str, list[str]]  # class -> its names, the class itself first


def decode(encoded: bytes) -> Image.Image:
    """The RGB picture in the bytes of an image file."""
    return Image.open(io.BytesIO(encoded)).convert("RGB")


def _grocery_names(label: str, coarse: str) -> list[str]:
    """Both names of a grocery: "Golden Delicious" says little without "Apple"."""
    plain, kind = label.replace("-", " "), coarse.replace("-", " ")
    together = plain if kind.lower() in plain.lower() else f"{plain} {kind}"
    return list(dict.fromkeys([plain, together]))


def read(data: Path, name: str, split: str) -> Source:
    """Read one split of `flickr8k`, `tiny-imagenet` or `grocery` from the folder of that name under `data`."""
    table = parquet.read_table(data / name / f"{split}.parquet")
    rows = table.drop(["image"]).to_pylist()
    pictures = [picture["bytes"] for picture in table["image"].to_pylist()]
    if name == "flickr8k":
        return Source(name, pictures, [row["captions"] for row in rows], [], {})
    names: dict[str, list[str]] = {}
    for row in rows:
        if name == "grocery":
            found = _grocery_names(row["label"], row["coarse_label"])
        else:
            found = [row["label"], *(part.strip() for part in row["synonyms"].split(","))]
        names[row["label"]] = list(dict.fromkeys([row["label"], *found]))
    return Source(name, pictures, [[] for _ in rows], [row["label"] for row in rows], names)
