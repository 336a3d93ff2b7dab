"""Collections in PostgreSQL with pgvector: one table a collection, and one small table that lists them.

Vectors stand as float32 (`vector`), metadata twice: as JSON text, which is the truth, and as `fields` (jsonb), which
filters look at. Below a size every search compares all vectors; above it `optimize` builds an HNSW index.
"""

import hashlib
import json
import re
from collections.abc import Collection as Ids
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError
from tuneclip.records import Hit
from tuneclip.vectors.address import Place
from tuneclip.vectors.collection import (
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
from tuneclip.vectors.postgres_index import LISTED, Chosen, build_index, nearest_by_index, sample_of, searching
from tuneclip.vectors.postgres_rows import askable, asked_values, to_row, to_values
from tuneclip.vectors.postgres_server import Server
from tuneclip.vectors.postgres_where import is_exact, storable, to_composed
from tuneclip.vectors.where import parse

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

LOCK = 0x74756E65636C6970  # "tuneclip": one process at a time makes or removes tables
EMPTY = "empty"  # what a field's list of kinds has where it never had a value
TABLE = """create table {table} (
    id text collate "C" primary key, vector vector({dimension}) not null, path text not null, metadata json not null,
    captions json not null, text text collate "C", caption text collate "C", fields jsonb not null,
    content text not null, description text not null, seen smallint not null)"""
UPSERT = """insert into {} (id, vector, path, metadata, captions, text, caption, fields, content, description, seen)
    values (%s, %b, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (id) do update set vector = excluded.vector,
    path = excluded.path, metadata = excluded.metadata, captions = excluded.captions, text = excluded.text,
    caption = excluded.caption, fields = excluded.fields, content = excluded.content,
    description = excluded.description, seen = excluded.seen"""
GET = "select id, vector, path, metadata, captions, content, seen from {} where id = any(%s)"
PAGE = """select id, vector, path, metadata, captions, content, seen from {} where id > %(last)s or %(first)s
    order by id limit %(batch)s"""
NEAREST = """select id, path, metadata, captions, vector <=> %(query)s as distance from {} where {}
    order by distance, id limit %(k)s"""
IN_ORDER = """select id, path, metadata, captions, vector <=> %(query)s as distance, seen from {} where {}
    order by distance, id"""
WORDED = """select id, path, metadata, captions, ts_rank(terms, asked) as rank, seen from (select *,
        to_tsvector('simple', coalesce(caption, '')) || jsonb_to_tsvector('simple', fields, '["string", "numeric"]')
        as terms from {}) as rows, websearch_to_tsquery('simple', %(words)s) as asked
    where terms @@ asked and {} order by rank desc, id"""


def open_table(place: Place) -> "PostgresCollection | None":
    """The collection that is there, else None."""
    server = Server(place)
    found = server.run(lambda connection: _listed(connection, place.table))
    if found is None:
        server.close()
        return None
    return PostgresCollection(server, place, *found)


def create_table(place: Place, origin: Origin) -> "PostgresCollection":
    """A new, empty collection; the one that is there if another process was faster."""
    server = Server(place)
    if server.run(lambda connection: connection.info.parameter_status("server_encoding")) != "UTF8":
        raise TuneclipError("the database does not hold Unicode", where=place, hint="createdb --encoding UTF8 NAME")
    name, origin_text = server.run(lambda connection: _create(connection, place, origin))
    server.close()  # the next connection knows the type `vector`
    return PostgresCollection(server, place, name, origin_text)


def drop_table(place: Place) -> None:
    """Delete the collection for good; nothing happens where there is none."""
    from psycopg import sql

    def work(connection: Any) -> None:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        if found := _listed(connection, place.table):
            connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(found[0])))
            connection.execute("delete from tuneclip_collections where name = %s", (place.table,))

    server = Server(place)
    server.run(work)
    server.close()


def _listed(connection: Any, name: str) -> tuple[str, str] | None:
    """The table and the origin of a collection."""
    if connection.execute("select to_regclass('tuneclip_collections')").fetchone()[0] is None:
        return None
    found = connection.execute("select rows, origin from tuneclip_collections where name = %s", (name,)).fetchone()
    return (str(found[0]), str(found[1])) if found else None


def _create(connection: Any, place: Place, origin: Origin) -> tuple[str, str]:
    import psycopg
    from psycopg import sql

    connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
    if connection.execute("select 1 from pg_extension where extname = 'vector'").fetchone() is None:
        connection.execute("create extension vector")
    connection.execute(LISTED)
    if found := _listed(connection, place.table):
        return found
    name, text = _table_name(place.table), to_json(origin)
    try:
        made = sql.SQL(TABLE).format(table=sql.Identifier(name), dimension=sql.Literal(origin.dimension))
        connection.execute(made)
    except psycopg.errors.DuplicateTable as error:
        what = f"the database has a table {name!r}, but it is no collection of tuneclip"
        raise TuneclipError(what, where=place, expected="another name") from error
    columns = "insert into tuneclip_collections (name, rows, origin) values (%s, %s, %s)"
    connection.execute(columns, (place.table, name, text))
    return name, text


def _table_name(name: str) -> str:
    """A name of at most 63 bytes, PostgreSQL's limit; the list of collections has the whole one."""
    plain = f"tuneclip_{name}"
    if len(plain.encode()) <= 58:  # leaves room for the names of its indexes
        return plain
    return plain.encode()[:40].decode(errors="ignore") + hashlib.sha256(name.encode()).hexdigest()[:16]


class PostgresCollection:
    """A `Collection` in a table of PostgreSQL. Every call sees what other processes have committed."""

    def __init__(self, server: Server, place: Place, table: str, origin: str):
        from psycopg import sql

        self.name, self.store, self.origin = place.name, place.store, from_json(origin)
        self._server, self._place, self._table = server, place, sql.Identifier(table)

    def renew(self, origin: Origin) -> None:
        """See `Collection`."""
        if origin != self.origin:
            change = "update tuneclip_collections set origin = %s where name = %s"
            self._server.run(lambda connection: connection.execute(change, (to_json(origin), self._place.table)))
            self.origin = origin

    def upsert(self, rows: Sequence[Row]) -> None:
        """See `Collection`. PostgreSQL cannot hold the character 0 in an id: TuneclipError."""
        ready = sorted(checked(rows, self.origin.dimension), key=lambda row: row.id)  # one order: fewer deadlocks
        if odd := [row.id for row in ready if "\0" in row.id]:
            raise TuneclipError(f"the id {odd[0]!r} has the character 0 in it", expected="an id without it")
        if not ready:
            return
        statement = self._sql(UPSERT)

        def work(connection: Any) -> None:
            self._note_fields(connection, ready)
            with connection.cursor() as cursor:
                cursor.executemany(statement, [to_values(row) for row in ready])

        self._server.run(work)

    def delete(self, ids: Ids[str]) -> None:
        """See `Collection`."""
        self._change("delete from {} where id = any(%s)", ids)

    def get(self, ids: Sequence[str]) -> list[Row]:
        """See `Collection`."""
        statement = self._sql(GET)
        asked = askable(ids)
        rows = self._fetch(statement, (asked,)) if asked else []
        found = {row.id: row for row in map(to_row, rows)}
        return [found[key] for key in ids if key in found]

    def nearest(
        self, vector: npt.ArrayLike, k: int, *, where: str | None = None, exclude_seen: bool = False
    ) -> list[Hit]:
        """See `Collection`."""
        query = direction(vector, self.origin.dimension, "the query")
        wanted = checked_k(k)

        def work(connection: Any) -> list[Any]:
            condition, candidates = self._asked(connection, where)
            chosen = _chosen(condition, exclude_seen)
            if condition is not None and not is_exact(condition):
                parameters = {"query": query, **chosen.parameters}
                return self._best(connection, self._sql(IN_ORDER, chosen.text), parameters, (condition, wanted))
            if candidates is not None:
                found = nearest_by_index(connection, self._table, query, (wanted, candidates, chosen))
                if len(found) == wanted:
                    return found
            return list(self._exact(connection, chosen, query, wanted))

        return [self._to_hit(row) for row in self._server.run(work)]

    def matching(self, words: str, k: int, where: str | None = None) -> list[str]:
        """See `Worded`. Every row is read."""
        alternatives = " or ".join(re.findall(r"\w+", storable(words) or ""))

        def work(connection: Any) -> list[Any]:
            condition, _ = self._asked(connection, where)
            chosen = _chosen(condition, False)
            parameters = {"words": alternatives, **chosen.parameters}
            return self._best(connection, self._sql(WORDED, chosen.text), parameters, (condition, k))

        return [row[0] for row in self._server.run(work)]

    def update_seen(self, ids: Ids[str], seen: int) -> None:
        """See `Collection`."""
        text = "update {} set seen = 1 where id = any(%s)" if seen else "update {} set seen = 0 where id = any(%s)"
        self._change(text, ids)

    def iterate(self, batch: int = 1024) -> Iterator[list[Row]]:
        """See `Collection`. Pages in the order of ids, so that a restarted server does not end it."""
        statement = self._sql(PAGE)
        last, first = "", True
        while rows := self._fetch(statement, {"last": last, "first": first, "batch": batch}):
            page = [to_row(row) for row in rows]
            last, first = page[-1].id, False
            yield page

    def contents(self) -> dict[str, Keys]:
        """See `Collection`."""
        rows = self._fetch(self._sql("select id, content, description from {}"))
        return {key: Keys(content, description) for key, content, description in rows}

    def count(self, where: str | None = None) -> int:
        """See `Collection`."""

        def work(connection: Any) -> int:
            condition, _ = self._asked(connection, where)
            chosen = _chosen(condition, False)
            if condition is None or is_exact(condition):
                statement = self._sql("select count(*) from {} where {}", chosen.text)
                return int(connection.execute(statement, chosen.parameters).fetchone()[0])
            statement = self._sql("select id, metadata, captions, seen from {} where {}", chosen.text)
            with connection.cursor(name="counted") as cursor:
                rows = cursor.execute(statement, chosen.parameters)
                return sum(matches(condition, asked_values(*row)) for row in rows)

        return self._server.run(work)

    def fields(self) -> Fields:
        """See `Collection`."""
        return self._server.run(self._fields)

    def forget(self, names: Ids[str]) -> None:
        """See `Collection`."""
        gone = [_field_key(kind, name) for name in names for kind in ("text", "number", "boolean", EMPTY)]
        change = "update tuneclip_collections set fields = fields - %s::text[] where name = %s"
        if gone:
            self._server.run(lambda connection: connection.execute(change, (gone, self._place.table)))

    def optimize(self) -> None:
        """See `Collection`. Above a size it builds an HNSW index, while others go on searching and writing."""
        self._server.run(
            lambda connection: build_index(connection, self._place.table, self._table, self.origin.dimension),
            transaction=False,
        )

    def searching(self) -> Searching | None:
        """See `Collection`."""
        return self._server.run(lambda connection: searching(connection, self._place.table, self._table))

    def sample(self, count: int) -> Vector:
        """See `Collection`. The rows whose description, a hash, comes first; from an index where they are many."""
        vectors = self._server.run(lambda connection: sample_of(connection, self._table, count))
        return np.array(vectors, np.float32).reshape(-1, self.origin.dimension)

    def _sql(self, text: str, *parts: "Composable") -> "Composed":
        from psycopg import sql

        return sql.SQL(text).format(self._table, *parts)

    def _fetch(self, statement: Any, parameters: Any = None) -> list[Any]:
        def work(connection: Any) -> list[Any]:
            with connection.cursor(binary=True) as cursor:
                return list(cursor.execute(statement, parameters).fetchall())

        return self._server.run(work)

    def _change(self, text: str, ids: Ids[str]) -> None:
        statement, asked = self._sql(text), askable(ids)
        if asked:
            self._server.run(lambda connection: connection.execute(statement, (asked,)))

    def _note_fields(self, connection: Any, rows: Sequence[Row]) -> None:
        """Write down fields and kinds of value that are new; what two processes add at once both stays."""
        known = self._field_keys(connection)
        needed = {
            _field_key(EMPTY if value is None else kind_of(value), name)
            for row in rows
            for name, value in row.metadata.items()
        }
        if needed - known:
            added = json.dumps(dict.fromkeys(sorted(needed), True))
            change = "update tuneclip_collections set fields = fields || %s::jsonb where name = %s"
            connection.execute(change, (added, self._place.table))

    def _field_keys(self, connection: Any) -> set[str]:
        found = connection.execute("select fields from tuneclip_collections where name = %s", (self._place.table,))
        row = found.fetchone()
        if row is None:
            raise TuneclipError(f"collection {self.name!r} was deleted meanwhile", where=self._place)
        return set(row[0])

    def _fields(self, connection: Any) -> dict[str, set[Kind]]:
        kinds: dict[str, set[Kind]] = {}
        for key in self._field_keys(connection):
            kind, _, name = key.partition(" ")
            known = kinds.setdefault(name.replace("%00", "\0").replace("%25", "%"), set())
            known.update(each for each in KINDS if each == kind)
        return kinds

    def _asked(self, connection: Any, where: str | None) -> tuple[Condition | None, int | None]:
        """The filter's condition, and how many candidates the index is asked for; None where there is no index."""
        statement = "select candidates from tuneclip_collections where name = %s"
        found = connection.execute(statement, (self._place.table,)).fetchone()
        condition = None if where is None else parse(where, self._fields(connection))
        return condition, found[0] if found else None

    def _exact(self, connection: Any, chosen: Chosen, query: npt.NDArray[np.float32], k: int) -> Any:
        connection.execute("set local enable_indexscan = off")
        return connection.execute(self._sql(NEAREST, chosen.text), {"query": query, "k": k, **chosen.parameters})

    def _best(self, connection: Any, statement: Any, parameters: Any, asked: tuple[Condition | None, int]) -> list[Any]:
        """The first `k` rows of a statement that fulfil a condition, which SQL may only approach."""
        condition, k = asked
        sieve = None if condition is None or is_exact(condition) else condition
        connection.execute("set local enable_indexscan = off")
        found: list[Any] = []
        with connection.cursor(name="best") as cursor:
            for row in cursor.execute(statement, parameters):
                key, _, metadata, captions, _, seen = row
                if sieve is None or matches(sieve, asked_values(key, metadata, captions, seen)):
                    found.append(row)
                if len(found) == k:
                    break
        return found

    def _to_hit(self, row: Any) -> Hit:
        key, path, metadata, captions, distance = row[:5]
        score = min(1.0, max(-1.0, 1.0 - distance))
        return Hit(key, score, absolute_path(path, self.origin, self._place.root), metadata, tuple(captions))


def _chosen(condition: Condition | None, exclude_seen: bool) -> Chosen:
    """What SQL may say of the rows asked for."""
    from psycopg import sql

    text, parameters = (sql.SQL("true"), {}) if condition is None else to_composed(condition)
    return Chosen(sql.SQL("seen = 0 and {}").format(text) if exclude_seen else text, parameters)


def _field_key(kind: str, name: str) -> str:
    return f"{kind} " + name.replace("%", "%25").replace("\0", "%00")
