"""The HNSW index of a collection in Milvus: when it is there, how wide it is searched, and what that finds.

It belongs to the collection from the start, so nothing is ever replaced while others search. Milvus builds it for what
is flushed, by itself; rows that are newer, and parts of less than `LEAST_INDEXED` rows, are all compared.
"""

import json
import logging
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tuneclip.vectors.collection import Searching
from tuneclip.vectors.milvus_server import PAUSE_SECONDS
from tuneclip.vectors.trials import NEAREST, WANTED_OF_GRAPHS, Nearest, share_found, wide_enough

logger = logging.getLogger("tuneclip")
LEAST_INDEXED = 1024  # rows, Milvus's own limit
MEASURED_FROM = 50_000  # rows; below, searches are as wide as `UNMEASURED`
NOTE = "tuneclip.index"  # name of the property
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)  # `ef`: how many rows a search keeps in sight
UNMEASURED = 512
STANDSTILL_SECONDS = 120.0  # without a further row in the index; 2.3.5 takes the first some 20


@dataclass(frozen=True)
class Noted:
    """What was measured; the fields are those of the property."""

    width: int
    recall: float
    seconds: float
    rows: int


def wait_for_index(client: Any, table: str) -> bool:
    """Whether all that is flushed is searched by the index; False, with a warning, where the server stands still."""
    logger.info("waiting for the index of %s", table)
    before, since = -1, time.monotonic()
    while True:
        state = client.describe_index(table, client.list_indexes(table)[0])
        loaded = client.list_loaded_segments(table)
        ready = sum(part.num_rows for part in loaded if part.index_name or part.num_rows < LEAST_INDEXED)
        if ready >= state["total_rows"] and not state["pending_index_rows"]:
            return True
        done = ready + state["indexed_rows"]
        if done != before:
            before, since = done, time.monotonic()
        if time.monotonic() - since > STANDSTILL_SECONDS:
            logger.warning("Milvus stands still with the index of %s; it is not measured", table)
            return False
        time.sleep(PAUSE_SECONDS)


def measure(client: Any, table: str, truth: Nearest, began: float) -> None:
    """Note how wide searches must be for what `truth` has found by comparing all; `began` is when that was begun."""
    tenths = truth.scores.min(axis=1)

    def shares(width: int) -> Iterable[float]:
        asked = {"metric_type": "COSINE", "params": {"ef": width}}
        for query, tenth in zip(truth.queries, tenths, strict=True):
            (hits,) = client.search(
                table, data=[query.tolist()], limit=NEAREST, search_params=asked, consistency_level="Session"
            )
            yield share_found([float(hit["distance"]) for hit in hits], tenth)

    width, recall = wide_enough(WIDTHS, shares, WANTED_OF_GRAPHS)
    note = Noted(width, recall, round(time.monotonic() - began, 2), truth.seen)
    client.alter_collection_properties(table, properties={NOTE: json.dumps(asdict(note))})


def noted(client: Any, table: str) -> Noted | None:
    """What was measured last; None where nothing was."""
    note = client.describe_collection(table)["properties"].get(NOTE)
    known = json.loads(note) if note else {}
    return Noted(*(known[name] for name in Noted.__dataclass_fields__)) if known else None


def searching(client: Any, table: str, rows: int) -> Searching | None:
    """How the collection of so many rows is searched now; None where that was not measured."""
    if rows < LEAST_INDEXED:
        return Searching("exact", 1.0, rows, 0.0, 0)
    note = noted(client, table)
    return Searching("hnsw", note.recall, note.width, note.seconds, None) if note else None
