"""The verb `export`: each layout gives the model's vectors in its own library, or nothing is written."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hub_server import serving
from tiny import BASE, PICTURE, save_tiny
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import Encoder
from tuneclip.model.export import Exported, export
from tuneclip.model.foreign import READERS, Foreign, read_hf
from tuneclip.model.hub import push
from tuneclip.model.open import Loaded, load_model
from tuneclip.project import Project
from tuneclip.settings import Export

FAMILIES = ("quick", "siglip")
FORMATS = ("hf", "sentence-transformers", "onnx")


def save_family(folder: Path, family: str) -> Path:
    """A tiny model whose temperature (and bias) are not the initial ones; "quick" has CLIP's own activation."""
    from transformers import CLIPConfig, CLIPModel

    save_tiny(folder, "siglip" if family == "siglip" else "clip")
    if family == "quick":
        text = CLIPConfig.from_pretrained(folder).text_config.to_dict() | {"hidden_act": "quick_gelu"}
        config = {"text_config": text, "vision_config": BASE | PICTURE | {"hidden_act": "quick_gelu"}}
        config |= {"projection_dim": 24}
        torch.manual_seed(1)
        CLIPModel(CLIPConfig(**config)).save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    for name in {"logit_scale", "logit_bias"} & set(weights):
        weights[name] = weights[name] - 0.25
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a tiny model of each family."""
    root = tmp_path_factory.mktemp("families")
    for family in FAMILIES:
        save_family(root / "models" / family, family)
    return root


@pytest.fixture(scope="module")
def exported(models: Path) -> dict[tuple[str, str], Exported]:
    """Every family in every layout."""
    made = {}
    for family in FAMILIES:
        for layout in FORMATS:
            options = Export(family, models / "out" / f"{family}-{layout}", layout)
            made[family, layout] = export(options, Project(models))
    return made


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_export_gives_the_models_vectors_in_its_library(
    exported: dict[tuple[str, str], Exported], family: str, layout: str
) -> None:
    result = exported[family, layout]
    assert result.cosine_min >= 0.9999
    assert (result.pictures.n, result.compared_on) == (16, "drawn finds")
    assert result.library.split()[0] in ("transformers", "sentence-transformers", "onnxruntime")


@pytest.mark.parametrize("family", FAMILIES)
def test_activation_temperature_and_bias_survive(
    exported: dict[tuple[str, str], Exported], models: Path, family: str
) -> None:
    from transformers import AutoModel

    old = AutoModel.from_pretrained(models / "models" / family)
    new = AutoModel.from_pretrained(exported[family, "hf"].path)
    assert new.config.vision_config.hidden_act == old.config.vision_config.hidden_act
    assert new.config.text_config.hidden_act == old.config.text_config.hidden_act
    assert all(torch.equal(weight, new.state_dict()[name]) for name, weight in old.state_dict().items())


@pytest.mark.parametrize("family", FAMILIES)
def test_tuneclip_opens_its_own_export_and_finds_the_same_vectors(
    exported: dict[tuple[str, str], Exported], models: Path, family: str
) -> None:
    again, before = (
        Encoder(load_model(path), "cpu") for path in (exported[family, "hf"].path, models / "models" / family)
    )
    picture, texts = Image.new("RGB", (70, 50), "red"), ["A RED bowl", "bowl " * 99]
    np.testing.assert_allclose(again.pictures([picture]), before.pictures([picture]), atol=1e-6)
    np.testing.assert_allclose(again.texts(texts), before.texts(texts), atol=1e-6)


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_cards_program_runs_as_it_stands(
    exported: dict[tuple[str, str], Exported],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    family: str,
    layout: str,
) -> None:
    if layout == "sentence-transformers":
        pytest.importorskip("sentence_transformers")
    monkeypatch.chdir(exported[family, layout].path)
    (program,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    exec(program, {})
    assert len(re.findall(r"-?\d\.\d+", capsys.readouterr().out)) == 2


def test_the_sentence_transformers_layout_is_what_old_releases_read(
    exported: dict[tuple[str, str], Exported],
) -> None:
    folder = Path(exported["quick", "sentence-transformers"].path) / "0_CLIPModel"
    assert not (folder / "processor_config.json").exists()
    assert {type(pair) for pair in json.loads((folder / "tokenizer.json").read_text())["model"]["merges"]} == {str}
    assert not {"backend", "is_local"} & set(json.loads((folder / "tokenizer_config.json").read_text()))
    assert json.loads((folder / "config.json").read_text())["torch_dtype"] == "float32"


def test_int8_graphs_say_their_figures(exported: dict[tuple[str, str], Exported]) -> None:
    result = exported["quick", "onnx"]
    assert result.int8 is not None
    assert result.int8.pictures == 16
    assert "int8 graphs against the float32 ones: cosine" in (Path(result.path) / "README.md").read_text()


def test_an_export_that_differs_is_refused_and_leaves_nothing(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tilted(folder: Path, loaded: Loaded) -> Foreign:
        true = read_hf(folder, loaded)
        return replace(true, texts=lambda texts: np.roll(true.texts(texts), 1, axis=0))

    monkeypatch.setitem(READERS, "hf", tilted)
    with pytest.raises(TuneclipError, match=r"does not give the model's vectors: cosine .* texts"):
        export(Export("quick", models / "refused" / "x", "hf"), Project(models))
    assert list((models / "refused").iterdir()) == []


def test_a_folder_that_is_not_empty_is_left_alone(models: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(TuneclipError, match="not empty"):
        export(Export("quick", tmp_path, "hf"), Project(models))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_model_with_unmerged_lora_is_refused(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "models" / "quick", tmp_path / "lora")
    weights = load_file(folder / "model.safetensors")
    name = "vision_model.encoder.layers.0.self_attn.q_proj"
    save_file(weights | {f"{name}.lora_A.weight": torch.zeros(2, 32)}, folder / "model.safetensors")
    with pytest.raises(TuneclipError, match=r"not merged.*lora_A"):
        export(Export(str(folder), tmp_path / "out", "hf"), Project(models))
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(TuneclipError, match=r"not merged.*adapter_config"):
        export(Export(str(folder), tmp_path / "out", "hf"), Project(models))
    assert not (tmp_path / "out").exists()


def test_unknown_models_and_families_are_named(models: Path, tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match="there is no model 'nothing'"):
        export(Export("nothing", tmp_path / "out", "hf"), Project(models))
    folder = shutil.copytree(models / "models" / "quick", tmp_path / "odd")
    (folder / "config.json").write_text('{"model_type": "flava"}')
    with pytest.raises(TuneclipError, match="unknown model family 'flava'"):
        export(Export(str(folder), tmp_path / "out", "hf"), Project(models))


def test_an_upload_needs_a_name_and_a_token_before_any_work(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    for repository, reason in (("a/b/c", "no name of a repository"), ("me/finds", "no token")):
        with pytest.raises(TuneclipError, match=reason):
            export(Export("quick", tmp_path / "out", "hf", repository), Project(models))
    assert not (tmp_path / "out").exists()


def test_an_export_is_uploaded_whole_to_a_private_repository(
    exported: dict[tuple[str, str], Exported], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(exported["quick", "hf"].path)
    with serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        assert push(folder, "me/finds", "hf_secret").endswith("me/finds")
    assert hub.created == {"name": "finds", "organization": "me", "visibility": "private"}
    assert set(hub.files) == {path.name for path in folder.iterdir()}
    assert hub.files["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert hub.tokens == {"Bearer hf_secret"}


def test_a_failed_upload_says_why_without_the_token(
    exported: dict[tuple[str, str], Exported], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(exported["quick", "hf"].path)
    with serving(refuse="the token hf_secret may not write") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        with pytest.raises(TuneclipError, match="may not write") as refused:
            push(folder, "me/finds", "hf_secret")
    with pytest.raises(TuneclipError, match=r"upload to me/finds failed.*hf upload me/finds") as unreachable:
        push(folder, "me/finds", "hf_secret")
    assert "hf_secret" not in f"{refused.value}{unreachable.value}"


def test_the_command_line_exports_and_answers_in_json(models: Path, tmp_path: Path) -> None:
    command = ["export", "quick", "--to", str(tmp_path / "out"), "--format", "hf", "--project", str(models), "--json"]
    done = subprocess.run([sys.executable, "-m", "tuneclip", *command], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert said["format"] == "hf"
    assert said["cosine_min"] >= 0.9999
    assert (Path(said["path"]) / "model.safetensors").is_file()
