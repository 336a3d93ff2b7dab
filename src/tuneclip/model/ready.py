"""Make a model's fast encoder once and find it again: its graphs, where they lie, whether int8 is good enough."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError, one_line
from tuneclip.model.encode import SAMPLE, Encoder, has_accelerator, tokenize
from tuneclip.model.fast import TOKENIZER, Graphs, TextFacts
from tuneclip.model.graph import INT8, quantise, write_graphs
from tuneclip.model.open import Loaded, fingerprint, load_model
from tuneclip.model.parity import ENOUGH, Parity, Seen, measure_parity
from tuneclip.model.retrieval import pair_up
from tuneclip.project import ENCODER, GRAPHS, Project, building, read_json, user_cache, write_json

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from tuneclip.model.encode import Picture

logger = logging.getLogger("tuneclip")
FORMAT = 1
"""Of the kept folder; one of another format is made again."""
VARIABLE = "TUNECLIP_ENCODER"
WISHES = ("auto", "int8", "fp32", "torch")
CHEAP = 64 * 2**20
"""Bytes of weights up to which graphs are made for a single query: it takes a second, and the next one saves three."""
EXACT = 0.9999
"""The least cosine between a graph's vectors and torch's."""
PHRASES = (
    "a dog",
    "a red bowl",
    "two people at a table in a garden",
    "a photo of an old green car in front of a house",
    "black and white portrait of a woman who looks out of a window",
    "the sea",
    "Ünïcode ✓ 123",
    "a long caption with far more words than any text tower takes in at once " * 12,
)
"""What texts are compared on beside or without captions."""


@dataclass(frozen=True)
class Sample:
    """Pictures that an encoder will be used for, with their captions where there are any."""

    pictures: "Sequence[Picture]"
    captions: Sequence[Sequence[str]] = ()


def sample_of(dataset: Dataset) -> Sample:
    """Up to 256 of the dataset's pictures, the same each time, with their captions."""
    chosen = set(np.random.default_rng(0).permutation(dataset.count())[:SAMPLE].tolist())
    records = [record for number, record in enumerate(dataset.stream()) if number in chosen]
    return Sample([dataset.picture_path(record) for record in records], [record.captions for record in records])


def wished(project: Project) -> str:
    """What the environment or the project's `tuneclip.toml` insists on ("int8", "fp32" or "torch"), or "auto"."""
    table = project.settings().get("encoder", {})
    wish = os.environ.get(VARIABLE) or (table.get("use", "auto") if isinstance(table, dict) else table)
    if wish not in WISHES:
        raise TuneclipError(f"there is no encoder {wish!r}", where=VARIABLE, expected=" or ".join(WISHES))
    return str(wish)


def open_encoder(
    name: str, folder: Path, project: Project, *, sample: Sample | None = None, few: bool = False
) -> Encoder:
    """The encoder of the model in `folder`; see `open_model`."""
    wish = wished(project)
    if wish == "torch" or (not few and has_accelerator()):
        return Encoder(load_model(name, project))
    source: Graphs | Loaded = find_graphs(name, folder, wish) or load_model(name, project)
    if few and isinstance(source, Loaded) and _weights(folder) <= CHEAP:
        source = make_ready(source, project) or source
    if few or (isinstance(source, Graphs) and _is_settled(source, wish)):
        return Encoder(source, "cpu")

    def faster(sample: Sample) -> Graphs | None:
        if isinstance(source, Graphs):
            return settle(source, sample, wish)
        return make_ready(source, project, sample)

    if sample is not None:
        return Encoder(faster(sample) or source)
    return Encoder(source, faster=lambda first: faster(Sample(first)))


def make_ready(loaded: Loaded, project: Project, sample: Sample | None = None) -> Graphs | None:
    """Make the model's fast encoder unless it is there, and choose its precision where `sample` is large enough.

    None, with a warning, where it cannot be made (no room, a folder that cannot be written, a graph that is not the
    model): torch does the work then. Two processes at once are safe: one makes it, the other waits.
    """
    wish = wished(project)
    graphs = find_graphs(loaded.name, loaded.path, wish) or _make(loaded, project, wish)
    return graphs if graphs is None or sample is None else settle(graphs, sample, wish)


def find_graphs(name: str, folder: Path, wish: str = "auto") -> Graphs | None:
    """The graphs of the model in `folder` if they were made here before and still belong to it."""
    mark = fingerprint(folder)
    for place in (folder / GRAPHS, user_cache() / mark):
        if (place / ENCODER).is_file():
            facts = read_json(place / ENCODER)
            if facts.get("format") == FORMAT and facts["fingerprint"] == mark:
                return _graphs(name, folder, place, facts, wish)
    return None


def settle(graphs: Graphs, sample: Sample, wish: str = "auto") -> Graphs:
    """Choose between int8 and float32 by what each finds among the sample's pictures, once; says so in one line.

    The choice stays with the graphs: the same model gives the same vectors here from then on. With fewer than 64
    pictures that can be read nothing is chosen, and float32 is used until there are more.
    """
    if _is_settled(graphs, wish) or (wish != "int8" and len(sample.pictures) < ENOUGH):
        return graphs
    try:
        with _lock(graphs.folder):
            return _settle(graphs, sample, wish)
    except OSError as error:
        logger.warning("%s: int8 is not tried, %s: %s", graphs.name, error.strerror, graphs.folder)
        return graphs


def _settle(graphs: Graphs, sample: Sample, wish: str) -> Graphs:
    manifest = graphs.folder / ENCODER
    facts = read_json(manifest)
    if wish == "auto" and facts["int8"] is not None:  # another process was quicker
        return _graphs(graphs.name, graphs.path, graphs.folder, facts, wish)
    if not _has_int8(graphs.folder):
        quantise(graphs.folder)
    if wish == "int8":
        return replace(graphs, precision="int8")
    parity = _parity(graphs, sample)
    if parity is None:
        return graphs
    _say(graphs.name, parity)
    write_json(manifest, facts | {"int8": asdict(parity)})
    if not parity.passes:
        for name in INT8.values():
            (graphs.folder / name).unlink(missing_ok=True)
    return replace(graphs, precision="int8" if parity.passes else "fp32")


def _parity(graphs: Graphs, sample: Sample) -> Parity | None:
    """int8 against float32 on the pictures that can be read; None when too few can."""
    exact, quick = (Encoder(replace(graphs, precision=precision)) for precision in ("fp32", "int8"))
    pictures = list(sample.pictures[:SAMPLE])
    found = [_vectors(encoder, pictures) for encoder in (exact, quick)]
    good = [i for i, vector in enumerate(found[0]) if not isinstance(vector, TuneclipError)]
    if len(good) < ENOUGH:
        return None
    captions = [sample.captions[i] for i in good] if sample.captions else []
    texts = pair_up(captions).texts or PHRASES
    said = [encoder.texts(texts) for encoder in (exact, quick)]
    views = [Seen(np.stack([shown[i] for i in good]), told) for shown, told in zip(found, said, strict=True)]
    return measure_parity(views[0], views[1], captions)


def _vectors(encoder: Encoder, pictures: "list[Picture]") -> list[Any]:
    groups = [(None, pictures[start : start + 16]) for start in range(0, len(pictures), 16)]
    return [vector for _, found in encoder.stream(groups) for vector in found]


def _say(name: str, parity: Parity) -> None:
    verdict = "int8 is used" if parity.passes else "int8 loses too much here, float32 is used"
    logger.info(
        "%s: %s: cosine %.4f (texts %.4f), %s %.1f %% instead of %.1f %%, on %d of your pictures",
        name,
        verdict,
        parity.cosine,
        parity.text_cosine,
        parity.measure,
        100 * parity.quick,
        100 * parity.exact,
        parity.pictures,
    )


def _make(loaded: Loaded, project: Project, wish: str) -> Graphs | None:
    for place in _places(loaded.path, project):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with _lock(place):
                found = find_graphs(loaded.name, loaded.path, wish)  # another process may have been quicker
                return found or _write(loaded, place, wish)
        except OSError as error:
            logger.info("%s: cannot keep its graphs in %s: %s", loaded.name, place, error.strerror or error)
        except Exception as error:  # the exporter and ONNX Runtime raise whatever they like; torch still works
            reason = one_line(error, 200)
            logger.warning("%s: no fast encoder, torch is used: %s", loaded.name, reason)
            return None
    logger.warning("%s: no folder to keep a fast encoder in, torch is used", loaded.name)
    return None


def _write(loaded: Loaded, place: Path, wish: str) -> Graphs:
    logger.info("%s: making its encoder for the processor, once (%s)", loaded.name, place)
    with building(place) as folder:
        write_graphs(loaded, folder)
        loaded.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
        facts = {
            "format": FORMAT,
            "fingerprint": fingerprint(loaded.path),
            "dimension": loaded.dimension,
            "text": asdict(_text_facts(loaded)),
            "versions": {name: version(name) for name in ("tuneclip", "torch", "onnxruntime")},
            "int8": None,
        }
        facts["cosine_to_torch"] = _prove(loaded, _graphs(loaded.name, loaded.path, folder, facts, "fp32"))
        write_json(folder / ENCODER, facts)
    return _graphs(loaded.name, loaded.path, place, facts, wish)


def _prove(loaded: Loaded, graphs: Graphs) -> float:
    """The least cosine between the graphs' vectors and torch's, on noise and phrases; ValueError below 0.9999."""
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (3, 96, 128, 3), dtype=np.uint8)
    pictures = [Image.fromarray(values) for values in noise]
    fast, exact = Encoder(graphs), Encoder(loaded, "cpu")
    cosines = [
        (fast.pictures(pictures) * exact.pictures(pictures)).sum(axis=1),
        (fast.texts(PHRASES) * exact.texts(PHRASES)).sum(axis=1),
    ]
    least = float(np.concatenate(cosines).min())
    if not least >= EXACT:
        raise ValueError(f"the graphs' vectors have cosine {least:.5f} to torch's")
    return round(least, 6)


def _text_facts(loaded: Loaded) -> TextFacts:
    tokens = tokenize(loaded, list(PHRASES[:2]))
    full, pad = loaded.family.padding == "max_length", loaded.tokenizer.pad_token_id
    return TextFacts(loaded.context, full, int(pad or 0), "attention_mask" in tokens)


def _graphs(name: str, path: Path, folder: Path, facts: dict[str, Any], wish: str) -> Graphs:
    chosen = facts["int8"] is not None and facts["int8"]["passes"]
    quick = wish == "int8" or (wish == "auto" and chosen)
    precision = "int8" if quick and _has_int8(folder) else "fp32"
    return Graphs(name, path, folder, facts["dimension"], TextFacts(**facts["text"]), precision)


def _has_int8(folder: Path) -> bool:
    return all((folder / name).is_file() for name in INT8.values())


def _is_settled(graphs: Graphs, wish: str) -> bool:
    """Whether there is nothing left to choose."""
    if wish in ("fp32", "torch"):
        return True
    if wish == "int8":
        return graphs.precision == "int8"
    return read_json(graphs.folder / ENCODER)["int8"] is not None


def _weights(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def _places(folder: Path, project: Project) -> Iterator[Path]:
    """Where the graphs of a model may be kept, best first: beside a model of the project, else in the user's cache."""
    beside = folder / GRAPHS
    ours = folder.parent.resolve() == (project.root / "models").resolve()
    if ours and (not beside.exists() or (beside / ENCODER).is_file()):  # never replace somebody else's folder
        yield beside
    yield user_cache() / fingerprint(folder)


def _lock(place: Path) -> "BaseFileLock":
    """One process at a time; the lock of graphs beside a model lies outside the model's folder."""
    from filelock import FileLock

    folder = place.parent if place.name == GRAPHS else place
    return FileLock(folder.parent / f".{folder.name}.lock")
