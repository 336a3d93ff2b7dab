"""How to use an export in its library, as a program that runs as it stands in the export's folder."""

import json
from collections.abc import Callable

from tuneclip.model.foreign import is_masked
from tuneclip.model.open import Loaded

_HF = """
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor

folder = "."  # or the name of the repository
model, processor = AutoModel.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
picture = Image.new("RGB", (640, 480), "red")  # or Image.open("photo.jpg").convert("RGB")
texts = ["a red bowl", "two dogs in the snow"]
inputs = processor(text=texts, images=picture, padding={padding}, truncation=True, return_tensors="pt")
with torch.inference_mode():
    outputs = model(**inputs)
print(outputs.image_embeds @ outputs.text_embeds.T)  # cosines
"""
_SENTENCE_TRANSFORMERS = """
from PIL import Image
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(".")  # or the name of the repository
picture = Image.new("RGB", (640, 480), "red")  # or Image.open("photo.jpg").convert("RGB")
pictures = model.encode([picture])  # (n, {dimension}), unit length
texts = model.encode(["a red bowl", "two dogs in the snow"])
print(pictures @ texts.T)  # cosines
"""
_ONNX = """
import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

picture_tower = onnxruntime.InferenceSession("picture.onnx")  # or picture.int8.onnx, one picture at a time
text_tower = onnxruntime.InferenceSession("text.onnx")  # or text.int8.onnx, one text at a time
tokenizer = Tokenizer.from_file("tokenizer.json")  # it cuts and pads by itself
mean, deviation = np.array({mean}), np.array({std})


def prepared(picture):
{prepare}
    values = (np.asarray(picture) * {scale} - mean) / deviation
    return values.astype(np.float32).transpose(2, 0, 1)


picture = Image.new("RGB", (640, 480), "red")  # or Image.open("photo.jpg").convert("RGB")
values = np.stack([prepared(picture)])
pictures = picture_tower.run(None, {{"pixel_values": values}})[0]  # (n, {dimension}), unit length
encoded = tokenizer.encode_batch(["a red bowl", "two dogs in the snow"])
ids = np.array([one.ids for one in encoded], np.int64)
mask = {mask}
texts = text_tower.run(None, {{"input_ids": ids, "attention_mask": mask}})[0]
print(pictures @ texts.T)  # cosines
"""


def _hf(loaded: Loaded) -> str:
    padding = "True" if loaded.family.padding == "longest" else json.dumps(loaded.family.padding)
    return _HF.format(padding=padding)


def _sentence_transformers(loaded: Loaded) -> str:
    return _SENTENCE_TRANSFORMERS.format(dimension=loaded.dimension)


def _onnx(loaded: Loaded) -> str:
    settings = loaded.preprocessing
    mask = "np.array([one.attention_mask for one in encoded], np.int64)" if is_masked(loaded) else "np.ones_like(ids)"
    return _ONNX.format(
        mean=list(settings.mean),
        std=list(settings.std),
        scale=settings.scale,
        prepare=_prepare(loaded),
        dimension=loaded.dimension,
        mask=mask,
    )


def _prepare(loaded: Loaded) -> str:
    """The lines that resize and crop as the checkpoint does."""
    settings = loaded.preprocessing
    lines = []
    if settings.shortest_edge is not None:
        short = settings.shortest_edge
        lines.append(f"scaled = [int({short} * side / min(picture.size)) for side in picture.size]")
        lines.append(f"picture = picture.resize(scaled, {settings.resample})")
    elif settings.size is not None:
        height, width = settings.size
        lines.append(f"picture = picture.resize(({width}, {height}), {settings.resample})")
    if settings.crop is not None:
        height, width = settings.crop
        lines.append(f"left, top = (picture.width - {width}) // 2, (picture.height - {height}) // 2")
        lines.append(f"picture = picture.crop((left, top, left + {width}, top + {height}))")
    return "\n".join(f"    {line}" for line in lines)


USAGE: dict[str, Callable[[Loaded], str]] = {
    "hf": _hf,
    "sentence-transformers": _sentence_transformers,
    "onnx": _onnx,
}
