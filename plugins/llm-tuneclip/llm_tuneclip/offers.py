"""Which models llm is offered, and under which names."""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import llm

from tuneclip.errors import TuneclipError
from tuneclip.project import DATASET_MANIFEST, MODEL_MANIFEST, SETTINGS, Project, read_json, write_json

logger = logging.getLogger("tuneclip")
VARIABLE = "TUNECLIP_PROJECT"


@dataclass(frozen=True)
class Offer:
    """A model that llm can have."""

    name: str
    source: str
    """What `tuneclip.open_model` opens: a name in the project, a folder, or a Hub id."""
    project: Path
    origin: str
    """"project", "list" or "package"."""
    aliases: tuple[str, ...] = ()


def offers() -> list[Offer]:
    """All models there are; of two with one name the project's comes first, then the list's, then the starter."""
    found = [*_of_project(), *_of_list(), Offer("starter", "starter", Path(), "package")]
    first: dict[str, Offer] = {}
    for offer in found:
        first.setdefault(offer.name, offer)
    return list(first.values())


def named(found: Iterable[Offer], taken: set[str]) -> Iterator[tuple[str, list[str], Offer]]:
    """For each offer its model id and its aliases.

    The id is its plain name, or "tuneclip/NAME" where another plug-in or an alias of the user has that; an alias that
    something else has is left out.
    """
    found, taken = list(found), set(taken)
    names = {offer.name for offer in found}
    for offer in found:
        own = f"tuneclip/{offer.name}"
        model_id = own if offer.name in taken else offer.name
        wanted = [own, *(alias for alias in offer.aliases if alias not in names)]
        aliases = [alias for alias in dict.fromkeys(wanted) if alias not in taken and alias != model_id]
        taken |= {model_id, *aliases}
        yield model_id, aliases, offer


def taken(plugin: ModuleType) -> set[str]:
    """The names that other plug-ins and the user's own aliases already have."""
    from llm.plugins import pm

    names: set[str] = set()

    def note(model: Any, aliases: Iterable[str] | None = None) -> None:
        names.update([model.model_id, *(aliases or ())])

    pm.subset_hook_caller("register_embedding_models", [plugin])(register=note)
    aliases = _read(llm.user_dir() / "aliases.json")
    return names | {alias for alias, model_id in aliases.items() if model_id not in (alias, f"tuneclip/{alias}")}


def list_path() -> Path:
    """Where the user's list of models lies."""
    return Path(llm.user_dir()) / "tuneclip.json"


def read_list() -> dict[str, dict[str, Any]]:
    """The user's list: name → {"model": a folder or a Hub id, "aliases": […]}; a damaged one is reported and empty."""
    return {name: entry for name, entry in _read(list_path()).items() if isinstance(entry, dict) and "model" in entry}


def write_list(entries: dict[str, dict[str, Any]]) -> None:
    """Keep the user's list."""
    write_json(list_path(), entries)


def current_project() -> Project | None:
    """The project of TUNECLIP_PROJECT, else the current folder where it looks like one."""
    if chosen := os.environ.get(VARIABLE):
        if not Path(chosen).is_dir():
            logger.warning("%s names no folder: %s", VARIABLE, chosen)
        return Project(Path(chosen).absolute())
    here = Path.cwd()
    marks = (SETTINGS, f"models/*/{MODEL_MANIFEST}", f"datasets/*/{DATASET_MANIFEST}")
    return Project(here) if any(next(here.glob(mark), None) for mark in marks) else None


def _of_project() -> list[Offer]:
    project = current_project()
    if project is None:
        return []
    with_weights = [name for name in project.names("models") if any(project.model(name).glob("*.safetensors"))]
    return [Offer(name, name, project.root, "project") for name in with_weights]


def _of_list() -> list[Offer]:
    return [
        Offer(name, str(entry["model"]), Path(), "list", tuple(map(str, entry.get("aliases", ()))))
        for name, entry in read_list().items()
    ]


def _read(path: Path) -> dict[str, Any]:
    """A JSON object, empty where there is none: one bad file must not take all of llm with it."""
    if not path.is_file():
        return {}
    try:
        value = read_json(path)
    except (TuneclipError, OSError) as error:
        logger.warning("%s", error)
        return {}
    return value if isinstance(value, dict) else {}
