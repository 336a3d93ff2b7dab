"""Tiny models and datasets as the real ones lie on the disk; the fixtures hand them out."""

from pathlib import Path

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
