"""The HNSW index of a large collection in Milvus: how it is built, how wide it searches, and what that finds."""

import json
import logging
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tuneclip.vectors.codes import Floats
from tuneclip.vectors.collection import Searching
from tuneclip.vectors.milvus_registry import make_index
from tuneclip.vectors.trials import NEAREST, WANTED_OF_GRAPHS, share_found, trial_queries, wide_enough

logger = logging.getLogger("tuneclip")
EXACT_BELOW = 50_000  # rows
NOTE = "tuneclip.index"  # name of the property
WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096)  # `ef`: how many rows a search keeps in sight
UNMEASURED = 512
SHAPE = {"M": 16, "efConstruction": 200}


@dataclass(frozen=True)
class Noted:
    """What was measured when the index was built; the fields are those of the property."""

    width: int
    recall: float
    seconds: float


def build_index(client: Any, table: str, sample: Floats) -> None:
    """Put an HNSW index in the place of comparing all, and note how wide searches must be; searches wait meanwhile.

    `sample` are some of the vectors. An index without a note, of a build that was killed or an older version, is built
    anew.
    """
    if index_kind(client, table) == "HNSW" and noted(client, table):
        return
    began = time.monotonic()
    logger.info("building an index for %s", table)
    if index_kind(client, table) != "FLAT":
        _replace(client, table, "FLAT", {})
    queries = trial_queries(sample)
    tenths = [scores[-1] for scores in _scores(client, table, queries, UNMEASURED)]
    _replace(client, table, "HNSW", SHAPE)

    def shares(width: int) -> Iterable[float]:
        for scores, tenth in zip(_scores(client, table, queries, width), tenths, strict=True):
            yield share_found(scores, tenth)

    width, recall = wide_enough(WIDTHS, shares, WANTED_OF_GRAPHS)
    note = Noted(width, recall, round(time.monotonic() - began, 2))
    client.alter_collection_properties(table, properties={NOTE: json.dumps(asdict(note))})


def _replace(client: Any, table: str, kind: str, parameters: dict[str, int]) -> None:
    client.release_collection(table)
    for name in client.list_indexes(table):
        client.drop_index(table, name)
    make_index(client, table, kind, parameters)
    client.load_collection(table)


def _scores(client: Any, table: str, queries: Floats, width: int) -> Iterable[list[float]]:
    """Per query the cosines of its ten nearest, best first, as the index finds them."""
    asked = {"metric_type": "COSINE", "params": {"ef": width}}
    for query in queries:
        (hits,) = client.search(
            table, data=[query.tolist()], limit=NEAREST, search_params=asked, consistency_level="Session"
        )
        yield [float(hit["distance"]) for hit in hits]


def index_kind(client: Any, table: str) -> str:
    """`FLAT`, which compares all, or `HNSW`; empty where there is none."""
    names = client.list_indexes(table)
    return str(client.describe_index(table, names[0])["index_type"]) if names else ""


def noted(client: Any, table: str) -> Noted | None:
    """What was measured when the index was built; None where nothing was."""
    note = client.describe_collection(table)["properties"].get(NOTE)
    known = json.loads(note) if note else {}
    return Noted(*(known[name] for name in Noted.__dataclass_fields__)) if known else None


def searching(client: Any, table: str, rows: int) -> Searching | None:
    """How the collection of so many rows is searched now; None where an older version built an index."""
    if index_kind(client, table) != "HNSW":
        return Searching("exact", 1.0, rows, 0.0, 0)
    note = noted(client, table)
    return Searching("hnsw", note.recall, note.width, note.seconds, None) if note else None
