"""The verb `caption`: captions made from what the metadata say, or by a multimodal model that sees the picture."""

import dataclasses
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneclip.data.ask import Asked, ask, asker_of, refuse_unasked
from tuneclip.data.card import show_splits
from tuneclip.data.derive import Derivation, Part, derive, refuse_other
from tuneclip.data.describe import PROMPT, Asker, Failure
from tuneclip.data.load import Dataset, open_dataset
from tuneclip.data.readable import NAMES, as_lines
from tuneclip.data.row import Value
from tuneclip.data.template import Template
from tuneclip.data.write import json_line
from tuneclip.errors import TuneclipError
from tuneclip.model.tokens import Tokens, measure_tokens
from tuneclip.project import DATASET_MANIFEST, METADATA, Project, read_json, write_json, write_text
from tuneclip.records import Record
from tuneclip.settings import Caption

if TYPE_CHECKING:
    from rich.console import Console

    from tuneclip.data.engines.engine import Jobs

logger = logging.getLogger("tuneclip")
OWN = ("id", "group", "split", "caption")
"""Fields that every record has besides its metadata; `caption` is the first that it has now."""
EXAMPLES = 3
MOST_FAILED = 20


@dataclass(frozen=True)
class Captioned:
    """The dataset with its new captions: the counts, how long they are to the model, and the first few."""

    dataset: str
    path: str
    taken: int
    skipped: int
    splits: dict[str, int]
    captions: int
    unchanged: int
    """Records for which there was nothing new to say: they keep the captions that they had."""
    tokens: Tokens
    examples: list[dict[str, Any]]
    engine_model: str | None = None
    """The multimodal model that was asked."""
    failed: list[Failure] = field(default_factory=list)
    """Records that it gave no caption for: they keep those that they had."""

    def show(self, console: "Console") -> None:
        """The first captions, the splits, the counts, and the share that the model would cut."""
        from rich.markup import escape

        for example in self.examples:
            console.print(f"[bold]{escape(example['id'])}[/bold]")
            for text in example["captions"]:
                console.print("  " + escape(text.replace("\n", "\n  ")))
        show_splits(console, self.splits)
        place = f"[link={Path(self.path).resolve().as_uri()}]{escape(self.path)}[/link]"
        console.print(f"{self.taken:,} records with {self.captions:,} captions, {self.skipped:,} skipped: {place}")
        self._show_failed(console)
        tokens = self.tokens
        console.print(
            f"tokens of {escape(tokens.model)}: median {tokens.median:g}, longest {tokens.longest} of {tokens.context};"
            f" {tokens.cut:,} captions ({tokens.share:.1%}) would be cut"
        )

    def _show_failed(self, console: "Console") -> None:
        from rich.markup import escape

        for failure in self.failed[:MOST_FAILED]:
            console.print(f"no caption: {escape(failure.id)}  {escape(failure.reason)}")
        if len(self.failed) > MOST_FAILED:
            console.print(f"and {len(self.failed) - MOST_FAILED:,} more (--json lists them all)")
        if self.failed:
            console.print("Run it again to ask for these again; what was answered is not asked again.")


def caption(options: Caption, project: Project) -> "Captioned | Jobs":
    """Give the records of a dataset captions, in place or as the dataset `to`: from templates, or from a model.

    A record for which nothing remains of any template, or that the model could not describe, keeps the captions that
    it has. In place, the metadata are written beside and renamed. Raises TuneclipError for a template that cannot be
    meant, for a field that no record has (it names the nearest), and when no record would get a caption.
    """
    dataset = open_dataset(options.dataset, project)
    if options.engine:
        return _described(options, dataset, project)
    refuse_unasked(options)
    derivation = Derivation(dataset, "caption", _kept(options))
    _refuse_target(derivation, options, project)
    templates = _templates(options, dataset)
    found = [compose(record, templates, lines=options.lines) for record in dataset.records]
    if not any(found):
        raise TuneclipError(
            "no record has the fields of the templates", where=dataset.path, hint="`tuneclip caption -h` says how"
        )
    done = _written(derivation, found, options, project)
    if done.unchanged:
        logger.warning("%s records lack the fields of every template: they keep their captions", f"{done.unchanged:,}")
    return done


def _described(options: Caption, dataset: Dataset, project: Project) -> "Captioned | Jobs":
    """As `caption`, with what a multimodal model answers."""
    asker = asker_of(options, project)
    derivation = Derivation(dataset, "caption", _kept_of(asker, options))
    _refuse_target(derivation, options, project)
    asked = ask(dataset, _prompts(options, dataset), asker=asker, options=options, project=project)
    if not isinstance(asked, Asked):
        return asked
    found = [[asked.captions[record.id]] if record.id in asked.captions else [] for record in dataset.records]
    done = _written(derivation, found, options, project)
    return dataclasses.replace(done, engine_model=asker.model, failed=asked.failed)


def _prompts(options: Caption, dataset: Dataset) -> list[str | None]:
    """What is asked about each of the records that are asked about; None where a record has no field of it."""
    records, prompt = dataset.records[: options.limit], options.prompt or PROMPT
    if not set("{}") & set(prompt):
        return [prompt] * len(records)
    template = Template(prompt)
    _refuse_unknown([template], dataset)
    if "caption" in template.fields and not options.to:
        what = "the prompt reads the captions that the answers replace, so a second run would ask again"
        raise TuneclipError(what, where="{caption}", hint="give the captioned dataset a name with --to")
    return [template.render(_fields(record)) for record in records]


def _refuse_target(derivation: Derivation, options: Caption, project: Project) -> None:
    """TuneclipError when the captions could not be written where they are to go."""
    if options.to:
        refuse_other(derivation, options.to, project)
    elif not (derivation.source.path / DATASET_MANIFEST).is_file():
        raise TuneclipError(
            "this dataset was not made here, so its files are left as they are",
            where=derivation.source.path,
            hint="give the captioned dataset a name with --to",
        )


def _written(derivation: Derivation, found: Sequence[Sequence[str]], options: Caption, project: Project) -> Captioned:
    """Write the captions that were found for each record, all at once, and say how they fit the model."""
    dataset = derivation.source
    records = [_with(record, texts, options) for record, texts in zip(dataset.records, found, strict=True)]
    tokens = measure_tokens(options.model, project, [text for record in records for text in record.captions])
    if options.to:
        made = derive(derivation, _parts(records), to=options.to, project=project)
        name, path, taken, skipped, splits = made.dataset, made.path, made.taken, made.skipped, made.splits
    else:
        _rewrite(dataset, records, derivation.options)
        name, path, taken, skipped, splits = dataset.name, str(dataset.path), len(records), 0, dataset.splits
    if tokens.cut:
        _warn_of_cuts(tokens)
    examples = [
        {"id": record.id, "captions": list(record.captions)}
        for record, texts in zip(records, found, strict=True)
        if texts
    ]
    unchanged = sum(not texts for texts in found)
    return Captioned(name, path, taken, skipped, splits, tokens.captions, unchanged, tokens, examples[:EXAMPLES])


def compose(record: Record, templates: Sequence[Template], *, lines: bool = False) -> list[str]:
    """The captions of a record, none twice: one for each template, and with `lines` one with all metadata as lines."""
    fields = _fields(record)
    texts = [text for template in templates if (text := template.render(fields))]
    texts += [as_lines(dict(record.metadata))] if lines else []
    return [text for text in dict.fromkeys(texts) if text]


def _fields(record: Record) -> dict[str, Value]:
    own = {"id": record.id, "group": record.group, "split": record.split, "caption": (*record.captions, "")[0]}
    return {**own, **record.metadata}


def _templates(options: Caption, dataset: Dataset) -> list[Template]:
    """The templates, each of whose fields is one of the dataset's."""
    if not options.template and not options.lines:
        raise TuneclipError(
            "nothing says what the captions are", expected='--template "{field} …", --lines, or --engine'
        )
    templates = [Template(text) for text in options.template]
    _refuse_unknown(templates, dataset)
    return templates


def _refuse_unknown(templates: Sequence[Template], dataset: Dataset) -> None:
    known = dict.fromkeys(name for record in dataset.records for name in record.metadata)
    for name in (name for template in templates for name in template.fields):
        if name in known or name in OWN:
            continue
        field, _, form = name.rpartition(":")
        near = get_close_matches(name, [*known, *OWN], n=1, cutoff=0.5)
        if field in known:
            forms = ", ".join(NAMES)
            raise TuneclipError(f"no form {form!r} of a field", where=f"{{{name}}}", expected=f"one of {forms}")
        raise TuneclipError(
            f"no field {name!r}",
            where=dataset.path,
            expected="one of " + ", ".join([*known, *OWN]),
            hint=f"did you mean {near[0]!r}?" if near else None,
        )


def _with(record: Record, texts: Sequence[str], options: Caption) -> Record:
    held = list(record.captions) if options.keep or not texts else []
    return dataclasses.replace(record, captions=tuple(dict.fromkeys([*texts, *held])))


def _parts(records: Sequence[Record]) -> Iterator[Part]:
    for record in records:
        yield Part(record, reason="" if record.captions else "no caption")


def _rewrite(dataset: Dataset, records: Sequence[Record], kept: Mapping[str, Any]) -> None:
    """New captions in the metadata file as it stands, all else untouched; then the manifest says so."""
    path = dataset.path / METADATA
    lines = []
    with path.open(encoding="utf-8") as file:
        for line, record in zip(file, records, strict=True):
            row = json.loads(line)
            row |= {"text": (*record.captions, "")[0], "captions": list(record.captions)}
            lines.append(json_line(row))
    write_text(path, "".join(lines))
    manifest = read_json(dataset.path / DATASET_MANIFEST)
    captions = sum(len(record.captions) for record in records)
    write_json(dataset.path / DATASET_MANIFEST, {**manifest, "captions": captions, "captioned": dict(kept)})


def _kept(options: Caption) -> dict[str, Any]:
    """The options that decide the captions, as a manifest keeps them."""
    return {"template": list(options.template), "lines": options.lines, "keep": options.keep}


def _kept_of(asker: Asker, options: Caption) -> dict[str, Any]:
    """The same of captions that a model gives."""
    return {**dataclasses.asdict(asker), "prompt": options.prompt or PROMPT, "keep": options.keep}


def _warn_of_cuts(tokens: Tokens) -> None:
    logger.warning(
        "%s of %s captions (%.1f %%) are longer than the %s tokens of %s and would be cut: put what matters first, "
        "or say less",
        f"{tokens.cut:,}",
        f"{tokens.captions:,}",
        100 * tokens.share,
        tokens.context,
        tokens.model,
    )
