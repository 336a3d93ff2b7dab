"""The verb `train`: fine-tune a model on a dataset, keep the best epoch by validation recall, and say how it went."""

import dataclasses
import hashlib
import logging
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip import __version__
from tuneclip.data.load import Dataset, open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model import adapt, validate
from tuneclip.model.batches import Feed
from tuneclip.model.checkpoint import load_weights
from tuneclip.model.config import merged, read_config
from tuneclip.model.encode import Encoder, best_device
from tuneclip.model.loop import BEST, CHECKPOINT, Loop, Plan
from tuneclip.model.open import Loaded, fingerprint, load_model
from tuneclip.project import METADATA, MODEL_MANIFEST, Project, building, checked_name, read_json, write_json
from tuneclip.records import Finding, Score
from tuneclip.settings import Train, TrainingConfig

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")
SETTINGS = "settings.json"
MADE_HERE = {MODEL_MANIFEST, "config.json", "README.md"}
"""What a base's folder may hold that its tuned model does not inherit as it is."""


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
    config = merged(read_config(options.config), model=options.model, batch_size=options.batch_size)
    dataset = open_dataset(options.dataset, project)
    loaded = load_model(options.model, project)
    plan = _plan(config, dataset, loaded)
    resolved = _resolved(plan, dataset, loaded)
    _enter(folder, resolved, resume=options.resume)
    validation = validate.Validation(dataset)
    encoder = Encoder(loaded, plan.device)
    loop = Loop(loaded, plan, folder, lambda: validation.scores(encoder))
    if loop.resume():
        logger.info("resuming after epoch %d, batch %d", loop.position.epoch, loop.position.batch)
    feed = Feed(dataset, dataset.split("train"), loaded, seed=config.seed, augment=config.augment)
    try:
        loop.run(feed)
    except KeyboardInterrupt:
        logger.info("stopped; the same command with --resume goes on from here")
        raise
    load_weights(folder / BEST, loaded.model)
    trained = _result(options.to, target, loop, tuple(validation.intervals(encoder, options.to)))
    _publish(target, loaded, trained, resolved)
    for leftover in (CHECKPOINT, BEST):
        (folder / leftover).unlink(missing_ok=True)
    return trained


def _plan(config: TrainingConfig, dataset: Dataset, loaded: Loaded) -> Plan:
    import torch

    records = len(dataset.split("train"))
    if records < 2:
        raise TuneclipError(
            f"{records} pictures to learn from", where=dataset.path, expected="at least 2 in the train split"
        )
    if config.embeddings_size not in (None, loaded.dimension):
        raise TuneclipError(
            f"embeddings_size is {config.embeddings_size}",
            where=loaded.name,
            expected=f"{loaded.dimension}, as this model has",
        )
    device = best_device()
    adapt.choose_attention(loaded.model, device)
    size = adapt.batch_size(config, records)
    plan = Plan(
        config,
        records,
        size,
        adapt.learning_rate(config, loaded),
        adapt.precision(config, torch.device(device)),
        device,
    )
    logger.info(
        "training %s on %d pictures: %d epochs of %d steps, batch %d, learning rate %g, %s on %s",
        loaded.name, records, config.num_epochs, plan.steps_per_epoch, size, plan.learning_rate, plan.precision, device,
    )  # fmt: skip
    return plan


def _resolved(plan: Plan, dataset: Dataset, loaded: Loaded) -> dict[str, Any]:
    """All that decides the run's result, as plain JSON values."""
    values = dataclasses.asdict(plan.config)
    values |= {"batch_size": plan.batch_size, "learning_rate": plan.learning_rate, "precision": plan.precision}
    values["betas"] = list(plan.config.betas)
    return {
        "recipe": "full",
        "config": values,
        "device": plan.device,
        "dataset": {"name": dataset.name, "fingerprint": _dataset_fingerprint(dataset)},
        "base": {"name": loaded.name, "fingerprint": fingerprint(loaded.path)},
    }


def _dataset_fingerprint(dataset: Dataset) -> str:
    path = dataset.path / METADATA
    content = path.read_bytes() if path.is_file() else repr(dataset.records).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _enter(folder: Path, resolved: dict[str, Any], *, resume: bool) -> None:
    """Make the run's folder, or go into that of an interrupted run if it is the same run."""
    interrupted = (folder / CHECKPOINT).is_file()
    if interrupted and not resume:
        raise TuneclipError(
            "an interrupted run of this name exists", where=folder, hint="add --resume, or remove that folder"
        )
    if interrupted:
        before = read_json(folder / SETTINGS)
        for key, value in resolved.items():
            if before.get(key) != value:
                raise TuneclipError(
                    f"the interrupted run had another {key}: {_changed(before.get(key), value)}",
                    where=folder / SETTINGS,
                    hint="resume with the same data and settings, or remove that folder to begin anew",
                )
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_json(folder / SETTINGS, resolved)


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


def _publish(target: Path, loaded: Loaded, trained: Trained, resolved: dict[str, Any]) -> None:
    """Write the model in transformers' layout beside its place, then rename it."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    with building(target) as folder:
        for path in loaded.path.iterdir():
            if path.is_file() and path.suffix != ".safetensors" and path.name not in MADE_HERE:
                shutil.copy(path, folder / path.name)
        loaded.model.cpu().save_pretrained(folder)
        base = resolved["base"]
        manifest = {
            "name": trained.model,
            "fingerprint": fingerprint(folder),
            "tuneclip": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "lineage": [*loaded.manifest.get("lineage", []), base],
            "fine_tuning": loaded.manifest.get("fine_tuning", {}),
            **resolved,
            "trained": dataclasses.asdict(trained),
        }
        write_json(folder / MODEL_MANIFEST, manifest)


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
