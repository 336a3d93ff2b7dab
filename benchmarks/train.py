"""How fast a training step is, ours and the peers': python benchmarks/train.py [--quick] [--json] [--memory].

The same CLIP (ViT-B/32, 151 M parameters, random weights from a seed), the same pairs (pictures with captions of 22
tokens), the same batch, the same AdamW and the same clipping of the gradient for everyone, in one run in which they
take turns; medians, and ratios of the steps of one round. A step is everything between two batches: forward, loss,
backward, clipping, update. What comes before, decoding pictures and tokenising texts, is done beforehand for everyone.

- tuneclip: the loop of `tuneclip train`, recipes `full` and `blocks` (the last two blocks of each tower move; what the
  frozen part makes of a picture is computed once, and those seconds are given separately).
- open_clip: its own `train_one_epoch`; for `blocks` with both towers locked but for the same blocks.
- transformers: its Trainer as in its contrastive example, texts padded to 77 tokens.
- sentence-transformers: its trainer with its symmetric in-batch loss, the scale set to the model's temperature.

Everyone runs in fp32, and once more in bf16 (autocast) where the processor multiplies it. The peers install into an
environment of their own below `--peers`, once. `--memory` measures instead the peak of resident memory at an effective
batch of 1,024, 64 pictures in memory at once, against a batch of 64; that takes some minutes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from peers.contender import Contender, processor
from peers.environment import CACHE, peers_python
from peers.pairs import save_dataset, save_prepared
from peers.worker import Task
from tuneclip.model.encode import best_device
from tuneclip.settings import TrainingConfig
from tuneclip.training import hyperparameters

HERE = Path(__file__).parent
OURS = "tuneclip"
CONTENDERS = {
    OURS: "peers.ours",
    "open_clip": "peers.open_clip",
    "transformers": "peers.transformers",
    "sentence-transformers": "peers.sentence_transformers",
}
RECIPES = {"full": tuple(CONTENDERS), "blocks": (OURS, "open_clip")}
MICRO_BATCH, LARGE_BATCH = 64, 1024
MANY_PAIRS = 3 * LARGE_BATCH
"""So many that the feed prepares further large batches while one is trained on."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    batch_size: int
    rounds: int
    """Timed rounds of each group, after one that warms up."""
    seconds: float
    """After that long a group has no further round, so that slow machines come to an end."""


FULL, QUICK = Effort(64, 7, 1200), Effort(16, 5, 60)


def pythons(cache: Path) -> dict[str, str]:
    """Each contender's interpreter."""
    peers = str(peers_python(cache))
    return {name: sys.executable if name == OURS else peers for name in CONTENDERS}


def prepare(cache: Path, python: str, size: str, pairs: int) -> Task:
    """Model and pairs on disk, made once."""
    model = cache / f"model-{size}"
    if not (model / "preprocessor_config.json").is_file() and not (model / "processor_config.json").is_file():
        subprocess.run([python, "-m", "peers.material", str(model), size], cwd=HERE, check=True, stdout=sys.stderr)
    dataset = cache / f"pairs-{pairs}"
    save_dataset(dataset, pairs)
    material = save_prepared(dataset, model) if pairs <= LARGE_BATCH else dataset
    return Task(str(model), str(material), str(dataset), device=best_device(), threads=os.cpu_count() or 1)


def compete(names: Sequence[str], task: Task, python: dict[str, str], effort: Effort) -> list[dict[str, Any]]:
    """Some contenders on one task, by turns: a row for each."""
    with ExitStack() as stack:
        contenders = [stack.enter_context(Contender(name, CONTENDERS[name], task, python[name])) for name in names]
        known = [contender.ready() for contender in contenders]
        until = time.monotonic() + effort.seconds
        for number in range(1 + effort.rounds):
            if number > 1 and time.monotonic() > until:
                break
            for contender in contenders:
                contender.turn()
            print(f"{task.precision} {task.recipe}: round {number} of {effort.rounds}", file=sys.stderr)
    return [row(contender, task, facts) for contender, facts in zip(contenders, known, strict=True)]


def row(contender: Contender, task: Task, facts: dict[str, Any]) -> dict[str, Any]:
    """What a contender did; the first step is not timed, but its loss counts."""
    answers = contender.answers
    seconds = [answer["seconds"] for answer in answers[1:]]
    middle = statistics.median(seconds)
    return {
        "contender": contender.name,
        "recipe": task.recipe,
        "precision": task.precision,
        "batch_size": task.batch_size,
        "seconds": seconds,
        "processor_seconds": [answer["processor_seconds"] for answer in answers[1:]],
        "median_seconds": middle,
        "pictures_per_second": task.batch_size / middle,
        "losses": [answer["loss"] for answer in answers],
        "peak_memory_bytes": max(answer["peak_memory_bytes"] for answer in answers),
        **facts,
    }


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How many times as fast we are: the median over the rounds of a peer's seconds by ours in the same round."""
    found: dict[str, float] = {}
    for ours in (row for row in rows if row["contender"] == OURS):
        for peer in (row for row in rows if row["contender"] != OURS and row["recipe"] == ours["recipe"]):
            by_round = [theirs / mine for theirs, mine in zip(peer["seconds"], ours["seconds"], strict=True)]
            found[f"{ours['recipe']}/{peer['contender']}"] = statistics.median(by_round)
    return found


def largest_loss_difference(rows: Sequence[dict[str, Any]]) -> float:
    """Between us and any peer at any step of a recipe, all having begun with the same weights."""
    ours = {row["recipe"]: row["losses"] for row in rows if row["contender"] == OURS}
    pairs = ((mine, theirs) for row in rows for mine, theirs in zip(ours[row["recipe"]], row["losses"], strict=True))
    return float(max(abs(mine - theirs) for mine, theirs in pairs))


def measure(task: Task, python: dict[str, str], effort: Effort) -> dict[str, Any]:
    """Both recipes in each precision."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for precision in precisions(task.device):
        size = effort.batch_size
        chosen = replace(task, precision=precision, batch_size=size, micro_batch_size=size)
        groups = [compete(names, replace(chosen, recipe=recipe), python, effort) for recipe, names in RECIPES.items()]
        rows[precision] = [row for group in groups for row in group]
    return {
        "ratios": ratios(rows["fp32"]),
        "largest_loss_difference": largest_loss_difference(rows["fp32"]),
        "ratios_bf16": ratios(rows["bf16"]) if "bf16" in rows else None,
        "largest_loss_difference_bf16": largest_loss_difference(rows["bf16"]) if "bf16" in rows else None,
        "batch_size": effort.batch_size,
        "rows": [row for some in rows.values() for row in some],
    }


def measure_memory(task: Task, python: dict[str, str]) -> dict[str, Any]:
    """The peak of a process of ours after two full steps: with a plain batch, and with a large one."""
    rows = []
    for batch_size in (MICRO_BATCH, LARGE_BATCH):
        chosen = replace(task, batch_size=batch_size, micro_batch_size=MICRO_BATCH, feed=True)
        chosen = replace(chosen, precision=precisions(task.device)[-1])
        rows += compete((OURS,), chosen, python, Effort(batch_size, 1, 0))
    sizes = {
        f"batch_{size}": row["peak_memory_bytes"] for size, row in zip((MICRO_BATCH, LARGE_BATCH), rows, strict=True)
    }
    return {
        "peak_memory_bytes": sizes,
        "memory_growth": rows[1]["peak_memory_bytes"] / rows[0]["peak_memory_bytes"],
        "rows": rows,
    }


def precisions(device: str) -> tuple[str, ...]:
    """fp32, and bf16 where this machine multiplies it: elsewhere it is slower."""
    best = hyperparameters.precision(TrainingConfig(), torch.device(device))
    return ("fp32", "bf16") if best == "bf16" else ("fp32",)


def show(result: dict[str, Any]) -> None:
    """The rows and the ratios as a table."""
    print(
        f"{'precision':<9} {'recipe':<7} {'':<22} {'batch':>5} {'s/step':>8} {'pictures/s':>10} {'peak GiB':>9}  loss"
    )
    for row in result["rows"]:
        place = f"{row['precision']:<9} {row['recipe']:<7} {row['contender']:<22} {row['batch_size']:>5}"
        speed = f"{row['median_seconds']:>8.2f} {row['pictures_per_second']:>10.2f}"
        print(f"{place} {speed} {row['peak_memory_bytes'] / 2**30:>9.2f}  {row['losses'][0]:.6f}")
    for key in ("ratios", "ratios_bf16"):
        for name, value in (result.get(key) or {}).items():
            print(f"{key} {name}: {value:.2f}")
    for key in ("largest_loss_difference", "memory_growth"):
        if key in result:
            print(f"{key}: {result[key]:.2g}")


def main() -> None:
    """Measure and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="batch 16 and fewer rounds, within five minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--memory", action="store_true", help="measure peak memory instead of speed")
    parser.add_argument("--batch-size", type=int, help="pairs in a step (64; with --quick 16)")
    parser.add_argument("--rounds", type=int, help="timed rounds (7; with --quick 5)")
    parser.add_argument("--peers", type=Path, default=CACHE, metavar="DIR", help=f"where the peers live ({CACHE})")
    parser.add_argument("--size", choices=("base", "tiny"), default="base", help=argparse.SUPPRESS)
    options = parser.parse_args()
    usual = QUICK if options.quick else FULL
    effort = replace(usual, batch_size=options.batch_size or usual.batch_size, rounds=options.rounds or usual.rounds)
    cache = options.peers.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    python = pythons(cache)
    task = prepare(cache, python["open_clip"], options.size, MANY_PAIRS if options.memory else effort.batch_size)
    result = measure_memory(task, python) if options.memory else measure(task, python, effort)
    result |= {"quick": options.quick, "size": options.size, "threads": task.threads, "processor": processor()}
    print(json.dumps(result)) if options.json else show(result)


if __name__ == "__main__":
    main()
