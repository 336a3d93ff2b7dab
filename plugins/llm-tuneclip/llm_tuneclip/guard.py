"""What llm's collections do not do themselves: skip what has no vector, and know which weights made them."""

import logging
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import islice
from typing import Any

import click
import llm

from llm_tuneclip.model import TuneclipModel, Unreadable

logger = logging.getLogger("tuneclip")
MARKS = "tuneclip_collections"
"""A table beside llm's own: which model, by its fingerprint, made a collection."""
Entry = tuple[str, str | bytes, dict[str, Any] | None]


def guard_collections() -> None:
    """Teach llm's collections, once, what the module says. Collections of other models are left as they are.

    llm has neither a way to leave an item out (its issue 1034) nor a place for a model's version, so three methods of
    `llm.Collection` are wrapped.
    """
    kind: Any = llm.Collection
    if not hasattr(kind, "_before_tuneclip"):
        kind._before_tuneclip = kind.embed_multi_with_metadata
        kind.embed_multi_with_metadata = _skipping(kind.embed_multi_with_metadata)
        kind.embed = _checked(kind.embed, writing=True)
        kind.similar = _checked(kind.similar, writing=False)


def _checked(method: Callable[..., Any], *, writing: bool) -> Callable[..., Any]:
    @wraps(method)
    def checked(collection: Any, *arguments: Any, **options: Any) -> Any:
        check(collection, writing=writing)
        return method(collection, *arguments, **options)

    return checked


def _skipping(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def skipping(
        collection: Any, entries: Iterable[Entry], store: bool = False, batch_size: int = 100, **options: Any
    ) -> None:
        check(collection, writing=True)
        if not isinstance(collection.model(), TuneclipModel):
            method(collection, entries, store=store, batch_size=batch_size, **options)
            return
        rest, skipped = iter(entries), 0
        while batch := list(islice(rest, batch_size)):
            try:
                method(collection, batch, store=store, batch_size=len(batch), **options)
            except Unreadable as error:
                good = [entry for entry in batch if entry[1] not in error.reasons]
                _report(batch, error.reasons)
                skipped += len(batch) - len(good)
                method(collection, good, store=store, batch_size=len(batch), **options)
        if skipped:
            logger.warning("%d skipped: nothing was stored for them in collection %r", skipped, collection.name)

    return skipping


def _report(batch: Iterable[Entry], reasons: dict[str | bytes, str]) -> None:
    for name, value, _ in batch:
        if value in reasons:
            unit = "bytes" if isinstance(value, bytes) else "characters"
            logger.warning("skipped %s (%s %s): %s", name, f"{len(value):,}", unit, reasons[value])


def check(collection: Any, *, writing: bool) -> None:
    """Raise ClickException, with the remedy, where the collection was made by other weights than would be used now."""
    model = collection.model()
    _refuse_ignored_model(collection, model)
    mark = _mark(collection)
    if not isinstance(model, TuneclipModel):
        if mark is not None:
            raise click.ClickException(
                f"collection {collection.name!r} was made by the tuneclip model {mark['folder']}, but "
                f"{model.model_id!r} is another plug-in's model now. Next: {_anew(collection)}"
            )
        return
    if not _is_filled(collection):
        if writing:
            _write_mark(collection, model)
    elif mark is None:
        logger.warning("collection %r does not say which weights of %r made it", collection.name, model.model_id)
    elif mark["fingerprint"] != model.fingerprint:
        raise click.ClickException(
            f"collection {collection.name!r} was made by another {model.model_id!r} ({mark['fingerprint']} in "
            f"{mark['folder']}; now {model.fingerprint} in {model.folder}), so its vectors cannot be compared with "
            f"this one's. Next: {_anew(collection)}; or go back to that model"
        )


def _refuse_ignored_model(collection: Any, model: Any) -> None:
    """Raise where -m names another model than the collection's, with which llm would embed all the same."""
    context = click.get_current_context(silent=True)
    asked = context.params.get("model") if context else None
    if context is None or not asked or context.get_parameter_source("model") != click.core.ParameterSource.COMMANDLINE:
        return
    wanted = llm.get_embedding_model(asked)
    if wanted.model_id != model.model_id and TuneclipModel in (type(wanted), type(model)):
        raise click.ClickException(
            f"collection {collection.name!r} was made by {model.model_id!r}, and llm would go on with that, not with "
            f"{wanted.model_id!r}. Next: leave -m away, or take another name for the collection"
        )


def _anew(collection: Any) -> str:
    return f"llm collections delete {collection.name} (with the same -d), then embed its pictures again"


def _is_filled(collection: Any) -> bool:
    return any(True for _ in collection.db["embeddings"].rows_where("collection_id = ?", [collection.id], limit=1))


def _mark(collection: Any) -> dict[str, Any] | None:
    """Which weights made the collection. Ids of deleted collections are used again, so all must fit."""
    table = collection.db[MARKS]
    where = "collection_id = ? and name = ? and model = ?"
    known = [collection.id, collection.name, _model_id(collection)]
    marks = table.rows_where(where, known) if table.exists() and _is_filled(collection) else []
    return next(iter(marks), None)


def _model_id(collection: Any) -> str:
    """As the database has it; a collection made just now has no `model_id` of its own in llm 0.36."""
    return str(collection.db["collections"].get(collection.id)["model"])


def _write_mark(collection: Any, model: TuneclipModel) -> None:
    row = {"collection_id": collection.id, "name": collection.name, "model": _model_id(collection)}
    row |= {"fingerprint": model.fingerprint, "folder": str(model.folder.absolute())}
    collection.db[MARKS].insert(row, pk="collection_id", replace=True)
