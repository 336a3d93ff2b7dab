"""Work sorted by host: each gets a few connections at once, and rests when it asks to or fails."""

import heapq
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_SILENT_ATTEMPTS = 12  # in a row and without any answer between: the host is not there


def next_outcome(outcomes: "queue.SimpleQueue[Any]") -> Any:
    """What a thread of the work puts there next; an exception is raised."""
    while True:
        try:
            outcome = outcomes.get(timeout=0.5)  # Ctrl-C gets through between two of these on every system
        except queue.Empty:
            continue
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@dataclass(slots=True)
class Errand:
    """One address to fetch from, and how often that was tried."""

    number: int
    url: str
    attempts: int = 0

    @property
    def host(self) -> str:
        """The host that the address names; empty when it names none."""
        try:
            return urlsplit(self.url).hostname or ""
        except ValueError:
            return ""


@dataclass(slots=True)
class _Host:
    waiting: list[tuple[float, int, Errand]] = field(default_factory=list)  # a heap by the time when it may begin
    active: int = 0
    rests_until: float = 0.0
    silent: int = 0
    gone: str = ""


class Hosts:
    """Hands out errands to threads: no host more than `connections` at once, and none while it rests."""

    def __init__(self, urls: Iterable[str], connections: int) -> None:
        self.connections = connections
        self._hosts: dict[str, _Host] = {}
        self._open = 0
        self._closed = False
        self._changed = threading.Condition()
        for number, url in enumerate(urls):
            errand = Errand(number, url)
            self._hosts.setdefault(errand.host, _Host()).waiting.append((0.0, number, errand))
            self._open += 1
        self._turns = deque(self._hosts)

    @property
    def most_at_once(self) -> int:
        """How many errands can be under way together."""
        return sum(min(self.connections, len(host.waiting)) for host in self._hosts.values())

    def take(self) -> Errand | None:
        """The next errand, as soon as its host may be asked; None when all are finished or `close` was called."""
        with self._changed:
            while self._open and not self._closed:
                now = time.monotonic()
                errand = self._next(now)
                if errand is not None:
                    return errand
                self._changed.wait(self._pause(now))
            return None

    def _next(self, now: float) -> Errand | None:
        for _ in range(len(self._turns)):
            name = self._turns[0]
            self._turns.rotate(-1)
            host = self._hosts[name]
            if host.waiting and host.active < self.connections and self._ready(host) <= now:
                host.active += 1
                return heapq.heappop(host.waiting)[2]
        return None

    def _ready(self, host: _Host) -> float:
        """When the host's next errand may begin; one that is gone fails the rest of them at once."""
        return 0.0 if host.gone else max(host.rests_until, host.waiting[0][0])

    def _pause(self, now: float) -> float | None:
        ready = [self._ready(h) for h in self._hosts.values() if h.waiting and h.active < self.connections]
        return max(0.0, min(ready) - now) if ready else None

    def finished(self, errand: Errand) -> None:
        """The errand is done, well or for good."""
        with self._changed:
            self._hosts[errand.host].active -= 1
            self._open -= 1
            self._changed.notify_all()

    def again(self, errand: Errand, wait_seconds: float, *, whole_host: bool) -> None:
        """The errand comes again after a wait; `whole_host` lets nothing else of its host begin before that either."""
        with self._changed:
            host, when = self._hosts[errand.host], time.monotonic() + wait_seconds
            host.active -= 1
            if whole_host:
                host.rests_until = max(host.rests_until, when)
            heapq.heappush(host.waiting, (when, errand.number, errand))
            self._changed.notify_all()

    def answered(self, errand: Errand) -> None:
        """The host gave an answer, whatever it was."""
        with self._changed:
            self._hosts[errand.host].silent = 0

    def unanswered(self, errand: Errand, reason: str) -> None:
        """The host did not answer; after twelve times in a row it counts as gone for this run."""
        with self._changed:
            host = self._hosts[errand.host]
            host.silent += 1
            if host.silent >= _SILENT_ATTEMPTS:
                host.gone = host.gone or reason

    def give_up(self, errand: Errand, reason: str) -> None:
        """Count the host as gone for this run."""
        with self._changed:
            self._hosts[errand.host].gone = reason
            self._changed.notify_all()

    def gone(self, errand: Errand) -> str:
        """Why the errand's host is not asked any more; empty when it is."""
        with self._changed:
            return self._hosts[errand.host].gone

    def close(self) -> None:
        """Hand out nothing any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
