"""How collections are made in Milvus, and the small one that holds what changes about them."""

import time
from collections.abc import Sequence
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.vectors.milvus_server import PAUSE_SECONDS, Server
from tuneclip.vectors.milvus_where import among, key

REGISTRY = "tuneclip_fields"
EMPTY = "empty"  # kind of a field that never had a value
LONGEST = 65_535  # bytes of a text, Milvus's limit
MOST = 16_384  # rows of one answer, Milvus's limit
HNSW = ("HNSW", {"M": 16, "efConstruction": 200})
FLAT = ("FLAT", dict[str, int]())
SHOWN_SECONDS = 60.0  # in which a server must show what was written and flushed; 2.3.5 takes some 13


def create(server: Server, table: str, schema: Any, properties: dict[str, str]) -> None:
    """Make a collection, unless it is there; neither indexed nor in memory yet."""
    from pymilvus.exceptions import MilvusException

    def work(client: Any) -> None:
        try:
            client.create_collection(table, schema=schema, properties=properties, consistency_level="Session")
        except MilvusException:
            if not client.has_collection(table):  # else another process was faster
                raise

    server.run(work)


def make_ready(server: Server, table: str, index: tuple[str, dict[str, int]]) -> None:
    """Indexed and in memory; repairs what a kill while it was made left undone."""

    def work(client: Any) -> None:
        if not client.list_indexes(table):
            kind, parameters = index
            wanted = client.prepare_index_params()
            wanted.add_index("vector", index_type=kind, metric_type="COSINE", params=parameters)
            client.create_index(table, wanted)
        client.load_collection(table)

    server.run(work, table=table)


class Registry:
    """Facts about a collection that change: one row each, whose key is the fact, so that writers cannot collide."""

    def __init__(self, server: Server, table: str):
        self._server, self._table = server, table

    def read(self) -> list[str]:
        """All that is written down about the collection."""
        if not self._server.run(lambda client: client.has_collection(REGISTRY)):
            return []
        asked: dict[str, Any] = {"filter": f'collection == "{self._table}"', "output_fields": ["fact"]}
        asked |= {"consistency_level": "Strong", "limit": MOST}
        make_ready(self._server, REGISTRY, FLAT)
        found = self._server.run(lambda client: client.query(REGISTRY, **asked), table=REGISTRY)
        return [str(entity["fact"]) for entity in found]

    def write(self, facts: Sequence[str]) -> None:
        """Add facts."""
        # Milvus wants a vector in every collection.
        kept = {"collection": self._table, "vector": [1.0, 0.0]}
        rows = [{"id": f"{self._table}|{key(fact)}", "fact": fact, **kept} for fact in facts]
        if rows:
            if not self._server.run(lambda client: client.has_collection(REGISTRY)):
                self._make()
            make_ready(self._server, REGISTRY, FLAT)
            self._server.run(lambda client: client.upsert(REGISTRY, rows), table=REGISTRY)
            self._wait_for(set(facts))

    def remove(self, facts: Sequence[str]) -> None:
        """Take facts out."""
        if facts:
            self._delete(among([f"{self._table}|{key(fact)}" for fact in facts]))

    def clear(self) -> None:
        """Take out all that is written down about the collection."""
        self._delete(f'collection == "{self._table}"')

    def flush(self) -> None:
        """Let the server write down what it holds in memory: 2.3.5 loses it when it is killed several times."""
        if self._server.run(lambda client: client.has_collection(REGISTRY)):
            self._server.run(lambda client: client.flush(REGISTRY), table=REGISTRY)

    def _wait_for(self, facts: set[str]) -> None:
        """Until all of them are read: a server that was killed (2.3.5) may hide new rows until they are flushed."""
        if facts <= set(self.read()):
            return
        self.flush()
        deadline = time.monotonic() + SHOWN_SECONDS
        while not facts <= set(self.read()):
            if time.monotonic() > deadline:
                raise TuneclipError("Milvus does not show what was just written", where=REGISTRY, hint="restart Milvus")
            time.sleep(PAUSE_SECONDS)

    def _delete(self, chosen: str) -> None:
        if self._server.run(lambda client: client.has_collection(REGISTRY)):
            make_ready(self._server, REGISTRY, FLAT)
            self._server.run(lambda client: client.delete(REGISTRY, filter=chosen), table=REGISTRY)

    def _make(self) -> None:
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=LONGEST)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        for name in ("collection", "fact"):
            schema.add_field(name, DataType.VARCHAR, max_length=LONGEST)
        create(self._server, REGISTRY, schema, {})
