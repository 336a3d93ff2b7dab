"""The verb `search`: the pictures of a collection that are nearest to words or to a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.model.open import fingerprint, locate, open_model
from tuneclip.project import Project
from tuneclip.records import Hit
from tuneclip.vectors.collection import Collection, Vector, checked_k, open_collection, other_model
from tuneclip.vectors.where import parse

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BAR = 8  # characters
ID = 40


@dataclass(frozen=True)
class Found:
    """What `search` found; the fields are the keys of `--json`."""

    collection: str
    model: str
    query: str
    hits: tuple[Hit, ...]

    def show(self, console: "Console") -> None:
        """A table, best first; on a terminal the ids are links to the pictures."""
        console.print(f"{self.query!r} in {self.collection}, by {self.model}", markup=False, style="bold")
        nothing = "No picture: the filter takes all of them out, or the collection is empty."
        console.print(_table(self.hits) if self.hits else nothing)


def search(options: settings.Search, project: Project) -> Found:
    """The `k` nearest pictures to the words or to the picture, best first, of those that the filter lets through.

    The query is embedded by the model that made the collection. Raises TuneclipError when that model is not here or
    has changed, when `--model` is another one, for a missing collection, and for a query or filter that is none.
    """
    checked_k(options.k)
    query = _query(options)
    collection = open_collection(options.collection, project)
    if options.where is not None:
        parse(options.where, collection.fields())
    model = options.model or collection.origin.model
    _check_model(collection, model, project)
    vector = _embed(options, model, project)
    hits = collection.nearest(vector, options.k, where=options.where)
    return Found(collection.name, model, query, tuple(hits))


def _query(options: settings.Search) -> str:
    """What is looked for, as people say it; TuneclipError unless it is either words or a picture."""
    if (options.text is None) == (options.picture is None):
        both = "both words and a picture" if options.picture else "nothing to look for"
        hint = f'tuneclip search {options.collection} "red handbag"'
        raise TuneclipError(both, expected="words, or a picture by --picture FILE", hint=hint)
    if options.text is not None and not options.text.strip():
        raise TuneclipError("the words to look for are empty", expected='words, like "red handbag"')
    if options.picture is not None and not options.picture.is_file():
        raise TuneclipError("no such picture", where=options.picture)
    return options.text if options.text is not None else str(options.picture)


def _check_model(collection: Collection, name: str, project: Project) -> None:
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


def _embed(options: settings.Search, model: str, project: Project) -> Vector:
    encoder = open_model(model, project, few=True)
    found: Vector
    if options.picture is not None:
        found = encoder.pictures([options.picture])[0]
    else:
        found = encoder.texts([str(options.text)])[0]
    return found


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
    best = max(hits[0].score, 1e-6)
    for rank, hit in enumerate(hits, 1):
        bar = Bar(best, 0, max(0.0, hit.score), width=BAR)
        link = f"link {Path(hit.path).as_uri()}" if Path(hit.path).is_file() else ""
        table.add_row(str(rank), f"{hit.score:.3f}", bar, Text(hit.id, style=link), Text(_about(hit)))
    return table


def _about(hit: Hit) -> str:
    """The hit's first caption, else its metadata, on one line."""
    known = (f"{name}: {value}" for name, value in hit.metadata.items() if value is not None)
    return " ".join((hit.captions[0] if hit.captions else ", ".join(known)).split())
