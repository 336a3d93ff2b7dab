"""The captions of a dataset as vectors, in a collection of their own beside that of the pictures."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tuneclip.data.load import Dataset
from tuneclip.progress import track
from tuneclip.vectors.collection import Collection, Row

if TYPE_CHECKING:
    from tuneclip.model.encode import Encoder

AT_ONCE = 1024  # captions


def texts_name(collection: str) -> str:
    """What the collection of the captions is called."""
    return f"{collection}-texts"


def embed_texts(collection: Collection, dataset: Dataset, encoder: "Callable[[], Encoder]") -> Counter[str]:
    """Write what is new or changed and delete what is gone; how many captions met which fate.

    A row is one caption of one picture: its id is the picture's with the caption's number (`find-7#0`), its path the
    picture's. It is new by its id, and changed by its words, its picture's metadata or the model.
    """
    known = collection.contents()
    tally: Counter[str] = Counter()
    rows = track(_rows(dataset, collection.origin.fingerprint), f"index {collection.name}")
    while chunk := list(islice(rows, AT_ONCE)):
        there = {row.id: known.pop(row.id) for row in chunk if row.id in known}
        changed = [row for row in chunk if there.get(row.id) != row.keys]
        before = {row.id: row for row in collection.get([row.id for row in changed if row.id in there])}
        vectors = {row.id: before[row.id].vector for row in changed if _same_words(row, before)}
        fresh = [row for row in changed if row.id not in vectors]
        if fresh:
            found = encoder().texts([row.captions[0] for row in fresh])
            vectors |= {row.id: vector for row, vector in zip(fresh, found, strict=True)}
        seen = {key: row.seen for key, row in before.items()}
        written = [replace(row, vector=vectors[row.id], seen=seen.get(row.id, 0)) for row in changed]
        collection.upsert(written)
        tally.update(added=len(changed) - len(before), updated=len(before), unchanged=len(chunk) - len(changed))
    collection.delete(sorted(known))
    tally["removed"] = len(known)
    if tally["added"] or tally["updated"] or known:
        collection.optimize()
    return tally


def _same_words(row: Row, before: Mapping[str, Row]) -> bool:
    return row.id in before and before[row.id].content == row.content


def _rows(dataset: Dataset, fingerprint: str) -> Iterator[Row]:
    """Every caption's row, still without its vector."""
    for record in dataset.stream():
        metadata = {**record.metadata, "split": record.split}
        for number, caption in enumerate(record.captions):
            content = f"{hashlib.sha256(caption.encode()).hexdigest()}:{fingerprint}"
            yield Row(f"{record.id}#{number}", np.zeros(0, np.float32), record.picture, metadata, (caption,), content)
