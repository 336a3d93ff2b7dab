"""A large JSON file is read item by item, and gives what it gives when it is held."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuneclip.data import document
from tuneclip.data.document import Document
from tuneclip.data.nested import read_nested
from tuneclip.errors import TuneclipError

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcxyz"), inner, max_size=3),
    max_leaves=12,
)


def seen(path: Path) -> Any:
    found = Document(path)
    return found.is_list, found.lists, [list(found.items(name)) for name in found.lists]


@given(values)
@settings(max_examples=150, deadline=None)
def test_streamed_and_held_files_are_read_alike(value: Any) -> None:
    with TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as patch:
        path = Path(scratch) / "a.json"
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(value).encode())
        held = seen(path)
        patch.setattr(document, "STREAMED_BYTES", 0)
        assert seen(path) == held


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "STREAMED_BYTES", 0)


@pytest.mark.usefixtures("streamed")
def test_a_streamed_file_is_never_read_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"about": 1, "finds": [{"n": number} for number in range(1000)]}))
    monkeypatch.delattr(Document, "value")
    found = read_nested(path)
    assert (found.total, found.note) == (1000, "records at 'finds' (1,000)")
    assert [fields["n"] for fields, _ in found.rows()] == list(range(1000))


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize("text", ['[{"a": NaN}]', '[{"a": 123456789012345678901234567890}]', '[{"a": "\\ud800"}]'])
def test_what_the_streaming_reader_refuses_is_still_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert len(list(read_nested(tmp_path / "a.json").rows())) == 1


@pytest.mark.usefixtures("streamed")
@pytest.mark.parametrize(("content", "said"), [(b'[{"a": 1},', "not valid JSON"), (b'[{"a": "\xff"}]', "not UTF-8")])
def test_damage_in_a_streamed_file_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(TuneclipError, match=said):
        read_nested(tmp_path / "a.json")


@pytest.mark.usefixtures("streamed")
def test_coco_is_joined_while_it_streams(tmp_path: Path) -> None:
    annotations = [{"image_id": 7, "caption": "one"}, {"image_id": 7, "caption": "two"}]
    path = tmp_path / "captions.json"
    path.write_text(json.dumps({"images": [{"id": 7, "file_name": "7.jpg"}], "annotations": annotations}))
    found = read_nested(path)
    assert (found.format, found.total) == ("COCO captions", 1)
    assert list(found.rows()) == [({"id": 7, "file_name": "7.jpg", "captions": ["one", "two"]}, None)]
