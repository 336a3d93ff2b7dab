"""Write the packaged model: weights in half precision, tokenizer, preprocessor, facts for the trainer, model card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoImageProcessor, AutoTokenizer, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from .evaluate import Judge
from .sources import Source, decode, read
from .teacher import SIDE
from .tower import DEVIATION, MEAN

Figures = dict[str, dict[str, float]]
TASKS = {
    "recall_at_10": "Flickr8k, caption → picture among 1,000, recall@10",
    "top_1": "Tiny-ImageNet, zero-shot among 200 names, top-1",
}
LEARNING_RATE = 3e-4  # six epochs at this rate taught a model of this size 10,000 titled pictures of a new domain


def _preprocessor(folder: Path) -> None:
    """Shortest edge to 96 px, the centre of 96 × 96, and the mean and deviation that the tower learnt with."""
    CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, image_mean=list(MEAN),
        image_std=list(DEVIATION), resample=3,
    ).save_pretrained(folder)  # fmt: skip
    path = folder / "preprocessor_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["image_processor_type"] = "CLIPImageProcessor"  # the name that every version of transformers knows
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _weights(model: CLIPModel, folder: Path) -> None:
    """Half precision on disk, single precision once loaded: the configuration says so."""
    model.config.dtype = torch.float32
    model.config.architectures = ["CLIPModel"]
    model.config.save_pretrained(folder)
    halves = {name: weight.detach().half().contiguous() for name, weight in model.state_dict().items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})


def package(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write the files that make the model run; the weights come last, each file is replaced at once."""
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    tokenizer.save_pretrained(beside)
    _preprocessor(beside)
    _weights(model, beside)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(beside.iterdir(), key=lambda path: path.suffix == ".safetensors"):
        path.chmod(0o644)
        path.replace(folder / path.name)
    beside.rmdir()


def describe(folder: Path, figures: dict[str, Figures]) -> None:
    """Write the model card and `tuneclip.json`, which tells the trainer its learning rate, with figures per split."""
    rows = [
        f"| {TASKS[task]} | {split} | {100 * one['value']:.1f} % | {100 * one['low']:.1f}–{100 * one['high']:.1f} % |"
        for task in TASKS
        for split, own in figures.items()
        if (one := own.get(task))
    ]
    table = "\n".join(["| task | split | figure | 95 % interval |", "|---|---|---|---|", *rows])
    card = Path(__file__).with_name("card.md").read_text(encoding="utf-8").replace("{figures}", table)
    (folder / "README.md").write_text(card, encoding="utf-8")
    facts = {"name": "starter", "fine_tuning": {"learning_rate": LEARNING_RATE}, "figures": figures}
    (folder / "tuneclip.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


@torch.inference_mode()
def packaged_embeddings(folder: Path, source: Source) -> torch.Tensor:
    """Unit-length embeddings of a source's pictures by the packaged model, through transformers alone."""
    model, prepare = CLIPModel.from_pretrained(folder).eval(), AutoImageProcessor.from_pretrained(folder)
    parts = []
    for first in range(0, len(source.pictures), 64):
        pictures = [decode(encoded) for encoded in source.pictures[first : first + 64]]
        parts.append(model.get_image_features(**prepare(images=pictures, return_tensors="pt")).pooler_output)
    return torch.nn.functional.normalize(torch.cat(parts), dim=-1)


def packaged_figures(folder: Path, data: Path, split: str) -> Figures:
    """Recall@10 on a split of Flickr8k, with 95 % intervals; for validation, top-1 on Tiny-ImageNet's as well."""
    captioned, classed = read(data, "flickr8k", split), read(data, "tiny-imagenet", "validation")
    model = CLIPModel.from_pretrained(folder).eval()
    judge = Judge.of(AutoTokenizer.from_pretrained(folder), captioned, classed)
    figures = judge.with_intervals(model, *(packaged_embeddings(folder, source) for source in (captioned, classed)))
    return figures if split == "validation" else {"recall_at_10": figures["recall_at_10"]}
