"""Tiny real things that every room tests with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

WORDS = ["a red clay bowl with a foot", "a small black bronze coin", "an old green lamp", "the white amphora"]
BASE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
PICTURE = {"image_size": 32, "patch_size": 8}


def save_tokenizer(folder: Path, context: int = 24) -> int:
    """A small byte-pair tokenizer in transformers' layout; returns the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<pad>", "<start>", "<unknown>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(WORDS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 1), ("<end>", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<start>", eos_token="<end>", pad_token="<pad>", model_max_length=context
    ).save_pretrained(folder)
    return tokenizer.get_vocab_size()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache is a folder of the test session."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.delenv("TUNECLIP_ENCODER", raising=False)
        yield folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, own_cache: Path) -> Path:
    """A folder with a tiny random CLIPModel, its tokenizer and processor, as transformers saves them.

    Its fast encoder lies in the session's cache, where copies of the model find it too.
    """
    from tuneclip.model.open import load_model
    from tuneclip.model.ready import make_ready
    from tuneclip.project import Project

    folder = save_tiny(tmp_path_factory.mktemp("models") / "tiny", "clip")
    assert make_ready(load_model(folder), Project(tmp_path_factory.mktemp("nowhere")))
    return folder


@pytest.fixture(scope="session")
def tiny_siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the SigLIP family."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny-siglip", "siglip")


def save_tiny(folder: Path, kind: str, seed: int = 0) -> Path:
    import torch
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        SiglipConfig,
        SiglipImageProcessorPil,
        SiglipModel,
    )

    context = 24
    text = {**BASE, "vocab_size": save_tokenizer(folder, context), "max_position_embeddings": context}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 3}  # 2 would mean "the highest id" to transformers
    torch.manual_seed(seed)
    if kind == "clip":
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=BASE | PICTURE, projection_dim=24))
        processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    else:
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=BASE | PICTURE))
        processor = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


COLOURS = {"red": (200, 40, 30), "green": (40, 150, 60), "white": (235, 235, 235), "black": (25, 25, 25)}
SHAPES = ("bowl", "coin", "lamp")


def save_dataset(folder: Path, copies: int = 3) -> Path:
    """A dataset as `import` leaves it: every colour in every shape, `copies` times; the last copy validates."""
    import json

    from PIL import Image, ImageDraw

    (folder / "pictures").mkdir(parents=True)
    rows = []
    for number, (colour, shape) in enumerate([(c, s) for c in COLOURS for s in SHAPES] * copies):
        picture = Image.new("RGB", (48, 40), (120 + number, 130, 150))
        draw = ImageDraw.Draw(picture)
        box = (10 + number % 3, 8, 38, 32)
        {"bowl": draw.rectangle, "coin": draw.ellipse, "lamp": draw.pieslice}[shape](
            box, *((30, 300) if shape == "lamp" else ()), fill=COLOURS[colour]
        )
        name = f"pictures/{number:03}.png"
        picture.save(folder / name)
        captions = [f"a {colour} clay {shape}", f"the {shape}, {colour}"]
        split = "validation" if number >= len(COLOURS) * len(SHAPES) * (copies - 1) else "train"
        row = {"file_name": name, "text": captions[0], "captions": captions, "id": f"find-{number}", "split": split}
        rows.append(row | {"group": f"find-{number}", "metadata": {"colour": colour, "shape": shape, "number": number}})
    (folder / "dataset.json").write_text(json.dumps({"name": folder.name}))
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 drawn pictures of 4 colours and 3 shapes with two captions each: 24 to train on, 12 to validate."""
    return save_dataset(tmp_path_factory.mktemp("datasets") / "small")


@pytest.fixture
def project(tmp_path: Path, small_dataset: Path, tiny_model: Path) -> Path:
    """A project folder with the dataset `small` and the model `tiny`."""
    import shutil

    shutil.copytree(small_dataset, tmp_path / "datasets" / "small")
    shutil.copytree(tiny_model, tmp_path / "models" / "tiny")
    return tmp_path
