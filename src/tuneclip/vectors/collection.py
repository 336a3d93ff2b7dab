"""The contract of a collection of vectors, what goes in, what comes out, and how one is opened by name."""

import hashlib
import json
import math
import re
from collections.abc import Collection as Ids
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError
from tuneclip.project import Project, checked_name, read_json, write_json
from tuneclip.records import Hit, Scalar
from tuneclip.vectors.conditions import Fields

Vector = npt.NDArray[np.float32]
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
# Object stores that LanceDB writes to by itself.
REMOTE = ("s3", "s3+ddb", "gs", "az", "abfss")


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


@dataclass(frozen=True)
class Place:
    """Where a collection is: `store` is an absolute folder or a URI."""

    store: str
    name: str
    root: Path
    """The project's folder, from which relative paths in an origin start."""

    @property
    def folder(self) -> Path | None:
        """The store's folder; None for an object store."""
        return None if SCHEME.match(self.store) else Path(self.store)

    def __str__(self) -> str:
        return f"{self.store}/{self.name}"


def open_collection(
    name: str, project: Project | str | Path = ".", *, store: str | None = None, origin: Origin | None = None
) -> Collection:
    """The collection of that name in the project, in `store`, or, for a path or URI, the last part of it.

    With `origin` it is created where there is none; without, that is an error which names those that there are.
    Raises TuneclipError when it was made by another model or from another dataset than `origin` says.
    """
    from tuneclip.vectors.lancedb import create_table

    project = project if isinstance(project, Project) else Project(Path(project))
    place = locate(name, project, store)
    found = find_collection(name, project, store=store)
    if found is None and origin is not None:
        found = create_table(place, origin)
    if found is None:
        raise _missing(place, project)
    if origin is not None:
        _check_same(found, origin)
        found.renew(origin)
    if store is not None:
        _remember(place, project)
    return found


def find_collection(name: str, project: Project, *, store: str | None = None) -> Collection | None:
    """As `open_collection`, but None where there is none."""
    from tuneclip.vectors.lancedb import open_table

    return open_table(locate(name, project, store))


def locate(name: str, project: Project, store: str | None = None) -> Place:
    """Where a collection of that name is or would be."""
    root = project.root.absolute()
    if store is None and ("/" in name or "\\" in name):
        store, _, name = name.replace("\\", "/").rstrip("/").rpartition("/")
        name = name.removesuffix(".lance")
    checked_name(name)
    if store is not None:
        return Place(checked_store(store), name, root)
    pointer = project.store_pointer(name)
    if pointer.is_file():
        known = str(read_json(pointer)["store"])
        return Place(known if SCHEME.match(known) else str(root / known), name, root)
    return Place(str(project.vectors.absolute()), name, root)


def checked_store(store: str) -> str:
    """The store as an absolute folder or a URI; raises TuneclipError where nothing of ours can live there."""
    scheme = SCHEME.match(store)
    if scheme is None:
        folder = Path(store).expanduser().absolute()
        if not store or (folder.exists() and not folder.is_dir()):
            raise TuneclipError(f"{store!r} cannot be a store", expected="a folder, or a URI like s3://bucket/folder")
        return str(folder)
    if scheme[1].lower() == "file":
        return checked_store(store[len(scheme[0]) :])
    if scheme[1].lower() not in REMOTE:
        expected = "a folder or a URI that begins with " + ", ".join(f"{known}://" for known in REMOTE)
        raise TuneclipError(f"no store of the kind {scheme[1]}://", where=_without_password(store), expected=expected)
    return store.rstrip("/")


def _without_password(uri: str) -> str:
    return re.sub(r"//[^/@]*@", "//", uri)


def collections(project: Project) -> list[str]:
    """The names of the project's collections, those that it keeps elsewhere included, sorted."""
    from tuneclip.vectors.lancedb import table_names

    pointers = {path.name.removesuffix(".store.json") for path in project.vectors.glob("*.store.json")}
    return sorted(pointers | set(table_names(project.vectors)))


def inside(path: Path, root: Path) -> str:
    """`path` relative to the project's folder where it lies inside, so that a project can be moved; else absolute."""
    path, root = path.absolute(), root.absolute()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _remember(place: Place, project: Project) -> None:
    """So that `search NAME` finds a collection that lives elsewhere."""
    pointer = project.store_pointer(place.name)
    if place.folder is not None and place.folder == project.vectors.absolute():
        pointer.unlink(missing_ok=True)
        return
    known = {"store": inside(place.folder, project.root) if place.folder else place.store}
    if not pointer.is_file() or read_json(pointer) != known:
        write_json(pointer, known)


def _missing(place: Place, project: Project) -> TuneclipError:
    known = collections(project)
    there = "one of " + ", ".join(known) if known else None
    hint = None if known else f"tuneclip index DATASET --model MODEL --to {place.name}"
    return TuneclipError(f"there is no collection {place.name!r}", where=place.store, expected=there, hint=hint)


def _check_same(found: Collection, origin: Origin) -> None:
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
    """Where a row's picture lies now, the project's folder being `root`."""
    return str(root / origin.folder / path) if origin.folder else path


def caption_text(captions: Sequence[str]) -> tuple[str | None, str | None]:
    """What the fields `text` (the first caption) and `caption` (all, one a line) of an expression stand for."""
    return (captions[0], "\n".join(captions)) if captions else (None, None)


def to_json(origin: Origin) -> str:
    """The origin as it is stored."""
    return json.dumps(origin.__dict__)


def from_json(text: str | bytes) -> Origin:
    """The inverse of `to_json`; keys of later versions are passed over."""
    known: dict[str, Any] = json.loads(text)
    return Origin(**{name: known[name] for name in Origin.__dataclass_fields__ if name in known})
