"""Our preprocessing against the checkpoint's own processor."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import AutoImageProcessor

from tuneclip.errors import TuneclipError
from tuneclip.model.preprocess import read_preprocessing

SIZES = [(50, 70), (33, 32), (200, 100), (32, 32), (20, 31), (1, 90)]


@pytest.mark.parametrize("family", ["tiny_model", "tiny_siglip"])
@pytest.mark.parametrize("size", SIZES)
def test_pixel_values_are_those_of_transformers(
    family: str, size: tuple[int, int], request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(family)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    theirs = AutoImageProcessor.from_pretrained(folder)(images=[picture], return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(read_preprocessing(folder)([picture]), theirs, atol=1e-6)


def test_a_crop_larger_than_the_picture_is_padded_as_transformers_does(tmp_path: Path) -> None:
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 31, "width": 28})
    processor.save_pretrained(tmp_path)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 25, 3), dtype=np.uint8))
    theirs = processor(images=[picture], return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(read_preprocessing(tmp_path)([picture]), theirs, atol=1e-6)


def test_a_model_without_processor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match="no picture processor"):
        read_preprocessing(tmp_path)
