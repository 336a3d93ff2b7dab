"""What decides a step's result: its verb, its options and the content of what it reads."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from tuneclip.pipeline.gate import Gate, to_beat
from tuneclip.pipeline.read import STEPS
from tuneclip.project import METADATA, MODEL_MANIFEST, Project, read_json

Key = dict[str, Any]
MAKES = {
    "import": ("dataset", "to"),
    "download": ("dataset", "dataset"),
    "sample": ("dataset", "to"),
    "augment": ("dataset", "to"),
    "caption": ("dataset", "to"),
    "train": ("model", "to"),
    "compare": ("file", "report"),
    "export": ("file", "to"),
    "index": ("collection", "to"),
    "gate": ("model", "model"),
    "embed": ("collection", "to"),
}
"""What a verb makes, and which of its options names it; where that option is silent, its dataset."""
OUTPUTS = {"to", "report"}
SILENT = {"resume", "newest", "keep"}
"""Options that decide nothing by themselves; what a gate measures against is an input."""
EMBEDDING = {"index", "embed"}
"""Steps that look at pictures closely enough to see that one was written again."""


@dataclass(frozen=True)
class Made:
    """What a step made: another content under the same name is another thing."""

    kind: str
    name: str
    content: str
    """"" where it is not there."""


def key_of(verb: str, options: Any, project: Project) -> Key:
    """The key of a call, before it; of a new name {number} stays as it is."""
    hints = get_type_hints(STEPS[verb].settings)
    inputs: dict[str, str] = {}
    plain: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        kind = "path" if Path in (hints[field.name], *get_args(hints[field.name])) else field.name
        if value is None or field.name in SILENT:
            continue
        if field.name in OUTPUTS:
            plain[field.name] = str(value)
        elif kind in _CONTENT:
            inputs[field.name] = _content(kind, value, project, times=verb in EMBEDDING)
        elif value != field.default:  # so that an option which a later version adds changes no key
            plain[field.name] = list(value) if isinstance(value, tuple) else value
    if isinstance(options, Gate):
        inputs["newest"] = _content("model", to_beat(options, project), project)
    return {"verb": verb, "options": plain, "inputs": inputs}


def made_by(verb: str, options: Any, project: Project) -> Made:
    """What the call made or would make, as it is on the disk now."""
    kind, field = MAKES[verb]
    name = str(getattr(options, field) or getattr(options, "dataset", ""))
    return look(kind, name, project, store=getattr(options, "store", None))


def look(kind: str, name: str, project: Project, *, store: str | None = None) -> Made:
    """A thing of the project as it is now; without content where it is not there."""
    if kind == "collection":
        from tuneclip.vectors.collection import find_collection

        found = find_collection(name, project, store=store)
        return Made(kind, name, f"{found.origin.fingerprint}:{found.count()}" if found else "")
    there = {"dataset": project.dataset, "model": project.model, "file": Path}[kind](name).exists()
    return Made(kind, name, _CONTENT["path" if kind == "file" else kind](name, project, False) if there else "")


def lineage(name: str, project: Project) -> set[str]:
    """The fingerprints of a model and of all that it was made from."""
    from tuneclip.model.open import fingerprint, locate

    folder = locate(name, project)
    path = folder / MODEL_MANIFEST
    before = read_json(path).get("lineage", []) if path.is_file() else []
    return {fingerprint(folder), *(one["fingerprint"] for one in before)}


def _content(kind: str, value: Any, project: Project, *, times: bool = False) -> str:
    if isinstance(value, tuple):
        return " ".join(_content(kind, one, project, times=times) for one in value)
    return _CONTENT[kind](str(value), project, times)


def _model(name: str, project: Project, times: bool) -> str:
    from tuneclip.model.open import fingerprint, locate

    return fingerprint(locate(name, project))


def _dataset(name: str, project: Project, times: bool) -> str:
    """Records by content, pictures by size: reading tens of thousands of them would take longer than most steps.

    With `times` a picture that was written again counts as changed.
    """
    from tuneclip.data.load import open_dataset

    dataset = open_dataset(name, project)
    path = dataset.path / METADATA
    digest = hashlib.sha256(path.read_bytes() if path.is_file() else repr(dataset.records).encode())
    for record in dataset.records:
        digest.update(_stamp(dataset.picture_path(record), times=times).encode())
    return f"{dataset.name}:{digest.hexdigest()[:16]}"


def _path(name: str, project: Project, times: bool) -> str:
    path = Path(name)
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    listing = "\n".join(_listing(path)) if path.is_dir() else name
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


def _listing(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        yield f"{path.relative_to(folder)} {_stamp(path, times=False) if path.is_file() else ''}"


def _stamp(path: Path, *, times: bool) -> str:
    try:
        stat = path.stat()
    except OSError:
        return "-"
    return f"{stat.st_size},{stat.st_mtime_ns if times else ''};"


_CONTENT = {"dataset": _dataset, "model": _model, "models": _model, "path": _path}
