"""Tiny pictures and metadata for the tests of this room."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

import tuneclip
from tuneclip.data.load import Dataset


def picture_bytes(number: int = 0, format: str = "JPEG", size: tuple[int, int] = (16, 12)) -> bytes:
    """A picture that differs for each number."""
    image = Image.new("RGB", size, (number * 7 % 256, 80, 200))
    image.putpixel((1, 1), (number % 256, number // 256 % 256, 0))
    held = BytesIO()
    image.save(held, format)
    return held.getvalue()


def draw(path: Path, number: int = 0) -> Path:
    """A picture file; the format follows the extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    formats = {".png": "PNG", ".gif": "GIF", ".webp": "WEBP"}
    path.write_bytes(picture_bytes(number, formats.get(path.suffix.lower(), "JPEG")))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file; none where there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"file_name": f"{number:03}.jpg", "text": f"picture {number}"} for number in range(count)]


def bring(source: Path, **options: Any) -> tuple[Any, Dataset]:
    project = source.parent / "project"
    result = tuneclip.import_dataset(source, to="d", project=project, **options)
    return result, tuneclip.open_dataset("d", project)


def put(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
