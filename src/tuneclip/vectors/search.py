"""The verb `search`: the pictures of a collection that are nearest to words, to pictures, or to both."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.model.open import fingerprint, locate, open_model
from tuneclip.project import Project
from tuneclip.records import Hit
from tuneclip.vectors.collection import Collection, Vector, checked_k, open_collection, other_model, to_hit
from tuneclip.vectors.contact import about, write_contact
from tuneclip.vectors.fusion import fused
from tuneclip.vectors.query import MINUS, Query, Term, checked_query, embed_query, weighted
from tuneclip.vectors.survey import Scale, Worded, scale
from tuneclip.vectors.where import parse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BAR = 8  # characters
ID = 40
FUSED = 100  # hits of each kind that a hybrid search joins, or k if that is more


@dataclass(frozen=True)
class Found:
    """What `search` found; the fields are the keys of `--json`."""

    collection: str
    model: str
    query: str
    hits: tuple[Hit, ...]
    where: str | None = None
    scale: Scale | None = None
    html: str | None = None

    def show(self, console: "Console") -> None:
        """A table, best first; on a terminal the ids are links to the pictures."""
        console.print(f"{self.query} in {self.collection}, by {self.model}", markup=False, style="bold")
        nothing = "No picture: the filter takes all of them out, or the collection is empty."
        console.print(_table(self.hits) if self.hits else nothing)
        if self.scale and self.hits:
            half, most = f"{self.scale.median:.3f}", f"{self.scale.high:.3f}"
            console.print(f"Of pictures at random half score below {half}, 99 of 100 below {most}.", style="dim")
        if self.html:
            console.print(f"Written to {self.html}", markup=False)


def search(options: settings.Search, project: Project) -> Found:
    """The `k` nearest pictures to the query, best first, of those that the filter lets through.

    The query is embedded by the model that made the collection. With `--words` full text has a say in the order. Raises
    TuneclipError when that model is not here or has changed, when `--model` is another one, for a missing collection,
    for a query or filter that is none, and for `--words` where the store has no full text.
    """
    checked_k(options.k)
    query = checked_query(as_query(options), f'tuneclip search {options.collection} "red handbag"')
    collection = open_collection(options.collection, project)
    if options.where is not None:
        parse(options.where, collection.fields())
    model = options.model or collection.origin.model
    check_model(collection, model, project)
    encoder = open_model(model, project, few=True) if query.needs_model else None
    vector = embed_query(query, encoder, collection)
    hits = _hits(collection, query, vector, options, project)
    found = Found(collection.name, model, str(query), hits, options.where, scale(collection, vector))
    if options.html is None:
        return found
    write_contact(options.html, found)
    return replace(found, html=str(options.html))


def as_query(options: settings.Search) -> Query:
    """What the options ask for; the words of `--words` where nothing else is named."""
    terms = [Term("text", options.text)] if options.text is not None else []
    terms += [weighted("text", text) for text in options.plus]
    terms += [weighted("picture", os.fspath(picture)) for picture in options.picture]
    terms += [weighted("like", key) for key in options.like]
    terms += [weighted("vector", os.fspath(file)) for file in options.vector]
    if options.words is not None and not terms:
        terms = [Term("text", options.words)]
    return Query((*terms, *(weighted("text", text, MINUS) for text in options.minus)))


def _hits(
    collection: Collection, query: Query, vector: Vector, options: settings.Search, project: Project
) -> tuple[Hit, ...]:
    """The best hits, without those that more is wanted of."""
    wanted = options.k + len(query.liked)
    if options.words is None:
        hits: Sequence[Hit] = collection.nearest(vector, wanted, where=options.where)
    else:
        hits = _hybrid(collection, vector, options, wanted, project=project)
    return tuple(hit for hit in hits if hit.id not in query.liked)[: options.k]


def _hybrid(collection: Collection, vector: Vector, options: settings.Search, k: int, *, project: Project) -> list[Hit]:
    """The hits of both searches, by the sum of their reciprocal ranks; each with its cosine."""
    if not isinstance(collection, Worded):
        raise TuneclipError(
            f"the store of {collection.name!r} has no full text", where=collection.store, expected="no --words"
        )
    many = max(k, FUSED)
    near = collection.nearest(vector, many, where=options.where)
    named = collection.matching(str(options.words), many, options.where)
    order = fused([[hit.id for hit in near], named])[:k]
    known = {hit.id: hit for hit in near}
    for row in collection.get([key for key in order if key not in known]):
        score = float(np.clip(row.vector @ vector, -1, 1))
        known[row.id] = to_hit(row, score, collection.origin, project.root.absolute())
    return [known[key] for key in order if key in known]


def check_model(collection: Collection, name: str, project: Project) -> None:
    """Vectors of two models must not be compared; told before anything is loaded."""
    made = collection.origin
    try:
        now = fingerprint(locate(name, project))
    except TuneclipError as error:
        if name != made.model:
            raise
        what = f"collection {collection.name!r} was made by model {name!r}, which cannot be opened: {error.what}"
        hint = "name the same model with --model if it was moved, else index again"
        raise TuneclipError(what, expected=error.expected, hint=hint) from error
    if now != made.fingerprint:
        raise other_model(collection, name, now, made.dataset)


def _table(hits: tuple[Hit, ...]) -> "Table":
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    widest = max(len(hit.id) for hit in hits)
    table.add_column("", justify="right", no_wrap=True, min_width=len(str(len(hits))))
    table.add_column("cosine", no_wrap=True, min_width=len("cosine"))
    table.add_column("", width=BAR, min_width=BAR, no_wrap=True)
    table.add_column("id", no_wrap=True, overflow="ellipsis", min_width=min(widest, ID), max_width=ID)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    best = max(*(hit.score for hit in hits), 1e-6)
    for rank, hit in enumerate(hits, 1):
        bar = Bar(best, 0, max(0.0, hit.score), width=BAR)
        link = f"link {Path(hit.path).as_uri()}" if Path(hit.path).is_file() else ""
        table.add_row(str(rank), f"{hit.score:.3f}", bar, Text(hit.id, style=link), Text(about(hit)))
    return table
