"""tuneclip: fine-tune CLIP on your own pictures, prove that it got better, then search with it.

Every verb of the command line is a function here of the same name (`import` is `import_dataset`, `map` is
`map_collection`); its keyword arguments are the fields of the settings class of that name, and it returns the frozen
result that `--json` prints.
Nothing heavy is imported before it is used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "open_model": "tuneclip.model.open",
    "open_dataset": "tuneclip.data.load",
    "open_collection": "tuneclip.vectors.collection",
    "TuneclipError": "tuneclip.errors",
    "sample_size": "tuneclip.data.sample",
    "Project": "tuneclip.project",
    **dict.fromkeys(("Record", "Hit", "Score", "Difference", "Finding"), "tuneclip.records"),
}
_VERBS = {"caption", "check", "demo", "import_dataset", "sample", "augment", "train", "compare", "index", "search"}
_VERBS |= {"classify", "doctor", "download", "estimate", "export", "models", "rollback", "run"}
_VERBS |= {"serve", "label", "reindex", "forget", "map_collection"}
__all__ = [
    "Difference",
    "Finding",
    "Hit",
    "Project",
    "Record",
    "Score",
    "TuneclipError",
    "augment",
    "caption",
    "check",
    "classify",
    "compare",
    "demo",
    "doctor",
    "download",
    "estimate",
    "export",
    "forget",
    "import_dataset",
    "index",
    "label",
    "map_collection",
    "models",
    "open_collection",
    "open_dataset",
    "open_model",
    "reindex",
    "rollback",
    "run",
    "sample",
    "sample_size",
    "search",
    "serve",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _VERBS:
        from tuneclip.verbs import VERBS, as_function, python_name

        return next(as_function(verb) for verb in VERBS.values() if python_name(verb.name) == name)
    raise AttributeError(f"module 'tuneclip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
