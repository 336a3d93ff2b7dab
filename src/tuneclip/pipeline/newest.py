"""The variable that moves on by itself, in `tuneclip.toml`: what it is, and what it was before."""

from collections.abc import Iterator
from contextlib import contextmanager

from tuneclip.errors import TuneclipError
from tuneclip.project import SETTINGS, Project, write_bytes

NEWEST = "newest_model"
VARIABLES = "variables"
HISTORY = "history"


def newest(project: Project, variable: str = NEWEST) -> str | None:
    """The variable's value in `tuneclip.toml`; None where nothing has moved it yet and nobody wrote it there."""
    value = _table(project, VARIABLES).get(variable)
    return str(value) if value is not None else None


def earlier(project: Project, variable: str = NEWEST) -> tuple[str, ...]:
    """What the variable was before, oldest first."""
    known = _table(project, HISTORY).get(variable, [])
    return tuple(map(str, known)) if isinstance(known, list) else ()


def move_on(project: Project, to: str, *, before: str, variable: str = NEWEST) -> None:
    """Set the variable and remember what it was, in one write; comments and order of the file stay."""
    with _changing(project):
        _write(project, variable, to, (*earlier(project, variable), newest(project, variable) or before))


def move_back(project: Project, *, to: str | None = None, variable: str = NEWEST) -> tuple[str | None, str]:
    """Set the variable to what it was before, or to `to`; returns what it was and what it is now.

    Going back to an earlier value forgets what came after it; any other `to` is a step on. Raises TuneclipError when
    there is nothing to go back to.
    """
    with _changing(project):
        now, before = newest(project, variable), earlier(project, variable)
        if to is None and not before:
            raise TuneclipError(f"{variable} has no value before {now or 'its default'}", where=project.root / SETTINGS)
        if to is None or to in before:
            place = len(before) - 1 if to is None else len(before) - 1 - before[::-1].index(to)
            _write(project, variable, before[place], before[:place])
            return now, before[place]
        if to != now:
            _write(project, variable, to, (*before, now) if now else before)
        return now, to


def _table(project: Project, name: str) -> dict[str, object]:
    table = project.settings().get(name, {})
    if not isinstance(table, dict):
        raise TuneclipError(f"{name} is not a table", where=project.root / SETTINGS, expected=f"[{name}]")
    return table


@contextmanager
def _changing(project: Project) -> Iterator[None]:
    """One process at a time reads and writes the file."""
    from filelock import FileLock

    project.pipelines.mkdir(parents=True, exist_ok=True)
    with FileLock(project.pipelines / f"{SETTINGS}.lock"):
        yield


def _write(project: Project, variable: str, value: str, history: tuple[str, ...]) -> None:
    import tomlkit

    path = project.root / SETTINGS
    document = tomlkit.parse(path.read_bytes().decode("utf-8") if path.is_file() else "")
    for table, name, entry in ((VARIABLES, variable, value), (HISTORY, variable, list(history))):
        if table not in document:
            document[table] = tomlkit.table()
        document[table][name] = entry
    write_bytes(path, tomlkit.dumps(document).encode("utf-8"))
