"""A process that writes to a collection, or searches it, until it is told to end: `worker.py write|search …`."""

import random
import sys
import time
from pathlib import Path

import numpy as np

from tuneclip.vectors.collection import Origin, Row, open_collection

ORIGIN = Origin("tiny", "0123456789abcdef", 16, "finds")
BASE, MORE = 100, 300  # rows that are there from the start, and rows that the writers add


def row(number: int) -> Row:
    vector = np.random.default_rng(number).normal(size=16)
    return Row(f"find {number:04}", vector, f"{number}.jpg", {"number": number, "even": number % 2 == 0})


def write(collection, folder: Path) -> None:
    """All further rows in any order, again and again; one whole round more after the end was told."""
    numbers = list(range(BASE, BASE + MORE))
    last = False
    while not last:
        last = (folder / "end").exists()
        random.shuffle(numbers)
        for start in range(0, MORE, 20):
            collection.upsert([row(number) for number in numbers[start : start + 20]])
            print("wrote", flush=True)


def search(collection, folder: Path) -> None:
    """Whatever is being written, what was there is found and every score is the cosine."""
    searches = 0
    while not (folder / "end").exists():
        number = random.randrange(BASE)
        query = row(number).vector
        hits = collection.nearest(query, 10, where=f"even = {str(number % 2 == 0).lower()}")
        ids = [hit.id for hit in hits]
        assert len(set(ids)) == 10, ids
        assert ids[0] == f"find {number:04}", (ids, number)
        for hit in hits:
            own = row(int(hit.metadata["number"])).vector
            cosine = own @ query / np.linalg.norm(own) / np.linalg.norm(query)
            assert abs(cosine - hit.score) < 1e-5, (hit, cosine)
            assert hit.id == f"find {hit.metadata['number']:04}"
            assert hit.metadata["number"] % 2 == number % 2
        searches += 1
        print("searched", flush=True)
    print(searches)


if __name__ == "__main__":
    task, root, name, store = sys.argv[1:5]
    random.seed(time.time())
    opened = open_collection(name, root, store=store or None, origin=ORIGIN)
    {"write": write, "search": search}[task](opened, Path(root))
