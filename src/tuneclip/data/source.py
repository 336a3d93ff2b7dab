"""Recognise what a source is, and read it row by row."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from operator import attrgetter
from pathlib import Path

from tuneclip.data import dataloop, nested, opencontext, parquet, shards, table
from tuneclip.data.document import Document
from tuneclip.data.picture import SUFFIXES
from tuneclip.data.row import Row, flatten, printable, unfolded
from tuneclip.data.split import split_in_path, split_order
from tuneclip.data.walk import files_below
from tuneclip.errors import TuneclipError
from tuneclip.project import DATASET_MANIFEST, SKIPPED

CELLS = {".csv": "CSV", ".tsv": "TSV"}
LINES = {".jsonl": "JSON Lines", ".ndjson": "JSON Lines"}
NESTED = (".json", ".geojson")
TABLES = (*CELLS, *LINES, *NESTED)


@dataclass(frozen=True)
class Source:
    """Files of one format with their splits; `rows` may be called again and reads them from the start."""

    format: str
    where: Path
    files: tuple[tuple[Path, str | None], ...]
    reader: Callable[[Path], table.Rows]
    typed: bool = True
    """False where every value is text (CSV), so that numbers are recognised by how they look."""
    note: str = ""
    total: int | None = None
    beside: Callable[[Path], Path] = attrgetter("parent")
    """The folder from which the picture paths in a file may start."""

    @property
    def folder(self) -> Path:
        """The folder that the source lies in."""
        return self.where if self.where.is_dir() else self.where.parent

    def rows(self) -> Iterator[Row]:
        """All rows in the order of the files."""
        for path, split in self.files:
            inside = path.relative_to(self.where) if self.where.is_dir() and path != self.where else Path(path.name)
            for number, (fields, problem) in enumerate(self.reader(path), 1):
                yield Row(
                    where=f"{inside.as_posix()}, record {number}",
                    fields=flatten(unfolded(fields)),
                    split=split,
                    problem=printable(problem) if problem else None,
                    key=f"{split or inside.stem}/{number:06}",
                    folder=self.beside(path),
                )


def recognise(path: Path, records: str | None = None, pictures: Path | None = None) -> Source:
    """What `path` is; its pictures may lie in another folder, `pictures`.

    Raises TuneclipError when nothing readable is there, or when it could be two things.
    """
    if not path.exists():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = get_close_matches(path.name, names, n=1)
        raise TuneclipError("no such file or folder", where=path, hint=f"did you mean {near[0]}?" if near else None)
    if path.is_file():
        return _of_files(path, [path], records, pictures)
    files = list(files_below(path))
    if not files:
        raise TuneclipError("the folder is empty", where=path, expected="pictures with metadata, or parquet files")
    for wanted in (_metadata, _parquet, _shards, _exports, _tables):
        chosen = wanted(files, path)
        if chosen:
            return _of_files(path, chosen, records, pictures)
    return _class_folders(path, files)


def _metadata(files: list[Path], folder: Path) -> list[Path]:
    """The metadata files of an imagefolder: one beside the pictures, or one in each split's folder."""
    found = [path for path in files if path.name in ("metadata.jsonl", "metadata.csv")]
    root = [path for path in found if path.parent == folder]
    return root[:1] or [path for path in found if path.suffix == found[0].suffix]


def _parquet(files: list[Path], _: Path) -> list[Path]:
    return [path for path in files if path.suffix.lower() == ".parquet"]


def _shards(files: list[Path], _: Path) -> list[Path]:
    return [path for path in files if path.name.lower().endswith(shards.FORMATS)]


def _exports(files: list[Path], _: Path) -> list[Path]:
    """JSON files that are read together: items of Dataloop, or pages and items of Open Context."""
    found = [p for p in files if p.suffix.lower() in NESTED and p.name != DATASET_MANIFEST]
    if any(map(dataloop.is_export, found[:3])):
        return found
    return found if len(found) > 1 and _is_open_context(found[0]) else []


def _is_open_context(path: Path) -> bool:
    try:
        return opencontext.is_page_or_item(Document(path))
    except TuneclipError:
        return False


def _tables(files: list[Path], folder: Path) -> list[Path]:
    """The one table of the folder, or of its `annotations`; several when each is one split."""
    tables = [p for p in files if p.suffix.lower() in TABLES and p.name not in (DATASET_MANIFEST, SKIPPED)]
    found = [p for p in tables if p.parent == folder] or [p for p in tables if p.parent == folder / "annotations"]
    found = [p for p in found if p.name.startswith("captions_")] or found  # COCO lays captions beside boxes and poses
    if len(found) < 2:
        return found
    splits = [split_in_path(path.name) for path in found]
    if len(set(splits)) == len(found) and None not in splits and len({path.suffix.lower() for path in found}) == 1:
        return found
    names = ", ".join(path.name for path in found)
    raise TuneclipError(f"several metadata files: {names}", where=folder, hint=f"name one: tuneclip import {found[0]}")


def _of_files(where: Path, files: list[Path], records: str | None, pictures: Path | None) -> Source:
    splits = {path: split_in_path(_inside(path, where)) if where.is_dir() else None for path in files}
    ordered = sorted(files, key=lambda path: (split_order(splits[path] or "train"), path))
    chosen = tuple((path, splits[path]) for path in ordered)
    name = ordered[0].name.lower()
    suffix = next((suffix for suffix in (*TABLES, *shards.FORMATS, ".parquet") if name.endswith(suffix)), "")
    if suffix == ".parquet":
        return Source("Hugging Face parquet", where, chosen, parquet.read, total=parquet.count(ordered))
    if suffix in shards.FORMATS:
        return Source("WebDataset", where, chosen, shards.read)
    if suffix in NESTED and records is None and any(map(dataloop.is_export, ordered[:3])):
        return _of_dataloop(where, ordered, pictures)
    if suffix in NESTED:
        return _of_nested(where, chosen, records)
    if suffix in LINES:
        return Source(LINES[suffix], where, chosen, table.read_jsonl)
    if suffix in CELLS:
        return Source(CELLS[suffix], where, chosen, table.read_csv, typed=False)
    known = ", ".join((*TABLES, *shards.FORMATS, ".parquet"))
    raise TuneclipError(
        f"cannot read {ordered[0].suffix or 'such'} files", where=where, expected=f"a folder or {known}"
    )


def _of_nested(where: Path, chosen: tuple[tuple[Path, str | None], ...], records: str | None) -> Source:
    held = {path: nested.read_nested(path, records) for path, _ in chosen}
    first = next(iter(held.values()))
    total = sum(each.total for each in held.values())
    return Source(first.format, where, chosen, lambda path: held[path].rows(), note=first.note, total=total)


def _of_dataloop(where: Path, files: list[Path], pictures: Path | None) -> Source:
    export = dataloop.Export(where, files, pictures)
    splits = {path: split_in_path(export.splits_from(path)) for path in export.files}
    chosen = tuple(
        (path, splits[path]) for path in sorted(splits, key=lambda path: (split_order(splits[path] or "train"), path))
    )
    return Source("Dataloop", where, chosen, export.read, beside=export.beside)


def _inside(path: Path, where: Path) -> str:
    return path.relative_to(where).as_posix() if where.is_dir() else path.name


def _class_folders(where: Path, files: list[Path]) -> Source:
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        expected = "pictures, parquet, or a table (" + ", ".join(TABLES) + ")"
        raise TuneclipError("no pictures and no metadata in the folder", where=where, expected=expected)
    if all(path.parent == where for path in pictures):
        raise TuneclipError(
            f"{len(pictures)} pictures without metadata",
            where=where,
            expected="metadata.jsonl or metadata.csv beside them, or a folder for each class",
        )
    tops = {path: path.relative_to(where).parts[0] for path in pictures}
    splits = {top: split_in_path(top) for top in set(tops.values())}
    given = all(splits.values())  # train/cat/1.jpg, test/cat/2.jpg
    depth = 2 if given else 1  # a picture that lies above the class folders has no class
    labelled = {path: path.parent.name if len(path.relative_to(where).parts) > depth else None for path in pictures}

    def read(path: Path) -> table.Rows:
        yield {"file_name": path.relative_to(where).as_posix(), "label": labelled[path]}, None

    chosen = tuple((path, splits[tops[path]] if given else None) for path in pictures)
    return Source("class folders", where, chosen, read, total=len(chosen))
