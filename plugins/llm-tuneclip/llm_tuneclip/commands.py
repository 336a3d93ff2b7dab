"""`llm tuneclip`: the list of models that llm is offered wherever it runs."""

from pathlib import Path

import click

from llm_tuneclip.offers import current_project, list_path, read_list, write_list
from tuneclip.errors import TuneclipError
from tuneclip.project import Project, checked_name


@click.group(name="tuneclip")
def group() -> None:
    """Choose which tuneclip models llm has everywhere, not only in their project."""


@group.command(name="list")
def list_models() -> None:
    """Show every tuneclip model with its name in llm and where it comes from."""
    import llm

    from llm_tuneclip.model import TuneclipModel

    for known in llm.get_embedding_models_with_aliases():
        if isinstance(known.model, TuneclipModel):
            offer = known.model.offer
            where = offer.project / "models" / offer.source if offer.origin == "project" else offer.source
            click.echo(f"{known.model.model_id} ({', '.join(known.aliases)}): {offer.origin}, {where}")


@group.command()
@click.argument("model")
@click.option("--name", help="Its name in llm; by default the model's own.")
@click.option("aliases", "-a", "--alias", multiple=True, help="Another name; can be given again.")
def add(model: str, name: str | None, aliases: tuple[str, ...]) -> None:
    """Add MODEL to the list: a name in the current project, a folder, or a Hub id like owner/name."""
    from tuneclip.model.open import STARTER, locate

    try:
        folder = locate(model, current_project() or Project(Path()))
        name = checked_name(name or (model.rsplit("/", 1)[-1] if not Path(model).exists() else folder.resolve().name))
    except TuneclipError as error:
        raise click.ClickException(str(error)) from error
    is_local = folder != STARTER and (Path(model).exists() or "/" not in model)
    entry = {"model": str(folder.resolve()) if is_local else model, "aliases": list(aliases)}
    entries = read_list()
    if entries.get(name, entry)["model"] != entry["model"]:
        raise click.ClickException(f"{name!r} is already {entries[name]['model']}. Next: choose another --name")
    write_list(entries | {name: entry})
    click.echo(f"{name} is {entry['model']} ({list_path()})")


@group.command()
@click.argument("name")
def remove(name: str) -> None:
    """Take NAME off the list; the model itself stays."""
    entries = read_list()
    if name not in entries:
        raise click.ClickException(f"{name!r} is not in the list {list_path()}")
    write_list({key: entry for key, entry in entries.items() if key != name})
