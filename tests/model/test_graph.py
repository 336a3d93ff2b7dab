"""ONNX graphs: the same vectors as the model in torch, in each family."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tiny import BASE, PICTURE, save_tiny
from tuneclip.model.encode import Encoder
from tuneclip.model.fast import open_session
from tuneclip.model.graph import INT8, TEXT, quantise, write_graphs
from tuneclip.model.graph import PICTURE as PICTURES
from tuneclip.model.open import load_model

TEXTS = ["a red bowl", "", "the large white amphora " * 20, "Ünïcode ✓"]


def save_family(folder: Path, family: str) -> Path:
    """A tiny model of a family; "quick" is CLIP with its usual activation, and an end token with the highest id."""
    import torch
    from transformers import CLIPConfig, CLIPModel, MetaClip2Config, MetaClip2Model

    save_tiny(folder, "siglip" if family == "siglip" else "clip")
    config = CLIPConfig.from_pretrained(folder)
    text = config.text_config.to_dict() | {"hidden_act": "quick_gelu"}
    sizes = {"text_config": text, "vision_config": BASE | PICTURE | {"hidden_act": "quick_gelu"}, "projection_dim": 24}
    torch.manual_seed(1)
    if family == "metaclip_2":
        MetaClip2Model(MetaClip2Config(**sizes)).save_pretrained(folder)
    if family == "quick":
        CLIPModel(CLIPConfig(**sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=["clip", "quick", "metaclip_2", "siglip"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folder of a model and that of its graphs."""
    model, graphs = tmp_path_factory.mktemp(request.param), tmp_path_factory.mktemp("graphs")
    write_graphs(load_model(save_family(model, request.param)), graphs)
    quantise(graphs)
    return model, graphs


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, 32, 32)).astype(np.float32)


def run(graph: Path, **inputs: np.ndarray) -> np.ndarray:
    return open_session(graph).run(["embeddings"], inputs)[0]


@pytest.mark.parametrize("count", [1, 5])
def test_the_picture_graph_gives_the_vectors_of_torch(written: tuple[Path, Path], count: int) -> None:
    exact = load_model(written[0]).engine("cpu").pictures(pixels(count))
    found = run(written[1] / PICTURES, pixel_values=pixels(count))
    np.testing.assert_allclose(found, exact, atol=2e-6)
    assert found.dtype == np.float32


def test_the_text_graph_gives_the_vectors_of_torch(written: tuple[Path, Path]) -> None:
    loaded = load_model(written[0])
    tokens = loaded.tokenizer(
        TEXTS, padding=loaded.family.padding, truncation=True, max_length=loaded.context, return_tensors="np"
    )
    found = run(written[1] / TEXT, **{name: tokens[name].astype(np.int64) for name in ("input_ids", "attention_mask")})
    np.testing.assert_allclose(found, Encoder(loaded, "cpu").texts(TEXTS), atol=2e-6)


def test_int8_keeps_the_direction_and_leaves_the_patches_alone(written: tuple[Path, Path]) -> None:
    exact = run(written[1] / PICTURES, pixel_values=pixels(1))
    quick = run(written[1] / INT8[PICTURES], pixel_values=pixels(1))
    assert float((exact * quick).sum()) > 0.999
    kinds = {node.op_type for node in onnx.load(written[1] / INT8[PICTURES]).graph.node}
    assert {"MatMulInteger", "Conv"} <= kinds


def test_making_graphs_leaves_the_model_as_it_was(tiny_model: Path, tmp_path: Path) -> None:
    loaded = load_model(tiny_model)
    before, attention = Encoder(loaded, "cpu").texts(TEXTS), loaded.model.config._attn_implementation
    write_graphs(loaded, tmp_path)
    assert loaded.model.config._attn_implementation == attention
    np.testing.assert_array_equal(Encoder(loaded, "cpu").texts(TEXTS), before)


def test_a_graph_runs_by_onnx_runtime_alone(written: tuple[Path, Path]) -> None:
    session = onnxruntime.InferenceSession(written[1] / PICTURES)
    assert [(each.name, each.shape[1:]) for each in session.get_inputs()] == [("pixel_values", [3, 32, 32])]
    assert [each.name for each in session.get_outputs()] == ["embeddings"]
