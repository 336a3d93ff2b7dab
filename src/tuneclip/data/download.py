"""The verb `download`: fetch the pictures that records name by link, many at once, politely, resumably."""

import logging
import os
import queue
import random
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip.data.address import EVERYWHERE, Guard
from tuneclip.data.card import show_splits
from tuneclip.data.fetch import Fetcher, LaterError, Limits, Part, RefusedError, part_of
from tuneclip.data.hosts import Errand, Hosts, next_outcome
from tuneclip.data.pending import Pending, arrived_before, read_pending, settle
from tuneclip.data.picture import decode, read_bytes
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import DATASET_MANIFEST, PENDING, Project, beside
from tuneclip.settings import Download

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
WORKSHOP = ".download"
_THREADS = 32
_LONGEST_WAIT_SECONDS = 120.0
_PARTING_SECONDS = 2.0


@dataclass(frozen=True)
class Failure:
    """A record whose picture did not come; `final` when trying again would end the same."""

    id: str
    url: str
    reason: str
    final: bool


@dataclass(frozen=True)
class Downloaded:
    """What `download` did: `taken` arrived in this run, `already` had their picture, `skipped` still wait."""

    dataset: str
    path: str
    taken: int
    skipped: int
    splits: dict[str, int]
    already: int
    failed: list[Failure]

    def show(self, console: "Console") -> None:
        """The splits, the counts, and what failed by reason."""
        from rich.markup import escape

        show_splits(console, self.splits)
        place = f"[link={Path(self.path).resolve().as_uri()}]{escape(self.path)}[/link]"
        console.print(f"{self.taken:,} pictures arrived, {self.already:,} were here, {self.skipped:,} failed: {place}")
        if self.failed:
            _show_failures(console, self.failed)
            console.print(f"Run it again to try these again: tuneclip download {escape(self.dataset)}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record whose picture came, and where it lies in the dataset."""

    id: str
    file: str


def download(options: Download, project: Project) -> Downloaded:
    """Fetch the pictures of the records in `pending.jsonl`; those that arrive become records of the dataset.

    Each picture is decoded before it counts. A failure is reported and stays pending with its reason. The run may be
    killed at any point and run again: pictures that arrived are not fetched again, torn ones are gone on with where
    the server can. Raises TuneclipError when there is no such dataset, when another process downloads into it, or when
    nothing arrived and either no record has a picture or no server said a final no (the network is down).
    """
    folder = _existing(project, options.dataset)
    with _alone(folder):
        waiting = read_pending(folder)
        arrived = arrived_before(folder, waiting)
        failures: dict[str, Failure] = {}
        missing = [pending for pending in waiting if pending.id not in arrived]
        crew = Crew(folder, missing, options)
        try:
            with closing(crew.outcomes()) as outcomes:
                for outcome in track(outcomes, "downloading", len(waiting), completed=len(arrived)):
                    if isinstance(outcome, Arrival):
                        arrived[outcome.id] = outcome.file
                    else:
                        failures[outcome.id] = outcome
        except KeyboardInterrupt as stop:
            arrived |= arrived_before(folder, waiting)  # with those whose outcome was not yet heard of
            settle(folder, arrived, {name: failure.reason for name, failure in failures.items()})
            told = f"stopped: the {len(arrived):,} pictures that arrived are kept; run it again to go on"
            raise KeyboardInterrupt(told) from stop
        written = settle(folder, arrived, {name: failure.reason for name, failure in failures.items()})
    if not written.pending:
        shutil.rmtree(folder / WORKSHOP, ignore_errors=True)
    failed = [failures[pending.id] for pending in waiting if pending.id in failures]
    already = written.taken - len(arrived)
    _refuse_nothing(failed, arrived=len(arrived), already=already, folder=folder)
    if not waiting:
        logger.info("nothing to fetch: no record waits for its picture")
    return Downloaded(folder.name, str(folder), len(arrived), len(failed), written.splits, already, failed)


def _existing(project: Project, name: str) -> Path:
    folder = project.dataset(name)
    if not (folder / DATASET_MANIFEST).is_file():
        known = project.names("datasets")
        hint = f"datasets here: {', '.join(known)}" if known else "tuneclip import SOURCE --to NAME"
        raise TuneclipError(f"no dataset {name!r}", where=folder, hint=hint)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process may download into a dataset; the lock ends with its process, however that ends."""
    from filelock import FileLock, Timeout

    (folder / WORKSHOP).mkdir(exist_ok=True)
    try:
        with FileLock(folder / WORKSHOP / "lock", timeout=0):
            yield
    except Timeout as error:
        raise TuneclipError("another process downloads into this dataset", where=folder, hint="wait for it") from error


def _refuse_nothing(failed: list[Failure], *, arrived: int, already: int, folder: Path) -> None:
    """An error when nothing arrived, unless the dataset has pictures and a server said a final no to some."""
    if arrived or not failed or (already and any(failure.final for failure in failed)):
        return
    reasons = "; ".join(f"{reason} ({number:,})" for reason, number, _ in grouped(failed)[:3])
    raise TuneclipError(
        f"none of {len(failed):,} pictures arrived: {reasons}",
        where=folder / PENDING,
        hint="open one of the links in a browser; run it again when they work",
    )


def grouped(failures: list[Failure]) -> list[tuple[str, int, Failure]]:
    """Reasons (up to their first colon) with how often each came and its first failure, the most frequent first."""
    counts = Counter(_heading(failure.reason) for failure in failures)
    first = {_heading(failure.reason): failure for failure in reversed(failures)}
    return [(reason, number, first[reason]) for reason, number in counts.most_common()]


def _heading(reason: str) -> str:
    return reason.split(":", 1)[0]


def _show_failures(console: "Console", failures: list[Failure]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("failed", justify="right")
    table.add_column("why")
    table.add_column("for example", overflow="fold")
    for reason, number, example in grouped(failures):
        why = example.reason if number == 1 else reason
        table.add_row(f"{number:,}", escape(why), escape(f"{example.id}  {example.url}"))
    console.print(table)


class Crew:
    """Threads that fetch, check and store pictures, and report each record's outcome."""

    def __init__(self, folder: Path, missing: list[Pending], options: Download) -> None:
        self.folder, self.options = folder, options
        self.of_url: dict[str, list[Pending]] = {}
        for pending in missing:
            self.of_url.setdefault(pending.url, []).append(pending)
        self.hosts = Hosts(self.of_url, options.connections)
        self.stop = threading.Event()
        self.results: queue.SimpleQueue[Arrival | Failure | Exception] = queue.SimpleQueue()
        self.open = len(missing)
        self.decoding = threading.BoundedSemaphore(min(8, os.cpu_count() or 1))  # a picture may take 600 MB there

    def outcomes(self) -> Generator[Arrival | Failure, None, None]:
        """Each record's outcome as it comes; threads run while this is iterated, and end when it is closed."""
        count = min(_THREADS, self.hosts.most_at_once)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        limits = Limits(self.options.connections, int(self.options.max_megabytes * 1e6), self.options.max_seconds)
        guard = Guard(EVERYWHERE if self.options.allow_private else ())
        self.fetcher = Fetcher(limits, guard, self.stop, threads=_THREADS)
        for thread in threads:
            thread.start()
        try:
            while self.open:
                yield next_outcome(self.results)
                self.open -= 1
        finally:
            self.stop.set()
            self.hosts.close()
            until = time.monotonic() + _PARTING_SECONDS
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))  # one that waits for a silent server ends by itself
            self.fetcher.close()

    def _work(self) -> None:
        try:
            while (errand := self.hosts.take()) is not None:
                self._run(errand)
        except Exception as error:  # a full disk, or a bug: the main thread raises it
            self.results.put(error)

    def _run(self, errand: Errand) -> None:
        reason = self.hosts.gone(errand)
        if reason:
            self._fail(errand, reason, final=False)
            return
        part = part_of(self.folder / WORKSHOP, errand.url)
        errand.attempts += 1
        try:
            resumed = self.fetcher.fetch(errand.url, part)
            arrivals = self._store(errand.url, part, resumed=resumed)
        except RefusedError as refusal:
            part.clear()
            self.hosts.answered(errand)
            self._fail(errand, str(refusal), final=True)
        except LaterError as later:
            self._later(errand, part, later)
        else:
            self.hosts.answered(errand)
            self.hosts.finished(errand)
            for arrival in arrivals:
                self.results.put(arrival)

    def _store(self, url: str, part: Part, *, resumed: bool) -> list[Arrival]:
        """Check the picture by decoding it, then give each record that names it a file of its own."""
        try:
            with self.decoding:
                picture = decode(read_bytes(part.path))
        except TuneclipError as error:
            part.clear()
            if resumed:
                raise LaterError("damaged after an interruption", 0.0) from error
            raise RefusedError(error.what) from error
        files = [f"{pending.stem}{picture.extension}" for pending in self.of_url[url]]
        for file in files[1:]:
            target = self.folder / file
            shutil.copyfile(part.path, beside(target))
            beside(target).replace(target)
        part.path.replace(self.folder / files[0])
        part.clear()
        return [Arrival(pending.id, file) for pending, file in zip(self.of_url[url], files, strict=True)]

    def _later(self, errand: Errand, part: Part, later: LaterError) -> None:
        """Put the errand back with a growing wait, or give up: on it, or on a silent host."""
        if later.silent:
            self.hosts.unanswered(errand, str(later))
        else:
            self.hosts.answered(errand)
        asked = later.wait_seconds
        if asked is not None and asked > _LONGEST_WAIT_SECONDS:
            self.hosts.give_up(errand, f"{later}: asks to wait {asked:,.0f} s")
        if errand.attempts > self.options.retries or self.stop.is_set() or self.hosts.gone(errand):
            if part.mark() is None:
                part.clear()
            self._fail(errand, self.hosts.gone(errand) or str(later), final=False)
            return
        wait = self.options.wait_seconds * 2 ** (errand.attempts - 1) * random.uniform(0.5, 1.0)
        wait = asked if asked is not None else min(wait, _LONGEST_WAIT_SECONDS)
        self.hosts.again(errand, wait, whole_host=bool(asked))

    def _fail(self, errand: Errand, reason: str, *, final: bool) -> None:
        self.hosts.finished(errand)
        url = re.sub(r"//[^/@]*@", "//", errand.url)  # a password in it is nobody's business
        for pending in self.of_url[errand.url]:
            self.results.put(Failure(pending.id, url, reason, final))
