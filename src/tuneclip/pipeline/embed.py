"""The step `embed`: one collection name that always answers by the newest model."""

from dataclasses import dataclass

from tuneclip import settings
from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.open import fingerprint, locate
from tuneclip.project import Project
from tuneclip.settings import option
from tuneclip.vectors.collection import Collection, find_collection, open_collection
from tuneclip.vectors.embed import index
from tuneclip.vectors.embed_texts import texts_name
from tuneclip.vectors.rebuild import rebuild, stale
from tuneclip.vectors.versions import remove_older
from tuneclip.verbs import Verb


@dataclass(frozen=True)
class Embed:
    """Options of the step `embed`."""

    dataset: str = option("Dataset whose pictures are embedded.")
    model: str = option("Model that is to answer.")
    to: str = option("Name of the collection.")
    store: str | None = option("Where the collection lives (default: the project's own database).", default=None)
    texts: bool = option("Embed the captions too, into a collection of their own, COLLECTION-texts.", default=False)
    keep: int = option("How many earlier versions stay, so that a rollback has them at once.", default=1)


@dataclass(frozen=True)
class Embedded:
    """What the step did."""

    collection: str
    model: str
    why: str


EMBED = Verb("embed", "tuneclip.pipeline.embed", "embed", Embed, "Let a collection answer by this model.")


def embed(options: Embed, project: Project) -> Embedded:
    """Make the collection, add to it, or embed it anew by the model and switch over when that is whole.

    Until the switch, searches are answered by the model before. A kill at any moment leaves a collection that answers,
    and the next call does what is left. Raises TuneclipError when the name is that of another dataset's collection.
    """
    found = find_collection(options.to, project, store=options.store)
    if found is not None and options.store is not None:
        found = open_collection(options.to, project, store=options.store)  # from now on the name means that one
    mark = fingerprint(locate(options.model, project))
    why = f"{options.to} is made"
    if found is not None:
        _check_dataset(found, options, project)
        why = f"{options.to} is brought up to date"
    left = stale(found, mark, project) if found else []
    if left:
        before = left[0][0].origin.model
        rebuild(options.to, options.model, project)
        why = f"{options.to} answers by {options.model} now, no longer by {before}"
    if not left or options.texts:
        index(settings.Index(options.dataset, options.model, options.to, options.store, options.texts), project)
    for name in (options.to, texts_name(options.to)):
        remove_older(name, project, keep=max(0, options.keep), here=True)
    return Embedded(options.to, options.model, why)


def _check_dataset(found: Collection, options: Embed, project: Project) -> None:
    dataset = open_dataset(options.dataset, project).name
    if found.origin.dataset != dataset:
        what = f"collection {found.name!r} holds dataset {found.origin.dataset!r}, not {dataset!r}"
        raise TuneclipError(what, where=found.store, hint=f"another name, like --set collection={dataset}-pictures")
