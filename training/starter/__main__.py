"""Make the packaged starter model from the data sets and the teacher: `python -m training.starter --help`.

Every stage keeps its result in the work folder and is left out where that is there; a killed run goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import CLIPModel, CLIPTokenizer

from . import student, text
from .evaluate import Judge
from .lessons import Pictures
from .package import describe, package, packaged_figures
from .shape import configuration
from .sources import VIEWS, Source, read
from .teacher import Views, views_of, watch
from .words import Captions, Prompts, learn_tokenizer, texts_to_learn_from

JUDGED = ("flickr8k", "tiny-imagenet")


@dataclass(frozen=True)
class Desk:
    """Everything that the stages share."""

    work: Path
    tokenizer: CLIPTokenizer
    pictures: Pictures
    captions: Captions
    prompts: Prompts
    judge: Judge  # on the validation splits
    held_out: list[Views]


def log(line: dict[str, Any], work: Path) -> None:
    """Append one JSON line to the log and show it."""
    with (work / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def _watched(options: argparse.Namespace, split: str, names: tuple[str, ...]) -> Iterator[tuple[Source, Views]]:
    """The sources of a split and the teacher's views of them."""
    for name in names:
        source = read(options.data, name, split)
        views = views_of(options.work, source, split)
        watch(options.teacher, source, views)
        yield source, views


def prepare(options: argparse.Namespace) -> Desk:
    """Crops, the teacher's answers and the tokenizer."""
    sources, views = map(list, zip(*_watched(options, "train", tuple(VIEWS)), strict=True))
    judged, held_out = map(list, zip(*_watched(options, "validation", JUDGED), strict=True))
    folder = options.work / "tokenizer"
    ready = (folder / "tokenizer.json").exists()
    tokenizer = (
        CLIPTokenizer.from_pretrained(folder) if ready else learn_tokenizer(texts_to_learn_from(sources), folder)
    )
    prompts = Prompts(tokenizer, sources)
    # Into memory: a page cache is given up when others need it, and a step reads from everywhere.
    kept = [dataclasses.replace(one, crops=np.array(one.crops), features=np.array(one.features)) for one in views]
    return Desk(
        options.work,
        tokenizer,
        Pictures(sources, kept, prompts.labels),
        Captions(tokenizer, sources[0]),
        prompts,
        Judge.of(tokenizer, *judged),
        held_out,
    )


def material(desk: Desk) -> text.Material:
    """What stage A learns from."""
    return text.Material(desk.pictures, desk.captions, desk.prompts)


def text_stage(desk: Desk, settings: text.TextSettings) -> tuple[CLIPModel, text.Map]:
    """Stage A, or its result from the work folder."""
    torch.manual_seed(settings.seed)
    model, goal = CLIPModel(configuration(desk.tokenizer)), text.Map()
    path = desk.work / "text.pt"
    if not path.exists():
        features = [torch.from_numpy(np.array(views.features[:, 0], dtype=np.float32)) for views in desk.held_out]
        for line in text.learn(model, goal, material(desk), settings, judge=desk.judge, held_out=features):
            log(line, desk.work)
        student.write_beside({"model": model.state_dict(), "map": goal.state_dict()}, path)
    state = torch.load(path)
    goal.load_state_dict(state["map"])
    learnt = ("text_model", "text_projection", "logit_scale")
    model.load_state_dict({name: weight for name, weight in state["model"].items() if name.startswith(learnt)}, False)
    return model, goal.eval()


def student_stage(desk: Desk, model: CLIPModel, goal: text.Map, settings: student.StudentSettings) -> CLIPModel:
    """Stage B from its last checkpoint on; returns the running mean of the weights."""
    for weight in [*model.text_model.parameters(), *model.text_projection.parameters(), model.logit_scale]:
        weight.requires_grad_(False)
    texts = student.Texts.of(model, desk.captions, desk.prompts)
    run = student.Student(model, desk.pictures, settings)
    checkpoint = desk.work / "student.pt"
    if checkpoint.exists():
        run.load(torch.load(checkpoint))
    crops = [torch.from_numpy(np.array(views.crops[:, 0])) for views in desk.held_out]
    checks = student.Checks(checkpoint, desk.judge, *crops)
    for line in student.train(run, student.Classroom(desk.pictures, texts, goal), checks):
        log({"stage": "student", **line}, desk.work)
    return run.mean


def main() -> None:
    """Read the options and run every stage that is not done."""
    parser = argparse.ArgumentParser(prog="python -m training.starter", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k, tiny-imagenet and grocery")
    parser.add_argument("--teacher", type=Path, required=True, help="the int8 MobileNetV2, a .tflite file")
    parser.add_argument("--work", type=Path, required=True, help="folder for crops and checkpoints, 8 GB")
    parser.add_argument("--out", type=Path, required=True, help="folder for the packaged model")
    parser.add_argument("--text-steps", type=int, default=text.TextSettings.steps, help="of stage A (%(default)s)")
    parser.add_argument("--steps", type=int, default=student.StudentSettings.steps, help="of stage B (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    desk = prepare(options)
    model, goal = text_stage(desk, text.TextSettings(steps=options.text_steps))
    mean = student_stage(desk, model, goal, student.StudentSettings(steps=options.steps))
    text.settle(mean, goal, material(desk), text.TextSettings(more_steps=min(options.text_steps, 240)))
    package(mean, desk.tokenizer, options.out)
    figures = {"validation": packaged_figures(options.out, options.data, "validation")}
    describe(options.out, figures)
    log(figures, options.work)


if __name__ == "__main__":
    main()
