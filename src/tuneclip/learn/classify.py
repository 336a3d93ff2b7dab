"""The verb `classify`: what a classifier says of pictures, a collection, a dataset or texts; best first."""

import logging
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip import settings
from tuneclip.data.load import open_dataset
from tuneclip.data.picture import SUFFIXES
from tuneclip.data.walk import files_below
from tuneclip.errors import TuneclipError
from tuneclip.learn.classifier import Classifier, load_classifier
from tuneclip.model.open import fingerprint, locate, open_model
from tuneclip.progress import track
from tuneclip.project import Project
from tuneclip.vectors.collection import absolute_path, open_collection

if TYPE_CHECKING:
    from rich.console import Console

    from tuneclip.model.encode import Encoder

logger = logging.getLogger("tuneclip")
AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class Result:
    """One picture or text with its score; `path` is empty for a text."""

    id: str
    score: float
    positive: bool
    path: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that was passed over, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Classified:
    """What `classify` found; the fields are the keys of `--json`."""

    classifier: str
    prompt: str
    model: str
    threshold: float
    positives: int
    results: tuple[Result, ...]
    unreadable: tuple[Unreadable, ...]
    shown: int

    def show(self, console: "Console") -> None:
        """The best as a table, with a line where the threshold lies; on a terminal the ids are links."""
        from rich.table import Table
        from rich.text import Text

        console.print(
            f"{self.classifier} ({self.prompt!r}): {self.positives:,} of {len(self.results):,} positive, "
            f"from a score of {self.threshold:.2f} on",
            markup=False,
            style="bold",
        )
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("", "score", "positive", "id"):
            table.add_column(name, justify="right" if name in ("", "score") else "left", overflow="fold")
        for rank, result in enumerate(self.results[: self.shown], 1):
            link = f"link {Path(result.path).as_uri()}" if result.path and Path(result.path).is_file() else ""
            yes = "yes" if result.positive else "no"
            table.add_row(str(rank), f"{result.score:+.2f}", yes, Text(result.id, style=link))
        console.print(table)
        if len(self.results) > self.shown:
            rest = len(self.results) - self.shown
            console.print(f"{rest:,} more; -k shows more of them, --json has all", markup=False, style="dim")
        if self.unreadable:
            console.print(f"{len(self.unreadable):,} could not be read", markup=False, style="dim")


def classify(options: settings.Classify, project: Project) -> Classified:
    """The scores of what is asked for, best first (equals by id), and which of them reach the threshold.

    A picture that cannot be read is logged and reported. Raises TuneclipError when not exactly one kind of thing is
    given, for a collection or a model that is not the classifier's, and when nothing at all could be read.
    """
    classifier = load_classifier(options.classifier, project)
    threshold = classifier.threshold if options.threshold is None else options.threshold
    given = _one_of(options)
    if options.collection is not None:
        scored: Iterable[Result | Unreadable] = _of_collection(classifier, options.collection, project)
    elif options.texts is not None:
        scored = _of_texts(classifier, options.texts, project)
    elif options.dataset is not None:
        dataset = open_dataset(options.dataset, project)
        pictures = [(record.id, dataset.picture_path(record)) for record in dataset.records]
        scored = _of_pictures(classifier, pictures, project)
    else:
        scored = _of_pictures(classifier, [(str(path), path) for path in _files(options.pictures)], project)
    everything = list(scored)
    unreadable = tuple(one for one in everything if isinstance(one, Unreadable))
    found = [replace(one, positive=one.score >= threshold) for one in everything if isinstance(one, Result)]
    if not found:
        raise TuneclipError("nothing to classify could be read", where=given, expected="at least one picture or text")
    return Classified(
        classifier=classifier.name,
        prompt=classifier.prompt,
        model=classifier.model,
        threshold=threshold,
        positives=sum(one.positive for one in found),
        results=tuple(sorted(found, key=lambda one: (-one.score, one.id))),
        unreadable=unreadable,
        shown=options.k,
    )


def _one_of(options: settings.Classify) -> str:
    """What is to be classified, as it was given; TuneclipError unless it is of one kind."""
    kinds = {
        "pictures": ", ".join(options.pictures),
        "--collection": options.collection,
        "--dataset": options.dataset,
        "--texts": options.texts and str(options.texts),
    }
    given = [kind for kind, value in kinds.items() if value]
    if len(given) != 1:
        what = "both " + " and ".join(given) if given else "nothing to classify"
        hint = f"tuneclip classify {options.classifier} PICTURE …"
        raise TuneclipError(what, expected="pictures, --collection, --dataset or --texts, one of them", hint=hint)
    return str(kinds[given[0]])


def _files(pictures: Sequence[str]) -> list[Path]:
    """The files that are meant: a folder stands for the pictures below it."""
    found: list[Path] = []
    for path in map(Path, pictures):
        below = files_below(path) if path.is_dir() else [path]
        found += [file for file in below if not path.is_dir() or file.suffix.lower() in SUFFIXES]
    return list(dict.fromkeys(found))


def _of_collection(classifier: Classifier, name: str, project: Project) -> Iterator[Result]:
    collection = open_collection(name, project)
    origin = collection.origin
    if origin.fingerprint != classifier.fingerprint:
        what = f"collection {name!r} answers by model {origin.model!r}"
        hint = "classify by it what its own model embedded"
        if classifier.collection == collection.name:
            label = ["tuneclip", "label", collection.name, classifier.prompt, "--to", classifier.name]
            hint = f"{shlex.join(label)}, which takes its ratings over; d in the page makes it anew"
        raise _other_model(classifier, what, origin.fingerprint, hint)
    rows = collection.iterate(4096)
    for part in track(rows, f"classify {name}"):
        scores = classifier.scores([row.vector for row in part]) if part else ()
        for row, score in zip(part, scores, strict=True):
            yield Result(row.id, float(score), False, absolute_path(row.path, origin, project.root))


def _of_pictures(
    classifier: Classifier, pictures: Sequence[tuple[str, Path]], project: Project
) -> Iterator[Result | Unreadable]:
    encoder = _encoder(classifier, project, few=len(pictures) <= AT_ONCE)
    source = iter(pictures)
    groups = ((part, [path for _, path in part]) for part in iter(lambda: list(islice(source, AT_ONCE)), []))
    for part, vectors in track(encoder.stream(groups), "classify", total=-(-len(pictures) // AT_ONCE)):
        for (key, path), vector in zip(part, vectors, strict=True):
            if isinstance(vector, TuneclipError):
                logger.warning("passed over: %s", vector)
                yield Unreadable(key, str(vector))
            else:
                yield Result(key, float(classifier.scores(vector[None])[0]), False, str(path.absolute()))


def _of_texts(classifier: Classifier, file: Path, project: Project) -> Iterator[Result]:
    """Each line that is not empty is a text, and its own id."""
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError as error:
        raise TuneclipError("no such file", where=file) from error
    except UnicodeDecodeError as error:
        raise TuneclipError("not text in UTF-8", where=file, expected="one text a line") from error
    texts = list(dict.fromkeys(line for line in lines if line))
    if texts:
        scores = classifier.scores(_encoder(classifier, project, few=False).texts(texts))
        yield from (Result(text, float(score), False) for text, score in zip(texts, scores, strict=True))


def _encoder(classifier: Classifier, project: Project, *, few: bool) -> "Encoder":
    """The classifier's model, if it still is the one that it was."""
    try:
        now = fingerprint(locate(classifier.model, project))
    except TuneclipError as error:
        what = f"classifier {classifier.name!r} needs model {classifier.model!r}, which cannot be opened: {error.what}"
        raise TuneclipError(what, expected=error.expected) from error
    if now != classifier.fingerprint:
        hint = "rate anew with the model as it is now: tuneclip label COLLECTION PROMPT --to NAME"
        raise _other_model(classifier, f"model {classifier.model!r} has changed", now, hint)
    return open_model(classifier.model, project, few=few)


def _other_model(classifier: Classifier, what: str, found: str, hint: str) -> TuneclipError:
    made = f"vectors of {classifier.model!r} ({classifier.fingerprint})"
    return TuneclipError(
        f"{what} (fingerprint {found}); classifier {classifier.name!r} is for {made}, "
        "and those of two models cannot be compared",
        hint=hint,
    )
