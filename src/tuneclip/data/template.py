"""Captions made from fields: `"{material} {category} from {context}, {start}–{end}"`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tuneclip.data.readable import read, sources, year_range
from tuneclip.data.row import Value
from tuneclip.errors import TuneclipError

_YEAR = re.compile(r":\s*year\s*\}")
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")


@dataclass(frozen=True)
class Template:
    """A caption with fields in braces; `{{` and `}}` are braces. A clause ends at a comma.

    A field may say after a colon how it reads: `{start:year}`, `{findspot:coordinates}` (`readable.NAMES` has all).
    A clause with a field that a record lacks is left out; a template that loses all its clauses gives no caption.
    """

    text: str

    def __post_init__(self) -> None:
        if not self.fields:
            raise TuneclipError("no field in the template", where=repr(self.text), expected='like "{material} vessel"')
        if set("{}") & set(_FIELD.sub("", self.text)):
            raise TuneclipError("a brace without its partner", where=repr(self.text), hint="write {{ for a plain brace")

    @property
    def fields(self) -> list[str]:
        """The dotted names of the fields, in order, each once."""
        return list(dict.fromkeys(name for found in _FIELD.findall(self.text) if found for name in sources(found)))

    def render(self, fields: Mapping[str, Value]) -> str | None:
        """The caption of one record, or None when nothing of it is left."""
        kept = [filled for clause in _clauses(self.text) if (filled := _fill(clause, fields)) is not None]
        return ", ".join(kept) or None


def _clauses(text: str) -> list[str]:
    """The template cut at its commas, but not at those inside braces."""
    return [clause for clause in re.split(r",(?![^{}]*\})", text) if clause.strip()]


def _fill(clause: str, fields: Mapping[str, Value]) -> str | None:
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        if match[0] in ("{{", "}}"):
            return match[0][0]
        text = read(match[1], fields)
        missing = missing or not text
        return text

    filled = " ".join(_FIELD.sub(value, clause).split())
    if missing:
        return None
    return year_range(filled) if _YEAR.search(clause) else filled
