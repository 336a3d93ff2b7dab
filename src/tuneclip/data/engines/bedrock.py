"""The engine `bedrock`: one batch job of AWS Bedrock for many pictures, in three steps that may lie days apart."""

import dataclasses
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tuneclip.data.describe import Failure, Question, picture_to_send
from tuneclip.data.engines.aws import Cloud, place_of
from tuneclip.data.engines.engine import Desk, Jobs, State, confirm
from tuneclip.data.engines.jobs import Job, forget, load_jobs, save
from tuneclip.data.engines.messages import body, cut, outcome
from tuneclip.data.write import json_line
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import Project
from tuneclip.settings import Caption

logger = logging.getLogger("tuneclip")
REQUESTS = "requests.jsonl"
FEW = 100
"""The least pictures of a job that most models take today; a quota of each model, so it is only told."""
_AT_ONCE = 1000  # answers between two writes of the ledger


def model(options: Caption, project: Project) -> str:
    """The model that the job runs: the option's, else that of the environment."""
    found = options.engine_model or project.environment().get("BEDROCK_MODEL", "")
    if not found:
        expected = "--engine-model or BEDROCK_MODEL, like anthropic.claude-3-haiku-20240307-v1:0"
        raise TuneclipError("nothing says which model is asked", expected=expected)
    return found


def ask(questions: Sequence[Question], desk: Desk) -> list[Failure] | Jobs:
    """Submit, wait, collect; or the one of these that the options name. Each may be done again and does nothing twice.

    Raises TuneclipError when AWS refuses, and with `--collect` as long as a job is under way.
    """
    options = desk.options
    if not questions and all(job.collected for job in load_jobs(desk.ledger.folder)):
        return Jobs(desk.dataset, "bedrock", desk.asker.model, []) if options.submit or options.poll else []
    cloud = Cloud(desk.project, options.retries)
    unreadable: list[Failure] = []
    if not (options.poll or options.collect):
        unreadable = submit(questions, desk, cloud)
    jobs = look(desk, cloud)
    if options.submit or options.poll:
        states = [State(job.name, job.arn, job.status, len(job.asked), job.message) for job in jobs]
        return Jobs(desk.dataset, "bedrock", desk.asker.model, states)
    while waiting := [job for job in jobs if not job.ended]:
        if options.collect:
            told = ", ".join(f"{job.name} is {job.status}" for job in waiting[:3])
            raise TuneclipError(f"not all answers are there yet: {told}", hint="--poll says how the jobs stand")
        time.sleep(options.poll_seconds)
        jobs = look(desk, cloud)
    for job in jobs:
        collect(job, desk, cloud)
    reasons = {key: why for job in load_jobs(desk.ledger.folder) for key, why in job.failed.items()}
    known = {failure.id for failure in unreadable}
    without = [each for each in questions if each.key not in desk.ledger.answers and each.id not in known]
    return unreadable + [Failure(each.id, reasons.get(each.key, "not asked yet: --submit")) for each in without]


def submit(questions: Sequence[Question], desk: Desk, cloud: Cloud) -> list[Failure]:
    """Create jobs for what no job asks already; returns what could not be read. A kill at any point doubles nothing."""
    _settle(desk, cloud)
    under_way = {key for job in load_jobs(desk.ledger.folder) if not job.collected for key in job.asked}
    new = [each for each in questions if each.key not in under_way]
    if not new:
        return []
    role = desk.options.role or desk.project.environment().get("BEDROCK_ROLE_ARN", "")
    if not desk.options.s3 or not role:
        expected = "--s3 s3://BUCKET/PREFIX and --role ARN (or BEDROCK_ROLE_ARN)"
        raise TuneclipError("a job needs a place in S3 and a role to run as", expected=expected)
    home = place_of(desk.options.s3)
    confirm(new, desk)
    if len(new) < FEW:
        logger.warning("%s pictures are few for a job: most models take %s or more", len(new), FEW)
    with TemporaryDirectory(dir=desk.ledger.folder) as folder:
        failures: list[Failure] = []
        written: list[Question] = []
        sizes: list[int] = []
        path = Path(folder) / "all.jsonl"
        with path.open("wb") as file:
            for each, line in _requests(new, desk, failures):
                sizes.append(file.write(line))
                written.append(each)
        if not written:
            return failures
        with path.open("rb") as file:
            for part in cut(sizes, desk.options.part_records, desk.options.part_megabytes * 1e6):
                (Path(folder) / REQUESTS).write_bytes(b"".join(file.readline() for _ in part))
                asked = [written[number] for number in part]
                _start(Path(folder) / REQUESTS, asked, home=str(home), role=role, desk=desk, cloud=cloud)
    return failures


def _settle(desk: Desk, cloud: Cloud) -> None:
    """Find out what became of a job that a kill had caught between its file and its creation."""
    for job in load_jobs(desk.ledger.folder):
        if job.arn:
            continue
        if arn := cloud.find(job.name):
            save(desk.ledger.folder, dataclasses.replace(job, arn=arn, status="Submitted"))
        else:
            forget(desk.ledger.folder, job)


def _requests(questions: Sequence[Question], desk: Desk, failures: list[Failure]) -> Iterator[tuple[Question, bytes]]:
    for each in track(questions, "writing", len(questions)):
        try:
            picture = picture_to_send(each.picture, desk.asker.max_side)
        except TuneclipError as error:
            failures.append(Failure(each.id, error.what))
            continue
        row = {"recordId": each.key, "modelInput": body(each.prompt, picture, desk.options.max_tokens)}
        yield each, json_line(row).encode()


def _start(path: Path, questions: Sequence[Question], *, home: str, role: str, desk: Desk, cloud: Cloud) -> None:
    """Upload one file of requests and create its job; its file is written before, so that a kill is noticed."""
    name = f"tuneclip-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:12]}"
    place = place_of(f"{home.rstrip('/')}/{name}")
    job = Job(name, desk.asker.model, str(place), {each.key: each.id for each in questions})
    cloud.upload(path, place, f"input/{REQUESTS}")
    save(desk.ledger.folder, job)
    arn = cloud.create(name, job.model, role, f"{place}/input/{REQUESTS}", f"{place}/output/")
    save(desk.ledger.folder, dataclasses.replace(job, arn=arn, status="Submitted"))
    logger.info("submitted %s with %s pictures", name, f"{len(questions):,}")


def look(desk: Desk, cloud: Cloud) -> list[Job]:
    """The jobs whose answers were not collected yet, as the service tells of them now."""
    found = []
    for job in load_jobs(desk.ledger.folder):
        if job.collected or not job.arn:
            continue
        status, message = cloud.look(job.arn)
        if status != job.status:
            logger.info("%s: %s%s", job.name, status, f", {message}" if message else "")
        found.append(save(desk.ledger.folder, dataclasses.replace(job, status=status, message=message)))
    return found


def collect(job: Job, desk: Desk, cloud: Cloud) -> None:
    """Take the answers of an ended job into the ledger, by their record ids, whatever their order."""
    left, failed = dict(job.asked), dict[str, str]()
    batch: list[tuple[str, str, str]] = []
    asker = dataclasses.replace(desk.asker, model=job.model)
    for row in cloud.lines(place_of(f"{job.place}/output"), ".jsonl.out"):
        key = str(row.get("recordId"))
        if key not in job.asked:
            continue
        caption, why = outcome(row)
        if why:
            failed[key] = why
            continue
        left.pop(key, None)
        batch.append((key, job.asked[key], caption))
        if len(batch) >= _AT_ONCE:
            desk.ledger.add(batch, asker)
            batch = []
    desk.ledger.add(batch, asker)
    ending = f"the job has no answer for it ({job.status}{': ' + job.message if job.message else ''})"
    why_not = {key: failed.get(key, ending) for key in left}
    save(desk.ledger.folder, dataclasses.replace(job, collected=True, failed=why_not))
