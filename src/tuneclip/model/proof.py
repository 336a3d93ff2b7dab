"""Whether an export gives the vectors of the model that it was made of: both embed the same pictures and texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tuneclip.data.load import open_dataset
from tuneclip.data.picture import load_picture
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import Encoder, Vectors
from tuneclip.model.foreign import Foreign
from tuneclip.model.open import Loaded
from tuneclip.model.parity import Parity, Seen, measure_parity
from tuneclip.model.ready import EXACT, PHRASES, sample_of
from tuneclip.model.retrieval import pair_up
from tuneclip.project import Project

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = 64
"""Of a dataset. The smallest cosine is what counts, and what is wrong with a layout is wrong with every picture."""
DRAWN = 16
"""Finds that stand in where no dataset is known."""
LARGEST = 1024
"""Pixels of the longer side: both sides of the comparison get the same smaller picture of a large one."""


@dataclass(frozen=True)
class Examples:
    """What both sides embed."""

    pictures: "tuple[Image, ...]"
    captions: tuple[tuple[str, ...], ...]
    """Of each picture."""
    texts: tuple[str, ...]
    """The captions, each once, and phrases of all kinds, one longer than any context."""
    origin: str
    """Where the pictures come from, for people."""


@dataclass(frozen=True)
class Agreement:
    """Cosines of two vectors each of the same `n` inputs."""

    n: int
    cosine_min: float
    cosine_mean: float


@dataclass(frozen=True)
class Proof:
    """How near the export's vectors are to the model's, by whose reading, on what."""

    library: str
    note: str
    origin: str
    pictures: Agreement
    texts: Agreement
    cosine_min: float
    cosine_mean: float

    @property
    def holds(self) -> bool:
        """Whether every cosine is 0.9999 or more; NaN is not."""
        return self.cosine_min >= EXACT


def examples_for(loaded: Loaded, project: Project) -> Examples:
    """Pictures with captions of the dataset that the model was tuned on, where the project has it, else drawn finds."""
    name = (loaded.manifest.get("dataset") or {}).get("name")
    found = list(islice(_pictures_of(name, project), PICTURES)) if name in project.names("datasets") else []
    if found:
        return _examples(found, f"the dataset {name}")
    from tuneclip.archive import draw_finds

    return _examples([(picture, (find.label,)) for find, picture in draw_finds(DRAWN)], "drawn finds")


def prove(loaded: Loaded, export: Foreign, examples: Examples) -> Proof:
    """Compare the export with the model itself, in torch and float32."""
    exact, foreign = _seen(Encoder(loaded, "cpu"), examples), _seen(export, examples)
    pictures, texts = _cosines(exact.pictures, foreign.pictures), _cosines(exact.texts, foreign.texts)
    both = _agreement(np.concatenate([pictures, texts]))
    return Proof(
        export.library,
        export.note,
        examples.origin,
        _agreement(pictures),
        _agreement(texts),
        both.cosine_min,
        both.cosine_mean,
    )


def compare_less_exact(exact: Foreign, quick: Foreign, examples: Examples) -> Parity:
    """What arithmetic that is less exact by intent costs: cosines, and recall or nearest neighbours."""
    captions = examples.captions
    texts = pair_up(captions).texts
    views = [Seen(one.pictures(examples.pictures), one.texts(texts)) for one in (exact, quick)]
    return measure_parity(views[0], views[1], captions)


def in_words(parity: Parity) -> str:
    """The figures of less exact arithmetic, in one line."""
    cosines = f"cosine {parity.cosine:.4f} mean, {parity.cosine_min:.4f} least (texts {parity.text_cosine:.4f})"
    found = f"{parity.measure} {parity.quick:.1%} instead of {parity.exact:.1%}"
    return f"{cosines}, {found}, on {parity.pictures} pictures"


def _pictures_of(name: str, project: Project) -> "Iterator[tuple[Image, tuple[str, ...]]]":
    """The pictures of a sample of the dataset that can be read, with their captions."""
    sample = sample_of(open_dataset(name, project))
    for path, captions in zip(sample.pictures, sample.captions, strict=True):
        try:
            picture = load_picture(path)  # type: ignore[arg-type]
        except TuneclipError:
            continue
        picture.thumbnail((LARGEST, LARGEST))
        yield picture, tuple(captions)


def _examples(found: "Sequence[tuple[Image, tuple[str, ...]]]", origin: str) -> Examples:
    captions = tuple(own for _, own in found)
    texts = dict.fromkeys([*(text for own in captions for text in own[:1]), *PHRASES])
    return Examples(tuple(picture for picture, _ in found), captions, tuple(texts), origin)


def _seen(model: "Encoder | Foreign", examples: Examples) -> Seen:
    return Seen(model.pictures(examples.pictures), model.texts(examples.texts))


def _cosines(one: Vectors, other: Vectors) -> Vectors:
    """(n,), of vectors of unit length; a vector that is not of that length gives less, or more than 1."""
    if one.shape != other.shape:
        raise TuneclipError(f"the export gives vectors of shape {other.shape}, the model {one.shape}")
    lengths = np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) - np.abs(lengths - 1), np.float32)


def _agreement(cosines: Vectors) -> Agreement:
    return Agreement(len(cosines), round(float(cosines.min()), 7), round(float(cosines.mean()), 7))
