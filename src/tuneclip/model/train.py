"""The verb `train`: fine-tune a model on a dataset, keep the best epoch by validation recall, and say how it went."""

import dataclasses
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model import validate
from tuneclip.model.adapt import adapt
from tuneclip.model.checkpoint import load_weights
from tuneclip.model.config import merged, read_config
from tuneclip.model.loop import BEST, CHECKPOINT, Loop
from tuneclip.model.open import load_model
from tuneclip.model.plan import make_plan, resolved
from tuneclip.model.publish import publish
from tuneclip.project import MODEL_MANIFEST, Project, checked_name, read_json, write_json
from tuneclip.records import Finding, Score
from tuneclip.settings import Train

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
SETTINGS = "settings.json"


@dataclass(frozen=True)
class Trained:
    """What `train` did; `scores` are of the best epoch on the validation split (epoch 0 is the base as it was)."""

    model: str
    path: str
    best_epoch: int
    epochs: int
    seconds: float
    scores: tuple[Score, ...]
    findings: tuple[Finding, ...]

    def show(self, console: "Console") -> None:
        """A few lines for people."""
        console.print(f"{self.model}: best epoch {self.best_epoch} of {self.epochs}, {self.seconds:.0f} s")
        for score in self.scores:
            console.print(
                f"  {score.metric:<16} {score.value:6.1%}  [{score.low:.1%}, {score.high:.1%}]  n = {score.n}"
            )
        for finding in self.findings:
            console.print(f"  {finding.code}: {finding.reason} → {finding.remedy}")
        console.print(f"model: {self.path}", soft_wrap=True)


def train(options: Train, project: Project) -> Trained:
    """Fine-tune `options.model` on the train split of `options.dataset` as the new model `options.to`.

    The objective is the pretraining objective (FLYP, arXiv 2212.00638). The model appears only when it is complete.
    Raises TuneclipError for bad input; nothing is lost then, and an interrupted run goes on with `--resume`.
    """
    target, folder = project.new("models", options.to), project.run(checked_name(options.to))
    if target.exists():
        return _finished(options, target)
    config = merged(
        read_config(options.config), model=options.model, recipe=options.recipe, batch_size=options.batch_size
    )
    dataset = open_dataset(options.dataset, project)
    loaded = load_model(options.model, project)
    plan = make_plan(config, dataset, loaded)
    settled = resolved(plan, dataset, loaded)
    _enter(folder, settled, resume=options.resume)
    adaptation = adapt(loaded, dataset, plan)
    validation = validate.Validation(dataset)
    loop = Loop(adaptation, plan, folder, lambda: validation.scores(adaptation.embed))
    if loop.resume():
        logger.info("resuming after epoch %d, batch %d", loop.position.epoch, loop.position.batch)
    try:
        loop.run()
    except KeyboardInterrupt:
        logger.info("stopped; the same command with --resume goes on from here")
        raise
    load_weights(folder / BEST, loaded.model)
    scores = tuple(validation.intervals(adaptation.embed, options.to))
    adaptation.finish()
    trained = _result(options.to, target, loop, scores)
    publish(target, loaded, dataclasses.asdict(trained), settled)
    for leftover in (CHECKPOINT, BEST):
        (folder / leftover).unlink(missing_ok=True)
    return trained


def _enter(folder: Path, settled: dict[str, Any], *, resume: bool) -> None:
    """Make the run's folder, or go into that of an interrupted run if it is the same run."""
    interrupted = (folder / CHECKPOINT).is_file()
    if interrupted and not resume:
        raise TuneclipError(
            "an interrupted run of this name exists", where=folder, hint="add --resume, or remove that folder"
        )
    if interrupted:
        before = read_json(folder / SETTINGS)
        for key, value in settled.items():
            if before.get(key) != value:
                raise TuneclipError(
                    f"the interrupted run had another {key}: {_changed(before.get(key), value)}",
                    where=folder / SETTINGS,
                    hint="resume with the same data and settings, or remove that folder to begin anew",
                )
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / SETTINGS, settled)


def _changed(before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [key for key in now if before.get(key) != now[key]]
        return ", ".join(f"{key} was {before.get(key)!r}, now {now[key]!r}" for key in keys)
    return f"was {before!r}, now {now!r}"


def _result(name: str, target: Path, loop: Loop, scores: tuple[Score, ...]) -> Trained:
    position = loop.position
    findings = []
    if position.best_epoch == 0 and scores:
        findings.append(
            Finding(
                "no_gain",
                position.best_value,
                "no epoch was better on validation than the base, so the base's weights were kept",
                "check the captions with a few searches, add pictures, or try another learning_rate",
            )
        )
    if not scores:
        reason = "the dataset has no validation split, so the last epoch was kept"
        findings.append(Finding("no_validation", 0, reason, "import the dataset anew so that it gets one"))
    return Trained(
        name,
        str(target.resolve()),
        position.best_epoch,
        position.epoch,
        round(position.seconds, 1),
        scores,
        tuple(findings),
    )


def _finished(options: Train, target: Path) -> Trained:
    """The result of a run that had already ended, when it is asked to go on."""
    path = target / MODEL_MANIFEST
    known = read_json(path).get("trained") if path.is_file() else None
    if not options.resume or known is None:
        raise TuneclipError(
            f"model {options.to!r} exists", where=target, hint="choose another name with --to, or remove that folder"
        )
    logger.info("%s had already been trained to the end", options.to)
    scores, findings = tuple(Score(**s) for s in known["scores"]), tuple(Finding(**f) for f in known["findings"])
    return Trained(**{**known, "path": str(target.resolve()), "scores": scores, "findings": findings})
