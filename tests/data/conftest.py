"""Folders of tiny drawn pictures with metadata."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from drawn import draw


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes `source/` with these rows as `metadata.jsonl`, and a picture for each name."""

    def make(rows: Iterable[dict[str, Any]], names: Iterable[str] | None = None) -> Path:
        rows = list(rows)
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        for number, name in enumerate(names if names is not None else [row["file_name"] for row in rows]):
            draw(source / name, number)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (source / "metadata.jsonl").write_text(text, encoding="utf-8")
        return source

    return make
