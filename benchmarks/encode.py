"""How fast a folder of JPEGs becomes vectors, ours and the peers': python benchmarks/encode.py [--quick] [--json].

The same ViT-B/32 (random weights from a seed), the same folder, one process for each contender, in one run in which
they take turns; medians, and ratios of the turns of one round. A turn goes from the paths to (n, dim) vectors in a
file: reading, decoding, preprocessing, the picture tower, storing. Loading the model comes before.

- tuneclip: `open_model(…).pictures(paths)`, its graphs made beforehand; int8 where its check passed on these pictures.
- transformers: CLIPModel and its picture processor, 32 at once; once more under bf16 autocast where the processor
  multiplies it (`transformers-bf16`).
- sentence-transformers: `encode` with its defaults.
- llm-clip: `llm embed-multi` into llm's own database, with its model's name replaced.
- open_clip: its model and its transform, 32 at once.

`cosine_min` is the smallest cosine between our vectors and those of transformers in float32. `recall_difference` is how
many points of recall@10 (captions to pictures) the starter loses in int8 against float32. `start_seconds` go from the
start of the process to the vector of one phrase.

Pictures: those of `flickr8k/test.parquet` in the folder that `--data` or the variable DATA names (a parquet file with
`image` and `captions`), else finds of the drawn archive.
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

import tuneclip
from encoders.worker import Job
from peers.contender import HERE, Contender, processor
from peers.environment import CACHE, peers_python
from tuneclip.archive import draw_finds
from tuneclip.model.open import load_model
from tuneclip.model.ready import Sample, make_ready
from tuneclip.project import Project
from tuneclip.settings import TrainingConfig
from tuneclip.training import hyperparameters

OURS, REFERENCE, HALF = "tuneclip", "transformers", "transformers-bf16"
CONTENDERS = {
    OURS: "encoders.ours",
    REFERENCE: "encoders.transformers",
    HALF: "encoders.transformers",
    "sentence-transformers": "encoders.sentence_transformers",
    "llm-clip": "encoders.llm_clip",
    "open_clip": "encoders.open_clip",
}


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    pictures: int
    """Of each turn."""
    rounds: int
    """Timed rounds, after one that warms up."""
    judged: int
    """Pictures on which the starter's recall is compared."""


FULL, QUICK = Effort(256, 7, 1000), Effort(64, 5, 1000)


@dataclass(frozen=True)
class Pictures:
    """JPEGs with their captions, and what they are, for people."""

    origin: str
    encoded: list[bytes]
    captions: list[tuple[str, ...]]


def pictures(data: Path | None, count: int) -> Pictures:
    """The first `count` pictures of the data set, or drawn ones where there is none."""
    path = data / "flickr8k" / "test.parquet" if data else None
    found = list(islice(_read(path) if path and path.is_file() else _drawn(count), count))
    return Pictures(str(path) if path and path.is_file() else "drawn finds", *map(list, zip(*found, strict=True)))


def _read(path: Path) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    for batch in pq.ParquetFile(path).iter_batches(64, columns=["image", "captions"]):
        for row in batch.to_pylist():
            yield row["image"]["bytes"], tuple(row["captions"])


def _drawn(count: int) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    for find, picture in draw_finds(count):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=90)
        yield buffer.getvalue(), (find.label,)


def prepare(cache: Path, python: str, known: Pictures, count: int) -> Job:
    """The model in both layouts and our graphs, kept in `cache`; the folder of pictures is written anew."""
    model, export, folder = (cache / name for name in ("model-base", "model-base-st", "pictures"))
    if not (model / "config.json").is_file():
        subprocess.run([python, "-m", "peers.material", str(model), "base"], cwd=HERE, check=True, stdout=sys.stderr)
    if not export.is_dir():
        tuneclip.export(str(model), to=export, format="sentence-transformers", project=cache)
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, encoded in enumerate(known.encoded[:count]):
        (folder / f"{number:05}.jpg").write_bytes(encoded)
    make_ready(load_model(model), Project(cache), Sample(known.encoded[:256], known.captions[:256]))
    return Job(str(model), str(export), str(folder), "", threads=os.cpu_count() or 1)


def compete(job: Job, python: str, rounds: int, place: Path) -> list[dict[str, Any]]:
    """All contenders by turns: a row for each, with its vectors' file in `place`."""
    names = [name for name in CONTENDERS if name != HALF or _multiplies_bf16()]
    with ExitStack() as stack:
        contenders, facts = [], []
        for name in names:
            own = replace(job, vectors=str(place / f"{name}.npy"), precision="bf16" if name == HALF else "fp32")
            interpreter = sys.executable if name == OURS else python
            contender = stack.enter_context(Contender(name, CONTENDERS[name], own, interpreter))
            facts.append(contender.ready())  # before the next one starts, so that each has the machine for itself
            contenders.append(contender)
        for number in range(1 + rounds):
            for contender in contenders:
                contender.turn()
            print(f"round {number} of {rounds}", file=sys.stderr)
    return [row(contender, fact, len(job.paths)) for contender, fact in zip(contenders, facts, strict=True)]


def _multiplies_bf16() -> bool:
    return hyperparameters.precision(TrainingConfig(), torch.device("cpu")) == "bf16"


def row(contender: Contender, facts: dict[str, Any], count: int) -> dict[str, Any]:
    """What a contender did; its first turn warms up."""
    answers = contender.answers[1:]
    seconds = [answer["seconds"] for answer in answers]
    middle = statistics.median(seconds)
    return {
        "contender": contender.name,
        "seconds": seconds,
        "median_seconds": middle,
        "pictures_per_second": count / middle,
        "processor_ms_per_picture": 1000 * statistics.median(a["processor_seconds"] for a in answers) / count,
        "peak_memory_bytes": max(answer["peak_memory_bytes"] for answer in contender.answers),
        **facts,
    }


def ratios(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """How many times as fast we are: the median over the rounds of a peer's seconds by ours in the same round."""
    ours = next(row for row in rows if row["contender"] == OURS)["seconds"]
    return {
        f"{OURS}/{row['contender']}": statistics.median(
            theirs / mine for theirs, mine in zip(row["seconds"], ours, strict=True)
        )
        for row in rows
        if row["contender"] != OURS
    }


def cosine_min(place: Path) -> float:
    """The smallest cosine between our vectors and transformers'."""
    ours, theirs = (np.load(place / f"{name}.npy") for name in (OURS, REFERENCE))
    return float((ours * theirs).sum(axis=1).min())


def recall_difference(known: Pictures, cache: Path) -> float:
    """Points of recall@10, captions to pictures, that the starter loses in int8 against float32."""
    recalls = []
    owner = np.repeat(np.arange(len(known.captions)), [len(captions) for captions in known.captions])
    texts = [caption for captions in known.captions for caption in captions]
    for precision in ("fp32", "int8"):
        os.environ["TUNECLIP_ENCODER"] = precision
        encoder = tuneclip.open_model("starter", cache)
        vectors = encoder.pictures(known.encoded)
        assert precision in encoder.kind, f"{encoder.kind} instead of {precision}"
        similarities = encoder.texts(texts) @ vectors.T
        own = similarities[np.arange(len(texts)), owner]
        recalls.append(100 * float(((similarities > own[:, None]).sum(axis=1) < 10).mean()))
    del os.environ["TUNECLIP_ENCODER"]
    return recalls[0] - recalls[1]


def show(result: dict[str, Any]) -> None:
    """The rows and the ratios as a table."""
    print(f"{'':<22} {'pictures/s':>10} {'ms of processor':>15} {'peak GiB':>9} {'start s':>8}")
    for row in result["rows"]:
        speed = f"{row['pictures_per_second']:>10.1f} {row['processor_ms_per_picture']:>15.1f}"
        print(f"{row['contender']:<22} {speed} {row['peak_memory_bytes'] / 2**30:>9.2f} {row['start_seconds']:>8.1f}")
    for name, value in result["ratios"].items():
        print(f"{name}: {value:.2f}")
    print(f"cosine_min: {result['cosine_min']:.5f}")
    print(f"recall_difference: {result['recall_difference']:.2f} points on {result['judged']} pictures")


def main() -> None:
    """Measure and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 pictures and fewer rounds, within five minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA"), help="folder of data sets ($DATA)")
    parser.add_argument("--rounds", type=int, help="timed rounds (7; with --quick 5)")
    parser.add_argument("--peers", type=Path, default=CACHE, metavar="DIR", help=f"where the peers live ({CACHE})")
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    cache = options.peers.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    python = str(peers_python(cache))
    known = pictures(options.data, max(effort.judged, effort.pictures))
    job = prepare(cache, python, known, effort.pictures)
    with TemporaryDirectory() as place:
        rows = compete(job, python, options.rounds or effort.rounds, Path(place))
        result: dict[str, Any] = {"ratios": ratios(rows), "cosine_min": cosine_min(Path(place))}
    result |= {"recall_difference": recall_difference(known, cache), "judged": len(known.encoded)}
    result |= {"pictures": effort.pictures, "origin": known.origin, "rows": rows}
    result |= {"quick": options.quick, "threads": job.threads, "processor": processor()}
    print(json.dumps(result)) if options.json else show(result)


if __name__ == "__main__":
    main()
