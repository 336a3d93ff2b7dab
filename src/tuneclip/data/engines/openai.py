"""The engine `openai`: any server that speaks OpenAI's chat completions, many pictures at once, politely."""

import json
import queue
import random
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx

from tuneclip.data.describe import Failure, Question, clean, picture_to_send, reasons
from tuneclip.data.engines.engine import Desk, confirm
from tuneclip.data.fetch import AGAIN, LaterError, Limits, RefusedError, explained, retry_after, status
from tuneclip.data.hosts import Errand, Hosts, next_outcome
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import Project
from tuneclip.settings import Caption

URL = "https://api.openai.com/v1"
_HINT = "set OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL in the environment or in the project's .env"
_FINAL = frozenset({401, 402, 403, 404})
_LEAST_SECRET = 8  # characters; local servers take words like "none" for a key, which may stand in a caption
_BROKEN_ATTEMPTS = 3
_LONGEST_WAIT_SECONDS = 120.0
_PARTING_SECONDS = 2.0
_ALL_FAIL = 20  # failures with no answer between or before: the rest would fail as well
_TOLD = 300  # characters of a server's message


class BrokenError(LaterError):
    """The server answered, but not with a caption."""


@dataclass(frozen=True)
class Server:
    """Where to ask and with which key, which is shown nowhere."""

    url: httpx.URL
    key: str
    login: tuple[str, str] | None = None
    """User and password, where the address had them."""

    def __repr__(self) -> str:
        return f"Server({self.shown})"

    @property
    def shown(self) -> str:
        """The address without what may be secret in it."""
        return str(self.url.copy_with(query=None))

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine: no proxy leads there."""
        return self.url.host in ("localhost", "::1") or self.url.host.startswith("127.")

    def scrubbed(self, text: str) -> str:
        """`text` without the key, should the server have repeated it."""
        return text.replace(self.key, "[key]") if len(self.key) >= _LEAST_SECRET else text


def model(options: Caption, project: Project) -> str:
    """The model that is asked: the option's, else that of the environment."""
    found = options.engine_model or project.environment().get("OPENAI_MODEL", "")
    if not found:
        raise TuneclipError("nothing says which model is asked", expected="OPENAI_MODEL or --engine-model", hint=_HINT)
    return found


def server(project: Project) -> Server:
    """The server that the environment names; raises TuneclipError when a key is missing or cannot be one."""
    values = project.environment()
    base, key = values.get("OPENAI_BASE_URL", ""), values.get("OPENAI_API_KEY", "").strip()
    try:
        url = httpx.URL(base or URL)
    except httpx.InvalidURL as error:
        raise TuneclipError("OPENAI_BASE_URL is not a web address", expected="like http://localhost:8000/v1") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise TuneclipError("OPENAI_BASE_URL is not a web address", expected="like http://localhost:8000/v1")
    if not key and not base:
        raise TuneclipError("there is no key for the model's server", expected="OPENAI_API_KEY", hint=_HINT)
    if not key.isascii() or not key.isprintable():
        raise TuneclipError("OPENAI_API_KEY has characters that no key has", hint=_HINT)
    login = (url.username, url.password) if url.userinfo else None
    return Server(url.copy_with(path=url.path.rstrip("/") + "/chat/completions", userinfo=b""), key, login)


def ask(questions: Sequence[Question], desk: Desk) -> list[Failure]:
    """Ask all of them, several at once; answers go to the ledger as they come. Returns what failed.

    A failed attempt is repeated after a growing wait, or the one that the server asks for. Raises TuneclipError, with
    the answers so far kept, for a wrong key, an unknown model, and a server that answers nothing.
    """
    if not questions:
        return []
    crew = Crew(questions, desk, server(desk.project))
    confirm(questions, desk)
    failures: list[Failure] = []
    answered = desk.known > 0
    with closing(crew.outcomes()) as outcomes:
        for outcome in track(outcomes, "asking", len(questions)):
            if outcome is None:
                answered = True
                continue
            failures.append(outcome)
            if not answered and len(failures) == _ALL_FAIL:
                break
    if not answered:
        what = f"none of the first {len(failures):,} pictures got a caption: {reasons(failures)}"
        raise TuneclipError(what, where=crew.server.shown, hint=_HINT)
    return failures


class Crew:
    """Threads that ask, and report each question's outcome: None for an answer that is in the ledger."""

    def __init__(self, questions: Sequence[Question], desk: Desk, server: Server) -> None:
        self.questions, self.desk, self.server = questions, desk, server
        self.hosts = Hosts([str(server.url)] * len(questions), desk.options.connections)
        self.results: queue.SimpleQueue[Failure | Exception | None] = queue.SimpleQueue()
        self.limits = Limits(desk.options.connections, silence_seconds=desk.options.timeout_seconds)
        self.length = "max_tokens"

    def outcomes(self) -> Generator[Failure | None, None, None]:
        """Each outcome as it comes; threads run while this is iterated, and end when it is closed."""
        headers = {"Authorization": f"Bearer {self.server.key}"} if self.server.key else {}
        login = self.server.login if not self.server.key else None
        timeout = httpx.Timeout(self.limits.silence_seconds, connect=min(10.0, self.limits.silence_seconds))
        pool = httpx.Limits(max_connections=self.limits.connections)
        environment = not self.server.is_here  # proxies
        self.client = httpx.Client(headers=headers, auth=login, timeout=timeout, limits=pool, trust_env=environment)
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.hosts.most_at_once)]
        for thread in threads:
            thread.start()
        try:
            for _ in self.questions:
                yield next_outcome(self.results)
        finally:
            self.hosts.close()
            until = time.monotonic() + _PARTING_SECONDS
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            self.client.close()

    def _work(self) -> None:
        try:
            while (errand := self.hosts.take()) is not None:
                self._run(errand)
        except Exception as error:  # a wrong key, a full disk, or a bug: the main thread raises it
            self.hosts.close()
            self.results.put(error)

    def _run(self, errand: Errand) -> None:
        question = self.questions[errand.number]
        reason = self.hosts.gone(errand)
        if reason:
            self._fail(errand, reason)
            return
        errand.attempts += 1
        try:
            caption = self._answer(question)
        except RefusedError as refusal:
            self.hosts.answered(errand)
            self._fail(errand, str(refusal))
        except LaterError as later:
            self._later(errand, later)
        else:
            self.hosts.answered(errand)
            self.desk.ledger.add([(question.key, question.id, caption)], self.desk.asker)
            self.hosts.finished(errand)
            self.results.put(None)

    def _answer(self, question: Question) -> str:
        """The caption; raises RefusedError or LaterError, and TuneclipError for what no picture can get past."""
        try:
            picture = picture_to_send(question.picture, self.desk.asker.max_side)
        except TuneclipError as error:
            raise RefusedError(error.what) from error
        body = chat(self.desk.asker.model, question.prompt, picture)
        try:
            response = self.client.post(self.server.url, json=body | {self.length: self.desk.options.max_tokens})
        except httpx.HTTPError as error:
            raise explained(error, self.limits) from error
        if response.status_code == 200:
            return self.server.scrubbed(caption_of(self.server.scrubbed(response.text)))
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> Exception:
        code, told = response.status_code, self.server.scrubbed(message_of(response))[:_TOLD]
        reason = f"{status(response)}: {told}" if told else status(response)
        if code in _FINAL or (code == 429 and "insufficient_quota" in response.text):
            what = f"the server refuses: {reason}"
            if code == 404:
                what = f"the server has no model {self.desk.asker.model!r}, or nothing at this address: {reason}"
            return TuneclipError(what, where=self.server.shown, hint=_HINT)
        if code == 400 and "max_completion_tokens" in told and self.length == "max_tokens":
            self.length = "max_completion_tokens"  # newer models of OpenAI know only this name
            return LaterError(reason, 0.0)
        if code in AGAIN or code >= 500:
            return LaterError(reason, retry_after(response))
        return RefusedError(reason)

    def _later(self, errand: Errand, later: LaterError) -> None:
        """Put the question back with a growing wait, or give up: on it, or on a silent server."""
        if later.silent:
            self.hosts.unanswered(errand, str(later))
        else:
            self.hosts.answered(errand)
        asked, options = later.wait_seconds, self.desk.options
        if asked is not None and asked > _LONGEST_WAIT_SECONDS:
            self.hosts.give_up(errand, f"{later}: asks to wait {asked:,.0f} s")
        most = min(options.retries, _BROKEN_ATTEMPTS - 1) if isinstance(later, BrokenError) else options.retries
        if errand.attempts > most or self.hosts.gone(errand):
            self._fail(errand, self.hosts.gone(errand) or str(later))
            return
        wait = options.wait_seconds * 2 ** (errand.attempts - 1) * random.uniform(0.5, 1.0)
        wait = asked + random.uniform(0.0, 0.1) if asked is not None else min(wait, _LONGEST_WAIT_SECONDS)
        self.hosts.again(errand, wait, whole_host=bool(asked))

    def _fail(self, errand: Errand, reason: str) -> None:
        self.hosts.finished(errand)
        self.results.put(Failure(self.questions[errand.number].id, self.server.scrubbed(reason)))


def chat(model: str, prompt: str, picture: str) -> dict[str, Any]:
    """The body of a request with one picture (a JPEG in base64)."""
    link = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{picture}"}}
    return {"model": model, "messages": [{"role": "user", "content": [link, {"type": "text", "text": prompt}]}]}


def caption_of(text: str) -> str:
    """The caption in the body of an answer; raises BrokenError when there is none that is whole."""
    try:
        choice = json.loads(text)["choices"][0]
        message, ending = choice["message"], choice.get("finish_reason")
        content = message.get("content") or ""
        if isinstance(content, list):
            content = " ".join(part.get("text", "") for part in content)
        refusal = message.get("refusal")
        caption = clean(content)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise BrokenError("the answer is not what a chat completion looks like") from error
    if refusal:
        raise BrokenError(f"the model refused: {str(refusal)[:_TOLD]}")
    if ending == "length":
        raise BrokenError("the answer was cut: raise --max-tokens")
    if ending == "content_filter":
        raise BrokenError("the server's filter held the answer back")
    if not caption:
        raise BrokenError("the answer is empty")
    return caption


def message_of(response: httpx.Response) -> str:
    """What the server says of an error, on one line; empty where it says nothing that is meant for people."""
    try:
        body = response.json()
        error = body.get("error", body)
        told = error if isinstance(error, str) else error.get("message") or body.get("detail") or ""
    except (ValueError, AttributeError):
        return ""
    return " ".join(str(told).split())
