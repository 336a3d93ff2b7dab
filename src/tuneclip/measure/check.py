"""The verb `check`: what is wrong with a dataset, and what to do about it."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip.data.caption_findings import balance_findings, caption_findings, cut_finding
from tuneclip.data.derive import Derivation, Part, derive, refuse_other
from tuneclip.data.findings import (
    LEVELS,
    TITLES,
    DatasetFinding,
    Seen,
    is_blank,
    picture_findings,
    skipped_findings,
    split_findings,
    twin_findings,
)
from tuneclip.data.load import Dataset, open_dataset
from tuneclip.data.look import look_at
from tuneclip.data.mend import to_leave_out
from tuneclip.data.twins import find_twins
from tuneclip.errors import TuneclipError
from tuneclip.model.tokens import token_lengths
from tuneclip.progress import track
from tuneclip.project import Project
from tuneclip.settings import Check

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger("tuneclip")


@dataclass(frozen=True)
class Checked:
    """What was found, the gravest first; with `--fix` the new dataset too."""

    dataset: str
    path: str
    records: int
    model: str
    findings: tuple[DatasetFinding, ...]
    report: str | None = None
    fixed: dict[str, Any] | None = None
    """The dataset without what was left out: dataset, path, taken, skipped, splits, reasons."""

    def show(self, console: "Console") -> None:
        """One paragraph for each finding: its count, why it matters, examples, the remedy."""
        from rich.markup import escape

        if not self.findings:
            console.print(f"nothing wrong was found in {self.records:,} records of {escape(self.dataset)}")
        for found in self.findings:
            style = {"error": "bold red", "warning": "bold yellow", "note": "bold"}[found.level]
            title = f"[{style}]{found.level}[/]  [bold]{TITLES[found.code]}[/]: {found.count:,} ({found.percent})"
            console.print(title)
            console.print(f"  {escape(found.reason)}")
            if found.examples:
                console.print(f"  for example: {escape(', '.join(found.examples))}")
            console.print(f"  → {escape(found.remedy)}\n")
        if self.report:
            console.print(f"report: [link={Path(self.report).resolve().as_uri()}]{escape(self.report)}[/link]")
        if self.fixed:
            place = f"[link={Path(self.fixed['path']).resolve().as_uri()}]{escape(self.fixed['path'])}[/link]"
            console.print(f"{self.fixed['taken']:,} records kept, {self.fixed['skipped']:,} left out: {place}")
            for reason, count in self.fixed["reasons"].items():
                console.print(f"  {count:,} {escape(reason)}")


def check(options: Check, project: Project) -> Checked:
    """Look through a dataset: every picture is decoded once, every caption counted in the model's tokens.

    With `report` an HTML page shows the findings; with `fix` the dataset `to` is made without what can safely be left
    out (see `data.mend`). Raises TuneclipError when there is no such dataset or model, when `fix` and `to` do not come
    together, or when nothing would be left.
    """
    if options.fix != (options.to is not None):
        raise TuneclipError("--fix and --to belong together", expected="--fix --to NAME", hint="leave both out to look")
    dataset = open_dataset(options.dataset, project)
    derivation = Derivation(dataset, "check", {"fix": True})
    if options.to is not None:
        refuse_other(derivation, options.to, project)
    context, owners, lengths = _lengths(dataset, options.model, project)
    seen = _look(dataset, options.dataset)
    found = [*_find(seen), *cut_finding(seen, owners, lengths, context=context, model=options.model)]
    found.sort(key=lambda finding: (LEVELS.index(finding.level), list(TITLES).index(finding.code)))
    result = Checked(
        dataset=dataset.name,
        path=str(dataset.path),
        records=len(dataset.records),
        model=options.model,
        findings=tuple(found),
        report=str(options.report) if options.report else None,
        fixed=_fix(seen, derivation, options.to, project) if options.to is not None else None,
    )
    if options.report:
        from tuneclip.measure.check_report import write_check_report

        write_check_report(options.report, result, dataset)
    return result


def _look(dataset: Dataset, called: str) -> Seen:
    looks = tuple(track(look_at(dataset), "looking at pictures", len(dataset.records)))
    twins = find_twins(looks, is_blank, lambda blocks: track(blocks, "looking for twins", len(blocks)))
    return Seen(dataset, looks, twins, called)


def _find(seen: Seen) -> Iterator[DatasetFinding]:
    for finder in (
        picture_findings,
        twin_findings,
        caption_findings,
        balance_findings,
        split_findings,
        skipped_findings,
    ):
        yield from finder(seen)


def _lengths(dataset: Dataset, model: str, project: Project) -> tuple[int, list[int], list[int]]:
    """The model's context; for each caption the number of its record; and its length in tokens."""
    pairs = [(number, text) for number, record in enumerate(dataset.records) for text in record.captions]
    context, lengths = token_lengths(model, project, [text for _, text in pairs])
    return context, [number for number, _ in pairs], lengths


def _fix(seen: Seen, derivation: Derivation, to: str, project: Project) -> dict[str, Any]:
    out = to_leave_out(seen)
    records = seen.dataset.records
    for name in seen.dataset.splits:
        if all(number in out for number, record in enumerate(records) if record.split == name):
            raise TuneclipError(
                f"nothing of {name} would be left: each of its records would have to go",
                where=seen.dataset.path,
                hint="see the findings without --fix; if groups are torn, import again with other splits",
            )
    parts = (Part(record, reason=out.get(number, "")) for number, record in enumerate(records))
    made = derive(derivation, parts, to=to, project=project)
    reasons = Counter(
        reason.partition(":")[0] if reason.startswith("tiny") else _kind(reason) for reason in out.values()
    )
    return {
        "dataset": made.dataset,
        "path": made.path,
        "taken": made.taken,
        "skipped": made.skipped,
        "splits": made.splits,
        "reasons": dict(reasons.most_common()),
    }


def _kind(reason: str) -> str:
    """A reason without the names in it."""
    if reason.startswith("its group"):
        return "its group is in a split that is measured on"
    return "the same picture and captions as another" if reason.startswith("the same picture") else reason
