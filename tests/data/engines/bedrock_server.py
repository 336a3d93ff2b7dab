"""A real server on this machine that speaks Bedrock's protocol of batch jobs; the files lie in moto's S3."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

STATES = ("Submitted", "Validating", "Scheduled", "InProgress", "Completed")


def described(row: dict[str, Any]) -> dict[str, Any]:
    """The line of the output for a line of the input: the caption names the prompt and the picture's length."""
    source, text = row["modelInput"]["messages"][0]["content"]
    caption = f"{text['text']} {len(source['source']['data'])}"
    output = {"content": [{"type": "text", "text": caption}], "stop_reason": "end_turn", "role": "assistant"}
    return {"recordId": row["recordId"], "modelInput": row["modelInput"], "modelOutput": output}


class Bedrock(ThreadingHTTPServer):
    """Each look at a job takes it one state further; when it is complete its output is written, last record first."""

    daemon_threads = True

    def __init__(self, storage: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.storage = storage
        self.jobs: dict[str, dict[str, Any]] = {}
        self.created: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any]], dict[str, Any] | None] = described
        self.ending, self.message = "Completed", ""
        self.after_create: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL_BEDROCK is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """CreateModelInvocationJob."""
        self.created.append(body)
        arn = f"arn:aws:bedrock:us-east-1:123456789012:model-invocation-job/j{len(self.created):011}"
        self.jobs[arn] = {"jobArn": arn, "jobName": body["jobName"], "body": body, "state": 0, "status": "Submitted"}
        self.after_create()
        return {"jobArn": arn}

    def look(self, arn: str) -> dict[str, Any]:
        """GetModelInvocationJob."""
        job = self.jobs[arn]
        job["state"] = min(job["state"] + 1, len(STATES) - 1)
        job["status"] = self.ending if job["state"] == len(STATES) - 1 else STATES[job["state"]]
        if job["status"] == self.ending and not job.get("written"):
            job["written"] = True
            self.write(arn, job["body"])
        return {**_summary(job), "message": self.message if job["status"] == self.ending else ""}

    def write(self, arn: str, body: dict[str, Any]) -> None:
        """Write the output of a job as the service does."""
        bucket, _, key = body["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].removeprefix("s3://").partition("/")
        lines = self.storage.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()
        rows = [self.answer(json.loads(line)) for line in reversed(lines)]
        home = body["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix(f"s3://{bucket}/")
        home += arn.rpartition("/")[2]
        text = "".join(json.dumps(row) + "\n" for row in rows if row)
        self.storage.put_object(Bucket=bucket, Key=f"{home}/{key.rpartition('/')[2]}.out", Body=text.encode())
        self.storage.put_object(Bucket=bucket, Key=f"{home}/manifest.json.out", Body=b"{}")


def _summary(job: dict[str, Any]) -> dict[str, Any]:
    body, time = job["body"], "2026-01-01T00:00:00Z"
    named = {name: body[name] for name in ("modelId", "roleArn", "inputDataConfig", "outputDataConfig")}
    return {"jobArn": job["jobArn"], "jobName": job["jobName"], "status": job["status"], "submitTime": time, **named}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bedrock

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["roleArn"].endswith("nobody"):
            told = f"role may not be assumed by {self.headers['Authorization']}"
            self._send(403, {"message": told}, "AccessDeniedException")
        else:
            self._send(200, self.server.create(body))

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/model-invocation-jobs":
            part = parse_qs(parts.query).get("nameContains", [""])[0]
            found = [_summary(job) for job in self.server.jobs.values() if part in job["jobName"]]
            self._send(200, {"invocationJobSummaries": found})
        else:
            self._send(200, self.server.look(unquote(parts.path.removeprefix("/model-invocation-job/"))))

    def _send(self, code: int, answer: dict[str, Any], kind: str = "") -> None:
        data = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if kind:
            self.send_header("x-amzn-errortype", kind)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def bedrock(storage: Any) -> Iterator[Bedrock]:
    """The server while the block runs."""
    with Bedrock(storage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
