"""What the columns of a source mean: which names the picture, which hold captions, ids, groups and splits."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from tuneclip.data.links import link_column
from tuneclip.data.picture import SUFFIXES
from tuneclip.data.row import Embedded, Row, Value, as_text, as_texts
from tuneclip.data.source import Source
from tuneclip.data.split import split_name
from tuneclip.data.template import Template
from tuneclip.errors import TuneclipError
from tuneclip.settings import Import

SAMPLED_ROWS = 100
_OURS = {"file_name", "captions", "id", "group", "split"}
CAPTIONS = (
    "captions", "caption", "text", "texts", "title", "label", "sentences", "sentence", "description", "name", "prompt",
)  # fmt: skip
CAPTIONS_WITHIN = ("raw", "caption", "text")  # `sentences.raw`, as lists of objects have it
# Letters only, lower case: `Image_Path`, `imagePath` and `image.path` are one.
PICTURES = (
    "filename", "imagepath", "imagefilename", "imagefile", "image", "picturefile", "picturepath", "picture",
    "photopath", "photofile", "photo", "imgpath", "imgfile", "img", "filepath", "path", "file",
    "imagename", "picturename", "imgname",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What was understood of a source, ready to be applied to each row."""

    picture: str
    captions: tuple[str, ...]
    templates: tuple[Template, ...]
    columns: tuple[str, ...]
    id: str | None = None
    group: str | None = None
    split: str | None = None
    link: str | None = None
    """Where records without a picture file name theirs by link, to be fetched by `download`."""
    sample: tuple[Row, ...] = field(default=(), repr=False)

    def texts(self, fields: Mapping[str, Value]) -> list[str]:
        """The captions of a row: its caption columns, then its templates; none twice, none empty."""
        found = [text for name in self.captions for text in as_texts(fields.get(name))]
        found += [text for template in self.templates if (text := template.render(fields))]
        return list(dict.fromkeys(found))

    @property
    def spoken(self) -> str:
        """The plan as people read it."""
        captions = [*self.captions, *(repr(template.text) for template in self.templates)]
        parts = [f"picture: {self.picture}", f"captions: {', '.join(captions)}"]
        parts += [f"{name}: {value}" for name in ("id", "group", "split") if (value := getattr(self, name))]
        parts += [f"links: {self.link}"] if self.link and self.link != self.picture else []
        return "; ".join(parts)


def understand(source: Source, options: Import) -> Plan:
    """Decide what each column means; raises TuneclipError for a column that is not there, or where none will do."""
    sample = tuple(islice(source.rows(), SAMPLED_ROWS))
    examples = _examples(sample)
    if not examples:
        problem = next((f": {row.problem} ({row.where})" for row in sample if row.problem), "")
        raise TuneclipError(f"no records{problem}", where=source.where, expected="at least one record with a picture")
    templates = tuple(Template(text) for text in options.template)
    named = [*options.caption, *(name for template in templates for name in template.fields)]
    named += [name for name in (options.id, options.group, options.url) if name]
    columns = _columns_with(source, examples, named)
    link = options.url or link_column(examples)
    return Plan(
        picture=_picture_column(examples, source, link),
        captions=options.caption or (() if templates else _caption_columns(examples, source)),
        templates=templates,
        columns=columns,
        id=options.id,
        group=options.group or ("group" if set(columns) >= _OURS else None),
        split=_split_column(examples),
        link=link,
        sample=sample,
    )


def _examples(rows: Iterable[Row]) -> dict[str, list[Value]]:
    """The columns of the rows in the order in which they appear, with their values that are not missing."""
    examples: dict[str, list[Value]] = {}
    for row in rows:
        for name, value in row.fields.items():
            held = examples.setdefault(name, [])
            if value is not None and value != "":
                held.append(value)
    return examples


def _columns_with(source: Source, examples: dict[str, list[Value]], named: list[str]) -> tuple[str, ...]:
    """All columns; those `named` but not among the first rows are looked for in the rest, else TuneclipError."""
    columns = dict.fromkeys(examples)
    missing = [name for name in named if name not in columns]
    if not missing:
        return tuple(columns)
    for row in source.rows():
        columns |= dict.fromkeys(row.fields)
        if all(name in columns for name in missing):
            return tuple(columns)
    name = next(name for name in missing if name not in columns)
    near = get_close_matches(name, columns, n=1, cutoff=0.5) or _same_letters(name, columns)
    raise TuneclipError(
        f"no column {name!r}",
        where=source.where,
        expected="one of " + ", ".join(columns),
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _same_letters(name: str, columns: Iterable[str]) -> list[str]:
    return [column for column in columns if _letters(name) in _letters(column)]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _picture_column(examples: dict[str, list[Value]], source: Source, link: str | None) -> str:
    """The column that names the picture's file; where there is none, the one that links to it."""
    ranked = sorted((rank, name) for name, values in examples.items() if (rank := _picture_rank(name, values)))
    if ranked:
        return ranked[0][1]
    if link:
        return link
    links = [name for name, values in examples.items() if values and all(_is_link(value) for value in values)]
    columns = ", ".join(examples)
    if links:
        what = f"the records name pictures by link ({links[0]}), neither by file nor by http(s) address"
        raise TuneclipError(what, where=source.where, expected="a column with the picture's path")
    raise TuneclipError(
        f"no column names the picture (columns: {columns})",
        where=source.where,
        expected="a column like file_name, image, picture or path",
    )


def _picture_rank(name: str, values: list[Value]) -> tuple[int, int] | None:
    """How well a column names pictures, smaller is better; None when it does not.

    First come pictures carried in the rows, then known names with picture files, then any column of picture files,
    then known names with anything that may be a file's stem.
    """
    own, last = _letters(name), _letters(name.rsplit(".", 1)[-1])
    known = PICTURES.index(own) if own in PICTURES else 50 + PICTURES.index(last) if last in PICTURES else None
    if any(isinstance(value, Embedded) for value in values):
        return (0, known if known is not None else 99)
    plain = [value for value in values if isinstance(value, (str, int)) and not _is_link(value)]
    files = sum(isinstance(value, str) and _suffix(value) in SUFFIXES for value in plain)
    if files > len(values) / 2:
        return (1, known) if known is not None else (2, 0)
    if known is None or not plain:
        return None
    return (3, known) if files else (4, known)


def _suffix(path: str) -> str:
    return "." + path.rsplit(".", 1)[-1].lower()


def _is_link(value: Value) -> bool:
    return isinstance(value, str) and re.match(r"[a-z][a-z0-9+.-]*://", value, re.IGNORECASE) is not None


def _caption_columns(examples: dict[str, list[Value]], source: Source) -> tuple[str, ...]:
    nested = [f"{name}.{inner}" for name in CAPTIONS for inner in CAPTIONS_WITHIN]
    by_lower = {name.lower(): name for name in reversed(examples)}
    for name in (*CAPTIONS, *nested):
        column = by_lower.get(name)
        if column and any(as_text(value) for value in examples[column]):
            return (column,)
    raise TuneclipError(
        "no column looks like captions",
        where=source.where,
        hint=f"say which with --caption or --template; columns: {', '.join(examples)}",
    )


def _split_column(examples: dict[str, list[Value]]) -> str | None:
    for name, values in examples.items():
        if name.lower() == "split" and values and all(isinstance(value, str) and split_name(value) for value in values):
            return name
    return None
