"""Collections in Milvus: a server, a cluster or a file of Milvus Lite. One Milvus collection each, one for all fields.

The origin is a property given when the collection is made, so of two makers one wins. Metadata stand twice:
as JSON text, which is the truth, and as `fields` (JSON), which narrows filters down. Milvus answers a read at once or
surely: here every read that decides what is written is sure (`Strong`).
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Collection as Ids
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError
from tuneclip.records import Hit
from tuneclip.vectors.address import Place
from tuneclip.vectors.collection import (
    SAMPLE,
    Keys,
    Origin,
    Row,
    Searching,
    Vector,
    absolute_path,
    checked,
    checked_k,
    direction,
    from_json,
    to_json,
)
from tuneclip.vectors.conditions import KINDS, Condition, Fields, Kind, kind_of, matches
from tuneclip.vectors.milvus_index import MEASURED_FROM, UNMEASURED, measure, noted, searching, wait_for_index
from tuneclip.vectors.milvus_registry import EMPTY, FLAT, HNSW, LONGEST, MOST, Registry, create, make_ready
from tuneclip.vectors.milvus_rows import asked_values, delete_entities, ranked, to_entity, to_row, upsert_entities
from tuneclip.vectors.milvus_server import Server, in_chunks
from tuneclip.vectors.milvus_where import Cover, among, both, cover, key, unkey
from tuneclip.vectors.trials import GROWN, Nearest, trial_queries
from tuneclip.vectors.where import parse

PAGE = 4096  # rows of one answer at most
BYTES_AT_ONCE = 16 * 2**20  # of one write; a message may have 64 MB
STORED = ["id", "vector", "path", "metadata", "captions", "content", "seen"]
HIT = ["path", "metadata", "captions", "seen"]
ORIGIN = "tuneclip"  # name of the property
EVERYTHING = Cover("", exact=True)


def open_table(place: Place) -> "MilvusCollection | None":
    """The collection that is there, else None. Raises TuneclipError for one that is not ours."""
    server, table = Server(place), _table_name(place)
    if not server.run(lambda client: client.has_collection(table)):
        server.close()
        return None
    properties = server.run(lambda client: client.describe_collection(table))["properties"]
    if ORIGIN not in properties:
        raise TuneclipError("a Milvus collection, but none of tuneclip", where=place, expected="another name")
    make_ready(server, table, FLAT if server.is_file else HNSW)
    return MilvusCollection(server, place, table, from_json(properties[ORIGIN]))


def create_table(place: Place, origin: Origin) -> "MilvusCollection":
    """A new, empty collection; the one that is there if another process was faster."""
    from pymilvus import DataType, MilvusClient

    server, table = Server(place), _table_name(place)
    schema = MilvusClient.create_schema(auto_id=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=LONGEST)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=origin.dimension)
    for name in ("path", "metadata", "captions", "content", "description"):
        schema.add_field(name, DataType.VARCHAR, max_length=LONGEST)
    schema.add_field("fields", DataType.JSON)
    schema.add_field("seen", DataType.INT8)
    create(server, table, schema, {ORIGIN: to_json(origin)})
    server.close()
    found = open_table(place)
    assert found is not None
    return found


def drop_table(place: Place) -> None:
    """Delete the collection for good; nothing happens where there is none."""
    server, table = Server(place), _table_name(place)

    def work(client: Any) -> None:
        if client.has_collection(table):
            client.drop_collection(table)

    server.run(work)
    Registry(server, table).clear()
    server.close()


def _table_name(place: Place) -> str:
    """The name in letters that Milvus takes, from which it can be read back."""
    spelt = re.sub(rb"[^A-Za-z0-9]", lambda byte: b"_%02x" % byte[0][0], place.table.encode()).decode()
    if len(spelt) > 240:
        raise TuneclipError(
            f"the name {place.table!r} is too long for Milvus", expected="a shorter one, of plain letters"
        )
    return f"tuneclip_{spelt}"


class MilvusCollection:
    """A `Collection` in Milvus. What other processes wrote is seen by every read, by searches within moments."""

    def __init__(self, server: Server, place: Place, table: str, origin: Origin):
        self.name, self.store = place.name, place.store
        self._server, self._place, self._table = server, place, table
        self._registry = Registry(server, table)
        self._searched, self._width = False, UNMEASURED
        self._known: Fields = {}
        self.origin = origin

    def renew(self, origin: Origin) -> None:
        """See `Collection`."""
        if origin != self.origin:
            change = {ORIGIN: to_json(origin)}
            self._run(lambda client: client.alter_collection_properties(self._table, properties=change))
            self.origin = origin

    def upsert(self, rows: Sequence[Row]) -> None:
        """See `Collection`. Milvus holds at most 65,535 bytes of metadata or captions of a row: TuneclipError."""
        sound = checked(rows, self.origin.dimension)
        ready = [to_entity(row) for row in sound]
        self._note_fields(sound)
        at_once = max(1, BYTES_AT_ONCE // (4 * self.origin.dimension + 4096))
        for start in range(0, len(ready), at_once):
            chunk = ready[start : start + at_once]
            self._run(partial(upsert_entities, table=self._table, rows=chunk))

    def delete(self, ids: Ids[str]) -> None:
        """See `Collection`."""
        for chunk in in_chunks([key(each) for each in ids]):
            self._run(partial(delete_entities, table=self._table, keys=chunk))

    def get(self, ids: Sequence[str]) -> list[Row]:
        """See `Collection`."""
        found = {row.id: row for entity in self._entities(ids, STORED) if (row := to_row(entity))}
        return [found[each] for each in ids if each in found]

    def nearest(
        self, vector: npt.ArrayLike, k: int, *, where: str | None = None, exclude_seen: bool = False
    ) -> list[Hit]:
        """See `Collection`."""
        query = direction(vector, self.origin.dimension, "the query")
        condition = self._condition(where)
        chosen = EVERYTHING if condition is None else cover(condition)
        text = both(chosen.text, "seen == 0" if exclude_seen else "")
        wanted = checked_k(k) if k < MOST else min(k, self.count())
        sieve = None if chosen.exact else condition
        found = self._search(query, wanted, text, sieve)
        found = self._scan(query, wanted, text, sieve) if found is None else found
        return [self._to_hit(score, entity) for score, entity in found[:wanted]]

    def update_seen(self, ids: Ids[str], seen: int) -> None:
        """See `Collection`. Reads the rows and writes them again: no write to a part of a row works on all servers."""
        mark = int(bool(seen))
        changed = [{**entity, "seen": mark} for entity in self._entities(ids, ["*"]) if entity["seen"] != mark]
        for chunk in in_chunks(changed):
            self._run(partial(upsert_entities, table=self._table, rows=chunk))

    def iterate(self, batch: int = 1024) -> Iterator[list[Row]]:
        """See `Collection`."""
        for page in self._pages("", STORED, batch):
            yield [to_row(entity) for entity in page]

    def contents(self) -> dict[str, Keys]:
        """See `Collection`."""
        return {
            unkey(entity["id"]): Keys(entity["content"], entity["description"])
            for page in self._pages("", ["id", "content", "description"], PAGE)
            for entity in page
        }

    def count(self, where: str | None = None) -> int:
        """See `Collection`."""
        condition = self._condition(where)
        chosen = EVERYTHING if condition is None else cover(condition)
        if chosen.exact or condition is None:
            found = self._query(chosen.text, ["count(*)"])
            return int(found[0]["count(*)"])
        pages = self._pages(chosen.text, ["id", *HIT], PAGE)
        return sum(matches(condition, asked_values(entity)) for page in pages for entity in page)

    def fields(self) -> Fields:
        """See `Collection`."""
        kinds: dict[str, set[Kind]] = {}
        for text in self._registry.read():
            kind, _, name = text.partition(" ")
            kinds.setdefault(name, set()).update(known for known in KINDS if known == kind)
        self._known = kinds
        return kinds

    def forget(self, names: Ids[str]) -> None:
        """See `Collection`."""
        self._registry.remove([f"{kind} {name}" for name in names for kind in (*KINDS, EMPTY)])

    def optimize(self) -> None:
        """See `Collection`. On a server it is measured how wide the index of a large collection must be searched."""
        if self._server.is_file:
            return
        self._run(lambda client: client.flush(self._table))
        self._registry.flush()
        began, rows, note = time.monotonic(), self.count(), self._run(lambda client: noted(client, self._table))
        if rows < MEASURED_FROM or (note and rows < GROWN * note.rows):
            return
        if not self._run(lambda client: wait_for_index(client, self._table)):
            return
        truth = Nearest(trial_queries(self.sample(SAMPLE)))
        for page in self._pages("", ["id", "vector"], PAGE, level="Session"):
            truth.look(np.array([entity["vector"] for entity in page], np.float32))
        self._run(lambda client: measure(client, self._table, truth, began))
        self._searched = False  # the next search looks how wide it must be

    def searching(self) -> Searching | None:
        """See `Collection`."""
        if self._server.is_file:
            return Searching("exact", 1.0, self.count(), 0.0, 0)
        found: Searching | None = self._run(lambda client: searching(client, self._table, self.count()))
        return found

    def sample(self, count: int) -> Vector:
        """See `Collection`. The rows whose description, a hash, comes first, picked out by the server."""
        share = 1.5 * count / max(1, self.count())
        while True:
            text = f'description < "{int(share * 2**32):08x}"' if share < 1 else ""
            pages = self._pages(text, ["id", "description", "vector"], PAGE, level="Session")
            found = sorted((entity["description"], entity["id"], entity["vector"]) for page in pages for entity in page)
            if share >= 1 or len(found) >= count:
                break
            share *= 2
        vectors = [vector for _, _, vector in found[:count]]
        return np.array(vectors, np.float32).reshape(-1, self.origin.dimension)

    def _run(self, work: Callable[[Any], Any]) -> Any:
        return self._server.run(work, table=self._table)

    def _note_fields(self, rows: Sequence[Row]) -> None:
        """Write down fields and kinds of value that are new."""
        named = [(name, value) for row in rows for name, value in row.metadata.items()]
        needed = {f"{EMPTY if value is None else kind_of(value)} {name}" for name, value in named}
        self._registry.write(sorted(needed - set(self._registry.read())))

    def _condition(self, where: str | None) -> Condition | None:
        """Read with the fields known last; with those known now where that fails."""
        if where is None:
            return None
        try:
            return parse(where, self._known)
        except TuneclipError:
            return parse(where, self.fields())

    def _query(self, text: str, fields: list[str], level: str = "Strong", **more: Any) -> list[dict[str, Any]]:
        asked = {"filter": text, "output_fields": fields, "consistency_level": level, **more}
        return list(self._run(lambda client: client.query(self._table, **asked)))

    def _entities(self, ids: Ids[str], fields: list[str]) -> Iterator[dict[str, Any]]:
        for chunk in in_chunks([key(each) for each in dict.fromkeys(ids)]):
            yield from self._query(among(chunk), fields)

    def _pages(self, text: str, fields: list[str], batch: int, level: str = "Strong") -> Iterator[list[dict[str, Any]]]:
        """All rows in the order of their keys, so that a restarted server does not end it."""
        # A server gives the smallest keys first; Lite does so only for an iterator, as which a server would miss
        # rows just written (2.3.5). pymilvus's own iterator writes tracebacks with Lite.
        asked: dict[str, Any] = {"limit": min(batch, PAGE)} | ({"iterator": "True"} if self._server.is_file else {})
        rest = text
        while found := self._query(rest, fields, level, **asked):
            yield found
            rest = both(text, f'id > "{found[-1]["id"]}"')

    def _search(
        self, query: npt.NDArray[np.float32], wanted: int, text: str, sieve: Condition | None
    ) -> list[tuple[float, dict[str, Any]]] | None:
        """The best that fulfil all, best first; None where more candidates are needed than one search may give."""
        limit = wanted + 1
        while limit <= MOST:
            found = self._ask(query, limit, text)
            kept = [hit for hit in found if sieve is None or matches(sieve, asked_values(hit[1]))]
            exhausted = len(found) < limit
            if exhausted and len(found) < min(limit, self._counted(text)):
                return None  # an approximate index gave up
            if exhausted or (len(kept) >= wanted and kept[wanted - 1][0] > found[-1][0]):
                return ranked(kept)
            limit = limit * 4 if limit * 4 <= MOST or limit == MOST else MOST
        return None

    def _ask(self, query: npt.NDArray[np.float32], limit: int, text: str) -> list[tuple[float, dict[str, Any]]]:
        level = "Session"
        if not self._searched:
            level, self._searched, note = "Strong", True, self._run(lambda client: noted(client, self._table))
            self._width = note.width if note else UNMEASURED
        width = 2 * self._width if text else self._width  # a filter leaves a graph fewer ways
        parameters = {"metric_type": "COSINE", "params": {"ef": min(2 * MOST, max(width, 2 * limit))}}
        asked = {"limit": limit, "filter": text, "output_fields": HIT, "search_params": parameters}
        answer = self._run(
            lambda client: client.search(self._table, data=[query.tolist()], consistency_level=level, **asked)
        )
        return [(float(hit["distance"]), {"id": hit["id"], **hit["entity"]}) for hit in answer[0]]

    def _counted(self, text: str) -> int:
        return int(self._query(text, ["count(*)"])[0]["count(*)"])

    def _scan(
        self, query: npt.NDArray[np.float32], wanted: int, text: str, sieve: Condition | None
    ) -> list[tuple[float, dict[str, Any]]]:
        """As `_search`, by comparing every row here."""
        best: list[tuple[float, dict[str, Any]]] = []
        for page in self._pages(text, ["id", "vector", *HIT], PAGE):
            kept = [entity for entity in page if sieve is None or matches(sieve, asked_values(entity))]
            vectors = np.array([entity.pop("vector") for entity in kept], np.float32).reshape(-1, len(query))
            best = ranked([*best, *zip((vectors @ query).tolist(), kept, strict=True)])[:wanted]
        return best

    def _to_hit(self, score: float, entity: dict[str, Any]) -> Hit:
        path = absolute_path(entity["path"], self.origin, self._place.root)
        metadata, captions = json.loads(entity["metadata"]), tuple(json.loads(entity["captions"]))
        return Hit(unkey(entity["id"]), min(1.0, max(-1.0, score)), path, metadata, captions)
