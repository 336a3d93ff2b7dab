"""Search as the page asks for it: several terms, each for or against, filters, and hits that can be laid out."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import QueryParams

from tuneclip.errors import TuneclipError
from tuneclip.records import Hit
from tuneclip.vectors.collection import Collection, Vector, to_hit
from tuneclip.vectors.query import MINUS, Query, Term, checked_query, embed_query
from tuneclip.vectors.survey import scale
from tuneclip.web.desk import Desk
from tuneclip.web.thumbnails import dropped, extent

PAGE = 60
MOST = 1200


@dataclass(frozen=True)
class Wanted:
    """What the address of a search says."""

    collection: str
    words: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    """Words to be away from."""
    like: tuple[str, ...] = ()
    """Ids of pictures in the collection."""
    unlike: tuple[str, ...] = ()
    picture: tuple[str, ...] = ()
    """Keys of dropped pictures."""
    where: tuple[str, ...] = ()
    """Filters; all of them must hold."""
    k: int = PAGE

    def query(self) -> Query:
        """The terms; none where the collection is only leafed through. TuneclipError for a picture no longer kept."""
        return Query(
            (
                *(Term("text", text) for text in self.words),
                *(Term("picture", dropped(key)) for key in self.picture),
                *(Term("like", key) for key in self.like),
                *(Term("text", text, MINUS) for text in self.minus),
                *(Term("like", key, MINUS) for key in self.unlike),
            )
        )


def wanted(query: QueryParams) -> Wanted:
    """What a query string asks for; raises TuneclipError for a count that is none."""
    several = {
        name: tuple(text.strip() for text in query.getlist(name) if text.strip())
        for name in ("words", "minus", "like", "unlike", "picture", "where")
    }
    k = query.get("k", str(PAGE))
    if not (k.isascii() and k.isdigit() and 1 <= int(k) <= MOST):
        raise TuneclipError(f"{k!r} hits cannot be shown", expected=f"a number from 1 to {MOST}")
    return Wanted(query.get("collection", ""), **several, k=int(k))


def find(asked: Wanted, desk: Desk) -> dict[str, Any]:
    """The nearest pictures, best first; where nothing is looked for, pictures of the collection without scores.

    Raises TuneclipError for a missing collection or model, a bad filter, an unknown id, and for nothing but "minus".
    """
    collection = desk.collection(asked.collection)
    where = " and ".join(f"({each})" for each in asked.where) or None
    query, found = asked.query(), None
    if query.terms:
        checked_query(query)
        vector = _embed(query, collection, desk)
        wanted = asked.k + len(query.liked)
        hits = [hit for hit in collection.nearest(vector, wanted, where=where) if hit.id not in query.liked][: asked.k]
        found = scale(collection, vector)
    else:
        hits = _leaf(collection, where, asked.k, desk)
    desk.remember(asked.collection, hits)
    return {
        "collection": asked.collection,
        "model": collection.origin.model,
        "dataset": collection.origin.dataset,
        "total": collection.count(where),
        "scale": asdict(found) if found else None,
        "hits": [shown(asked.collection, hit, scored=bool(query.terms)) for hit in hits],
    }


def _embed(query: Query, collection: Collection, desk: Desk) -> Vector:
    if not query.needs_model:
        return embed_query(query, None, collection)
    with desk.encoder(collection) as encoder:
        return embed_query(query, encoder, collection)


def shown(collection: str, hit: Hit, *, scored: bool = True) -> dict[str, Any]:
    """A hit as the page takes it: with the address of its picture and the picture's extent."""
    size = extent(Path(hit.path))
    return {
        "id": hit.id,
        "score": round(hit.score, 4) if scored else None,
        "captions": list(hit.captions),
        "metadata": dict(hit.metadata),
        "picture": picture_address("collections", collection, hit.id),
        "width": size[0] if size else None,
        "height": size[1] if size else None,
    }


def picture_address(kind: str, name: str, id: str) -> str:
    """Where the page gets a picture of a collection or dataset."""
    return f"/pictures/{kind}/{quote(name, safe='')}?" + urlencode({"id": id})


def _leaf(collection: Collection, where: str | None, k: int, desk: Desk) -> list[Hit]:
    """Some pictures to begin with: without a filter as they are stored, else the nearest to any one of them."""
    first = next(iter(collection.iterate(min(k, MOST))), [])
    if not first:
        return []
    if where is not None:
        return collection.nearest(first[0].vector, k, where=where)
    root = desk.project.root.absolute()
    return [to_hit(row, 0.0, collection.origin, root) for row in first[:k]]
