"""Models are found by name, folder or Hub id, and refused clearly."""

import json
import shutil
from pathlib import Path

import pytest

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.model.open import fingerprint, load_model


def test_a_model_of_the_project_opens_by_its_name(project: Path) -> None:
    encoder = tuneclip.open_model("tiny", project)
    assert (encoder.name, encoder.dimension, len(encoder.fingerprint)) == ("tiny", 24, 16)


def test_the_starter_comes_with_the_package(tmp_path: Path) -> None:
    encoder = tuneclip.open_model("starter", tmp_path)
    assert encoder.texts(["a dog"]).shape == (1, encoder.dimension)


def test_a_folder_that_happens_to_be_called_starter_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "starter").mkdir()
    monkeypatch.chdir(tmp_path)
    assert tuneclip.open_model("starter", tmp_path).path.parent.name == "model"


def test_an_unknown_name_lists_what_there_is(project: Path) -> None:
    with pytest.raises(TuneclipError, match="no model 'tinny'; expected one of starter, tiny"):
        load_model("tinny", project)


def test_a_folder_without_weights_is_refused_before_anything_is_loaded(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(TuneclipError, match=r"no weights, found only pytorch_model\.bin"):
        load_model(folder)


def test_an_unknown_family_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(tiny_model, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(TuneclipError, match="unknown model family 'bert'"):
        load_model(folder)


def test_torn_weights_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "torn"
    shutil.copytree(tiny_model, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(TuneclipError, match="cannot be loaded"):
        load_model(folder)


def test_a_hub_id_that_cannot_be_fetched_is_one_clear_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TuneclipError, match="neither here nor could it be fetched"):
        load_model("nobody/nothing-at-all", tmp_path)


def test_a_hub_id_opens_from_the_hubs_cache(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "models--owner--finds"
    shutil.copytree(tiny_model, repository / "snapshots" / ("a" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert tuneclip.open_model("owner/finds").fingerprint == fingerprint(tiny_model)


def test_the_fingerprint_follows_the_weights(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == fingerprint(tiny_model)
    weights = bytearray((tmp_path / "copy" / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "copy" / "model.safetensors").write_bytes(weights)
    assert fingerprint(tmp_path / "copy") != fingerprint(tiny_model)
