"""The HNSW index of a large collection in PostgreSQL: when it is built, how wide it searches, and what that finds."""

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tuneclip.vectors.collection import SAMPLE, Searching, Vector
from tuneclip.vectors.postgres_rows import to_vector
from tuneclip.vectors.trials import GROWN, WANTED_OF_GRAPHS, Nearest, share_found, trial_queries, wide_enough

if TYPE_CHECKING:
    from psycopg.sql import Composable, Identifier

logger = logging.getLogger("tuneclip")
EXACT_BELOW = 50_000  # rows; comparing all of them takes tenths of a second
WHOLE = 2000  # dimensions of a `vector` that HNSW indexes; beyond, halves (float16) up to HALVES
HALVES = 4000
WIDEST = 1000  # pgvector's limit of hnsw.ef_search
CANDIDATES = (40, 80, 160, 320, 640, WIDEST)
READ = 4096  # vectors at once
LISTED = """create table if not exists tuneclip_collections (
    name text collate "C" primary key, rows text not null, origin text not null,
    fields jsonb not null default '{}', candidates int, recall float, seconds float, measured bigint)"""
ADDED = """alter table tuneclip_collections add if not exists recall float, add if not exists seconds float,
    add if not exists measured bigint"""
"""What lists of collections made by older versions lack."""
NOTED = "select to_jsonb(listed) from tuneclip_collections as listed where name = %s"
SHARE = """where description collate "C" < '08'"""  # of 256: enough for a sample of a thousand above `EXACT_BELOW` rows
ORDER = """order by description collate "C", id"""
EVEN = (f"{SHARE} {ORDER}", ORDER)
"""Rows in an order as good as random, since a description is a hash. For the first there is an index."""
NEAR = """with near as materialized (
    select id, path, metadata, captions, vector <=> %(query)s as distance from {} where {}
    order by {} <=> %(query)s::{} limit %(taken)s)
    select * from near order by distance, id limit %(k)s"""
MEMORY = "1GB"  # for a build, where the server's own setting is lower


@dataclass(frozen=True)
class Chosen:
    """Which rows a statement may return: an expression with named parameters."""

    text: "Composable"
    parameters: Mapping[str, Any]


def build_index(connection: Any, name: str, table: "Identifier", dimension: int) -> None:
    """Build what is missing for a collection of at least `EXACT_BELOW` rows, and note how wide searches must be.

    Searches and writes of others go on meanwhile; of two processes one builds. A build that was killed leaves an
    invalid index, which the next one replaces; one that was killed while it measured is measured by the next.
    """
    from psycopg import sql

    connection.execute(sql.SQL("analyze {}").format(table))
    rows = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchone()[0]
    if rows < EXACT_BELOW:
        return
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    if not connection.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone()[0]:
        return
    try:
        began = time.monotonic()
        _build(connection, table, "even", f'(description collate "C", id) {SHARE}')
        if dimension > HALVES:
            return
        part, kind = _expression(dimension)
        built = _build(connection, table, "near", f"using hnsw ({part} {kind}_cosine_ops)")
        noted = _noted(connection, name)
        if built or rows >= GROWN * (noted.get("measured") or 0):
            measured = _measured(connection, table)
            seconds = round(time.monotonic() - began, 2) if built else noted.get("seconds")
            if "measured" not in noted:
                connection.execute(ADDED)
            note = "update tuneclip_collections set candidates = %s, recall = %s, seconds = %s, measured = %s"
            connection.execute(note + " where name = %s", (*measured, seconds, rows, name))
    finally:
        connection.execute("select pg_advisory_unlock(%s)", (key,))


def searching(connection: Any, name: str, table: "Identifier") -> Searching | None:
    """How the collection is searched now; None where an index was made by an older version, which did not say."""
    from psycopg import sql

    noted, index = _noted(connection, name), _index_name(table, "near").as_string(connection)
    size = connection.execute("select pg_relation_size(to_regclass(%s))", (index,)).fetchone()[0]
    if size is None or noted.get("candidates") is None:
        rows = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchone()[0]
        return Searching("exact", 1.0, rows, 0.0, 0)
    if noted.get("recall") is None:
        return None
    return Searching("hnsw", noted["recall"], noted["candidates"], noted["seconds"], size)


def sample_of(connection: Any, table: "Identifier", count: int) -> list[Vector]:
    """The vectors of `count` rows as good as random, or all; the same ones for the same rows."""
    from psycopg import sql

    rows: list[Any] = []
    for part in EVEN:
        statement = sql.SQL("select vector from {} {} limit %s").format(table, sql.SQL(part))
        rows = connection.execute(statement, (count,)).fetchall()
        if len(rows) == count:
            break
    return [to_vector(row[0]) for row in rows]


def _noted(connection: Any, name: str) -> dict[str, Any]:
    """What the list of collections says, whichever version made it."""
    found = connection.execute(NOTED, (name,)).fetchone()
    return dict(found[0]) if found else {}


def _build(connection: Any, table: "Identifier", kind: str, definition: str) -> bool:
    """Whether a new index was built."""
    from psycopg import sql

    name = _index_name(table, kind)
    state = "select indisvalid from pg_index where indexrelid = to_regclass(%s)"
    found = connection.execute(state, (name.as_string(connection),)).fetchone()
    if found and found[0]:
        return False
    if found:
        connection.execute(sql.SQL("drop index {}").format(name))
    logger.info("building an index for %s", table.as_string(connection))
    connection.execute(f"set maintenance_work_mem = '{MEMORY}'")
    connection.execute(sql.SQL("create index concurrently {} on {} " + definition).format(name, table))
    connection.execute("reset maintenance_work_mem")
    return True


def _index_name(table: "Identifier", kind: str) -> "Identifier":
    from psycopg import sql

    return sql.Identifier(f"{table._obj[0]}_{kind}")


def _expression(dimension: int) -> tuple[str, str]:
    """What is indexed, and the type of it."""
    return ("vector", "vector") if dimension <= WHOLE else (f"(vector::halfvec({dimension}))", "halfvec")


def nearest_by_index(
    connection: Any, table: "Identifier", query: npt.NDArray[np.float32], asked: tuple[int, int, Chosen]
) -> list[Any]:
    """At most `k` rows near `query`, best first; `asked` is (k, candidates, condition). Fewer where the index gave up.

    pgvector filters after it has searched; `iterative_scan` lets it go on until enough rows passed (pgvector 0.8). Its
    strict order throws away what comes late: recall@10 under a 1 % filter was 0.86 with it, 0.94 without (60,000 rows).
    """
    from psycopg import sql

    k, candidates, chosen = asked
    wide = min(WIDEST, max(candidates, 2 * k))
    for setting, value in (("ef_search", str(wide)), ("iterative_scan", "relaxed_order")):
        connection.execute("select set_config(%s, %s, true)", (f"hnsw.{setting}", value))
    part, kind = _expression(len(query))
    taken = k if kind == "vector" else 4 * k  # halves are close, not equal: the exact distance decides
    parts = (table, chosen.text, sql.SQL(part), sql.SQL(f"{kind}({len(query)})"))
    found = connection.execute(
        sql.SQL(NEAR).format(*parts), {"query": query, "taken": taken, "k": k, **chosen.parameters}
    )
    return list(found.fetchall())


def _measured(connection: Any, table: "Identifier") -> tuple[int, float]:
    """How many candidates a search needs, and the recall that they reach; every vector is read once for that."""
    from psycopg import sql

    everything = Chosen(sql.SQL("true"), {})
    truth = Nearest(trial_queries(np.array(sample_of(connection, table, SAMPLE))))
    with connection.transaction(), connection.cursor(name="vectors", binary=True) as cursor:
        cursor.execute(sql.SQL("select vector from {}").format(table))
        while rows := cursor.fetchmany(READ):
            truth.look(np.array([to_vector(row[0]) for row in rows]))
    tenth = truth.scores.min(axis=1)

    def shares(candidates: int) -> Iterable[float]:
        with connection.transaction():
            connection.execute("set local enable_seqscan = off")
            for query, least in zip(truth.queries, tenth, strict=True):
                hits = nearest_by_index(connection, table, query, (10, candidates, everything))
                yield share_found([1.0 - hit[4] for hit in hits], least)

    return wide_enough(CANDIDATES, shares, WANTED_OF_GRAPHS)
