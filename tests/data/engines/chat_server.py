"""A real server on this machine that speaks OpenAI's chat completions, with the bad days of real ones."""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tuneclip.data.describe import picture_to_send

Answer = tuple[int, dict[str, str], Any]


def name_of(picture: str) -> str:
    """The name that the server gives a picture (a JPEG in base64)."""
    return blake2b(picture.encode(), digest_size=5).hexdigest()


def caption_of(path: Path, max_side: int = 768) -> str:
    """What the server says of the picture in a file."""
    return f"a thing called {name_of(picture_to_send(path, max_side))}"


def said(text: Any, **more: Any) -> Answer:
    """A good answer, but for what `more` makes of it."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}} | more
    return 200, {}, {"object": "chat.completion", "choices": [choice]}


def refused(code: int, told: str, **headers: str) -> Answer:
    """An answer that is an error."""
    return code, headers, {"error": {"message": told}}


def plain(name: str, attempt: int, body: dict[str, Any]) -> Answer:
    """The habit of a good server."""
    return said(f"a thing called {name}")


class Chat(ThreadingHTTPServer):
    """Answers as `habit` says, of the picture's name, how often it was asked for, and the request."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, habit: Callable[[str, int, dict[str, Any]], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.habit = habit
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.pictures: list[bytes] = []
        self.keys: set[str] = set()
        self.times: list[float] = []
        self.active = self.most_active = 0
        self.pause_seconds = 0.0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: object) -> None:
        """Clients that are killed are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Chat

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        picture = body["messages"][0]["content"][0]["image_url"]["url"].partition("base64,")[2]
        name, server = name_of(picture), self.server
        with server.lock:
            server.asked[name] += 1
            server.bodies.append(body)
            server.pictures.append(base64.b64decode(picture))
            server.keys.add(self.headers.get("Authorization", ""))
            server.times.append(time.monotonic())
            server.active += 1
            server.most_active = max(server.most_active, server.active)
            attempt = server.asked[name]
        try:
            time.sleep(server.pause_seconds)
            code, headers, answer = server.habit(name, attempt, body)
        finally:
            with server.lock:
                server.active -= 1
        if self.path != "/v1/chat/completions":
            code, answer = 404, {"error": {"message": "no such path"}}
        if code == 401:
            answer = {"error": {"message": f"Incorrect API key provided: {self.headers.get('Authorization')}"}}
        if code == 0:
            self.close_connection = True
            return
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(code)
        for header, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def chatting(habit: Callable[[str, int, dict[str, Any]], Answer] = plain) -> Iterator[Chat]:
    """The server while the block runs."""
    with Chat(habit) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
