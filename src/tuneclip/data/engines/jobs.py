"""The batch jobs of a dataset, each a file beside its ledger: what they ask, and how far they are."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tuneclip.project import read_json, write_json

WAY = ("Submitted", "Validating", "Scheduled", "InProgress", "Completed")
"""The states that a job goes through when all is well."""
FINAL = ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired")
"""The states that a job ends in (botocore's ModelInvocationJobStatus); there may be answers in each of them."""


@dataclass(frozen=True)
class Job:
    """A batch job as the service last told of it; without an `arn` it may or may not have been created."""

    name: str
    model: str
    place: str
    """Where its requests and answers lie: s3://BUCKET/PREFIX/NAME."""
    asked: Mapping[str, str]
    """The record's id by the key of its question."""
    arn: str = ""
    status: str = "Preparing"
    message: str = ""
    collected: bool = False
    failed: Mapping[str, str] = field(default_factory=dict)
    """By the key of a question why it has no answer."""

    @property
    def ended(self) -> bool:
        """Whether the service will not change it any more."""
        return self.status in FINAL


def load_jobs(folder: Path) -> list[Job]:
    """The jobs whose files lie in the folder of a ledger, oldest first."""
    paths = sorted((folder / "jobs").glob("*.json"))
    return [Job(**read_json(path)) for path in paths]


def save(folder: Path, job: Job) -> Job:
    """Write the job's file; returns the job."""
    write_json(folder / "jobs" / f"{job.name}.json", dataclasses.asdict(job))
    return job


def forget(folder: Path, job: Job) -> None:
    """Remove the job's file: it was never created."""
    (folder / "jobs" / f"{job.name}.json").unlink(missing_ok=True)
