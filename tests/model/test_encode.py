"""Vectors: unit length, the order given, the same as transformers' own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

import tuneclip
from tuneclip.data.picture import load_picture
from tuneclip.errors import TuneclipError

TEXTS = [
    "a red bowl",
    "the large white amphora, with a very long caption that goes on and on and on and on",
    "",
    "Ünïcode ✓",
]


def pictures(count: int = 5) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 255, (40 + i, 50, 3), dtype=np.uint8)) for i in range(count)]


@pytest.mark.parametrize("family", ["tiny_model", "tiny_siglip"])
def test_vectors_are_those_of_transformers(family: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(family)
    encoder = tuneclip.open_model(folder)
    model = AutoModel.from_pretrained(folder).eval()
    tokens = AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding="max_length", truncation=True, max_length=24, return_tensors="pt"
    )
    values = AutoImageProcessor.from_pretrained(folder)(images=pictures(), return_tensors="pt")
    with torch.inference_mode():
        theirs = [model.get_text_features(**tokens).pooler_output, model.get_image_features(**values).pooler_output]
    for ours, other in zip([encoder.texts(TEXTS), encoder.pictures(pictures())], theirs, strict=True):
        np.testing.assert_allclose(ours, torch.nn.functional.normalize(other, dim=-1).numpy(), atol=2e-6)


def test_order_is_kept_whatever_the_batch(tiny_model: Path) -> None:
    encoder = tuneclip.open_model(tiny_model)
    whole = encoder.pictures(pictures(7))
    np.testing.assert_allclose(encoder.pictures(iter(pictures(7)), batch_size=2), whole, atol=1e-6)
    np.testing.assert_allclose(encoder.texts(TEXTS, batch_size=1), encoder.texts(TEXTS), atol=1e-6)


def test_vectors_are_float32_of_unit_length(tiny_model: Path) -> None:
    vectors = tuneclip.open_model(tiny_model).pictures(pictures())
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_nothing_in_nothing_out(tiny_model: Path) -> None:
    encoder = tuneclip.open_model(tiny_model)
    assert encoder.pictures([]).shape == encoder.texts([]).shape == (0, 24)


def test_an_unreadable_picture_is_named(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "torn.jpg"
    pictures()[0].save(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(TuneclipError, match=r"torn\.jpg"):
        tuneclip.open_model(tiny_model).pictures([path])


def test_a_group_keeps_its_vectors_where_one_picture_is_unreadable(tiny_model: Path) -> None:
    encoder, (one, two) = tuneclip.open_model(tiny_model), pictures(2)
    groups = [("a", [one, b"no picture", two]), ("none", []), ("b", [two])]
    found = dict(encoder.stream(iter(groups)))
    assert list(found) == ["a", "none", "b"]
    assert isinstance(found["a"][1], TuneclipError)
    np.testing.assert_allclose([found["a"][0], found["a"][2]], encoder.pictures([one, two]), atol=1e-6)


def test_pictures_are_not_pulled_far_ahead_of_their_use(tiny_model: Path) -> None:
    pulled: list[int] = []
    groups = ((i, pulled.append(i) or pictures(1)) for i in range(100))
    next(tuneclip.open_model(tiny_model).stream(groups))
    assert len(pulled) < 5


def test_a_jpeg_is_read_smaller_only_where_the_vector_stays(tiny_model: Path, tmp_path: Path) -> None:
    photograph = Image.effect_mandelbrot((800, 600), (-2, -1.2, 0.8, 1.2), 60).convert("RGB")
    photograph.save(tmp_path / "large.jpg", quality=95)
    photograph.resize((80, 60)).save(tmp_path / "small.jpg", quality=95)
    encoder = tuneclip.open_model(tiny_model)
    for name, reduced in (("large.jpg", True), ("small.jpg", False)):
        path = tmp_path / name
        assert (load_picture(path, least=encoder.preprocessing.least).size != load_picture(path).size) == reduced
        whole = encoder.pictures([load_picture(path)])
        assert float((encoder.pictures([path]) * whole).sum()) > 0.999


def test_the_end_token_survives_cutting(tiny_model: Path) -> None:
    encoder = tuneclip.open_model(tiny_model)
    long = "bowl " * 100
    assert not np.allclose(encoder.texts([long]), encoder.texts(["coin " * 100]), atol=1e-3)
