"""A plug-in of llm: every tuneclip model is an embedding model by its own name, for pictures and for texts."""

import sys
from typing import Any

import click
import llm

from llm_tuneclip.commands import group
from llm_tuneclip.guard import guard_collections
from llm_tuneclip.model import TuneclipModel
from llm_tuneclip.offers import named, offers, taken


@llm.hookimpl  # type: ignore[untyped-decorator]
def register_embedding_models(register: Any) -> None:
    """Offer the project's models, those of the user's list, and the starter; none is opened yet."""
    guard_collections()
    for model_id, aliases, offer in named(offers(), taken(sys.modules[__name__])):
        register(TuneclipModel(model_id, offer), aliases=aliases)


@llm.hookimpl  # type: ignore[untyped-decorator]
def register_commands(cli: click.Group) -> None:
    """Add `llm tuneclip list`, `add` and `remove`; and guard the collections before a command opens one."""
    guard_collections()
    cli.add_command(group)
