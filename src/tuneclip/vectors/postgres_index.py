"""The HNSW index of a large collection in PostgreSQL: when it is built, how wide it searches, and what that finds."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from psycopg.sql import Composable, Identifier

logger = logging.getLogger("tuneclip")
EXACT_BELOW = 50_000  # rows; comparing all of them takes tenths of a second
WHOLE = 2000  # dimensions of a `vector` that HNSW indexes; beyond, halves (float16) up to HALVES
HALVES = 4000
WIDEST = 1000  # pgvector's limit of hnsw.ef_search
CANDIDATES = (40, 80, 160, 320, 640, WIDEST)
RECALL = 0.98  # of the ten nearest, measured
QUERIES = 20
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
    invalid index, which the next one replaces.
    """
    from psycopg import sql

    connection.execute(sql.SQL("analyze {}").format(table))
    rows = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchone()[0]
    if rows < EXACT_BELOW or dimension > HALVES:
        return
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
    if not connection.execute("select pg_try_advisory_lock(%s)", (key,)).fetchone()[0]:
        return
    try:
        if _build(connection, table, dimension):
            candidates = _wide_enough(connection, table, dimension)
            note = "update tuneclip_collections set candidates = %s where name = %s"
            connection.execute(note, (candidates, name))
    finally:
        connection.execute("select pg_advisory_unlock(%s)", (key,))


def _build(connection: Any, table: "Identifier", dimension: int) -> bool:
    """Whether a new index was built."""
    from psycopg import sql

    name = _index_name(table)
    state = "select indisvalid from pg_index where indexrelid = to_regclass(%s)"
    found = connection.execute(state, (name.as_string(connection),)).fetchone()
    if found and found[0]:
        return False
    if found:
        connection.execute(sql.SQL("drop index {}").format(name))
    logger.info("building an index for %s", table.as_string(connection))
    connection.execute(f"set maintenance_work_mem = '{MEMORY}'")
    part, kind = _expression(dimension)
    text = "create index concurrently {} on {} using hnsw (" + part + f" {kind}_cosine_ops)"
    connection.execute(sql.SQL(text).format(name, table))
    connection.execute("reset maintenance_work_mem")
    return True


def _index_name(table: "Identifier") -> "Identifier":
    from psycopg import sql

    return sql.Identifier(f"{table._obj[0]}_near")


def _expression(dimension: int) -> tuple[str, str]:
    """What is indexed, and the type of it."""
    return ("vector", "vector") if dimension <= WHOLE else (f"(vector::halfvec({dimension}))", "halfvec")


def nearest_by_index(
    connection: Any, table: "Identifier", query: npt.NDArray[np.float32], asked: tuple[int, int, Chosen]
) -> list[Any]:
    """At most `k` rows near `query`, best first; `asked` is (k, candidates, condition). Fewer where the index gave up.

    pgvector filters after it has searched; `iterative_scan` lets it go on until enough rows passed (pgvector 0.8).
    """
    from psycopg import sql

    k, candidates, chosen = asked
    wide = min(WIDEST, max(candidates, 2 * k))
    for setting, value in (("ef_search", str(wide)), ("iterative_scan", "strict_order")):
        connection.execute("select set_config(%s, %s, true)", (f"hnsw.{setting}", value))
    part, kind = _expression(len(query))
    taken = k if kind == "vector" else 4 * k  # halves are close, not equal: the exact distance decides
    parts = (table, chosen.text, sql.SQL(part), sql.SQL(f"{kind}({len(query)})"))
    found = connection.execute(
        sql.SQL(NEAR).format(*parts), {"query": query, "taken": taken, "k": k, **chosen.parameters}
    )
    return list(found.fetchall())


def _wide_enough(connection: Any, table: "Identifier", dimension: int) -> int:
    """The fewest candidates whose ten nearest are `RECALL` of the exact ones, for queries between stored vectors."""
    from psycopg import sql

    sample = sql.SQL("select vector from {} tablesample system (1) limit %s").format(table)
    rows = [row[0].to_numpy() for row in connection.execute(sample, (2 * QUERIES,)).fetchall()]
    queries = [np.asarray(a + b, np.float32) for a, b in zip(rows[::2], rows[1::2], strict=False)]
    exact = sql.SQL("select id from {} order by vector <=> %s limit 10").format(table)
    with connection.transaction():
        connection.execute("set local enable_indexscan = off")
        right = [{row[0] for row in connection.execute(exact, (query,))} for query in queries]
    recall, everything = 0.0, Chosen(sql.SQL("true"), {})
    for candidates in CANDIDATES:
        with connection.transaction():
            connection.execute("set local enable_seqscan = off")
            found = [nearest_by_index(connection, table, query, (10, candidates, everything)) for query in queries]
        hits = sum(len(want & {row[0] for row in have}) for want, have in zip(right, found, strict=True))
        recall = hits / max(1, sum(map(len, right)))
        if recall >= RECALL:
            break
    logger.info("%.1f %% of the ten nearest found with %d candidates", 100 * recall, candidates)
    return candidates
