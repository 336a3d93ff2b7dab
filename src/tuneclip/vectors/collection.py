"""The contract of a collection of vectors, what goes in, what comes out, and how one is opened by name."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Collection as Ids
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError
from tuneclip.project import Project
from tuneclip.records import Hit, Scalar
from tuneclip.vectors.address import REMOTE, Place, scheme
from tuneclip.vectors.conditions import METADATA, Fields
from tuneclip.vectors.pointer import Pointer, inside, locate, point, pointer, versions

Vector = npt.NDArray[np.float32]
SAMPLE = 1000  # vectors that stand for a collection


@dataclass(frozen=True)
class Origin:
    """What a collection was made from. It lives inside the collection, so the two cannot be parted."""

    model: str
    fingerprint: str
    dimension: int
    dataset: str = ""
    folder: str = ""
    """The dataset's folder, from which the rows' paths start; relative to the project where it lies inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One picture in a collection."""

    id: str
    vector: Vector  # (dim,); any length but zero, stored at unit length
    path: str
    """Where the picture lies: below the origin's folder, or absolute."""
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    captions: tuple[str, ...] = ()
    content: str = ""
    """Key of what was embedded: equal keys mean equal vectors."""
    seen: int = 0

    @property
    def keys(self) -> "Keys":
        """What tells whether this row is stored already."""
        text = json.dumps([self.path, clean(self.metadata), self.captions])
        return Keys(self.content, hashlib.sha256(text.encode()).hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class Keys:
    """What a row was made of, in short."""

    content: str
    """Of the picture and the model: when it differs, the vector is stale."""
    description: str
    """Of path, metadata and captions, which can change without embedding again."""


@dataclass(frozen=True)
class Searching:
    """How `nearest` finds."""

    kind: Literal["exact", "codes", "hnsw"]
    """`exact`: every vector is compared; `codes`: every code, then the vectors of the best (see `vectors.codes`);
    `hnsw`: a graph of near vectors is followed (arXiv 1603.09320)."""
    recall: float
    """Recall@10 against exact search, measured when the index was made; the lower of two kinds of query."""
    candidates: int
    """Rows compared more closely."""
    seconds: float | None
    """That making and measuring the index took; None where an older version made it."""
    bytes: int | None
    """On the disk, beside the collection; None where the store does not tell."""


class Collection(Protocol):
    """Vectors of one model, by picture id, with metadata. Every backend passes the suite in `tests/contracts`.

    A write that returned survives the process; a write that was interrupted happened wholly or not at all, and may be
    repeated. Ids that are not there are passed over by `get`, `delete` and `update_seen`.
    """

    @property
    def name(self) -> str:
        """The collection's name in its store."""

    @property
    def store(self) -> str:
        """Where it lives: a folder or a URI."""

    @property
    def origin(self) -> Origin:
        """The model and the dataset that it was made from."""

    def renew(self, origin: Origin) -> None:
        """Write down that the same model or dataset now has another name or folder."""

    def upsert(self, rows: Sequence[Row]) -> None:
        """Insert, or replace whole, by id; the last of equal ids wins.

        Raises TuneclipError, and writes nothing, for a vector of another dimension or one that is zero or not finite.
        """

    def delete(self, ids: Ids[str]) -> None:
        """Remove rows."""

    def get(self, ids: Sequence[str]) -> list[Row]:
        """The rows of these ids, in this order, without those that are not there."""

    def nearest(
        self, vector: npt.ArrayLike, k: int, *, where: str | None = None, exclude_seen: bool = False
    ) -> list[Hit]:
        """The `k` rows of the highest cosine to `vector` (dim,), best first, equals by id; all if there are fewer.

        `where` is an expression as `tuneclip.vectors.where` reads it. Paths of hits are absolute if the origin names
        the dataset's folder. Raises TuneclipError for k < 1, a vector that is no direction, and a bad expression.
        """

    def update_seen(self, ids: Ids[str], seen: int) -> None:
        """Set the `seen` mark (0 or 1) of these rows and of nothing else."""

    def iterate(self, batch: int = 1024) -> Iterator[list[Row]]:
        """Every row once, in lists of at most `batch`, in any order; memory does not grow with the collection."""

    def contents(self) -> dict[str, Keys]:
        """Every id with the keys of what is stored for it."""

    def count(self, where: str | None = None) -> int:
        """How many rows there are, or how many an expression picks."""

    def fields(self) -> Fields:
        """The metadata fields that an expression may name, with the kinds of value that each has had."""

    def forget(self, names: Ids[str]) -> None:
        """Take metadata fields that no row has any more out of `fields`."""

    def optimize(self) -> None:
        """Tidy the storage after many writes; changes nothing that can be read."""

    def searching(self) -> Searching | None:
        """How it searches now; None where that has not been measured yet."""

    def sample(self, count: int) -> Vector:
        """Vectors of `count` rows chosen evenly at random (the same ones for the same rows), or all.

        (n, dim) float32 of unit length, in any order.
        """


def clean(metadata: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The metadata with numbers that JSON does not know (NaN, infinities) as None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in metadata.items()
    }


def direction(vector: npt.ArrayLike, dimension: int, what: str = "the vector") -> Vector:
    """The vector at unit length, float32 (dim,). Raises TuneclipError when it has another dimension or no direction."""
    values = np.asarray(vector, dtype=np.float64)
    if values.shape != (dimension,):
        size = " × ".join(str(n) for n in values.shape) or "1"
        raise TuneclipError(f"{what} has dimension {size}", expected=f"{dimension}, as the collection's model makes")
    if not np.isfinite(values).all():
        raise TuneclipError(f"{what} has values that are not finite numbers", expected="a vector that points somewhere")
    length = float(np.linalg.norm(values))
    if not length > 1e-12:  # far below any embedding, far above rounding
        raise TuneclipError(f"{what} is zero", expected="a vector that points somewhere")
    return (values / length).astype(np.float32)


def checked(rows: Sequence[Row], dimension: int) -> list[Row]:
    """The rows ready to be stored: unit vectors, clean metadata, of equal ids the last."""
    last = {row.id: row for row in rows}
    return [
        replace(
            row,
            vector=direction(row.vector, dimension, f"the vector of {row.id!r}"),
            metadata=clean(row.metadata),
            seen=int(bool(row.seen)),
        )
        for row in last.values()
    ]


def checked_k(k: int) -> int:
    """`k` if so many hits can be asked for, else TuneclipError."""
    if k < 1:
        raise TuneclipError(f"{k} hits cannot be looked for", expected="k of 1 or more", hint="-k 10")
    return k


class Backend(Protocol):
    """What a module that keeps collections offers, besides its class that is a `Collection`."""

    def open_table(self, place: Place) -> Collection | None:
        """The collection that is there, else None."""

    def create_table(self, place: Place, origin: Origin) -> Collection:
        """A new, empty collection; the one that is there if another process was faster."""

    def drop_table(self, place: Place) -> None:
        """Delete the collection for good; nothing happens where there is none."""


def _lancedb() -> Backend:
    from tuneclip.vectors import lancedb

    return lancedb


def _postgres() -> Backend:
    _needs("psycopg", "pgvector", extra="postgres")
    from tuneclip.vectors import postgres

    return postgres


def _milvus() -> Backend:
    _needs("pymilvus", extra="milvus")
    from tuneclip.vectors import milvus

    return milvus


BACKENDS: Mapping[str, Callable[[], Backend]] = {
    "": _lancedb,
    **dict.fromkeys(REMOTE, _lancedb),
    "postgresql": _postgres,
    "postgres": _postgres,
    "milvus": _milvus,
    "milvus+https": _milvus,
}
"""Who keeps the collections of a store, by the scheme of its URI; a folder has none."""


def _needs(*modules: str, extra: str) -> None:
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise TuneclipError(
            f"this store needs {' and '.join(missing)}, not installed here", hint=f"pip install 'tuneclip[{extra}]'"
        )


def backend(place: Place) -> Backend:
    """The module that keeps the collections of this place; TuneclipError if its extra is not installed."""
    return BACKENDS[scheme(place.store)]()


def open_collection(
    name: str, project: Project | str | Path = ".", *, store: str | None = None, origin: Origin | None = None
) -> Collection:
    """The collection of that name in the project, in `store`, or, for a path or URI, the last part of it.

    With `origin` it is created where there is none; without, that is an error which names those that there are.
    Raises TuneclipError when it was made by another model or from another dataset than `origin` says.
    """
    project = project if isinstance(project, Project) else Project(Path(project))
    place = locate(name, project, store)
    found = find_collection(name, project, store=store)
    if found is None and origin is not None:
        found = backend(place).create_table(place, origin)
    if found is None:
        raise _missing(place, project)
    if origin is not None:
        check_same(found, origin)
        found.renew(origin)
    if store is not None:
        _remember(place, project)
    return found


def find_collection(name: str, project: Project, *, store: str | None = None) -> Collection | None:
    """As `open_collection`, but None where there is none."""
    place = locate(name, project, store)
    return backend(place).open_table(place)


def collections(project: Project) -> list[str]:
    """The names of the project's collections, those that it keeps elsewhere included, sorted."""
    from tuneclip.vectors.lancedb import table_names

    names = {path.name.removesuffix(".store.json") for path in project.vectors.glob("*.store.json")}
    hidden = {each.version for name in names for each in versions(project, name)}
    return sorted(names | (set(table_names(project.vectors)) - hidden))


def _remember(place: Place, project: Project) -> None:
    """So that `search NAME` finds a collection that lives elsewhere."""
    store = inside(place.folder, project.root) if place.folder else place.store
    known = pointer(project, place.name)
    if known is None or (known.store, known.version) != (store, place.version):
        point(project, place.name, Pointer(store, place.version, known.before if known else None))


def _missing(place: Place, project: Project) -> TuneclipError:
    known = collections(project)
    there = "one of " + ", ".join(known) if known else None
    hint = None if known else f"tuneclip index DATASET --model MODEL --to {place.name}"
    return TuneclipError(f"there is no collection {place.name!r}", where=place.store, expected=there, hint=hint)


def check_same(found: Collection, origin: Origin) -> None:
    """Vectors of two models, or ids of two datasets, must not meet in one collection."""
    made = found.origin
    if (made.fingerprint, made.dimension) != (origin.fingerprint, origin.dimension):
        raise other_model(found, origin.model, origin.fingerprint, origin.dataset)
    if made.dataset and origin.dataset and made.dataset != origin.dataset:
        raise TuneclipError(
            f"collection {found.name!r} holds dataset {made.dataset!r}, not {origin.dataset!r}",
            hint=f"tuneclip index {origin.dataset} --model {origin.model} --to {found.name}-{origin.dataset}",
        )


def other_model(found: Collection, model: str, fingerprint: str, dataset: str) -> TuneclipError:
    """The refusal to compare vectors of two models; its hint is a command that can be typed as it is."""
    made = found.origin
    mark = fingerprint[:8] if model == made.model else Path(model).name
    return TuneclipError(
        f"collection {found.name!r} was made by model {made.model!r} (fingerprint {made.fingerprint}); "
        f"model {model!r} has {fingerprint}, and vectors of two models cannot be compared",
        hint=f"tuneclip index {dataset or 'DATASET'} --model {model} --to {found.name}-{mark}",
    )


def absolute_path(path: str, origin: Origin, root: Path) -> str:
    """Where a row's picture lies now, the project's folder being `root`; empty for a row without one."""
    return str(root / origin.folder / path) if origin.folder and path else path


def to_hit(row: Row, score: float, origin: Origin, root: Path) -> Hit:
    """The row as a search shows it; its path is absolute if the origin names the dataset's folder and `root` is."""
    return Hit(row.id, score, absolute_path(row.path, origin, root), row.metadata, row.captions)


def caption_text(captions: Sequence[str]) -> tuple[str | None, str | None]:
    """What the fields `text` (the first caption) and `caption` (all, one a line) of an expression stand for."""
    return (captions[0], "\n".join(captions)) if captions else (None, None)


def values_of(row: Row) -> dict[str, Scalar]:
    """What a filter may ask of the row, by the names that conditions use."""
    text, caption = caption_text(row.captions)
    own: dict[str, Scalar] = {"id": row.id, "seen": row.seen, "text": text, "caption": caption}
    return own | {METADATA + name: value for name, value in row.metadata.items()}


def to_json(origin: Origin) -> str:
    """The origin as it is stored."""
    return json.dumps(origin.__dict__)


def from_json(text: str | bytes) -> Origin:
    """The inverse of `to_json`; keys of later versions are passed over."""
    known: dict[str, Any] = json.loads(text)
    return Origin(**{name: known[name] for name in Origin.__dataclass_fields__ if name in known})
