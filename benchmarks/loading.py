"""Whether loading pictures holds training back: python benchmarks/loading.py [--quick] [--json] [--dataset FOLDER].

The same steps of the same loop, once fed from JPEG files on the disk as `tuneclip train` does it (read, decoded,
varied, resized on threads beside the model) and once with batches that lie ready in memory, by turns in one run. A
ratio is the seconds from memory over those from the disk, median over the rounds; 1 means that loading costs nothing.
`first` is an epoch in which every picture is decoded, `later` one in which those that fit are still in memory
(`KEPT_BYTES`), `run` a whole run of six epochs. `processor_ratios` are of the processor's seconds in all threads, for
machines that do other work beside; set OMP_WAIT_POLICY=PASSIVE then, or threads that wait count as work.

Models: the starter, for which a picture is soon done, and a ViT-B/32 (random weights). Pictures: drawn, of 60 × 80,
128 × 170 and 1,024 × 768 pixels; or those of a dataset that is given.
"""

import argparse
import dataclasses
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

import tuneclip
from peers.contender import processor
from tuneclip.data.load import Dataset, open_dataset
from tuneclip.model.open import Loaded, load_model
from tuneclip.settings import TrainingConfig
from tuneclip.training.adapt import Adaptation, adapt
from tuneclip.training.batches import Batch, Feed
from tuneclip.training.loop import Loop
from tuneclip.training.plan import make_plan
from tuneclip.training.precision import timed_precision

EPOCHS = 6
SIZES = ((60, 80), (170, 128), (1024, 768))
STARTER, BASE = "starter", "ViT-B/32"


@dataclasses.dataclass(frozen=True)
class Case:
    """One model on pictures of one size."""

    model: str
    size: tuple[int, int] | None
    """Of the drawn pictures; None for a dataset that is given."""
    pictures: int
    batch_size: int
    rounds: int


def cases(options: argparse.Namespace) -> list[Case]:
    """The usual ones; `--quick` has fewer pictures and rounds."""
    many, few, rounds = (256, 32, 3) if options.quick else (1024, 128, 7)
    sizes = (None,) if options.dataset else SIZES
    return [*(Case(STARTER, size, many, 32, rounds) for size in sizes), Case(BASE, sizes[-1], few, 16, rounds)]


def draw(folder: Path, size: tuple[int, int], count: int) -> Dataset:
    """JPEGs with soft shapes and grain, about as large on the disk as photographs of that size, as a dataset."""
    random = np.random.default_rng(0)
    (folder / "drawn").mkdir(parents=True)
    with (folder / "drawn" / "metadata.jsonl").open("w") as file:
        for number in range(count):
            soft = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(size)
            grain = random.normal(0, 6, (size[1], size[0], 1))
            picture = Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8))
            picture.save(folder / "drawn" / f"{number:05}.jpg", quality=88)
            caption = f"find {number} of red clay with a wave and {number % 89} dots around its foot"
            row = {"file_name": f"{number:05}.jpg", "text": caption, "split": "train"}
            file.write(json.dumps(row) + "\n")
    tuneclip.import_dataset(folder / "drawn", to="drawn", project=folder)
    return open_dataset("drawn", folder)


def model_of(name: str) -> Loaded:
    """The starter, or a ViT-B/32 of random weights with the starter's tokenizer."""
    starter = load_model(STARTER)
    if name == STARTER:
        return starter
    torch.manual_seed(0)
    config = CLIPConfig()
    config.text_config.eos_token_id = starter.model.config.text_config.eos_token_id
    preprocessing = dataclasses.replace(starter.preprocessing, shortest_edge=224, crop=(224, 224))
    return dataclasses.replace(starter, name=name, model=CLIPModel(config), preprocessing=preprocessing)


def prepare(loaded: Loaded, dataset: Dataset, batch_size: int, folder: Path) -> tuple[Adaptation, Loop]:
    """What `tuneclip train` would run."""
    plan = make_plan(TrainingConfig(batch_size=batch_size, num_epochs=EPOCHS), dataset, loaded)
    adaptation = adapt(loaded, dataset, plan)
    plan = dataclasses.replace(plan, precision=timed_precision(adaptation, plan))
    return adaptation, Loop(adaptation, plan, folder, dict)


def seconds(loop: Loop, batches: Iterable[Batch]) -> tuple[float, float]:
    """An epoch's time, and that of the processor in all threads."""
    started, worked = time.perf_counter(), time.process_time()
    for batch in batches:
        loop._step(batch)
    return time.perf_counter() - started, time.process_time() - worked


def measure(case: Case, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Epochs from the disk and from memory by turns."""
    adaptation, loop = prepare(model_of(case.model), dataset, case.batch_size, folder)
    feed = adaptation.batches
    assert isinstance(feed, Feed)
    steps = loop.plan.steps_per_epoch
    seconds(loop, _some(feed.epoch(1, case.batch_size), 2))  # warms up
    taken: dict[str, list[float]] = {"memory": [], "first": [], "later": []}
    worked: dict[str, list[float]] = {name: [] for name in taken}
    for number in range(case.rounds):
        again = Feed(dataset, adaptation.loaded, feed.order, augment=True)
        ready = list(feed.epoch(1 + number, case.batch_size))
        for name in taken:  # the second time `again` has the pictures
            loop.position.batch = 0
            batches = ready if name == "memory" else again.epoch(1 + number, case.batch_size)
            for values, value in zip((taken, worked), seconds(loop, batches), strict=True):
                values[name].append(value)
        print(f"{case.model} {case.size}: round {number + 1} of {case.rounds}", file=sys.stderr)
    middle = {name: statistics.median(values) for name, values in taken.items()}
    run = (middle["first"] + (EPOCHS - 1) * middle["later"]) / EPOCHS
    ratios = {name: _median_ratio(taken["memory"], taken[name]) for name in ("first", "later")}
    return {
        **dataclasses.asdict(case),
        "pictures": loop.plan.records,
        "steps": steps,
        "precision": loop.plan.precision,
        "seconds": taken,
        "processor_seconds": worked,
        "processor_ratios": {name: _median_ratio(worked["memory"], worked[name]) for name in ("first", "later")},
        "pictures_per_second": {name: loop.plan.records / value for name, value in middle.items()},
        "ratios": {**ratios, "run": middle["memory"] / run},
    }


def _some(batches: Iterable[Batch], count: int) -> Iterator[Batch]:
    for _, batch in zip(range(count), batches, strict=False):
        yield batch


def _median_ratio(memory: list[float], disk: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(memory, disk, strict=True))


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    """All cases."""
    machine = {"processor": processor(), "cores": os.cpu_count(), "torch": torch.__version__}
    rows = []
    for case in cases(options):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            dataset = draw(folder, case.size, case.pictures) if case.size else open_dataset(options.dataset)
            records = dataset.split("train")[: case.pictures]
            rows.append(measure(case, dataclasses.replace(dataset, given=records), folder / "run"))
    ratios = {f"{row['model']} {_name(row['size'])}": row["ratios"] for row in rows}
    return {"machine": machine, "rows": rows, "ratios": ratios}


def _name(size: tuple[int, int] | None) -> str:
    return "given" if size is None else f"{size[0]} × {size[1]}"


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pictures and rounds: under five minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--dataset", type=Path, help="a dataset's folder, instead of drawn pictures")
    options = parser.parse_args()
    result = measure_all(options)
    if options.json:
        print(json.dumps(result))
        return
    for row in result["rows"]:
        speeds = "  ".join(f"{name} {value:7.1f}" for name, value in row["pictures_per_second"].items())
        ratios = "  ".join(f"{name} {value:.3f}" for name, value in row["ratios"].items())
        print(f"{row['model']:<10} {_name(row['size']):<12} {row['precision']}  pictures/s: {speeds}  ratios: {ratios}")


if __name__ == "__main__":
    main()
