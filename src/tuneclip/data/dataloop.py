"""Dataloop: exported items with descriptions or text annotations, and prompt items (a picture asks, texts answer).

An item is a JSON object with `filename`, `datasetId`, `metadata` and `annotations` (docs.dataloop.ai, "Item JSON
format" and "Image annotation – JSON"); exports hold one a file below `json/`, or lists of them, beside the files
themselves in `items/`. A prompt item is an item whose own file is JSON: `{"shebang": "dataloop", "metadata": {"dltype":
"prompt"}, "prompts": {KEY: [{"mimetype": "image/*", "value": LINK}, …]}}` (developers.dataloop.ai, "Prompt
annotations"; `PromptItem.to_json` in the SDK, dtlpy/entities/prompt_item.py). Its answers are text annotations of the
item that name the prompt in `metadata.system.promptId`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tuneclip.data.document import Document
from tuneclip.data.links import is_link
from tuneclip.data.picture import SUFFIXES
from tuneclip.data.split import split_name
from tuneclip.data.table import Rows
from tuneclip.errors import TuneclipError

FILES = ("items", "images")  # where the SDK and its model adapters put an export's files
_ANSWERS = ("annotations", "responses", "answers")
_TEXTS = ("text", "item_description", "subtitle")  # types of annotations that are texts
# What an item says of its own upkeep, not of its picture.
_UPKEEP = {
    "annotations", "annotationsCount", "annotated", "createdAt", "creator", "dataset", "datasetId", "description",
    "filename", "hidden", "id", "_id", "itemMetadata", "metadata", "name", "spec", "stream", "thumbnail", "type",
    "updatedAt", "updatedBy", "url", "dir",
}  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """One prompt of a prompt item: what it shows and what it asks."""

    key: str
    pictures: tuple[str, ...]
    texts: tuple[str, ...]
    answers: bool
    """Whether it is said by the assistant: its texts answer the turn before."""


def is_item(value: Any) -> bool:
    """Whether a JSON object is an exported item."""
    if not isinstance(value, dict) or not isinstance(value.get("filename"), str):
        return False
    if "datasetId" in value or "itemMetadata" in value or isinstance(_dict(value, "metadata").get("system"), dict):
        return True
    return any("label" in each and "type" in each for each in _dicts(value.get("annotations")))


def is_prompts(value: Any) -> bool:
    """Whether a JSON object is the file of a prompt item."""
    return isinstance(value, dict) and value.get("shebang") == "dataloop" and isinstance(value.get("prompts"), dict)


def is_export(path: Path) -> bool:
    """Whether a JSON file holds items or prompts; False also for what is not JSON."""
    try:
        return Document(path).mentions(b'"filename"', b'"shebang"') and any(
            is_item(value) or is_prompts(value) for value in _first(_held(path))
        )
    except TuneclipError:
        return False


def _first(values: Iterator[Any]) -> list[Any]:
    return [value for value, _ in zip(values, range(1), strict=False)]


def _held(path: Path) -> Iterator[Any]:
    """The items that a file holds: a list of them, a list of them anywhere inside, or the file itself."""
    document = Document(path)
    listed = [""] if document.is_list else [name for name in document.lists if is_item(document.first(name))]
    if listed:
        yield from document.items(listed[0])
    else:
        yield document.value()


class Export:
    """The JSON files of an export, read together: prompts name pictures by the ids that items have."""

    def __init__(self, where: Path, files: Sequence[Path], pictures: Path | None = None) -> None:
        folder = where.parent if where.is_file() else where
        self.top = folder.parent if folder.name == "json" else folder
        self.pictures = pictures
        own = [path for path in files if not set(FILES) & set(path.relative_to(where).parts[:-1])]
        self.files = own or list(files)
        self.base = cache(self._base)

    def read(self, path: Path) -> Rows:
        """The records of one file: an item is one, a prompt item one for each prompt with a picture."""
        for value in _held(path):
            if is_item(value):
                body = self._body(value, path)
                yield from self._prompts(value, body, path) if body else [_item_row(value)]
            elif is_prompts(value):
                base = self.beside(path)
                name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name
                yield from self._prompts({"filename": name}, value, path)
            else:
                yield {}, "not an item of Dataloop"

    def splits_from(self, path: Path) -> str:
        """The folders that may name the split of a file's records: those of the export, not the picture's name."""
        folder = path.parent
        return folder.relative_to(self.top).as_posix() if folder.is_relative_to(self.top) else ""

    def beside(self, path: Path) -> Path:
        """The folder that the file names in `path` start from."""
        return self.base(path.parent)

    def _base(self, folder: Path) -> Path:
        """The nearest folder of files (`items/`, `images/`) beside `folder` or above it; else the top of the export."""
        parents = [folder, *(parent for parent in folder.parents if parent.is_relative_to(self.top))]
        found = (parent / name for parent in parents for name in FILES if (parent / name).is_dir())
        inside = (parent for parent in parents if parent.name in FILES)
        return next(inside, None) or next(found, None) or self.top

    def _body(self, item: dict[str, Any], path: Path) -> dict[str, Any] | None:
        """The prompts of a prompt item, from its own file; None for any other item."""
        name = _filename(item)
        if not name.lower().endswith(".json"):
            return None
        file = self.beside(path) / name
        value = Document(file).value() if file.is_file() else {}
        return value if is_prompts(value) else {"prompts": {}}

    def _prompts(self, item: dict[str, Any], body: dict[str, Any], path: Path) -> Rows:
        turns = _turns(body["prompts"])
        pictured = [turn for turn in turns if turn.pictures and not turn.answers]
        if not pictured:
            reason = "no picture among the prompts" if turns else "the file with the prompts is not there"
            yield {"filename": _filename(item)}, reason
        for turn in pictured:
            fields = _own_fields(item) | {"captions": _answers(turn, turns, item, body), "prompt": list(turn.texts)}
            fields["id"] = _prompt_id(item, turn, len(pictured))
            if len(turn.pictures) > 1:
                yield fields, f"{len(turn.pictures)} pictures in prompt {turn.key!r}"
            else:
                yield fields | self._picture(turn.pictures[0], _filename(item), path), None

    def _picture(self, value: str, filename: str, path: Path) -> dict[str, Any]:
        """Where a prompt's picture is: a file, or a link to it.

        A link to an item is the file of the item with that id, a picture with the id for its name, or, as the SDK's
        adapters save it, a picture of the prompt item's own name beside it.
        """
        number = re.search(r"/items/([^/?#]+)", value) or re.fullmatch(r"([0-9a-f]{24})(?:/stream)?", value)
        base = self.beside(path)
        fields: dict[str, Any] = {"url": value} if is_link(value) else {}
        if number is None and not is_link(value):
            return {"file_name": value if Path(value).is_file() else value.lstrip("/")}
        if number and number[1] in self._known:
            folder, name = self._known[number[1]]
            return fields | {"file_name": name if folder == base else str(folder / name)}
        stems = [number[1]] if number else []
        stems.append(filename.rsplit(".", 1)[0])
        folders = [folder for folder in (self.pictures, base) if folder]
        found = (file for folder in folders for stem in stems if (file := _with_suffix(folder, stem)))
        return fields | {"file_name": next(found, None) or (number[1] if number else None)}

    @cached_property
    def _known(self) -> dict[str, tuple[Path, str]]:
        """The files of all items by the items' ids, with the folder that they start from."""
        items = ((path, item) for path in self.files for item in _held(path) if is_item(item))
        named = {str(item.get("id") or item.get("_id")): (self.beside(path), _filename(item)) for path, item in items}
        return {number: file for number, file in named.items() if not file[1].lower().endswith(".json")}


def _filename(item: dict[str, Any]) -> str:
    return str(item["filename"]).lstrip("/")


def _with_suffix(folder: Path, stem: str) -> str | None:
    """The picture below `folder` that has this path but for its extension."""
    names = (f"{stem}{suffix}" for suffix in sorted(SUFFIXES))
    return next((name for name in names if (folder / name).is_file()), None)


def _prompt_id(item: dict[str, Any], turn: Turn, count: int) -> str:
    number = item.get("id") or item.get("_id") or _filename(item)
    return f"{number}/{turn.key}" if count > 1 else str(number)


def _item_row(item: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    fields = _own_fields(item)
    texts = [*_descriptions(item), *(text for _, text in _annotated(item.get("annotations")))]
    labels = [each.get("label") for each in _dicts(item.get("annotations")) if each.get("type") not in _TEXTS]
    fields |= {"file_name": _filename(item), "captions": list(dict.fromkeys(texts))}
    fields["label"] = ", ".join(dict.fromkeys(label for label in labels if isinstance(label, str))) or None
    if is_link(item.get("stream")):
        fields["url"] = item["stream"]
    return fields, "a folder, not a picture" if item.get("type") == "dir" else None


def _own_fields(item: dict[str, Any]) -> dict[str, Any]:
    """What an item says of its picture beside its captions: the users' metadata, tags, split, and folder."""
    metadata = _dict(item, "metadata") or _dict(item, "itemMetadata")
    tags = _dict(_dict(metadata, "system"), "tags")
    tagged = [name for name, set_ in tags.items() if set_]
    splits = [split for name in tagged if (split := split_name(name))]
    fields = {name: value for name, value in metadata.items() if name != "system"}
    fields |= {name: value for name, value in item.items() if name not in _UPKEEP}
    fields |= {"tags": tagged} if tagged else {}
    fields |= {"split": splits[0]} if len(splits) == 1 else {}
    folder = _filename(item).rpartition("/")[0]
    fields |= {"dir": folder} if folder else {}
    number = item.get("id") or item.get("_id")
    return fields | ({"id": number} if number else {})


def _descriptions(item: dict[str, Any]) -> list[str]:
    metadata = _dict(item, "metadata") or _dict(item, "itemMetadata")
    found = (item.get("description"), _dict(metadata, "system").get("description"))
    return [text for text in found if isinstance(text, str) and text.strip()]


def _turns(prompts: dict[str, Any]) -> list[Turn]:
    turns = []
    for key, elements in prompts.items():
        held = _dicts(list(elements.values()) if isinstance(elements, dict) else elements)
        kinds = [(str(each.get("mimetype", "text")), each.get("value")) for each in held]
        pictures = tuple(
            value for kind, value in kinds if kind.startswith("image") and isinstance(value, str) and value
        )
        texts = tuple(value for kind, value in kinds if "text" in kind and isinstance(value, str) and value.strip())
        roles = [value.get("role") for kind, value in kinds if kind == "metadata" and isinstance(value, dict)]
        turns.append(Turn(key, pictures, texts, answers="assistant" in roles))
    return turns


def _answers(turn: Turn, turns: list[Turn], item: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """The texts that answer a turn; those that name no prompt answer the only one with a picture."""
    keys = {each.key for each in turns}
    alone = sum(bool(each.pictures) for each in turns) == 1
    given = [found for held in (item, body) for name in _ANSWERS for found in _annotated(held.get(name))]
    texts = [text for key, text in given if key == turn.key or (alone and key not in keys)]
    for each in turns[turns.index(turn) + 1 :]:
        if not each.answers:
            break
        texts += each.texts
    return list(dict.fromkeys(texts))


def _annotated(held: Any) -> list[tuple[str | None, str]]:
    """The texts among annotations, each with the key of the prompt that it answers, if it names one."""
    if isinstance(held, dict):  # answers by prompt
        lists = ((key, value if isinstance(value, list) else [value]) for key, value in held.items())
        return [(key, text) for key, values in lists for _, text in _annotated(values)]
    found = []
    for each in held if isinstance(held, list) else []:
        key = _dict(_dict(each, "metadata"), "system").get("promptId") if isinstance(each, dict) else None
        text = _text_of(each)
        if text:
            found.append((str(key) if key is not None else None, text))
    return found


def _text_of(value: Any) -> str:
    """The text of an annotation or an answer; empty where it is something else."""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, dict) or str(value.get("mimetype", "text")).startswith(("image", "audio", "video")):
        return ""
    kind = value.get("type")
    if kind == "class":  # a label of the whole picture, with words of its own
        return _text_of(value.get("description") or "")
    if kind is not None and kind not in _TEXTS:
        return ""
    held = next((value[name] for name in ("coordinates", "text", "value", "answer", "data") if value.get(name)), "")
    return _text_of(held) if isinstance(held, str | dict) else ""


def _dict(value: Any, name: str) -> dict[str, Any]:
    held = value.get(name) if isinstance(value, dict) else None
    return held if isinstance(held, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
