"""What the server keeps open between two requests: encoders, datasets, rating rounds, and where pictures lie."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip.data.load import Dataset, open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.learn import rounds
from tuneclip.project import METADATA, Project, checked_name
from tuneclip.records import Hit
from tuneclip.vectors.collection import Collection, open_collection, to_hit

if TYPE_CHECKING:
    from tuneclip.model.encode import Encoder

MOST_ENCODERS = 4
MOST_PATHS = 50_000


class Desk:
    """One project, open for the requests of one server, which come in several threads."""

    def __init__(self, project: Project):
        self.project = project
        self._opening, self._starting, self._noting = (threading.Lock() for _ in range(3))
        self._encoders: OrderedDict[str, tuple[Encoder, threading.Lock]] = OrderedDict()
        self._paths: OrderedDict[tuple[str, str], Path] = OrderedDict()
        self._rounds: dict[tuple[str, str, str], tuple[rounds.Rounds, threading.Lock]] = {}

    def collection(self, name: str) -> Collection:
        """The collection of that name in the project; paths and addresses of other stores are not taken from a page."""
        return open_collection(checked_name(name), self.project)

    @contextmanager
    def encoder(self, collection: Collection) -> "Iterator[Encoder]":
        """The encoder that made the collection, opened once; one thread at a time uses it.

        Raises TuneclipError when the model is not here or is no longer the one that made the vectors.
        """
        from tuneclip.model.open import open_model
        from tuneclip.vectors.search import check_model

        origin = collection.origin
        check_model(collection, origin.model, self.project)
        with self._opening:
            if origin.fingerprint not in self._encoders:
                encoder = open_model(origin.model, self.project, few=True)
                self._encoders[origin.fingerprint] = (encoder, threading.Lock())
            self._encoders.move_to_end(origin.fingerprint)
            while len(self._encoders) > MOST_ENCODERS:
                self._encoders.popitem(last=False)
            encoder, using = self._encoders[origin.fingerprint]
        with using:
            yield encoder

    def remember(self, collection: str, hits: Iterable[Hit]) -> None:
        """Where the pictures of these hits lie, so that the page's next sixty requests need not ask the database."""
        with self._noting:
            for hit in hits:
                self._paths[collection, hit.id] = Path(hit.path)
            while len(self._paths) > MOST_PATHS:
                self._paths.popitem(last=False)

    def picture(self, collection: str, id: str) -> Path:
        """Where a picture of a collection lies; raises TuneclipError for an id that the collection does not have."""
        known = self._paths.get((collection, id))
        return known if known is not None and known.is_file() else Path(self.hit(collection, id).path)

    def hit(self, collection: str, id: str) -> Hit:
        """One picture of a collection with all that is known of it; its score is 1."""
        found = self.collection(collection)
        rows = found.get([id])
        if not rows:
            raise TuneclipError(f"no picture {id!r} in collection {collection!r}")
        return to_hit(rows[0], 1.0, found.origin, self.project.root.absolute())

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name in the project; read again only when its metadata file has changed."""
        folder = self.project.new("datasets", name)
        file = folder / METADATA
        return _dataset(self.project, name, file.stat().st_mtime_ns if file.is_file() else 0)

    @contextmanager
    def rounds(self, name: str, collection: str, prompt: str) -> "Iterator[rounds.Rounds]":
        """The rating rounds of a classifier, opened once; one thread at a time uses them.

        Raises TuneclipError when a classifier of that name is of another prompt or collection.
        """
        checked_name(name)
        with self._starting:
            if (name, collection, prompt) not in self._rounds:
                opened = rounds.start(checked_name(collection), prompt, to=name, project=self.project)
                self._rounds[name, collection, prompt] = (opened, threading.Lock())
            found, using = self._rounds[name, collection, prompt]
        with using:
            yield found


@lru_cache(maxsize=8)
def _dataset(project: Project, name: str, changed: int) -> Dataset:
    return open_dataset(project.new("datasets", name), project)
