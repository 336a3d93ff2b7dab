"""AWS as the engine `bedrock` needs it: objects in S3 and batch jobs, by keys from the environment or `.env`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError, one_line
from tuneclip.project import Project

_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
_LEAST_SECRET = 8  # characters; what is shorter stands in for a key in tests
_CHUNK = 2**20


@dataclass(frozen=True)
class Place:
    """A folder in a bucket."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


def place_of(uri: str) -> Place:
    """The folder that an s3:// address names; raises TuneclipError when it names none."""
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise TuneclipError("not a place in S3", where=uri, expected="s3://BUCKET/PREFIX")
    return Place(bucket, prefix.strip("/"))


class Cloud:
    """The two services; every error of theirs is a TuneclipError without keys in it."""

    def __init__(self, project: Project, attempts: int) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            what = "captions by Bedrock need boto3"
            raise TuneclipError(what, hint="pip install 'tuneclip[bedrock]'") from error
        self._values = project.environment()
        with self._told():
            session = boto3.Session(**_identity(self._values))
            config = Config(retries={"mode": "standard", "max_attempts": max(1, attempts)})
            self._storage = session.client("s3", endpoint_url=self._address("S3"), config=config)
            self._bedrock = session.client("bedrock", endpoint_url=self._address("BEDROCK"), config=config)

    def upload(self, path: Path, place: Place, name: str) -> None:
        """Put a file into the folder, under a name."""
        with self._told(place):
            self._storage.upload_file(str(path), place.bucket, f"{place.prefix}/{name}".lstrip("/"))

    def lines(self, place: Place, ending: str) -> Iterator[dict[str, Any]]:
        """The JSON objects in all files below the folder whose names end so, one a line; torn lines are left out."""
        with self._told(place):
            pages = self._storage.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.prefix)
            keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
            for key in sorted(key for key in keys if key.endswith(ending)):
                body = self._storage.get_object(Bucket=place.bucket, Key=key)["Body"]
                yield from _objects(body.iter_lines(_CHUNK))

    def create(self, name: str, model: str, role: str, source: str, target: str) -> str:
        """Create a batch job; returns its ARN. The same name twice creates it once."""
        with self._told(name):
            answer = self._bedrock.create_model_invocation_job(
                jobName=name,
                clientRequestToken=name,
                modelId=model,
                roleArn=role,
                inputDataConfig={"s3InputDataConfig": {"s3Uri": source, "s3InputFormat": "JSONL"}},
                outputDataConfig={"s3OutputDataConfig": {"s3Uri": target}},
            )
        return str(answer["jobArn"])

    def find(self, name: str) -> str:
        """The ARN of the job of that name; empty when there is none."""
        with self._told(name):
            found = self._bedrock.list_model_invocation_jobs(nameContains=name)["invocationJobSummaries"]
        return next((str(job["jobArn"]) for job in found if job["jobName"] == name), "")

    def look(self, arn: str) -> tuple[str, str]:
        """How a job stands: its status, and the service's message where it has one."""
        with self._told(arn):
            answer = self._bedrock.get_model_invocation_job(jobIdentifier=arn)
        return str(answer["status"]), " ".join(str(answer.get("message") or "").split())

    def _address(self, service: str) -> str | None:
        return self._values.get(f"AWS_ENDPOINT_URL_{service}") or self._values.get("AWS_ENDPOINT_URL")

    @contextmanager
    def _told(self, where: object = None) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            told = one_line(error).rstrip(".")
            for name in _SECRETS:
                secret = self._values.get(name, "")
                told = told.replace(secret, "[key]") if len(secret) >= _LEAST_SECRET else told
            hint = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION stand in the environment or in .env"
            raise TuneclipError(f"AWS: {told}", where=where, hint=hint) from None


def _identity(values: Mapping[str, str]) -> dict[str, str]:
    """Who asks, as boto3's session takes it; with nothing given it looks where it always does."""
    found = {"region_name": values.get("AWS_REGION") or values.get("AWS_DEFAULT_REGION", "")}
    if values.get("AWS_ACCESS_KEY_ID") and values.get("AWS_SECRET_ACCESS_KEY"):
        found |= {
            "aws_access_key_id": values["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": values["AWS_SECRET_ACCESS_KEY"],
            "aws_session_token": values.get("AWS_SESSION_TOKEN", ""),
        }
    else:
        found["profile_name"] = values.get("AWS_PROFILE", "")
    return {name: value for name, value in found.items() if value}


def _objects(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row
