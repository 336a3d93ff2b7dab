"""Print the packaged model's figures, its speed on one core and how long it takes to load."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from transformers import AutoImageProcessor, CLIPModel

from .package import describe, packaged_figures
from .sources import decode, read


def load_seconds(folder: Path) -> float:
    """Seconds to load the weights, with torch and transformers imported and the file read once before."""
    CLIPModel.from_pretrained(folder)
    began = time.perf_counter()
    CLIPModel.from_pretrained(folder)
    return time.perf_counter() - began


@torch.inference_mode()
def pictures_a_second(folder: Path, data: Path, count: int = 512) -> float:
    """Pictures encoded a second by one thread, preprocessing included, decoding not; the best of three rounds."""
    torch.set_num_threads(1)
    model, prepare = CLIPModel.from_pretrained(folder).eval(), AutoImageProcessor.from_pretrained(folder)
    pictures = [decode(encoded) for encoded in read(data, "flickr8k", "validation").pictures[:count]]
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        for first in range(0, len(pictures), 32):
            model.get_image_features(**prepare(images=pictures[first : first + 32], return_tensors="pt"))
        best = max(best, len(pictures) / (time.perf_counter() - began))
    return best


def main() -> None:
    """Read the options and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m training.starter.judge", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the packaged model")
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k and tiny-imagenet")
    parser.add_argument("--split", nargs="+", default=["validation"], help="of Flickr8k; choose by validation only")
    parser.add_argument("--write", action="store_true", help="write the figures into the model card and tuneclip.json")
    options = parser.parse_args()
    figures = {split: packaged_figures(options.model, options.data, split) for split in options.split}
    if options.write:
        describe(options.model, figures)
    load = round(load_seconds(options.model), 3)
    speed = round(pictures_a_second(options.model, options.data))
    print(json.dumps({"figures": figures, "load_seconds": load, "pictures_a_second": speed}, indent=2))


if __name__ == "__main__":
    main()
