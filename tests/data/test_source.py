"""Sources are recognised, and whatever their bytes, reading them gives rows or one clear error."""

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from drawn import draw
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneclip.data.row import Row, flatten
from tuneclip.data.source import recognise
from tuneclip.errors import TuneclipError

SUFFIXES = ("csv", "tsv", "json", "jsonl", "parquet", "tar")
fragments = st.sampled_from(
    [b"a,b\n1,2\n", b'{"a": 1}\n', b"[{}]", b'{"x": {"y": [{"file": 1}]}}', b'"', b"\xef\xbb\xbf", b"PAR1"]
)


@given(st.sampled_from(SUFFIXES), st.lists(fragments | st.binary(max_size=30), max_size=4).map(b"".join))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_rows_or_our_error(suffix: str, content: bytes) -> None:
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / f"a.{suffix}"
        path.write_bytes(content)
        with suppress(TuneclipError):
            assert all(isinstance(row, Row) for row in recognise(path).rows())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.text(min_size=1, max_size=3), json_values, max_size=4))
def test_flattened_fields_hold_no_objects(fields: dict[str, object]) -> None:
    assert not any(isinstance(value, dict) for value in flatten(fields).values())


names = st.sampled_from(
    [
        "metadata",
        "system",
        "tags",
        "promptId",
        "mimetype",
        "value",
        "type",
        "label",
        "coordinates",
        "text",
        "id",
        "role",
    ]
)
words = st.sampled_from(["dataloop", "Feature", "Point", "image/*", "text", "p.json", "oc-api:geo-record"])
layouts = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
)


envelopes = [
    lambda value: {"shebang": "dataloop", "prompts": {"1": value, "2": value}, "answers": value},
    lambda value: [{"filename": "a", "datasetId": value, "metadata": value, "annotations": value}],
    lambda value: {"filename": "a.json", "datasetId": "d", "annotations": [value]},
    lambda value: {"features": [{"type": "Feature", "category": value, "geometry": value, "properties": value}]},
    lambda value: {"oc-api:has-results": [value, {"type": "Feature", "properties": {"a": value}, "geometry": value}]},
    lambda value: {"label": "a", "oc-gen:has-files": [value], "features": [value], "oc-gen:has-contexts": value},
    lambda value: {"images": [{"id": value}], "annotations": [{"image_id": value, "caption": "a"}, value]},
]


@given(st.sampled_from(envelopes).flatmap(layouts.map))
@settings(max_examples=300, deadline=None)
def test_any_json_of_a_known_layouts_words_gives_rows_or_our_error(value: object) -> None:
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "a.json"
        path.write_text(json.dumps(value))
        with suppress(TuneclipError):
            assert all(isinstance(row, Row) for row in recognise(path).rows())


def test_lists_of_objects_become_one_list_for_each_field() -> None:
    flat = flatten({"sentences": [{"raw": "a", "n": 1}, {"raw": "b"}], "object": {"material": {"name": "clay"}}})
    assert flat == {"sentences.raw": ["a", "b"], "sentences.n": [1], "object.material.name": "clay"}


@pytest.mark.parametrize(
    ("files", "format"),
    [
        (("metadata.jsonl", "other.csv", "a/1.jpg"), "JSON Lines"),
        (("metadata.csv", "other.json", "a/1.jpg"), "CSV"),
        (("finds.json", "a/1.jpg"), "JSON"),
        (("annotations/captions_val2017.json", "annotations/instances_val2017.json", "val2017/1.jpg"), "JSON"),
        (("train.csv", "test.csv", "a/1.jpg"), "CSV"),
        (("a/1.jpg", "b/1.jpg"), "class folders"),
    ],
)
def test_a_folder_is_recognised_by_what_it_holds(tmp_path: Path, files: tuple[str, ...], format: str) -> None:
    for name in files:
        if name.endswith(".jpg"):
            draw(tmp_path / name)
            continue
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"file": "1.jpg"}\n')
    assert recognise(tmp_path).format == format
