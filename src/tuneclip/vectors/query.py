"""What is looked for: words, pictures, rows already stored and vectors, each with a weight, as one unit vector."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tuneclip.errors import TuneclipError
from tuneclip.vectors.collection import Collection, Vector, direction

if TYPE_CHECKING:
    from tuneclip.model.encode import Encoder

Kind = Literal["text", "picture", "like", "vector"]
FILES: tuple[Kind, ...] = ("picture", "vector")
MINUS = -0.5
"""Weight of what a picture shall not have. At -1 it counts as much as what is sought, and other things are found."""
WEIGHT = re.compile(r"^(?P<what>.+)\^(?P<weight>[-+]?\d+(\.\d+)?)$", re.DOTALL)


@dataclass(frozen=True)
class Term:
    """A part of a query."""

    kind: Kind
    what: str | Path | bytes
    """Words; a picture's file or its bytes; the id of a row; a file with a vector."""
    weight: float = 1.0

    def __str__(self) -> str:
        file = "a picture" if isinstance(self.what, bytes) else str(self.what)
        shown = {"text": repr(self.what), "like": f"like {self.what!r}"}.get(self.kind, file)
        size = f" x {abs(self.weight):g}" if abs(self.weight) != 1 else ""
        return f"{'- ' if self.weight < 0 else ''}{shown}{size}"


@dataclass(frozen=True)
class Query:
    """What is looked for; at least one term has a weight above zero."""

    terms: tuple[Term, ...]

    @property
    def needs_model(self) -> bool:
        """Whether something must be embedded."""
        return any(term.kind in ("text", "picture") for term in self.terms)

    @property
    def liked(self) -> frozenset[str]:
        """The ids that more is wanted of: they are not what is sought."""
        return frozenset(str(term.what) for term in self.terms if term.kind == "like")

    def __str__(self) -> str:
        words = " + ".join(str(term) for term in self.terms)
        return words.replace("+ -", "-")


def weighted(kind: Kind, text: str, sign: float = 1.0) -> Term:
    """The term that a person wrote: `red car` or, with a weight, `red car^0.5`; the weight is multiplied by `sign`."""
    found = WEIGHT.match(text)
    if found is None or (kind in FILES and Path(text).is_file()):
        return Term(kind, Path(text) if kind in FILES else text, sign)
    what, weight = found["what"], float(found["weight"])
    return Term(kind, Path(what) if kind in FILES else what, weight * (1 if sign > 0 else -1))


def checked_query(query: Query, example: str = 'tuneclip search COLLECTION "red handbag"') -> Query:
    """`query` if it can be looked for. Raises TuneclipError for nothing, empty words, a missing file, only minus."""
    if not query.terms:
        raise TuneclipError("nothing to look for", expected="words, or a picture by --picture FILE", hint=example)
    for term in query.terms:
        if term.kind == "text" and not str(term.what).strip():
            raise TuneclipError("the words to look for are empty", expected='words, like "red handbag"')
        if isinstance(term.what, Path) and not term.what.is_file():
            raise TuneclipError(f"no such {term.kind}", where=term.what)
    if not any(term.weight > 0 for term in query.terms):
        raise TuneclipError("only what is not wanted is named", expected="words or a picture to look for as well")
    return query


def embed_query(query: Query, encoder: "Encoder | None", collection: Collection) -> Vector:
    """The weighted sum of the terms' unit vectors, at unit length, (dim,).

    `encoder` must be of the collection's model; it may be None where `query.needs_model` is false. Raises TuneclipError
    for an unreadable picture or vector, an id that is not there, and terms that cancel each other out.
    """
    dimension = collection.origin.dimension
    total = np.zeros(dimension, np.float64)
    for term in query.terms:
        total += term.weight * _vector(term, encoder, collection)
    if np.linalg.norm(total) < 1e-3:
        raise TuneclipError(f"the terms cancel each other out: {query}", expected="other words or weights")
    return direction(total, dimension)


def _vector(term: Term, encoder: "Encoder | None", collection: Collection) -> Vector:
    if term.kind == "like":
        rows = collection.get([str(term.what)])
        if not rows:
            raise TuneclipError(f"there is no {term.what!r} in collection {collection.name!r}", expected="an id")
        return rows[0].vector
    if term.kind == "vector":
        return read_vector(Path(str(term.what)), collection.origin.dimension)
    if encoder is None:
        raise ValueError("words and pictures need the model")
    found: Vector
    if term.kind == "text":
        found = encoder.texts([str(term.what)])[0]
    else:
        found = encoder.pictures([term.what if isinstance(term.what, bytes) else Path(str(term.what))])[0]
    return found


def read_vector(path: Path, dimension: int) -> Vector:
    """The vector in a file of NumPy (`.npy`) or JSON (a list of numbers), at unit length, float32 (dim,).

    Raises TuneclipError for a file that is neither, and for a vector of another dimension or without a direction.
    """
    try:
        values = np.load(path, allow_pickle=False) if path.suffix == ".npy" else json.loads(path.read_text("utf-8"))
        numbers = np.asarray(values, np.float64)
    except (OSError, ValueError, TypeError) as error:
        expected = "an array of numbers in .npy, or a list of numbers in JSON"
        raise TuneclipError("the vector cannot be read", where=path, expected=expected) from error
    return direction(numbers.squeeze(), dimension, f"the vector in {path}")
