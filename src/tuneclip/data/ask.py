"""Ask a multimodal model about the pictures of a dataset: each once, whatever happens in between."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from tuneclip.data.describe import Asker, Failure, Question, question, reasons
from tuneclip.data.engines import ENGINES
from tuneclip.data.engines.engine import Desk, Jobs
from tuneclip.data.ledger import opened
from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import Project
from tuneclip.settings import Caption

logger = logging.getLogger("tuneclip")
_STEPS = ("submit", "poll", "collect")  # the other options may stand in tuneclip.toml, for the runs that need them


@dataclass(frozen=True)
class Asked:
    """What is known after asking: the captions by record, and the records without one."""

    captions: dict[str, str]
    failed: list[Failure]


def refuse_unasked(options: Caption) -> None:
    """TuneclipError for an option that means nothing without a model, or not with this one."""
    given = [name for name in _STEPS if getattr(options, name)]
    if given and options.engine != "bedrock":
        raise TuneclipError(f"--{given[0]} is a step of a batch job", expected="--engine bedrock")
    if options.limit is not None and options.engine is None:
        raise TuneclipError("--limit is for captions from a model", expected="--engine openai or bedrock")
    if options.engine and (options.template or options.lines):
        what = "captions come from templates or from a model, not from both at once"
        raise TuneclipError(what, hint="caption twice, the second time with --keep")
    if len(given) > 1:
        raise TuneclipError("--submit, --poll and --collect are one step each", expected="one of them, or none for all")


def asker_of(options: Caption, project: Project) -> Asker:
    """Who will be asked; raises TuneclipError for an engine or options that cannot be meant."""
    refuse_unasked(options)
    if options.engine not in ENGINES:
        raise TuneclipError(
            f"there is no engine {options.engine!r} yet",
            expected=" or ".join(ENGINES),
            hint="start a local server that speaks OpenAI's protocol (vLLM, Ollama, llama.cpp), set OPENAI_BASE_URL to "
            "its address, and take --engine openai",
        )
    for name in ("max_side", "max_tokens", "connections", "part_records", "part_megabytes", "limit"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise TuneclipError(f"--{name.replace('_', '-')} is {value}", expected="1 or more")
    model = ENGINES[options.engine].model(options, project)
    return Asker(options.engine, model, options.max_side)


def ask(
    dataset: Dataset, prompts: Sequence[str | None], *, asker: Asker, options: Caption, project: Project
) -> Asked | Jobs:
    """Ask about the first `len(prompts)` records what their prompts say; nothing that the ledger has an answer to.

    Returns the captions of all of them that have one, with the failures; or the jobs, when no more was wanted than to
    start or look at them. Raises TuneclipError when nothing can be asked, and when no record got a caption.
    """
    if not dataset.records:
        raise TuneclipError(
            "the dataset has no picture yet", where=dataset.path, hint=f"tuneclip download {dataset.name}"
        )
    with opened(project.asked(dataset.name)) as ledger:
        questions, failed = _questions(dataset, prompts, asker)
        open_ones = [each for each in questions if each.key not in ledger.answers]
        desk = Desk(options, project, asker, ledger, dataset.name, len(questions) - len(open_ones))
        try:
            outcome = ENGINES[asker.engine].ask(open_ones, desk)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt("stopped: what was answered is kept; run it again to go on") from stop
        if isinstance(outcome, Jobs):
            return outcome
        place = {record.id: number for number, record in enumerate(dataset.records)}
        failed = sorted([*failed, *outcome], key=lambda failure: place[failure.id])
        captions = {each.id: ledger.answers[each.key] for each in questions if each.key in ledger.answers}
    if not captions:
        raise TuneclipError(f"none of {len(failed):,} pictures got a caption: {reasons(failed)}", where=dataset.path)
    if failed:
        logger.warning("%s pictures got no caption: %s", f"{len(failed):,}", reasons(failed))
    return Asked(captions, failed)


def _questions(dataset: Dataset, prompts: Sequence[str | None], asker: Asker) -> tuple[list[Question], list[Failure]]:
    questions: list[Question] = []
    failed: list[Failure] = []
    records = dataset.records[: len(prompts)]
    pairs = zip(records, prompts, strict=True)
    for record, prompt in track(pairs, "reading", len(records)):
        if prompt is None:
            failed.append(Failure(record.id, "it has none of the prompt's fields"))
            continue
        try:
            questions.append(question(record.id, dataset.picture_path(record), prompt, asker))
        except TuneclipError as error:
            failed.append(Failure(record.id, error.what))
    return questions, failed
