"""The verb `import`: any pictures with metadata become a dataset."""

import dataclasses
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip import __version__
from tuneclip.data.card import show_splits, write_card
from tuneclip.data.columns import Plan, understand
from tuneclip.data.gather import Gatherer, Job, load_in_order
from tuneclip.data.pending import take_over
from tuneclip.data.source import Source, recognise
from tuneclip.data.write import DatasetWriter, Written
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import DATASET_MANIFEST, SKIPPED, Project, building, read_json, write_json
from tuneclip.settings import Import

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")


@dataclass(frozen=True)
class Imported:
    """What `import` made, or with `--dry-run` would make: the dataset, its counts, and what was understood."""

    dataset: str
    path: str
    taken: int
    skipped: int
    splits: dict[str, int]
    format: str
    understood: str
    merged: int
    captions: int
    columns: list[str]
    first: list[dict[str, Any]]
    dry_run: bool = False
    pending: int = 0
    """Records whose picture is a link: `tuneclip download` fetches them."""

    def show(self, console: "Console") -> None:
        """The counts as a table; with `--dry-run` the first records as they would be taken."""
        from rich.markup import escape

        if self.dry_run:
            console.print(f"[bold]{escape(self.format)}[/bold]: {escape(self.understood)}")
            console.print(f"columns: {escape(', '.join(self.columns))}")
            for record in self.first:
                console.print_json(data=record)
            console.print("nothing was written (--dry-run)")
            return
        if self.splits:
            show_splits(console, self.splits)
        link = Path(self.path).resolve().as_uri()
        place = f"[link={link}]{escape(self.path)}[/link]"
        console.print(f"{self.taken:,} records with {self.captions:,} captions, {self.skipped:,} skipped: {place}")
        if self.pending:
            name = escape(self.dataset)
            console.print(f"{self.pending:,} more wait for their pictures. Next: tuneclip download {name}")


def import_dataset(options: Import, project: Project) -> Imported:
    """Make the dataset `options.to` from `options.source`, all of it or nothing.

    Records without a picture that can be decoded, or without a caption, go to `skipped.jsonl` with the reason.
    Raises TuneclipError when the source is not understood, when a record's picture may be two files, when an id of
    the column named by `--id` stands twice, when nothing could be taken, or when another dataset has the name.
    """
    folder = project.new("datasets", options.to)
    resolved = _resolved(options)
    if options.pictures is not None and not options.pictures.is_dir():
        raise TuneclipError("no such folder of pictures", where=options.pictures)
    source = recognise(options.source, options.records, options.pictures)
    if not options.dry_run:
        _refuse_other(folder, resolved)
    plan = understand(source, options)
    gatherer = Gatherer(plan, options.pictures, source.folder)
    for note in (source.note, plan.spoken):
        if note:
            logger.info("%s: %s", source.format, note)
    if options.dry_run:
        return _understood(options, folder, source, gatherer)
    with building(folder) as fresh:
        with DatasetWriter(fresh, typed=source.typed) as writer:
            _fill(writer, source, gatherer)
            written = writer.finish(options.seed)
        _describe(fresh, folder.name, source, plan, written, resolved)
        written = take_over(folder, fresh, plan.link or plan.picture) or written
    _warn(writer, folder, written)
    return Imported(
        dataset=folder.name,
        path=str(folder),
        taken=written.taken,
        skipped=written.skipped,
        splits=written.splits,
        format=source.format,
        understood=plan.spoken,
        merged=written.merged,
        captions=written.captions,
        columns=list(plan.columns),
        first=[],
        pending=written.pending,
    )


def _fill(writer: DatasetWriter, source: Source, gatherer: Gatherer) -> None:
    jobs = gatherer.jobs(source.rows(), writer.knows)
    workers = min(8, os.cpu_count() or 1)
    for job, loaded in track(load_in_order(jobs, workers), "importing", source.total):
        if job.entry is None:
            writer.skip(job.place, job.fields, job.reason)
        elif job.url is not None and not writer.knows(job.entry.source):
            writer.pend(job.entry, job.url)
        elif loaded is None or writer.knows(job.entry.source):
            writer.merge(job.entry, job.fields)
        elif isinstance(loaded, str):
            writer.refuse(job.entry, job.fields, loaded)
        else:
            writer.copy(job.entry, *loaded)
    if not writer.taken and not writer.pending:
        reasons = "; ".join(writer.first_reasons) or "there are no records"
        raise TuneclipError(f"nothing could be taken: {reasons}", where=source.where)


def _resolved(options: Import) -> dict[str, Any]:
    """The options as the manifest keeps them: paths absolute, without what leaves no trace in the dataset."""
    values = dataclasses.asdict(options)
    del values["dry_run"]
    values["source"] = str(options.source.resolve())
    values["pictures"] = str(options.pictures.resolve()) if options.pictures else None
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _refuse_other(folder: Path, resolved: dict[str, Any]) -> None:
    """A dataset of that name may be made again only from the same source with the same options."""
    if not folder.exists():
        return
    manifest = folder / DATASET_MANIFEST
    earlier = read_json(manifest).get("options", {}) if manifest.is_file() else {}
    if earlier == resolved:
        return
    changed = [name for name in resolved if earlier.get(name) != resolved[name]] if earlier else []
    what = f"dataset {folder.name!r} exists already"
    raise TuneclipError(
        f"{what}, made with another {changed[0]}" if changed else what,
        where=folder,
        hint="choose another name with --to, or delete that folder",
    )


def _describe(fresh: Path, name: str, source: Source, plan: Plan, written: Written, resolved: dict[str, Any]) -> None:
    """The manifest, and a card that tells Hugging Face's library and people what the folder holds."""
    write_json(
        fresh / DATASET_MANIFEST,
        {
            "name": name,
            "tuneclip": __version__,
            "source": resolved["source"],
            "format": source.format,
            "understood": plan.spoken,
            "options": resolved,
            "taken": written.taken,
            "skipped": written.skipped,
            "merged": written.merged,
            "pending": written.pending,
            "captions": written.captions,
            "splits": written.splits,
            "columns": written.columns,
        },
    )
    write_card(fresh, name, written)


def _warn(writer: DatasetWriter, folder: Path, written: Written) -> None:
    if written.merged:
        logger.info("%s rows named a picture that another row had: their captions were added to it", written.merged)
    if written.torn_groups:
        logger.warning("%s groups stand in several splits of the source; its splits were kept", written.torn_groups)
    if written.skipped:
        logger.warning(
            "skipped %s of %s records, listed in %s: %s%s",
            f"{written.skipped:,}",
            f"{written.taken + written.skipped + written.merged + written.pending:,}",
            folder / SKIPPED,
            "; ".join(writer.first_reasons),
            " …" if written.skipped > len(writer.first_reasons) else "",
        )


def _understood(options: Import, folder: Path, source: Source, gatherer: Gatherer) -> Imported:
    """The answer to `--dry-run`: the first records as they would be taken."""
    plan = gatherer.plan
    return Imported(
        dataset=options.to,
        path=str(folder),
        taken=0,
        skipped=0,
        splits={},
        format=source.format,
        understood=plan.spoken,
        merged=0,
        captions=0,
        columns=list(plan.columns),
        first=[_preview(gatherer.job(row)) for row in plan.sample[:3]],
        dry_run=True,
    )


def _preview(job: Job) -> dict[str, Any]:
    if job.entry is None:
        return {"record": job.place, "skipped": job.reason}
    entry = job.entry
    found = {
        "record": job.place,
        "picture": job.url or entry.origin,
        "captions": list(entry.captions),
        "split": entry.split,
    }
    return found | {"metadata": dict(entry.metadata)}
