"""The verb `train`: fine-tune a model on a dataset, keep the best epoch by validation recall, and say how it went."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip.data.load import open_dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.encode import Encoder
from tuneclip.model.open import Loaded, load_model
from tuneclip.project import MODEL_MANIFEST, Project, checked_name, read_json
from tuneclip.records import Finding, Score
from tuneclip.settings import Train
from tuneclip.training import choose, interpolate
from tuneclip.training.adapt import adapt
from tuneclip.training.checkpoint import load_weights
from tuneclip.training.choose import Choice
from tuneclip.training.config import merged, read_config
from tuneclip.training.diagnose import findings
from tuneclip.training.interpolate import Interpolation
from tuneclip.training.loop import BEST, Loop
from tuneclip.training.plan import make_plan
from tuneclip.training.precision import timed_precision
from tuneclip.training.processes import team_here
from tuneclip.training.publish import publish
from tuneclip.training.settled import clear, earlier, given, settle
from tuneclip.training.trackers import demand
from tuneclip.training.validate import Ranks, Validation, intervals, kept, summary
from tuneclip.training.watch import watch_over

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")


@dataclass(frozen=True)
class Trained:
    """What `train` did; `scores` are of the published weights on the validation split."""

    model: str
    path: str
    recipe: str
    best_epoch: int
    """Epoch 0 is the base as it was."""
    epochs: int
    seconds: float
    scores: tuple[Score, ...]
    findings: tuple[Finding, ...]
    interpolation: Interpolation | None = None
    """The mixtures of base and tuned weights, where they were measured."""
    choice: Choice | None = None
    """How recipe `auto` came to the recipe."""

    def show(self, console: "Console") -> None:
        """A few lines for people."""
        console.print(
            f"{self.model}: recipe {self.recipe}, best epoch {self.best_epoch} of {self.epochs}, {self.seconds:.0f} s"
        )
        for score in self.scores:
            console.print(
                f"  {score.metric:<16} {score.value:6.1%}  [{score.low:.1%}, {score.high:.1%}]  n = {score.n}"
            )
        lines = [f"recipe auto chose {self.choice.reason}"] if self.choice else []
        lines += interpolate.in_words(self.interpolation) if self.interpolation else []
        lines += [f"{finding.code}: {finding.reason} → {finding.remedy}" for finding in self.findings]
        for line in lines:
            console.print(f"  {line}", soft_wrap=True)
        console.print(f"model: {self.path}", soft_wrap=True)


def train(options: Train, project: Project) -> Trained:
    """Fine-tune `options.model` on the train split of `options.dataset` as the new model `options.to`.

    The objective is the pretraining objective (FLYP, arXiv 2212.00638). The model appears only when it is complete.
    Raises TuneclipError for bad input; nothing is lost then, and an interrupted run goes on with `--resume`.
    """
    target, folder, team = project.new("models", options.to), project.run(checked_name(options.to)), team_here()
    if target.exists():
        return _finished(options, target)
    config = merged(
        read_config(options.config), model=options.model, recipe=options.recipe, batch_size=options.batch_size
    )
    demand(config.trackers)
    dataset = open_dataset(options.dataset, project)
    loaded = load_model(str(config.model_name), project)
    now = given(config, dataset, loaded)
    config = team.on_writer(lambda: earlier(folder, now, resume=options.resume)) or config
    choice = team.on_writer(lambda: choose.recipe_of(config, dataset, project, folder))
    config = dataclasses.replace(config, recipe=choice.recipe) if choice else config
    plan = team.on_writer(lambda: make_plan(config, dataset, loaded, kept=project.kept))
    probe = interpolate.open_probe(plan, dataset, project)
    with team.writer_first():
        adaptation = adapt(loaded, dataset, plan)
    plan = dataclasses.replace(plan, precision=team.on_writer(lambda: timed_precision(adaptation, plan)))
    settled = team.on_writer(lambda: settle(folder, now, plan, choice=choice))
    validation, embed = Validation(dataset), team.shared(adaptation.embed)
    keep = folder if team.is_writer else None
    loop = Loop(adaptation, plan, folder, lambda: validation.scores(embed, keep=keep), team=team)
    loop.watch = watch_over(plan, dataset, loaded, folder=folder, settled=settled, writer=team.is_writer)
    _run(loop)

    def end() -> Trained:
        load_weights(folder / BEST, loaded.model)
        adaptation.finish()
        mixed = interpolate.interpolate(loaded, plan, dataset, probe) if loop.position.best_epoch else None
        if mixed:
            interpolate.note(mixed, folder, loop.position.epoch)
        ranks = _ranks(loop, loaded, mixed, validation)
        trained = Trained(
            options.to,
            str(target.resolve()),
            plan.config.recipe,
            loop.position.best_epoch,
            loop.position.epoch,
            round(loop.position.seconds, 1),
            tuple(intervals(ranks, options.to)),
            (*findings(loop.rows, ended=True), *interpolate.forgotten(mixed)),
            mixed,
            choose.again(settled.get("choice")),
        )
        publish(target, loaded, dataclasses.asdict(trained), settled)
        clear(folder)
        return trained

    return team.on_writer(end)


def _run(loop: Loop) -> None:
    if loop.resume():
        logger.info("resuming after epoch %d, batch %d", loop.position.epoch, loop.position.batch)
    try:
        loop.run()
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt("stopped; the same command with --resume goes on from here") from stop


def _ranks(loop: Loop, loaded: Loaded, mixed: Interpolation | None, validation: Validation) -> Ranks:
    """The validation ranks of the weights that are published; those of the best epoch are known already."""
    best = kept(loop.folder)
    if (mixed is None or mixed.alpha == 1) and summary(best).get("mean_recall") == loop.position.best_value:
        return best
    return validation.ranks(Encoder(loaded, loop.plan.device).both)


def _finished(options: Train, target: Path) -> Trained:
    """The result of a run that had already ended, when it is asked to go on."""
    path = target / MODEL_MANIFEST
    known = read_json(path).get("trained") if path.is_file() else None
    if not options.resume or known is None:
        raise TuneclipError(
            f"model {options.to!r} exists", where=target, hint="choose another name with --to, or remove that folder"
        )
    logger.info("%s had already been trained to the end", options.to)
    known |= {"path": str(target.resolve()), "recipe": known.get("recipe", "full")}
    known |= {"scores": tuple(Score(**s) for s in known["scores"])}
    known |= {"findings": tuple(Finding(**f) for f in known["findings"])}
    known |= {"interpolation": interpolate.again(known.get("interpolation"))}
    return Trained(**{**known, "choice": choose.again(known.get("choice"))})
