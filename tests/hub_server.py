"""As much of the Hub as an upload of small files needs, on this machine: a repository, its files, one commit."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """What a client said to the server."""

    def __init__(self, refuse: str | None):
        self.refuse, self.address = refuse, ""
        self.created: dict[str, Any] = {}
        self.files: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        if path.endswith("/repos/create"):
            self.created = json.loads(body)
            return {"url": f"{self.address}/me/finds", "id": "me/finds"}
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            return {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return {"commitUrl": f"{self.address}/me/finds/commit/0", "commitOid": "0" * 40}
        if path.endswith("/api/validate-yaml"):
            return {"errors": [], "warnings": []}
        return {"id": "me/finds", "sha": "0" * 40, "siblings": []}


@contextmanager
def serving(refuse: str | None = None) -> Iterator[Hub]:
    """A server that answers while the block runs; with `refuse` it refuses everything, and says this."""
    hub = Hub(refuse)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hub.tokens.add(self.headers.get("Authorization"))
            path = self.path.split("?")[0]
            answer = {"error": hub.refuse} if hub.refuse else hub.answer(path, body)
            data = json.dumps(answer).encode()
            self.send_response(403 if hub.refuse else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST  # noqa: N815  # the library's name

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
