"""Write a dataset folder record by record, in memory that does not grow with their number."""

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from errno import ENOSPC
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any, Literal, TextIO

from tuneclip.data.naming import folded, stems_for
from tuneclip.data.picture import Decoded
from tuneclip.data.row import Embedded, Value, as_kind, as_text, common_kind, kind_of
from tuneclip.data.split import CARVED, MADE, choose_splits, split_order
from tuneclip.errors import TuneclipError
from tuneclip.project import METADATA, PENDING, SKIPPED
from tuneclip.records import Scalar

PICTURES = "pictures"
_WORKBENCH = ".records.sqlite"
_FIRST_ROWS = 100  # surely within the part of the file from which readers guess the types of columns
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SCHEMA = """
CREATE TABLE records (position INTEGER PRIMARY KEY, source TEXT UNIQUE, place TEXT, origin TEXT, named TEXT UNIQUE,
                      own_id TEXT, grp TEXT, split TEXT, file TEXT, url TEXT, captions TEXT, metadata TEXT);
CREATE TABLE refused (source TEXT PRIMARY KEY, reason TEXT);
CREATE TABLE names (name TEXT PRIMARY KEY, count INTEGER);
"""


_INSERT = """
INSERT INTO records (position, source, place, origin, named, own_id, grp, split, file, url, captions, metadata)
VALUES (:position, :source, :place, :origin, :named, :own_id, :grp, :split, :file, :url, :captions, :metadata)
"""
_ALL_GROUPS = "SELECT DISTINCT ifnull(grp, named) FROM records"
_TRAIN_GROUPS = "SELECT DISTINCT ifnull(grp, named) FROM records WHERE split IS NULL OR split = 'train'"
_TORN_GROUPS = """
SELECT count(*) FROM (SELECT grp FROM records WHERE grp NOT NULL GROUP BY grp HAVING count(DISTINCT split) > 1)
"""
_GROUP_TWINS = """
UPDATE records SET grp = url WHERE grp IS NULL AND url IN (SELECT url FROM records GROUP BY url HAVING count(*) > 1)
"""
_IN_ORDER = """
SELECT file, url, captions, named, ifnull(grp, named), split, metadata FROM records
ORDER BY position NOT IN (SELECT value FROM json_each(?)), position
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to be written. `source` is equal for rows that mean the same picture; `place` says where it stood."""

    source: str
    place: str
    origin: str
    captions: tuple[str, ...]
    metadata: Mapping[str, Value] = field(default_factory=dict)
    id: str | None = None
    """Must be unique: the user named the column."""
    own_id: str | None = None
    """Becomes the id if every record has one and all differ; else the origin does."""
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the records; `columns` has the kind of each metadata column.

    `torn_groups` counts groups that the source's own splits tear apart.
    """

    taken: int
    skipped: int
    merged: int
    captions: int
    splits: dict[str, int]
    columns: dict[str, str]
    torn_groups: int = 0
    pending: int = 0
    """Records that wait for `download` to fetch their picture."""


class DatasetWriter:
    """Fills a fresh folder with `pictures/`, `metadata.jsonl` and `skipped.jsonl`; use as a context, end with `finish`.

    Records wait in a temporary SQLite file, since ids, splits and column types are settled by all of them together.
    """

    def __init__(self, folder: Path, *, typed: bool = True) -> None:
        self.folder, self.typed = folder, typed
        self.taken = self.skipped = self.merged = self.pending = 0
        self.first_reasons: list[str] = []
        self._kinds: dict[str, set[str]] = {}
        self._telling: dict[str, int] = {}

    def __enter__(self) -> "DatasetWriter":
        (self.folder / PICTURES).mkdir()
        self._base = sqlite3.connect(self.folder / _WORKBENCH, isolation_level=None)
        self._base.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;" + _SCHEMA)
        self._skips: TextIO | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()
        (self.folder / _WORKBENCH).unlink(missing_ok=True)
        if self._skips is not None:
            self._skips.close()

    def knows(self, source: str) -> bool:
        """Whether a record with this picture was added or refused already."""
        return (
            self._reason(source) is not None or self._one("SELECT 1 FROM records WHERE source = ?", source) is not None
        )

    def copy(self, entry: Entry, picture: Decoded, data: bytes) -> None:
        """Take a record with a picture not seen before; its bytes are copied as they are."""
        file = self.free_file(entry.origin, picture.extension)
        (self.folder / file).write_bytes(data)
        self.add(entry, file)

    def free_file(self, origin: str, extension: str) -> str:
        """A file for a picture, below the dataset's folder, whose name no other picture has."""
        return f"{PICTURES}/{self._free_name(origin)}{extension}"

    def pend(self, entry: Entry, url: str) -> None:
        """Keep a record whose picture is to be fetched from `url`; its file's name, but the extension, is set now."""
        self._insert(entry, self.free_file(entry.id or entry.own_id or entry.origin, ""), url)
        self.pending += 1

    def add(self, entry: Entry, file: str) -> None:
        """Take a record whose picture is `file`, below the dataset's folder."""
        self._insert(entry, file, None)
        self.taken += 1

    def _insert(self, entry: Entry, file: str, url: str | None) -> None:
        other = self._one("SELECT place FROM records WHERE named = ?", entry.id) if entry.id else None
        if other:
            where = f"{other[0]} and {entry.place}"
            raise TuneclipError(f"the id {entry.id!r} stands twice", where=where, expected="an id that is unique")
        self._note(entry.metadata, entry.captions)
        values = {
            "position": self.taken + self.pending,
            **{name: getattr(entry, name) for name in ("source", "place", "origin", "own_id", "split")},
            "named": entry.id,
            "grp": entry.group,
            "file": file,
            "url": url,
            "captions": json.dumps(entry.captions),
            "metadata": json.dumps(_scalars(entry.metadata)),
        }
        self._run(_INSERT, values)

    def merge(self, entry: Entry, fields: Mapping[str, Value]) -> None:
        """Add the captions of one more row to the record of the same picture, or skip it as that one was skipped."""
        reason = self._reason(entry.source)
        if reason is not None:
            self.skip(entry.place, fields, reason)
            return
        held = self._one("SELECT captions FROM records WHERE source = ?", entry.source)
        captions = list(dict.fromkeys([*json.loads(held[0]), *entry.captions])) if held else []
        self._run("UPDATE records SET captions = ? WHERE source = ?", json.dumps(captions), entry.source)
        self.merged += 1

    def refuse(self, entry: Entry, fields: Mapping[str, Value], reason: str) -> None:
        """Skip a record because of its picture; rows that mean the same picture will share the reason."""
        self._run("INSERT OR IGNORE INTO refused VALUES (?, ?)", entry.source, reason)
        self.skip(entry.place, fields, reason)

    def skip(self, place: str, fields: Mapping[str, Value], reason: str) -> None:
        """Write a row that was not taken to `skipped.jsonl`, with the reason."""
        if self._skips is None:
            self._skips = (self.folder / SKIPPED).open("w", encoding="utf-8")
        record = {name: value.path if isinstance(value, Embedded) else value for name, value in fields.items()}
        line = {"where": place, "record": record, "reason": reason}
        self._skips.write(json_line(line))
        self.skipped += 1
        if len(self.first_reasons) < 3:
            self.first_reasons.append(f"{place}: {reason}")

    def finish(self, seed: int | None) -> Written:
        """Settle ids, groups, splits and column types, and write `metadata.jsonl`; no seed: splits stay as given.

        Records that wait for their picture go to `pending.jsonl` with their place in the order of all.
        """
        columns = {name: common_kind(kinds) for name, kinds in self._kinds.items() if name and kinds}
        if self._settle_ids() == "own":
            columns.pop("id", None)
        self._run(_GROUP_TWINS)
        split_of = self._splits(seed)
        splits: dict[str, int] = {}
        texts = 0
        with (self.folder / METADATA).open("w", encoding="utf-8") as file, self._waiting() as waiting:
            for place, (row, url) in enumerate(self._ordered()):
                row["split"] = split_of(row["split"], row["group"])
                row["metadata"] = {name: as_kind(row["metadata"].get(name), kind) for name, kind in columns.items()}
                if url is not None:
                    waiting.write(json_line({**row, "url": url, "position": place}))
                    continue
                splits[row["split"]] = splits.get(row["split"], 0) + 1
                texts += len(row["captions"])
                file.write(json_line(row))
        ordered = {name: splits[name] for name in sorted(splits, key=split_order)}
        torn = self._one(_TORN_GROUPS) or (0,)
        return Written(self.taken, self.skipped, self.merged, texts, ordered, columns, torn[0], self.pending)

    def _waiting(self) -> AbstractContextManager[TextIO]:
        path = self.folder / PENDING
        return path.open("w", encoding="utf-8") if self.pending else nullcontext(StringIO())

    def _settle_ids(self) -> Literal["given", "own", "origin"]:
        """Fill `named`: as given, else the rows' own ids if those are unique and complete, else the origins."""
        if self._one("SELECT 1 FROM records WHERE named IS NULL LIMIT 1") is None:
            return "given"
        own = self._one("SELECT count(*) = count(DISTINCT own_id) FROM records")
        if own and own[0]:
            self._run("UPDATE records SET named = own_id")
            return "own"
        self._run(
            "UPDATE records SET named = origin WHERE position IN (SELECT min(position) FROM records GROUP BY origin)"
        )
        for position in range(self.taken + self.pending):
            origin = self._one("SELECT origin FROM records WHERE position = ? AND named IS NULL", position)
            if origin:
                self._run("UPDATE records SET named = ? WHERE position = ?", self._free_id(origin[0]), position)
        return "origin"

    def _free_id(self, origin: str) -> str:
        return next(
            name
            for number in count(2)
            if self._one("SELECT 1 FROM records WHERE named = ?", name := f"{origin}#{number}") is None
        )

    def _splits(self, seed: int | None) -> Any:
        """A function from (given split, group) to the split; what the source gives is kept."""
        if seed is None:
            return lambda split, _: split or "train"
        given = {name for (name,) in self._base.execute("SELECT DISTINCT split FROM records")}
        if given == {None}:
            choose = choose_splits(self._groups(_ALL_GROUPS), MADE, seed)
            return lambda _, group: choose(group)
        if "validation" in given or not given & {"train", None}:
            return lambda split, _: split or "train"
        carve = choose_splits(self._groups(_TRAIN_GROUPS), CARVED, seed)
        return lambda split, group: carve(group) if split in (None, "train") else split

    def _groups(self, query: str) -> Iterator[str]:
        yield from (group for (group,) in self._base.execute(query))

    def _ordered(self) -> Iterator[tuple[dict[str, Any], str | None]]:
        """All records in order with the links of those without a picture.

        Rows that first show a column's type come first: readers guess it from there.
        """
        early = sorted({position for position in self._telling.values() if position >= _FIRST_ROWS})
        for file, url, captions, name, group, split, metadata in self._base.execute(_IN_ORDER, (json.dumps(early),)):
            texts = json.loads(captions)
            row = {"file_name": file, "text": texts[0], "captions": texts, "id": name, "group": group, "split": split}
            yield row | {"metadata": json.loads(metadata)}, url

    def _note(self, metadata: Mapping[str, Value], captions: tuple[str, ...]) -> None:
        """Remember the kinds of the columns, and which record first shows each column's type beyond doubt."""
        for name, value in {**_scalars(metadata), "": captions[0]}.items():
            if value is None:
                self._kinds.setdefault(name, set())
                continue
            kind = kind_of(value, typed=self.typed)
            self._kinds.setdefault(name, set()).add(kind)
            if name not in self._telling and not (kind == "text" and _DATE.match(str(value))):
                self._telling[name] = self.taken + self.pending

    def _free_name(self, origin: str) -> str:
        """A stem for the picture's file that is not taken, case ignored; the last choice gets a number."""
        wanted = stems_for(origin)
        for name in wanted:
            if self._take(name):
                return name
        name = wanted[-1]
        while True:
            used = self._one("UPDATE names SET count = count + 1 WHERE name = ? RETURNING count", folded(name))
            numbered = f"{name}-{used[0] if used else 2}"
            if self._take(numbered):
                return numbered

    def _take(self, name: str) -> bool:
        with _disk_full(self.folder):
            return self._base.execute("INSERT OR IGNORE INTO names VALUES (?, 1)", (folded(name),)).rowcount == 1

    def _reason(self, source: str) -> str | None:
        found = self._one("SELECT reason FROM refused WHERE source = ?", source)
        return found[0] if found else None

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with _disk_full(self.folder):
            found: tuple[Any, ...] | None = self._base.execute(query, values).fetchone()
            return found

    def _run(self, query: str, *values: Any) -> None:
        """Execute with values by position, or with one dictionary of values by name."""
        with _disk_full(self.folder):
            self._base.execute(query, values[0] if values and isinstance(values[0], dict) else values)


@contextmanager
def _disk_full(folder: Path) -> Iterator[None]:
    """SQLite has its own word for a full disk; say it in the operating system's."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise OSError(ENOSPC, "No space left on device", str(folder)) from error
        raise


def _scalars(fields: Mapping[str, Value]) -> dict[str, Scalar]:
    """The fields as metadata: lists become text, pictures are left out."""
    return {
        _metadata_name(name): (as_text(value) or None) if isinstance(value, list) else value
        for name, value in fields.items()
        if not isinstance(value, Embedded)
    }


def json_line(value: dict[str, Any]) -> str:
    """One line for every reader: the characters that only some take for the end of a line are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x85", "\\u0085").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029") + "\n"


def _metadata_name(name: str) -> str:
    """Hugging Face's imagefolder takes any column called `…_file_name` for a picture; such a one is renamed."""
    return re.sub(r"((?:^|_)file)_(names?)$", r"\1\2", name)
