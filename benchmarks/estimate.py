"""How good an estimate is: python benchmarks/estimate.py [--quick] [--json] [--dataset NAME --project DIR] [--recipe].

Estimates a training, runs it, and prints both with their ratio (estimated / taken): the seconds of the whole command
from nothing to the written model, and the peak of resident memory as the operating system keeps it. Without --dataset
it draws an archive of 3,000 finds and trains for three epochs; with --quick 800 and one. A ratio of 0.8 to 1.2 is good.
Where no epoch was better than the base there is nothing to mix with it, so the sweep is left out of the estimate too.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tuneclip
from tuneclip.archive import draw_archive

FINDS, QUICK_FINDS = 3_000, 800
EPOCHS, QUICK_EPOCHS = 3, 1
UNIT = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts in


def run(arguments: list[str], answer: Path) -> tuple[Any, float, int]:
    """A verb in a process of its own: its JSON, seconds, and peak of resident memory in bytes."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "tuneclip", *arguments, "--json"]
    with answer.open("wb") as file:
        actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), 1)]
        number = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        _, status, used = os.wait4(number, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return json.loads(answer.read_text()), time.perf_counter() - began, used.ru_maxrss * UNIT


def compare(dataset: str, *, project: Path, model: str, recipe: str, config: Path) -> dict[str, Any]:
    """Estimate, then train with the same settings, in a project of its own beside the dataset."""
    with tempfile.TemporaryDirectory() as folder:
        shared = [dataset, "--model", model, "--recipe", recipe, "--config", str(config), "--project", folder]
        shared[0] = str((project / "datasets" / dataset).resolve())
        answer = Path(folder) / "answer.json"
        estimate, took, _ = run(["estimate", *shared], answer)
        trained, seconds, peak = run(["train", *shared, "--to", "tuned"], answer)
    said = estimate["seconds_total"]
    said -= 0 if trained["interpolation"] else estimate["seconds"]["sweep"]
    return {
        "recipe": recipe,
        "estimate": estimate,
        "estimated_seconds": said,
        "estimate_seconds": took,
        "epochs": trained["epochs"],
        "seconds": seconds,
        "peak_memory_bytes": peak,
        "ratios": {
            "seconds": said / seconds,
            "peak_memory": estimate["peak_memory_bytes"] / peak,
        },
    }


def main() -> None:
    """Compare each recipe and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one epoch on 800 drawn finds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--dataset", help="a dataset of --project instead of drawn finds")
    parser.add_argument("--project", type=Path, default=Path(), help="folder of the project (default: here)")
    parser.add_argument("--model", default="starter", help="model to start from (default: starter)")
    parser.add_argument("--recipe", nargs="+", default=["full"], help="recipes to compare (default: full)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        epochs = QUICK_EPOCHS if options.quick else EPOCHS
        config.write_text(json.dumps({"num_epochs": epochs, "early_stopping": False}))
        project, dataset = options.project, options.dataset
        if dataset is None:
            project, dataset = Path(folder), "finds"
            draw(project, QUICK_FINDS if options.quick else FINDS)
        rows = [
            compare(dataset, project=project, model=options.model, recipe=recipe, config=config)
            for recipe in options.recipe
        ]
    if options.json:
        print(json.dumps({"quick": options.quick, "rows": rows}))
        return
    print("recipe    seconds: estimated     taken  ratio    peak MB: estimated     taken  ratio")
    for row in rows:
        said, ratios = row["estimate"], row["ratios"]
        times = f"{row['estimated_seconds']:>17.1f} {row['seconds']:>9.1f} {ratios['seconds']:>6.2f}"
        peaks = f"{said['peak_memory_bytes'] / 1e6:>20,.0f} {row['peak_memory_bytes'] / 1e6:>9,.0f}"
        print(f"{row['recipe']:<10} {times} {peaks} {ratios['peak_memory']:>6.2f}")


def draw(project: Path, finds: int) -> None:
    """The drawn archive as the dataset `finds`."""
    draw_archive(project / "archive", finds, seed=0)
    columns = ["label", "description"]
    source = project / "archive" / "archive.json"
    tuneclip.import_dataset(source, to="finds", caption=columns, records="finds", project=project)


if __name__ == "__main__":
    main()
