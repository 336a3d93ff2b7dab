"""Write a dataset folder record by record, in memory that does not grow with their number."""

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from errno import ENOSPC
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from tuneclip.data.load import split_order
from tuneclip.data.row import Value, as_kind, as_text, common_kind, kind_of
from tuneclip.data.split import CARVED, MADE, choose_splits
from tuneclip.errors import TuneclipError
from tuneclip.project import METADATA, SKIPPED
from tuneclip.records import Scalar

PICTURES = "pictures"
_WORKBENCH = ".records.sqlite"
_LONGEST_STEM = 100
# Whole words in file names from which Hugging Face's imagefolder would infer splits, and names that Windows reserves.
_SPLIT_WORDS = re.compile(
    r"(?:^|(?<=[-._ 0-9]))(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=[-._ 0-9]|$)", re.I
)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$", re.I)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SCHEMA = """
CREATE TABLE records (position INTEGER PRIMARY KEY, source TEXT UNIQUE, place TEXT, named TEXT, origin TEXT,
                      grp TEXT, split TEXT, file TEXT, captions TEXT, metadata TEXT);
CREATE UNIQUE INDEX by_id ON records (named) WHERE named IS NOT NULL AND {explicit};
CREATE TABLE refused (source TEXT PRIMARY KEY, reason TEXT);
CREATE TABLE names (name TEXT PRIMARY KEY, count INTEGER);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record to be written; `source` is equal for rows that mean the same picture, `place` says where it stood."""

    source: str
    place: str
    origin: str
    captions: tuple[str, ...]
    metadata: Mapping[str, Value] = field(default_factory=dict)
    id: str | None = None
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the records; `columns` maps each metadata column to its kind."""

    taken: int
    skipped: int
    merged: int
    captions: int
    splits: dict[str, int]
    columns: dict[str, str]
