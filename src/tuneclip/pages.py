"""How HTML pages are made of templates, wherever the templates lie."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def templates(folder: Path) -> "Environment":
    """The templates of a folder; what is put in is escaped, and `number` writes 1234 as 1,234."""
    from jinja2 import Environment, FileSystemLoader

    found = Environment(loader=FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    found.filters["number"] = lambda value: f"{value:,}"
    return found


def render(template: Path, **values: Any) -> str:
    """The page that one template makes of these values."""
    return templates(template.parent).get_template(template.name).render(values)
