"""The vectors that are searched: embeddings of real pictures, varied to any number; the queries; what is right."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pyarrow import parquet

import tuneclip
from engines.material import DIMENSION, FILTERS, NEAREST, PART, Floats, Material, chosen

QUERIES = 100
"""Half pictures that are not among the vectors, half texts."""
SPREAD = 0.35
"""How far a varied picture is moved along the difference of two others."""
SETS = {"tiny-imagenet": (2 / 3, "label"), "fashion": (1 / 3, "title")}
"""Folders of the data, their share of the pictures, and the column of texts."""


def prepare(cache: Path, data: Path | None, n: int, pictures: int) -> Material:
    """The material of `n` vectors, made once from at most `pictures` pictures."""
    source = f"{pictures} pictures" if data else "synthetic"
    folder = cache / "search" / f"{source.replace(' ', '-')}-{n}"
    material = Material(folder, n, source)
    if (folder / "done.json").is_file():
        return material
    folder.mkdir(parents=True, exist_ok=True)
    base, queries = _real(cache, data, pictures) if data else _synthetic()
    np.save(folder / "queries.npy", queries)
    written = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (n, DIMENSION))
    best = {name: [(np.full(NEAREST, -9, np.float32), np.zeros(NEAREST, np.int64))] * len(queries) for name in FILTERS}
    for start, part in _varied(base, n):
        written[start : start + len(part)] = part
        scores = queries @ part.T
        for name, rows in best.items():
            allowed = np.flatnonzero(chosen(name, start, start + len(part)))
            rows[:] = [_merged(row, own[allowed], allowed + start) for row, own in zip(rows, scores, strict=True)]
    written.flush()
    for place, rows in enumerate(best.values()):
        np.save(folder / f"truth-{place}.npy", np.array([ids for _, ids in rows]))
    (folder / "done.json").write_text(json.dumps({"source": source, "n": n}))
    return material


def _merged(
    best: tuple[Floats, npt.NDArray[np.int64]], scores: Floats, places: npt.NDArray[np.int64]
) -> tuple[Floats, npt.NDArray[np.int64]]:
    scores, places = np.concatenate([best[0], scores]), np.concatenate([best[1], places])
    top = np.argpartition(-scores, NEAREST - 1)[:NEAREST]
    return scores[top], places[top]


def _varied(base: Floats, n: int) -> Iterator[tuple[int, Floats]]:
    """`n` unit vectors in parts: each a real one, moved along the difference of two others.

    Differences of pictures have the covariance of pictures, so the cloud keeps its shape and its intrinsic dimension;
    noise that is alike in all directions would make the task easier for some indices and harder for others.
    """
    rng = np.random.default_rng(0)
    for start in range(0, n, PART):
        one, two, three = rng.integers(0, len(base), (3, min(PART, n - start)))
        part = base[one] + SPREAD * (base[two] - base[three])
        yield start, _unit(part)


def _real(cache: Path, data: Path, pictures: int) -> tuple[Floats, Floats]:
    """Vectors of real pictures and queries, from the starter.

    Its 256 dimensions become 512 by embedding each picture whole and its middle, side by side; a text's vector stands
    in both halves.
    """
    kept = cache / "search" / f"embedded-{pictures}.npz"
    if not kept.is_file():
        encoder = tuneclip.open_model("starter")
        parts, texts = [], list[str]()
        for name, (share, column) in SETS.items():
            encoded, told = _read(data / name, int(share * pictures), column)
            print(f"embedding {len(encoded)} pictures of {name}, whole and middle", file=sys.stderr)
            parts.append(encoder.pictures(_views(encoded)).reshape(len(encoded), -1))
            texts += told
        words = encoder.texts(texts)
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, pictures=np.concatenate(parts), texts=np.concatenate([words, words], axis=1))
    loaded = np.load(kept)
    found, words = _unit(loaded["pictures"]), _unit(loaded["texts"])
    order = np.random.default_rng(1).permutation(len(found))
    queries = np.concatenate([found[order[: QUERIES // 2]], words])
    return found[order[QUERIES // 2 :]], queries[np.random.default_rng(2).permutation(len(queries))]


def _read(folder: Path, count: int, column: str) -> tuple[list[bytes], list[str]]:
    """Encoded pictures evenly from the training split, and texts for a quarter of all queries."""
    table = parquet.read_table(folder / "train.parquet", columns=["image", column])
    even = table.take(np.linspace(0, len(table) - 1, count).astype(int))
    texts = list(dict.fromkeys(even[column].to_pylist()))[: QUERIES // 4]
    return [picture["bytes"] for picture in even["image"].to_pylist()], texts


def _views(encoded: list[bytes]) -> Iterator[object]:
    for data in encoded:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        wide, high = picture.size
        yield picture
        yield picture.crop((wide // 5, high // 5, wide - wide // 5, high - high // 5))


def _synthetic() -> tuple[Floats, Floats]:
    """Clusters in a space whose variance falls off as that of embeddings does; queries are near clusters."""
    rng = np.random.default_rng(0)
    shape = (np.arange(1, DIMENSION + 1) ** -0.7).astype(np.float32)
    centres = rng.normal(size=(300, DIMENSION)) * shape
    points = centres[rng.integers(0, 300, 6000)] + 0.5 * rng.normal(size=(6000, DIMENSION)) * shape
    return _unit(points[QUERIES:].astype(np.float32)), _unit(points[:QUERIES].astype(np.float32))


def _unit(vectors: Floats) -> Floats:
    found: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found
