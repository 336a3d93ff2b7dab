"""Collections in LanceDB: embedded, in a folder or on an object store. One table a collection.

Metadata stand twice in a row: as JSON, which is the truth, and in columns that filters use (`lance_columns`). The model
that made the vectors is written on the vector column itself. A search does not use LanceDB's: see `resident`.
"""

import json
import re
import shutil
import urllib.parse
from collections.abc import Collection as Ids
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError, explain_os_error, one_line
from tuneclip.records import Hit
from tuneclip.vectors.address import Place
from tuneclip.vectors.coded import Addresses
from tuneclip.vectors.collection import (
    Keys,
    Origin,
    Row,
    Searching,
    Vector,
    absolute_path,
    caption_text,
    checked,
    checked_k,
    direction,
    from_json,
    to_json,
)
from tuneclip.vectors.conditions import KINDS, METADATA, OWN_FIELDS, Fields, Kind, to_sql
from tuneclip.vectors.lance_columns import EMPTY, cell, metadata_columns, missing_columns
from tuneclip.vectors.lance_rows import LanceRows
from tuneclip.vectors.lance_words import matching
from tuneclip.vectors.resident import Resident
from tuneclip.vectors.where import parse

# Without it two writers double ids. A misspelt key is taken in silence: the tests run two writers.
PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}
ORIGIN = b"tuneclip"  # key of the vector column's metadata
IDS_AT_ONCE = 500  # in one `id IN (…)`
ATTEMPTS = 5  # when others change the columns at the same moment
COMMITS = 48
"""Up to so many, files stay as they were written: putting them together reads far ahead, hundreds of megabytes."""
HOURS_KEPT = 1  # of old versions, for readers that still hold one
KEYS_AT_ONCE = 65_536
LOOKS = 20  # at a table that others change while it is searched
T = TypeVar("T")


def open_table(place: Place) -> "LanceCollection | None":
    """The collection that is there, else None. Raises TuneclipError for a table that is not one of ours, or damaged."""
    folder = place.folder
    if folder is not None and not (folder / f"{_table_name(place.table)}.lance").is_dir():
        return None
    with _explained(place):
        try:
            table = _connect(place).open_table(_table_name(place.table))
        except ValueError as error:
            if "was not found" in str(error):
                return None
            raise
        return LanceCollection(table, place)


def create_table(place: Place, origin: Origin) -> "LanceCollection":
    """A new, empty collection; the one that is there if another process was faster."""
    import pyarrow as pa

    vector = pa.list_(pa.float32(), origin.dimension)
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata=PRIMARY_KEY),
            pa.field("vector", vector, metadata={ORIGIN: to_json(origin)}),
            pa.field("path", pa.string()),
            pa.field("metadata", pa.string()),
            pa.field("captions", pa.list_(pa.string())),
            pa.field("text", pa.string()),
            pa.field("caption", pa.string()),
            pa.field("content", pa.string()),
            pa.field("description", pa.string()),
            pa.field("seen", pa.int8()),
        ]
    )
    with _explained(place):
        database = _connect(place)
        try:
            return LanceCollection(database.create_table(_table_name(place.table), schema=schema), place)
        except ValueError as error:
            if "already exists" not in str(error):
                raise
            return LanceCollection(database.open_table(_table_name(place.table)), place)


def drop_table(place: Place) -> None:
    """Delete the collection for good; nothing happens where there is none."""
    with _explained(place):
        if open_table(place) is not None:
            _connect(place).drop_table(_table_name(place.table))
            shutil.rmtree(_codes_folder(place), ignore_errors=True)


def table_names(folder: Path) -> list[str]:
    """The collections in a local store."""
    tables = [path for path in folder.glob("*.lance") if any(path.glob("_versions/*.manifest"))]
    return sorted(urllib.parse.unquote(path.stem.replace(".", "%")) for path in tables)


class LanceCollection:
    """A `Collection` in a LanceDB table. Every call sees what other processes have written."""

    def __init__(self, table: Any, place: Place):
        self.name, self.store = place.name, place.store
        self._table, self._place = table, place
        stored = (table.schema.field("vector").metadata or {}).get(ORIGIN) if "vector" in table.schema.names else None
        if stored is None:
            raise TuneclipError("a LanceDB table, but no collection of tuneclip", where=place, expected="another name")
        self.origin = from_json(stored)
        self._rows = LanceRows(table, self.origin.dimension)
        self._resident = Resident(self._rows, self.origin.dimension, _codes_folder(place))

    def renew(self, origin: Origin) -> None:
        """See `Collection`."""
        if origin != self.origin:
            with self._explained():
                self._table.update_field_metadata({"path": "vector", "metadata": {ORIGIN.decode(): to_json(origin)}})
            self.origin = origin

    def upsert(self, rows: Sequence[Row]) -> None:
        """See `Collection`."""
        ready = checked(rows, self.origin.dimension)
        if ready:
            with self._explained():
                self._add_columns(ready)
                merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                merge.execute(self._to_arrow(ready))

    def delete(self, ids: Ids[str]) -> None:
        """See `Collection`."""
        with self._explained():
            for chunk in _chunks(ids, IDS_AT_ONCE):
                self._table.delete(_among(chunk))

    def get(self, ids: Sequence[str]) -> list[Row]:
        """See `Collection`."""
        found: dict[str, Row] = {}
        with self._explained():
            for chunk in _chunks(dict.fromkeys(ids), IDS_AT_ONCE):
                table = self._table.search().where(_among(chunk)).limit(None).to_arrow()
                found |= {row.id: row for row in self._to_rows(table)}
        return [found[key] for key in ids if key in found]

    def nearest(
        self, vector: npt.ArrayLike, k: int, *, where: str | None = None, exclude_seen: bool = False
    ) -> list[Hit]:
        """See `Collection`."""
        query = direction(vector, self.origin.dimension, "the query")
        checked_k(k)
        with self._explained():
            for _ in range(LOOKS):
                condition = f"({self._sql(where)})" if where is not None else ""
                found = self._resident.nearest(query, k, condition, exclude_seen=exclude_seen)
                hits = None if found is None else self._hits(query, k, found)
                if hits is not None:
                    return hits
            raise TuneclipError(
                "the collection changes too fast to be searched", where=self._place, hint="search again"
            )

    def update_seen(self, ids: Ids[str], seen: int) -> None:
        """See `Collection`."""
        import pyarrow as pa

        names = list(dict.fromkeys(ids))
        marks = pa.array([int(bool(seen))] * len(names), pa.int8())
        schema = pa.schema([self._table.schema.field("id"), self._table.schema.field("seen")])
        if names:
            with self._explained():
                marked = pa.table([pa.array(names, pa.string()), marks], schema=schema)
                self._table.merge_insert("id").when_matched_update_all().execute(marked)

    def iterate(self, batch: int = 1024) -> Iterator[list[Row]]:
        """See `Collection`."""
        with self._explained():
            for part in self._table.search().limit(None).to_batches(batch):
                for start in range(0, part.num_rows, batch):
                    yield self._to_rows(part.slice(start, batch))

    def contents(self) -> dict[str, Keys]:
        """See `Collection`."""
        found: dict[str, Keys] = {}
        names = ["id", "content", "description"]
        with self._explained():
            for part in self._table.search().select(names).limit(None).to_batches(KEYS_AT_ONCE):
                ids, contents, descriptions = (part.column(name).to_pylist() for name in names)
                found.update(zip(ids, map(Keys, contents, descriptions), strict=True))
        return found

    def count(self, where: str | None = None) -> int:
        """See `Collection`."""
        condition = None if where is None else self._sql(where)
        with self._explained():
            return int(self._table.count_rows(condition))

    def fields(self) -> Fields:
        """See `Collection`."""
        kinds: dict[str, set[Kind]] = {}
        for kind, name in self._columns().values():
            kinds.setdefault(name, set()).update(known for known in KINDS if known == kind)
        return kinds

    def forget(self, names: Ids[str]) -> None:
        """See `Collection`."""
        gone = [column for column, (_, name) in self._columns().items() if name in names]
        if gone:
            with self._explained():
                self._table.drop_columns(gone)

    def optimize(self) -> None:
        """See `Collection`."""
        with self._explained():
            if len(self._table.list_versions()) > COMMITS:
                self._table.optimize(cleanup_older_than=timedelta(hours=HOURS_KEPT))
            self._resident.build()

    def searching(self) -> Searching:
        """See `Collection`."""
        with self._explained():
            coded = self._resident.coded()
        if coded is None:
            return Searching("exact", 1.0, self.count(), 0.0, 0)
        size = sum(file.stat().st_size for file in _codes_folder(self._place).rglob("*") if file.is_file())
        return Searching("codes", coded.recall, coded.candidates, coded.seconds, size)

    def sample(self, count: int) -> Vector:
        """See `Collection`."""
        with self._explained():
            return self._rows.vectors(self._resident.sample(count))[1]

    def matching(self, words: str, k: int, where: str | None = None) -> list[str]:
        """See `Worded`."""
        with self._explained():
            return matching(self._table, words, k, self._sql(where) if where is not None else "")

    def _columns(self) -> dict[str, tuple[str, str]]:
        """The metadata columns: their kind and the field that they hold."""
        with self._explained():
            names = self._table.schema.names
        return metadata_columns(names)

    def _add_columns(self, rows: Sequence[Row]) -> None:
        """Columns for all fields and kinds of value that the rows have, whoever else is adding some."""
        import pyarrow as pa

        types = {"text": pa.string(), "number": pa.float64(), "boolean": pa.bool_(), EMPTY: pa.bool_()}
        for attempt in range(ATTEMPTS):
            missing = missing_columns(rows, set(self._columns()))
            if not missing:
                return
            try:
                self._table.add_columns([pa.field(name, types[name.partition("_")[0]]) for name in missing])
            except (ValueError, RuntimeError):
                if attempt == ATTEMPTS - 1:
                    raise

    def _to_arrow(self, rows: Sequence[Row]) -> Any:
        import pyarrow as pa

        schema = self._table.schema
        texts = [caption_text(row.captions) for row in rows]
        flat = pa.array(np.concatenate([row.vector for row in rows]), pa.float32())
        own: dict[str, Any] = {
            "id": [row.id for row in rows],
            "vector": pa.FixedSizeListArray.from_arrays(flat, self.origin.dimension),
            "path": [row.path for row in rows],
            "metadata": [json.dumps(row.metadata, ensure_ascii=False) for row in rows],
            "captions": [list(row.captions) for row in rows],
            "text": [text for text, _ in texts],
            "caption": [caption for _, caption in texts],
            "content": [row.content for row in rows],
            "description": [row.keys.description for row in rows],
            "seen": [row.seen for row in rows],
        }
        for column, (kind, name) in self._columns().items():
            own[column] = [cell(row.metadata, name, kind) for row in rows]
        arrays = [own[f.name] if f.name == "vector" else pa.array(own[f.name], f.type) for f in schema]
        return pa.table(arrays, schema=schema)

    def _to_rows(self, table: Any) -> list[Row]:
        vectors = self._rows.matrix(table)
        names = ("id", "path", "metadata", "captions", "content", "seen")
        columns = zip(*(table.column(name).to_pylist() for name in names), strict=True)
        return [
            Row(key, vector, path, json.loads(metadata), tuple(captions), content, seen)
            for vector, (key, path, metadata, captions, content, seen) in zip(vectors, columns, strict=True)
        ]

    def _hits(self, query: npt.NDArray[np.float32], k: int, addresses: Addresses) -> list[Hit] | None:
        """The `k` best of the rows at these addresses by their exact cosines; None if one of them has moved since."""
        if not len(addresses):
            return []
        table = self._rows.take(addresses, ["id", "path", "metadata", "captions", "vector"])
        if table.num_rows != len(addresses):
            return None
        scores = (self._rows.matrix(table) * query.astype(np.float64)).sum(axis=1).clip(-1, 1)
        ids = table.column("id").to_pylist()
        best = sorted(range(len(ids)), key=lambda row: (-scores[row], ids[row]))[:k]
        rows = table.take(best).select(["id", "path", "metadata", "captions"]).to_pylist()
        return [self._to_hit(row, float(scores[place])) for row, place in zip(rows, best, strict=True)]

    def _to_hit(self, row: dict[str, Any], score: float) -> Hit:
        path = absolute_path(row["path"], self.origin, self._place.root)
        return Hit(row["id"], score, path, json.loads(row["metadata"]), tuple(row["captions"]))

    def _sql(self, where: str) -> str:
        columns = self._columns()
        held: dict[str, dict[Kind, str]] = {name: {"text": name} for name in OWN_FIELDS}
        held["seen"] = {"number": "CAST(seen AS DOUBLE)"}
        for column, (kind, name) in columns.items():
            found = held.setdefault(METADATA + name, {})
            found.update({known: column for known in KINDS if known == kind})
        return to_sql(parse(where, self.fields()), held.__getitem__)

    def _explained(self) -> Any:
        return _explained(self._place)


def _connect(place: Place) -> Any:
    import lancedb

    if place.folder is not None and place.folder.exists() and not place.folder.is_dir():
        raise TuneclipError("a file is where the vectors should be", where=place.folder, expected="a folder")
    return lancedb.connect(place.store, read_consistency_interval=timedelta(0))


@contextmanager
def _explained(place: Place) -> Iterator[None]:
    """What the database says of disk, network and damaged files, as one line that a user can act on."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        text = one_line(error)
        number = re.search(r"\(os error (\d+)\)", text)
        code = int(number[1]) if number else error.errno if isinstance(error, OSError) else None
        mendable = explain_os_error(OSError(code, text, str(place)))
        if mendable is not None:
            raise mendable from error
        reason = re.sub(r"(^lance error: )?LanceError\(\w+\): |, /\S+\.rs:\d+:\d+.*", "", text)[:200]
        if place.folder is None and re.search(r"Generic \w+ error|Failed to connect", text):
            hint = "check the address, the keys in the environment, and the network"
            short = re.split(r": \w+ \{", reason)[0]
            raise TuneclipError(f"the store cannot be reached: {short}", where=place, hint=hint) from error
        if "LanceError(IO)" in text:
            hint = "move that folder away and run `tuneclip index` again"
            raise TuneclipError(f"files are damaged or gone: {reason}", where=place, hint=hint) from error
        if isinstance(error, OSError):
            raise TuneclipError(f"the store cannot be used: {error.strerror or reason}", where=place) from error
        raise


def _table_name(name: str) -> str:
    """The name in the letters that LanceDB takes; one that is made of them stays as it is."""
    return re.sub(rb"[^A-Za-z0-9_-]", lambda byte: b".%02x" % byte[0][0], name.encode()).decode()


def _codes_folder(place: Place) -> Path:
    """Where the codes of a large table lie: beside it, or in the project if it is on an object store."""
    return (place.folder or place.root / "vectors") / f"{_table_name(place.table)}.codes"


def _among(ids: Sequence[str]) -> str:
    from sqlglot import exp

    return exp.In(this=exp.column("id"), expressions=[exp.Literal.string(key) for key in ids]).sql()


def _chunks(items: Ids[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk
