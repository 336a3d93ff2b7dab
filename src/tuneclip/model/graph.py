"""A model as ONNX graphs: pictures and texts apart, projection and normalisation inside, in float32 and in int8."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    from tuneclip.model.open import Loaded

PICTURE, TEXT = "picture.onnx", "text.onnx"
INT8 = {PICTURE: "picture.int8.onnx", TEXT: "text.int8.onnx"}
OPSET = 17
"""The first with LayerNormalization as one operator; every ONNX Runtime since 1.12 (2022) reads it."""


def write_graphs(loaded: "Loaded", folder: Path) -> None:
    """Write the two towers as float32 graphs, `picture.onnx` and `text.onnx`, into a folder that is there.

    Inputs: `pixel_values` (n, 3, height, width) float32, preprocessed; `input_ids` and `attention_mask` (n, length)
    int64, where n and length may be anything (a family that pads to the full context: only n). Output: `embeddings`
    (n, dim) float32 of unit length. The model is given back as it was, on the CPU, ready to embed.
    """
    import torch

    model = loaded.model.cpu().eval()
    attention = model.config._attn_implementation
    model.set_attn_implementation("eager")  # its plain operators are those that ONNX Runtime quantises and fuses
    try:
        with torch.inference_mode(), _quiet():
            _trace(_pictures(loaded), (_example_pixels(loaded),), ["pixel_values"], folder / PICTURE, {0: "n"})
            axes = {0: "n"} if loaded.family.padding == "max_length" else {0: "n", 1: "length"}
            names = ["input_ids", "attention_mask"]
            _trace(_texts(loaded), _example_tokens(loaded), names, folder / TEXT, axes)
    finally:
        model.set_attn_implementation(attention)


def quantise(folder: Path) -> None:
    """Write the graphs of a folder again with their matrix products in int8: weights per channel, inputs as they come.

    Scales of the inputs are found at each run from all that is in it, so that a picture's vector depends a little on
    what else is in the run: give one at a time where vectors must not. The patch convolution, the attention's products
    of two activations and the token table stay in float32. Source: ONNX Runtime, "Quantize ONNX models", dynamic.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    for plain, small in INT8.items():
        graph = onnx.load(folder / plain)
        add_pre_process_metadata(graph)  # else a warning asks for optimisations that do not speed these graphs up
        quantize_dynamic(
            graph,
            folder / small,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range=not _has_vnni(),
        )


def _trace(tower: "torch.nn.Module", example: tuple[Any, ...], inputs: list[str], path: Path, axes: Any) -> None:
    import torch

    torch.onnx.export(
        tower.eval(),
        example,
        path,
        dynamo=False,
        opset_version=OPSET,
        input_names=inputs,
        output_names=["embeddings"],
        dynamic_axes={**dict.fromkeys(inputs, axes), "embeddings": {0: "n"}},
    )


def _pictures(loaded: "Loaded") -> "torch.nn.Module":
    import torch

    class Pictures(torch.nn.Module):
        """The picture tower, down to unit vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.model = loaded.model

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            output = self.model.get_image_features(pixel_values=pixel_values)
            return torch.nn.functional.normalize(output.pooler_output, dim=-1)

    return Pictures()


def _texts(loaded: "Loaded") -> "torch.nn.Module":
    import torch

    class Texts(torch.nn.Module):
        """The text tower, down to unit vectors."""

        def __init__(self) -> None:
            super().__init__()
            self.model = loaded.model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            output = self.model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)
            return torch.nn.functional.normalize(output.pooler_output, dim=-1)

    return Texts()


def _example_pixels(loaded: "Loaded") -> "torch.Tensor":
    import torch
    from PIL import Image

    values = loaded.preprocessing([Image.fromarray(np.full((64, 64, 3), grey, np.uint8)) for grey in (90, 160)])
    return torch.from_numpy(values)


def _example_tokens(loaded: "Loaded") -> tuple["torch.Tensor", "torch.Tensor"]:
    """Two texts of different length, so that padding and the place of the end token stay variables of the graph."""
    from tuneclip.model.encode import tokenize

    tokens = tokenize(loaded, ["a picture of a red bowl", "a coin"])
    mask = tokens["attention_mask"] if "attention_mask" in tokens else tokens["input_ids"].new_ones(())
    return tokens["input_ids"], mask.expand_as(tokens["input_ids"]).contiguous()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of every such model: that it is the older one, and what it takes for fixed."""
    import torch

    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        warnings.filterwarnings("ignore", "You are using the legacy TorchScript-based ONNX export", DeprecationWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.onnx")
        warnings.filterwarnings("ignore", "Exporting aten::index operator of advanced indexing", UserWarning)
        exporter.setLevel(logging.ERROR)
        try:
            yield
        finally:
            exporter.setLevel(level)


def _has_vnni() -> bool:
    """Whether the processor multiplies int8 without overflow in between; before VNNI products saturate in 16 bits.

    There 7 bits for the weights keep the results right. ARM's products do not saturate.
    """
    import platform

    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    import torch

    able = torch.cpu.get_capabilities()
    return any(bool(able.get(name)) for name in ("avx512_vnni", "avx_vnni"))
