"""The versions of a collection: the table that its name means now, and those that it meant before."""

from collections.abc import Iterable
from dataclasses import replace

from tuneclip.project import Project
from tuneclip.vectors.address import Place
from tuneclip.vectors.collection import backend
from tuneclip.vectors.pointer import Pointer, inside, locate, place_of, point, versions


def switch(project: Project, new: Place, *, before: Place | None) -> None:
    """The collection of this name is `new` from now on, at once; where it was, `before`, is remembered."""
    now, known = _pointer_to(new, project), versions(project, new.name)
    if before is not None:
        known = known or [_pointer_to(before, project)]
    elif known[:1] != [now]:
        known = []
    _remember(project, new.name, [now, *known])


def announce(project: Project, new: Place, *, now: Place) -> None:
    """Remember a version before it is whole, so that it is found again, or removed with the older ones, after a kill.

    The name goes on meaning `now`.
    """
    known = versions(project, new.name) or [_pointer_to(now, project)]
    _remember(project, new.name, [*known, replace(_pointer_to(new, project), begun=True)])


def older(name: str, project: Project, *, whole: bool = False) -> list[Place]:
    """The other versions of a collection, the one that was in use last first; never the one that is in use now.

    With `whole` without those that were only begun.
    """
    now = locate(name, project)
    found: list[Place] = []
    for known in versions(project, now.name)[1:]:
        place = place_of(known, now.name, project)
        if not (whole and known.begun) and str(place) not in {str(each) for each in (now, *found)}:
            found.append(place)
    return found


def remove_older(name: str, project: Project, *, keep: int = 0, here: bool = False) -> tuple[str, ...]:
    """Delete the other versions but the first `keep` of them; with `here` only those in the store that is in use.

    Returns where they were.
    """
    now, places = locate(name, project), older(name, project)
    removed = [place for place in places if not here or place.store == now.store][keep:]
    for place in removed:
        backend(place).drop_table(place)
    known = versions(project, now.name)
    if known:
        gone = {str(place) for place in removed}
        kept = [each for each in known[1:] if str(place_of(each, now.name, project)) not in gone]
        _remember(project, now.name, [known[0], *kept])
    return tuple(str(place) for place in removed)


def _remember(project: Project, name: str, versions: Iterable[Pointer]) -> None:
    first: dict[tuple[str, str], Pointer] = {}  # of a place that is named twice the first counts
    for each in versions:
        first.setdefault((each.store, each.version), each)
    chain = None
    for each in reversed(first.values()):
        chain = replace(each, before=chain)
    if chain is not None:
        point(project, name, chain)


def _pointer_to(place: Place, project: Project) -> Pointer:
    return Pointer(inside(place.folder, project.root) if place.folder else place.store, place.version)
