"""Pictures and captions for the benchmark: drawn from a seed, each caption another one, all of the same length."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from tuneclip.data.load import open_dataset
from tuneclip.data.picture import load_picture
from tuneclip.model.open import load_model

from .worker import save_material

TOKENS = 22
"""Of every caption, both ends included."""
COLOURS = ("red", "green", "blue", "white", "black", "grey", "brown", "orange")
FORMS = ("bowl", "coin", "lamp", "vase", "ring", "cup", "plate", "bell")
PLACES = ("table", "shelf", "floor", "wall", "stone", "cloth", "box", "chair")
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")


def save_dataset(folder: Path, count: int) -> None:
    """A dataset of `count` pairs in tuneclip's layout; made once."""
    if not (folder / "metadata.jsonl").is_file():
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        rows = [_draw(folder, number) for number in range(count)]
        (folder / "dataset.json").write_text(json.dumps({"name": folder.name}))
        (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def save_prepared(dataset: Path, model: Path) -> Path:
    """The same pairs for the peers, their pictures through the model's own preprocessing; made once."""
    path = dataset / "material.safetensors"
    if not path.is_file():
        _prepare(dataset, model, path)
    return path


def caption(number: int) -> str:
    """Caption `number` of 4,096 different ones of 20 words."""
    form, colour, place, amount = (number // 8**power % 8 for power in range(4))
    return (
        f"a small {COLOURS[colour]} {FORMS[form]} of clay with {NUMBERS[amount]} white lines around its foot "
        f"stands on the old {PLACES[place]} over there"
    )


def _draw(folder: Path, number: int) -> dict[str, object]:
    random = np.random.default_rng(number)
    ground = Image.fromarray(random.integers(0, 256, (15, 20, 3), dtype=np.uint8)).resize(
        (320, 240), Image.Resampling.BICUBIC
    )
    colour = tuple(int(value) for value in random.integers(0, 256, 3))
    ImageDraw.Draw(ground).ellipse((60, 40, 260, 200), fill=colour)
    name = f"pictures/{number:05}.jpg"
    ground.save(folder / name, quality=90)
    text = caption(number)
    row = {"file_name": name, "text": text, "captions": [text], "id": str(number), "group": str(number)}
    return {**row, "split": "train", "metadata": {}}


def _prepare(folder: Path, model: Path, material: Path) -> None:
    """The pictures through the model's own preprocessing."""
    loaded, dataset = load_model(model), open_dataset(folder)
    pictures = [load_picture(dataset.picture_path(record)) for record in dataset.records]
    captions = [record.captions[0] for record in dataset.records]
    lengths = {len(ids) for ids in loaded.tokenizer(captions)["input_ids"]}
    assert lengths == {TOKENS}, f"captions of {lengths} tokens"
    save_material(material, torch.from_numpy(loaded.preprocessing(pictures)), captions)
