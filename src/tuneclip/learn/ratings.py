"""The log of ratings: events are only ever added, one JSON object a line, and a kill costs the last line at most."""

import json
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError
from tuneclip.learn.alone import hold
from tuneclip.project import write_bytes

logger = logging.getLogger("tuneclip")

VALUES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""What a rating can be, from "not at all" over "cannot tell" to "just so"."""
KINDS = ("start", "seen", "page", "rate", "undo", "finish")


@dataclass(frozen=True)
class Subject:
    """What is rated, for which prompt, by vectors of which model: the log's first line."""

    classifier: str
    collection: str
    prompt: str
    model: str
    fingerprint: str


@dataclass
class Story:
    """What the events of a log amount to; changed only by `tell`."""

    pages: list[tuple[str, ...]] = field(default_factory=list)
    ratings: dict[str, float] = field(default_factory=dict)
    """What counts now, by id, in the order of the first rating."""
    before: list[tuple[str, float | None]] = field(default_factory=list)
    """For each rating that can be taken back: the id, and what counted until then."""
    finished: bool = False
    seen: tuple[str, ...] = ()
    """What was on a page before the collection went to another model."""

    @property
    def shown(self) -> set[str]:
        """Every id that was on a page."""
        return {*self.seen, *(key for page in self.pages for key in page)}

    def tell(self, event: Mapping[str, Any]) -> None:
        """Go on by one event. Raises KeyError, TypeError or ValueError for one that is none of ours."""
        kind = event["event"]
        if kind not in KINDS:
            raise ValueError(f"there is no event {kind!r}")
        if kind == "page":
            self.pages.append(tuple(str(key) for key in event["ids"]))
        elif kind == "seen":
            self.seen = tuple(str(key) for key in event["ids"])
        elif kind == "rate":
            key, value = str(event["id"]), checked_value(event["value"])
            self.before.append((key, self.ratings.get(key)))
            self.ratings[key] = value
        elif kind == "undo" and self.before:
            self._take_back(*self.before.pop())
        self.finished = kind == "finish" or (self.finished and kind == "page")

    def _take_back(self, key: str, value: float | None) -> None:
        if value is None:
            del self.ratings[key]
        else:
            self.ratings[key] = value


class Log:
    """The log's file and its story. One process has it at a time, and holds it as long as this object lives."""

    def __init__(self, path: Path, subject: Subject):
        """Open the log, or begin it with its first line; a last line torn by a kill is cut off.

        The ratings are of pictures, not of vectors: when another model has embedded the collection since, they are
        taken over, and the old log is kept beside. Raises TuneclipError when the log is about another subject, damaged
        elsewhere than at its end, or held by another process.
        """
        self.path, self.subject, self.story = path, subject, Story()
        self._held = hold(path)
        if not path.is_file():
            write_bytes(path, _line({"event": "start", **asdict(subject)}))
            return
        events, whole = read_events(path)
        if whole < path.stat().st_size:
            os.truncate(path, whole)
        if not events:
            write_bytes(path, _line({"event": "start", **asdict(subject)}))
            return
        _check_subject(events[0], subject, path)
        for number, event in enumerate(events[1:], 2):
            try:
                self.story.tell(event)
            except (KeyError, TypeError, ValueError) as error:
                raise _damaged(path, number) from error
        if events[0].get("fingerprint") != subject.fingerprint:
            self._take_over(str(events[0].get("model")))

    def _take_over(self, model: str) -> None:
        """Begin anew with the ratings, and what was shown, of the log as it is."""
        told = [{"event": "start", **asdict(self.subject)}, {"event": "seen", "ids": sorted(self.story.shown)}]
        told += [{"event": "rate", "id": key, "value": value} for key, value in self.story.ratings.items()]
        old = self._old_name()
        write_bytes(old, self.path.read_bytes())
        write_bytes(self.path, b"".join(map(_line, told)))
        self.story = Story()
        for event in told[1:]:
            self.story.tell(event)
        count, name = len(self.story.ratings), self.subject.classifier
        what = f"the {count} ratings of {name!r}, made on vectors of {model!r}, now count for {self.subject.model!r}"
        logger.info("%s; the log until now is kept as %s", what, old.name)

    def page(self, ids: Iterable[str]) -> None:
        """A new page is shown."""
        self._add({"event": "page", "ids": list(ids)})

    def rate(self, id: str, value: float) -> None:
        """A rating; it replaces an earlier one of the same id."""
        self._add({"event": "rate", "id": id, "value": checked_value(value)})

    def undo(self) -> None:
        """The last rating that counts no longer does."""
        if self.story.before:
            self._add({"event": "undo"})

    def finish(self) -> None:
        """A classifier was written."""
        self._add({"event": "finish"})

    def reset(self) -> Path:
        """Begin anew; returns where the old log now lies."""
        old = self._old_name()
        self.path.rename(old)
        write_bytes(self.path, _line({"event": "start", **asdict(self.subject)}))
        self.story = Story()
        return old

    def _old_name(self) -> Path:
        """A dated name that is still free."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
        stem = self.path.name.removesuffix(".jsonl")
        return next(
            place
            for number in range(1, 1_000_000)
            if not (place := self.path.with_name(f"{stem}.{stamp}{f'-{number}' if number > 1 else ''}.jsonl")).exists()
        )

    def _add(self, event: dict[str, Any]) -> None:
        """The event is on the disk before it counts."""
        with self.path.open("ab") as file:
            file.write(_line(event))
            file.flush()
            os.fsync(file.fileno())
        self.story.tell(event)


def checked_value(value: float) -> float:
    """The rating as a float; TuneclipError when it is none of `VALUES`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or float(value) not in VALUES:
        raise TuneclipError(f"{value!r} is no rating", expected="-1, -0.5, 0, 0.5 or 1")
    return float(value)


def read_events(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The log's events, and how many bytes they fill; what a kill left of a last line is read past.

    Raises TuneclipError for a line that is not JSON before the last one.
    """
    events: list[dict[str, Any]] = []
    whole, lines = 0, path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line) if line.endswith(b"\n") else None
        except ValueError as error:
            if number < len(lines):
                raise _damaged(path, number) from error
            event = None
        if not isinstance(event, dict):
            if number < len(lines):
                raise _damaged(path, number)
            break
        events.append(event)
        whole += len(line)
    return events, whole


def _line(event: dict[str, Any]) -> bytes:
    stamped = {**event, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    return json.dumps(stamped, ensure_ascii=False).encode() + b"\n"


def _check_subject(event: Mapping[str, Any], subject: Subject, path: Path) -> None:
    """The ratings of one prompt in one collection must not train another classifier unnoticed."""
    if event.get("event") != "start":
        raise _damaged(path, 1)
    for name, wanted in (("collection", subject.collection), ("prompt", subject.prompt)):
        if (there := event.get(name)) != wanted:
            raise TuneclipError(
                f"classifier {subject.classifier!r} was begun with the {name} {there!r}, not {wanted!r}",
                where=path,
                hint="choose another name with --to, or move its files away",
            )


def _damaged(path: Path, number: int) -> TuneclipError:
    return TuneclipError(
        f"line {number} is damaged",
        where=path,
        expected="one event a line",
        hint="take the line out, or move the file away",
    )
