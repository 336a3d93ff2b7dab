"""A collection by another model: a version beside the one in use, and the switch when it is whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tuneclip.data.load import Dataset, open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import fingerprint
from tuneclip.model.open import locate as locate_model
from tuneclip.project import Project, checked_name
from tuneclip.vectors.address import Place
from tuneclip.vectors.collection import Collection, backend, check_same, find_collection, open_collection
from tuneclip.vectors.embed import embed_captions, embed_pictures, encoder_of, origin_of
from tuneclip.vectors.embed_texts import texts_name
from tuneclip.vectors.pointer import locate
from tuneclip.vectors.versions import announce, older, switch

if TYPE_CHECKING:
    from tuneclip.model.encode import Encoder

LOOKED_AT = 100  # rows that tell whether a collection is of pictures or of captions


@dataclass(frozen=True)
class _Version:
    """One collection on its way to another model."""

    source: Collection
    old: Place
    new: Place

    @property
    def replaces(self) -> bool:
        """Whether it takes the old one's place."""
        return self.new.name == self.old.name


def rebuild(collection: str, model: str, project: Project, *, to: str | None = None) -> Mapping[str, int]:
    """Embed a collection by another model and switch to that; of the captions' collection beside it, if any, too.

    With `to` the results get this name and the old ones keep theirs. Returns how many rows were embedded, by
    collection. What a killed run had embedded is kept, and a version by that model which is still there is only
    brought up to date. Raises TuneclipError when everything is by this model already.
    """
    mark = fingerprint(locate_model(model, project))
    source = open_collection(collection, project)
    left = stale(source, mark, project)
    if not left:
        hint = f"tuneclip index {source.origin.dataset} --model {model} --to {source.name}"
        raise TuneclipError(f"collection {source.name!r} was made by this model", expected="another one", hint=hint)
    name = checked_name(to or source.name)
    names = {source.name: name, texts_name(source.name): texts_name(name)}
    parts = [_Version(one, old, _place(one, old, names[one.name], mark, project)) for one, old in left]
    dataset = _dataset_of(source, project)
    encoder = encoder_of(model, project, dataset)
    written = {part.new.name: _build(part, model, dataset, encoder, project) for part in parts}
    for part in parts:  # together, when all are whole
        switch(project, part.new, before=part.old if part.replaces else None)
    return written


def switch_back(collection: str, mark: str, project: Project) -> bool:
    """Whether the collection is by the model of this fingerprint now: by a version of it that was kept, at once.

    Nothing is embedded; the seen marks come along, and so does the captions' collection.
    """
    source = find_collection(collection, project)
    left = stale(source, mark, project) if source else []
    kept = [(one, old, _kept(one, old, mark, project, whole=True)) for one, old in left]
    for one, old, new in kept:
        if new is not None:
            _copy_marks(one, _opened(new))
            switch(project, new, before=old)
    return source is not None and all(new is not None for _, _, new in kept)


def stale(source: Collection, mark: str, project: Project) -> list[tuple[Collection, Place]]:
    """Of the collection and that of the captions beside it those that are not by the model of this fingerprint."""
    both, texts = [source], find_collection(texts_name(source.name), project)
    if texts and texts.origin.dataset == source.origin.dataset:
        both.append(texts)
    return [(one, locate(one.name, project)) for one in both if one.origin.fingerprint != mark]


def _dataset_of(source: Collection, project: Project) -> Dataset:
    folder = project.root / source.origin.folder
    there = source.origin.folder and folder.is_dir()
    return open_dataset(str(folder) if there else source.origin.dataset, project)


def _place(source: Collection, old: Place, name: str, mark: str, project: Project) -> Place:
    """Where the version by the model of that fingerprint is or will be."""
    if name != old.name:
        return replace(locate(name, project, old.store), secret=old.secret)
    return _kept(source, old, mark, project) or replace(old, version=f"{name}@{mark[:8]}")


def _kept(source: Collection, now: Place, mark: str, project: Project, *, whole: bool = False) -> Place | None:
    """A version by that model which an earlier switch has left or, unless it must be whole, a killed run begun."""
    for each in older(now.name, project, whole=whole):
        place = replace(each, secret=now.secret)
        found = backend(place).open_table(place) if place.store == now.store else None
        if found and (found.origin.fingerprint, found.origin.dataset) == (mark, source.origin.dataset):
            return place
    return None


def _opened(place: Place) -> Collection:
    found = backend(place).open_table(place)
    if found is None:
        raise TuneclipError("a version of the collection is gone", where=place, hint="run the same command again")
    return found


def _build(part: _Version, model: str, dataset: Dataset, encoder: "Callable[[], Encoder]", project: Project) -> int:
    """Fill the new version; returns how many rows had to be written."""
    if part.replaces:
        announce(project, part.new, now=part.old)
    keeper = backend(part.new)
    target = keeper.open_table(part.new)
    known = target.origin.dimension if target else None
    origin = origin_of(model, dataset, project, lambda: known or encoder().dimension)
    target = target or keeper.create_table(part.new, origin)
    check_same(target, origin)
    target.renew(origin)
    fill = embed_captions if _is_of_captions(part.source, dataset) else embed_pictures
    done = fill(target, dataset, encoder, project)
    if part.replaces:
        _copy_marks(part.source, target)
    return done.added + done.updated


def _is_of_captions(source: Collection, dataset: Dataset) -> bool:
    """By the ids of its rows, and by its name where it has none."""
    pictures = {record.id for record in dataset.stream()}
    rows = next(source.iterate(LOOKED_AT), [])
    if not rows:
        return source.name.endswith(texts_name(""))
    return any(row.id not in pictures and row.id.rpartition("#")[0] in pictures for row in rows)


def _copy_marks(source: Collection, target: Collection) -> None:
    """The seen marks of the target become those of the source."""
    wanted, there = _seen(source), _seen(target)
    target.update_seen(sorted(wanted - there), 1)
    target.update_seen(sorted(there - wanted), 0)


def _seen(collection: Collection) -> set[str]:
    return {row.id for batch in collection.iterate() for row in batch if row.seen}
