"""The verbs: one row each. The command line and the Python names are both made from this table."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneclip import settings
from tuneclip.project import Project


@dataclass(frozen=True)
class Verb:
    """Where a verb lives and what it takes; `module` is imported only when the verb runs."""

    name: str
    module: str
    function: str
    settings: type
    summary: str

    def run(self, options: Any, project: Project) -> Any:
        """Import the verb's module and run it with checked settings; returns its frozen result."""
        function: Callable[[Any, Project], Any] = getattr(importlib.import_module(self.module), self.function)
        return function(options, project)


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "demo",
            "tuneclip.start.demo",
            "demo",
            settings.Demo,
            "The whole line on a drawn archive, offline, in under three minutes.",
        ),
        Verb(
            "import",
            "tuneclip.data.read",
            "import_dataset",
            settings.Import,
            "Make a dataset from pictures and their metadata.",
        ),
        Verb(
            "sample",
            "tuneclip.model.sample",
            "sample",
            settings.Sample,
            "Take a representative part of a dataset, and show the sum behind it.",
        ),
        Verb(
            "augment",
            "tuneclip.data.augment",
            "augment",
            settings.Augment,
            "Add varied copies of the training pictures, on disk.",
        ),
        Verb(
            "caption",
            "tuneclip.model.caption",
            "caption",
            settings.Caption,
            "Make captions from the metadata, or by a model.",
        ),
        Verb(
            "check",
            "tuneclip.measure.check",
            "check",
            settings.Check,
            "Find what is wrong with a dataset, and what to do about it.",
        ),
        Verb(
            "download",
            "tuneclip.data.download",
            "download",
            settings.Download,
            "Fetch the pictures that records name by link.",
        ),
        Verb(
            "estimate",
            "tuneclip.training.estimate",
            "estimate",
            settings.Estimate,
            "Say what a training takes here, time and memory, by trying a few of its steps.",
        ),
        Verb("train", "tuneclip.training.train", "train", settings.Train, "Fine-tune a model on a dataset."),
        Verb(
            "compare",
            "tuneclip.measure.compare",
            "compare",
            settings.Compare,
            "Measure models against each other on a dataset, with intervals.",
        ),
        Verb(
            "export",
            "tuneclip.model.export",
            "export",
            settings.Export,
            "Write a model for another library, opened by it and compared before it counts.",
        ),
        Verb(
            "index", "tuneclip.vectors.embed", "index", settings.Index, "Embed a dataset's pictures into a collection."
        ),
        Verb(
            "reindex",
            "tuneclip.vectors.reindex",
            "reindex",
            settings.Reindex,
            "Move a collection to another store, or embed it by another model; switch when it is whole.",
        ),
        Verb("forget", "tuneclip.vectors.reindex", "forget", settings.Forget, "Delete a collection."),
        Verb("search", "tuneclip.vectors.search", "search", settings.Search, "Find pictures by words or by a picture."),
        Verb(
            "map",
            "tuneclip.vectors.map_collection",
            "map_collection",
            settings.Map,
            "Draw a collection as a map, and list its duplicates and outliers.",
        ),
        Verb(
            "serve",
            "tuneclip.web.serve",
            "serve",
            settings.Serve,
            "The page in the browser: search, compare, label, and what the project holds.",
        ),
        Verb(
            "label",
            "tuneclip.web.label",
            "label",
            settings.Label,
            "Rate pictures in the browser until a classifier knows what you mean.",
        ),
        Verb(
            "run",
            "tuneclip.pipeline.run",
            "run",
            settings.Run,
            "Run a pipeline with variables; what is up to date is skipped.",
        ),
        Verb(
            "models",
            "tuneclip.pipeline.models",
            "models",
            settings.Models,
            "The project's models: lineage, figures, which is the newest.",
        ),
        Verb(
            "rollback",
            "tuneclip.pipeline.rollback",
            "rollback",
            settings.Rollback,
            "Make the model before the newest the newest again.",
        ),
        Verb(
            "classify",
            "tuneclip.learn.classify",
            "classify",
            settings.Classify,
            "Score pictures, a collection, a dataset or texts by a classifier, best first.",
        ),
        Verb(
            "doctor",
            "tuneclip.start.doctor",
            "doctor",
            settings.Doctor,
            "Versions, devices, extras, and how to get what is missing.",
        ),
    )
}


PYTHON_NAMES = {"import": "import_dataset", "map": "map_collection"}
"""Verbs that have another name in Python, where `import` is a keyword and `map` a function."""


def python_name(verb: str) -> str:
    """The name of a verb in Python."""
    return PYTHON_NAMES.get(verb, verb)


def as_function(verb: Verb) -> Callable[..., Any]:
    """A Python function for a verb: takes the fields of its settings and `project`, returns the verb's result."""

    def call(*arguments: Any, project: str | Path = ".", **options: Any) -> Any:
        return verb.run(settings.from_python(verb.settings, *arguments, **options), Project(Path(project)))

    call.__name__ = call.__qualname__ = python_name(verb.name)
    call.__doc__ = f"{verb.summary} Options: see `tuneclip.settings.{verb.settings.__name__}`."
    return call
