"""Full text over captions and metadata in a LanceDB table (BM25)."""

from typing import Any

from tuneclip.vectors.fusion import fused

COLUMNS = ("caption", "metadata")


def matching(table: Any, words: str, k: int, condition: str) -> list[str]:
    """The ids of at most `k` rows that have one of the words, best first; the index is made when it is first needed.

    `condition` is empty or SQL.
    """
    from lancedb.index import FTS

    there = {column for index in table.list_indices() for column in index.columns}
    orders = []
    for column in COLUMNS:
        if column not in there:
            table.create_index(column, config=FTS(with_position=False), replace=False)
        search = table.search(words, query_type="fts", fts_columns=column)
        search = search.where(condition) if condition else search
        orders.append([row["id"] for row in search.select(["id", "_score"]).limit(k).to_list()])
    return fused(orders)[:k]
