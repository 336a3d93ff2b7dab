"""Captions by a batch job: submitted once, joined by record id, each step again at will."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bedrock_server import Bedrock, bedrock, described

import tuneclip
from tuneclip.data.engines.messages import cut
from tuneclip.errors import TuneclipError

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ROLE = "arn:aws:iam::123456789012:role/batch"
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
OPTIONS: dict[str, Any] = {"model": "tiny", "engine": "bedrock", "engine_model": MODEL, "yes": True, "role": ROLE}
OPTIONS |= {"s3": "s3://finds/captions", "poll_seconds": 0.01, "prompt": "What is find {number}?"}


@pytest.fixture(scope="session")
def storage_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    yield "http://127.0.0.1:{1}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def server(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bedrock]:
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage_url)
    storage = boto3.client("s3", endpoint_url=storage_url, region_name="us-east-1")
    storage.create_bucket(Bucket="finds")
    with bedrock(storage) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", running.url)
        yield running
    for found in storage.list_objects_v2(Bucket="finds").get("Contents", ()):
        storage.delete_object(Bucket="finds", Key=found["Key"])


def rows(project: Path, name: str = "small") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project / "datasets" / name / "metadata.jsonl").read_text().splitlines()]


def requests(server: Bedrock) -> list[dict[str, Any]]:
    found = server.storage.list_objects_v2(Bucket="finds")["Contents"]
    bodies = [
        server.storage.get_object(Bucket="finds", Key=f["Key"])["Body"].read() for f in found if "/input/" in f["Key"]
    ]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def test_a_job_captions_every_record_whatever_the_order_of_its_output(project: Path, server: Bedrock) -> None:
    result = tuneclip.caption("small", **OPTIONS, project=project)
    assert result.failed == []
    for number, row in enumerate(rows(project)):
        assert row["captions"][0].startswith(f"What is find {number}? ")
    assert len(server.created) == 1
    assert server.created[0]["modelId"] == MODEL
    assert server.created[0]["roleArn"] == ROLE
    kept = json.loads((project / "datasets/small/dataset.json").read_text())["captioned"]
    assert (kept["engine"], kept["model"]) == ("bedrock", MODEL)


def test_the_requests_have_the_form_that_the_service_takes(project: Path, server: Bedrock) -> None:
    import base64

    tuneclip.caption("small", **OPTIONS, submit=True, max_tokens=77, project=project)
    found = requests(server)
    assert len({row["recordId"] for row in found}) == 36
    assert all(row["recordId"].isalnum() for row in found)
    body = found[0]["modelInput"]
    assert (body["anthropic_version"], body["max_tokens"]) == ("bedrock-2023-05-31", 77)
    picture, text = body["messages"][0]["content"]
    assert picture["source"]["media_type"] == "image/jpeg"
    assert base64.b64decode(picture["source"]["data"]).startswith(b"\xff\xd8")
    assert text == {"type": "text", "text": "What is find 0?"}
    assert server.created[0]["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].endswith(".jsonl")


def test_the_three_steps_can_each_be_done_again(project: Path, server: Bedrock) -> None:
    before = rows(project)
    for _ in range(2):
        jobs = tuneclip.caption("small", **OPTIONS, submit=True, project=project)
        assert len(server.created) == 1
        assert [job.pictures for job in jobs.jobs] == [36]
    with pytest.raises(TuneclipError, match=r"not all answers are there yet.*--poll"):
        tuneclip.caption("small", **OPTIONS, collect=True, project=project)
    seen = [tuneclip.caption("small", **OPTIONS, poll=True, project=project).jobs[0].status for _ in range(2)]
    assert seen == ["Completed", "Completed"]
    assert rows(project) == before
    for _ in range(2):
        assert tuneclip.caption("small", **OPTIONS, collect=True, project=project).failed == []
    tuneclip.caption("small", **OPTIONS, project=project)
    assert len(server.created) == 1
    assert rows(project)[35]["captions"][0].startswith("What is find 35?")


def test_records_that_failed_keep_their_captions_and_only_they_are_submitted_again(
    project: Path, server: Bedrock
) -> None:
    before = rows(project)

    def answer(row: dict[str, Any]) -> dict[str, Any] | None:
        good = described(row)
        text = row["modelInput"]["messages"][0]["content"][1]["text"]
        output = good.pop("modelOutput")
        bad = {
            "What is find 1?": {"error": {"errorCode": 400, "errorMessage": "picture too large"}},
            "What is find 2?": {"modelOutput": {**output, "stop_reason": "max_tokens"}},
            "What is find 3?": {"modelOutput": {"completion": "?"}},
        }
        return None if text == "What is find 4?" else {**good, **bad.get(text, {"modelOutput": output})}

    server.answer, server.ending = answer, "PartiallyCompleted"
    result = tuneclip.caption("small", **OPTIONS, project=project)
    reasons = {failure.id: failure.reason for failure in result.failed}
    assert list(reasons) == ["find-1", "find-2", "find-3", "find-4"]
    assert "picture too large" in reasons["find-1"]
    assert "--max-tokens" in reasons["find-2"]
    assert "no answer" in reasons["find-4"]
    assert [row["captions"] for row in rows(project)[1:5]] == [row["captions"] for row in before[1:5]]
    again = tuneclip.caption("small", **OPTIONS, collect=True, project=project)
    assert again.failed == result.failed
    server.answer = described
    assert tuneclip.caption("small", **OPTIONS, project=project).failed == []
    assert [len(job["body"]["jobName"]) > 0 for job in server.jobs.values()] == [True, True]
    assert rows(project)[4]["captions"][0].startswith("What is find 4?")


def test_a_kill_between_creation_and_its_note_does_not_submit_twice(
    project: Path, server: Bedrock, tmp_path: Path
) -> None:
    flags = [part for name in ("engine", "engine_model", "role", "s3", "prompt") for part in (name, OPTIONS[name])]
    words = [f"--{word.replace('_', '-')}" if n % 2 == 0 else word for n, word in enumerate(flags)]
    command = [
        sys.executable,
        "-m",
        "tuneclip",
        "caption",
        "small",
        *words,
        "--yes",
        "--submit",
        "--project",
        str(project),
    ]
    killed: list[subprocess.Popen[bytes]] = []
    server.after_create = lambda: os.kill(killed[0].pid, signal.SIGKILL)
    killed.append(subprocess.Popen(command))
    assert killed[0].wait(timeout=120) == -signal.SIGKILL
    server.after_create = lambda: None
    assert len(server.created) == 1
    jobs = tuneclip.caption("small", **OPTIONS, submit=True, project=project)
    assert len(server.created) == len(jobs.jobs) == 1
    assert tuneclip.caption("small", **OPTIONS, project=project).failed == []


def test_many_pictures_become_several_jobs_of_even_size(project: Path, server: Bedrock) -> None:
    result = tuneclip.caption("small", **OPTIONS, part_records=10, project=project)
    assert result.failed == []
    counts = [json.loads(path.read_text())["asked"] for path in (project / "runs/.captions/small/jobs").iterdir()]
    assert [len(asked) for asked in counts] == [9, 9, 9, 9]


def test_a_failed_job_says_why_and_changes_nothing(project: Path, server: Bedrock) -> None:
    before = rows(project)
    server.ending, server.message, server.answer = "Failed", "too few records", lambda row: None
    with pytest.raises(TuneclipError, match=r"none of 36 pictures got a caption.*Failed: too few records"):
        tuneclip.caption("small", **OPTIONS, project=project)
    assert rows(project) == before


def test_refusals_of_the_service_are_one_message_without_keys(project: Path, server: Bedrock) -> None:
    with pytest.raises(TuneclipError, match="may not be assumed") as error:
        tuneclip.caption("small", **{**OPTIONS, "role": "arn:aws:iam::123456789012:role/nobody"}, project=project)
    assert SECRET not in str(error.value)
    assert "AKIA" not in str(error.value)
    with pytest.raises(TuneclipError, match="bucket does not exist"):
        tuneclip.caption("small", **{**OPTIONS, "s3": "s3://nothing-here/x"}, project=project)
    for path in (project / "runs").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"s3": None}, "a place in S3 and a role"),
        ({"s3": "finds/captions"}, "not a place in S3.*s3://BUCKET/PREFIX"),
        ({"engine_model": None}, "--engine-model or BEDROCK_MODEL"),
        ({"yes": False}, "not asked yet.*36 pictures.*--yes"),
    ],
)
def test_what_a_job_needs_is_asked_for_before_it_begins(
    project: Path, server: Bedrock, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    monkeypatch.delenv("BEDROCK_MODEL", raising=False)
    with pytest.raises(TuneclipError, match=message):
        tuneclip.caption("small", **{**OPTIONS, **options}, project=project)
    assert server.created == []


def test_keys_of_the_env_file_reach_the_service(
    project: Path, server: Bedrock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK")
    (project / ".env").write_text("".join(f"{name}='{os.environ[name]}'\n" for name in names))
    for name in names:
        monkeypatch.delenv(name)
    assert tuneclip.caption("small", **OPTIONS, project=project).failed == []
    assert "AWS_SECRET_ACCESS_KEY" not in os.environ


@pytest.mark.parametrize(
    ("sizes", "records", "limit", "lengths"),
    [
        ([5] * 10, 100, 100, [10]),
        ([5] * 10, 4, 100, [3, 3, 4]),
        ([5] * 10, 100, 20, [3, 3, 4]),
        ([50, 5], 9, 20, [1, 1]),
    ],
)
def test_requests_are_cut_into_as_few_even_files_as_the_limits_allow(
    sizes: list[int], records: int, limit: int, lengths: list[int]
) -> None:
    parts = cut(sizes, records, limit)
    assert [len(part) for part in parts] == lengths
    assert [number for part in parts for number in part] == list(range(len(sizes)))
