"""The project folder: the only place that knows file names, and how files are written so that a kill tears none."""

import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneclip.errors import TuneclipError

SETTINGS = "tuneclip.toml"
METADATA = "metadata.jsonl"
SKIPPED = "skipped.jsonl"
PENDING = "pending.jsonl"
DATASET_MANIFEST = "dataset.json"
MODEL_MANIFEST = "tuneclip.json"
REPORT = "report.html"
METRICS = "metrics.jsonl"
GRAPHS = "onnx"
ENCODER = "encoder.json"
EMBEDDED = "embedded.npy"
MINED = "mined.safetensors"
ANSWERS = "answers.jsonl"
ENVIRONMENT = ".env"


@dataclass(frozen=True)
class Project:
    """A folder with datasets, models, vectors and runs; none of them needs to exist yet."""

    root: Path

    def dataset(self, name: str) -> Path:
        """The dataset's folder: of that name in the project, else that path (which need not exist)."""
        return self._find("datasets", name)

    def model(self, name: str) -> Path:
        """The model's folder: of that name in the project, else that path (which need not exist)."""
        return self._find("models", name)

    def run(self, name: str) -> Path:
        """The folder of a run: checkpoints, metrics, report."""
        return self.root / "runs" / checked_name(name)

    @property
    def kept(self) -> Path:
        """What runs compute once and read again, in files named by all that decides them."""
        return self.root / "runs" / ".kept"

    def asked(self, dataset: str) -> Path:
        """The folder of what a multimodal model answered about a dataset's pictures, and of its jobs."""
        return self.root / "runs" / ".captions" / checked_name(dataset)

    @property
    def pipelines(self) -> Path:
        """What pipelines have done, so that they need not do it again, and their locks."""
        return self.root / "runs" / ".pipelines"

    def classifier(self, name: str) -> Path:
        """The file of a finished classifier."""
        return self.root / "classifiers" / f"{checked_name(name)}.json"

    def classifier_log(self, name: str) -> Path:
        """The ratings that make a classifier, one event a line."""
        return self.root / "classifiers" / f"{checked_name(name)}.ratings.jsonl"

    @property
    def vectors(self) -> Path:
        """The embedded database."""
        return self.root / "vectors"

    def store_pointer(self, collection: str) -> Path:
        """The file that says in which store a collection lives, if not in the project's own database."""
        return self.vectors / f"{checked_name(collection)}.store.json"

    def map(self, collection: str) -> Path:
        """The file of a collection's map: points, neighbours and duplicates, a row for each picture."""
        return self.vectors / f"{checked_name(collection)}.map.parquet"

    def new(self, kind: str, name: str) -> Path:
        """The folder that a new dataset or model (`kind`: "datasets", "models") of that name gets."""
        return self.root / kind / checked_name(name)

    def names(self, kind: str) -> list[str]:
        """What the project has of a kind, sorted; unfinished work (hidden names) is left out."""
        folder = self.root / kind
        return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []

    def settings(self) -> dict[str, Any]:
        """The tables of `tuneclip.toml`; empty where there is none. Raises TuneclipError when it is not TOML."""
        path = self.root / SETTINGS
        return read_toml(path) if path.is_file() else {}

    def environment(self) -> dict[str, str]:
        """What the environment says, and where it says nothing the project's `.env`; nothing is put into it."""
        from dotenv import dotenv_values

        path = self.root / ENVIRONMENT
        try:
            kept = dotenv_values(path) if path.is_file() else {}
        except UnicodeDecodeError as error:
            raise TuneclipError("not a text file in UTF-8", where=path, expected="lines like NAME=value") from error
        given = {name: value for name, value in os.environ.items() if value}
        return {name: value for name, value in kept.items() if value} | given

    def _find(self, kind: str, name: str) -> Path:
        inside = self.root / kind / name
        return inside if inside.exists() or not Path(name).exists() else Path(name)


def user_cache() -> Path:
    """Where this user's programs keep what they can make again (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuneclip"


def checked_name(name: str) -> str:
    """`name` if it can be the name of a folder of ours, else TuneclipError."""
    if not name or name.startswith(".") or set(name) & set('/\\:*?"<>|\0') or len(name.encode()) > 200:
        raise TuneclipError(f"{name!r} cannot be a name", expected="letters, digits, '-' and '_', not a path")
    return name


def beside(path: Path) -> Path:
    """Where `path` is built before it is renamed: hidden, in the same folder."""
    return path.parent / f".{path.name}.partial"


def write_text(path: Path, text: str) -> None:
    """Write beside and rename: readers see the old file or the new one, never half of it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """As `write_text`, for bytes; the data are on the disk before the name points to them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = error.filename or str(path)
        raise
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """As `write_text`, for a JSON value, indented for people."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The JSON value in `path`; raises TuneclipError when it is missing or torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TuneclipError("no such file", where=path) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TuneclipError(f"not valid JSON: {error}", where=path) from error


def read_toml(path: Path) -> dict[str, Any]:
    """The tables in `path`; raises TuneclipError when it is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TuneclipError("no such file", where=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TuneclipError(f"not valid TOML: {error}", where=path) from error


@contextmanager
def building(path: Path) -> Iterator[Path]:
    """A fresh folder beside `path` that takes its name when the block ends well; an old `path` is replaced then.

    After an error or a kill `path` is what it was before; the torn folder is cleared by the next attempt.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, old = beside(path), path.parent / f".{path.name}.old"
    if old.exists() and not path.exists():  # killed between the two renames below
        old.rename(path)
    for leftover in (temporary, old):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if path.exists():
        path.rename(old)
    temporary.rename(path)
    shutil.rmtree(old, ignore_errors=True)
