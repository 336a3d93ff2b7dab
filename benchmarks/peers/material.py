"""A CLIP of random weights with CLIP's own vocabulary, in transformers' layout; run in the peers' environment."""

import gzip
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from .worker import open_torchvision

open_torchvision()
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer  # noqa: E402 - needs torchvision
from transformers.convert_slow_tokenizer import bytes_to_unicode  # noqa: E402

VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
MERGES = 49152 - 256 - 2
SIZES: dict[str, dict[str, Any]] = {
    "base": {},
    "tiny": {
        "text_config": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 1},
        "vision_config": {
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 4,
            "num_attention_heads": 1,
        },
        "projection_dim": 32,
    },
}
"""`base` is transformers' default, the ViT-B/32 of arXiv 2103.00020 (151 M parameters); `tiny` is for trying it out."""


def save_model(folder: Path, size: str) -> None:
    """Write the model, its tokenizer and its picture processor; the weights follow from the seed."""
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(**SIZES[size])).save_pretrained(folder)
    vocabulary, merges = read_vocabulary()
    CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)


def read_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's byte-pair vocabulary as open_clip ships it, numbered as OpenAI numbers it, and its merges."""
    package = find_spec("open_clip")
    assert package is not None
    assert package.origin is not None
    lines = gzip.decompress(Path(package.origin).with_name(VOCABULARY).read_bytes()).decode().split("\n")
    merges = [(first, second) for first, second in (line.split() for line in lines[1 : MERGES + 1])]
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in merges)]
    return {word: number for number, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}, merges


if __name__ == "__main__":
    save_model(Path(sys.argv[1]), sys.argv[2])
