"""The fast encoder: when it is made, where it lies, which precision is used, what happens when it cannot be."""

import json
import logging
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import Encoder, processors
from tuneclip.model.fast import Graphs
from tuneclip.model.open import load_model
from tuneclip.model.parity import Seen, measure_parity
from tuneclip.model.ready import find_graphs, make_ready
from tuneclip.project import Project

ODD = ["", " ", "a red bowl", "Ünïcode ✓", "a\tb\nc", "bowl " * 99, "<start> x <end>", "ALL CAPITALS!?", "赤い鉢"]


def pictures(count: int) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 255, (40, 50, 3), dtype=np.uint8)) for _ in range(count)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tuneclip"


def graphs_of(model: Path) -> Graphs:
    found = find_graphs("tiny", model)
    assert found is not None
    return found


@pytest.mark.parametrize("family", ["tiny_model", "tiny_siglip"])
def test_texts_get_the_token_ids_that_transformers_gives(family: str, request: pytest.FixtureRequest) -> None:
    loaded = load_model(request.getfixturevalue(family))
    graphs = make_ready(loaded, Project(Path("nowhere")))
    assert graphs is not None
    theirs = loaded.tokenizer(ODD, truncation=True, max_length=loaded.context, padding=False)["input_ids"]
    assert graphs.engine().tokens(ODD) == theirs


def test_a_handful_is_embedded_by_torch_and_more_by_graphs_that_stay_beside_the_model(
    project: Path, cache: Path
) -> None:
    encoder = tuneclip.open_model("tiny", project)
    exact = encoder.pictures(pictures(4))
    assert encoder.kind == "torch on cpu"
    many = encoder.pictures(iter(pictures(20)))
    assert encoder.kind == "ONNX fp32"
    np.testing.assert_allclose(many[:4], exact, atol=2e-6)
    assert (project / "models/tiny/onnx/encoder.json").is_file()
    assert tuneclip.open_model("tiny", project).kind == "ONNX fp32"


def test_for_a_query_a_small_models_graphs_are_made_at_once(project: Path, cache: Path) -> None:
    assert tuneclip.open_model("tiny", project, few=True).kind == "ONNX fp32"


def test_graphs_of_a_model_outside_the_project_go_to_the_users_cache(tiny_model: Path, cache: Path) -> None:
    tuneclip.open_model(tiny_model).pictures(pictures(20))
    assert not (tiny_model / "onnx").exists()
    mark = tuneclip.open_model(tiny_model).fingerprint
    assert json.loads((cache / mark / "encoder.json").read_text())["fingerprint"] == mark


def test_somebody_elses_onnx_folder_is_left_alone(project: Path, cache: Path) -> None:
    (project / "models/tiny/onnx").mkdir()
    (project / "models/tiny/onnx/model.onnx").write_bytes(b"theirs")
    tuneclip.open_model("tiny", project).pictures(pictures(20))
    assert [path.name for path in (project / "models/tiny/onnx").iterdir()] == ["model.onnx"]


def test_graphs_of_other_weights_are_not_used(project: Path, tiny_model: Path) -> None:
    shutil.copytree(graphs_of(tiny_model).folder, project / "models/tiny/onnx")
    weights = bytearray((project / "models/tiny/model.safetensors").read_bytes())
    weights[-1] ^= 1
    (project / "models/tiny/model.safetensors").write_bytes(weights)
    assert find_graphs("tiny", project / "models/tiny") is None


def test_int8_is_chosen_once_on_the_users_pictures_and_kept(
    project: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tuneclip")
    first = tuneclip.open_model("tiny", project)
    first.pictures(pictures(70))
    figures = json.loads((project / "models/tiny/onnx/encoder.json").read_text())["int8"]
    assert figures["passes"] == (first.kind == "ONNX int8")
    assert "on 70 of your pictures" in caplog.text
    assert tuneclip.open_model("tiny", project).kind == first.kind
    caplog.clear()
    tuneclip.open_model("tiny", project).pictures(pictures(70))
    assert caplog.text == ""


def test_in_int8_a_vector_does_not_depend_on_its_neighbours(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNECLIP_ENCODER", "int8")
    encoder = tuneclip.open_model("tiny", project)
    whole = encoder.pictures(pictures(20))
    assert encoder.kind == "ONNX int8"
    np.testing.assert_array_equal(encoder.pictures(pictures(20)[7:8])[0], whole[7])
    np.testing.assert_array_equal(encoder.texts(ODD)[2], encoder.texts([ODD[2]])[0])


@pytest.mark.parametrize(("wish", "kind"), [("torch", "torch on cpu"), ("fp32", "ONNX fp32")])
def test_the_environment_or_the_project_can_insist(
    project: Path, monkeypatch: pytest.MonkeyPatch, wish: str, kind: str
) -> None:
    (project / "tuneclip.toml").write_text(f'[encoder]\nuse = "{wish}"\n')
    assert tuneclip.open_model("tiny", project).kind == kind
    monkeypatch.setenv("TUNECLIP_ENCODER", "int9")
    with pytest.raises(TuneclipError, match="no encoder 'int9'"):
        tuneclip.open_model("tiny", project)


def test_torch_does_the_work_where_no_folder_can_be_written(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    encoder = tuneclip.open_model(tiny_model)
    assert encoder.pictures(pictures(20)).shape == (20, 24)
    assert encoder.kind == "torch on cpu"
    assert "no folder to keep a fast encoder in" in caplog.text


def test_two_at_once_make_one_encoder(project: Path, cache: Path) -> None:
    loaded = [load_model("tiny", project) for _ in range(2)]
    found: list[Graphs | None] = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(make_ready(one, Project(project)))) for one in loaded
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is not None
    assert found[0] == found[1]


def test_a_torn_graph_is_named(project: Path, tiny_model: Path) -> None:
    folder = project / "models/tiny/onnx"
    shutil.copytree(graphs_of(tiny_model).folder, folder)
    (folder / "text.onnx").write_bytes(b"torn")
    with pytest.raises(TuneclipError, match=r"graph cannot be read.*text\.onnx.*remove"):
        tuneclip.open_model("tiny", project).texts(["a bowl"])


def seen(noise: float) -> Seen:
    random = np.random.default_rng(0)
    pictures = random.standard_normal((200, 16)) + 20
    texts = pictures + 0.01 * random.standard_normal((200, 16))
    pictures = pictures + noise * np.random.default_rng(1).standard_normal((200, 16))
    return Seen(*(np.float32(v / np.linalg.norm(v, axis=1, keepdims=True)) for v in (pictures, texts)))


@pytest.mark.parametrize("captions", [[], [[f"find {i}"] for i in range(200)]])
def test_equal_vectors_pass_and_scrambled_neighbours_fail_at_any_cosine(captions: list[list[str]]) -> None:
    exact, scrambled = seen(0), seen(0.8)
    assert measure_parity(exact, exact, captions).passes
    parity = measure_parity(exact, scrambled, captions)
    assert parity.cosine > 0.998
    assert parity.quick < parity.exact
    assert not parity.passes


def test_no_more_threads_than_processors_that_may_be_used() -> None:
    assert 1 <= processors() <= len(os.sched_getaffinity(0))


def test_an_encoder_for_training_sees_the_weights_of_now(tiny_model: Path) -> None:
    import torch

    loaded = load_model(tiny_model)
    encoder = Encoder(loaded, "cpu")
    before = encoder.pictures(pictures(20))
    with torch.no_grad():
        loaded.model.visual_projection.weight.add_(torch.randn_like(loaded.model.visual_projection.weight))
    assert encoder.kind == "torch on cpu"
    assert not np.allclose(encoder.pictures(pictures(20)), before, atol=1e-3)
