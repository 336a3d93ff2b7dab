"""Exports of Dataloop become records: items with their descriptions, prompt items with their answers."""

from pathlib import Path
from typing import Any

import pytest
from drawn import bring, draw, lines, put

import tuneclip
from tuneclip.data import document

GATE = "https://gate.dataloop.ai/api/v1/items"


def item(filename: str, number: int, **more: Any) -> dict[str, Any]:
    """As the SDK writes it (docs.dataloop.ai, "Image annotation – JSON")."""
    system = {"encoding": "7bit", "mimetype": "image/jpeg", "originalname": "x.jpg", "refs": [{"type": "task"}]}
    metadata = {"system": {**system, **more.pop("system", {})}, **more.pop("metadata", {})}
    return {
        "id": f"{number:024x}",
        "datasetId": "d" * 24,
        "url": f"{GATE}/{number:024x}",
        "createdAt": "2025-03-10T13:55:07.498Z",
        "dir": filename.rpartition("/")[0] or "/",
        "filename": filename,
        "type": "file",
        "hidden": False,
        "metadata": metadata,
        "name": filename.rpartition("/")[2],
        "stream": f"{GATE}/{number:024x}/stream",
        "annotations": [],
        "annotationsCount": 0,
        **more,
    }


def answer(text: str, prompt: str = "1") -> dict[str, Any]:
    system = {"promptId": prompt, "status": None}
    return {"type": "text", "label": "free-text", "coordinates": text, "metadata": {"system": system}}


def prompts(*pictures: str, question: str = "") -> dict[str, Any]:
    """As `PromptItem.to_json` of the SDK writes it."""
    asked = [{"mimetype": "application/text", "value": question}] if question else []
    role = {"mimetype": "metadata", "value": {"role": "user"}}
    turns = {
        str(number): [{"mimetype": "image/*", "value": value}, *asked, role] for number, value in enumerate(pictures, 1)
    }
    return {"shebang": "dataloop", "metadata": {"dltype": "prompt"}, "prompts": turns}


def test_one_json_for_each_item_beside_its_files(tmp_path: Path) -> None:
    source = tmp_path / "export"
    for number, name in enumerate(("a/cat.jpg", "b/cat.jpg")):  # same name in two folders
        draw(source / "items" / name, number)
        put(source / "json" / name.replace(".jpg", ".json"), item(f"/{name}", number, description=f"cat {number}"))
    result, dataset = bring(source)
    assert (result.format, result.taken, result.skipped) == ("Dataloop", 2, 0)
    assert [record.captions for record in dataset.records] == [("cat 0",), ("cat 1",)]
    assert [record.id for record in dataset.records] == [f"{0:024x}", f"{1:024x}"]
    assert dataset.picture_path(dataset.records[1]).read_bytes() == (source / "items/b/cat.jpg").read_bytes()
    assert dataset.records[0].metadata["dir"] == "a"


@pytest.mark.parametrize("streamed_bytes", [0, 1_000_000])
def test_captions_are_descriptions_and_text_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streamed_bytes: int
) -> None:
    monkeypatch.setattr(document, "STREAMED_BYTES", streamed_bytes)
    draw(tmp_path / "images/1.jpg")
    annotations = [
        {"type": "box", "label": "ear", "coordinates": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
        {"type": "text", "label": "free-text", "coordinates": "a grey cat"},
        {"type": "item_description", "label": "item.description", "coordinates": {"text": "a cat asleep"}},
        {"type": "class", "label": "cat", "description": "a tom"},
    ]
    more = {"system": {"description": "a cat", "tags": {"validation": True}}, "metadata": {"user": {"room": 3}}}
    path = put(tmp_path / "json/one.json", [item("/1.jpg", 1, annotations=annotations, **more)])
    _, dataset = bring(path)
    record = dataset.records[0]
    assert record.captions == ("a cat", "a grey cat", "a cat asleep", "a tom")
    assert (record.metadata["label"], record.metadata["user.room"], record.split) == ("ear, cat", 3, "validation")
    assert "createdAt" not in record.metadata


def test_labels_are_the_captions_where_no_item_is_described(tmp_path: Path) -> None:
    draw(tmp_path / "export/cat.jpg")
    classes = [{"type": "class", "label": "cat", "coordinates": {}}]
    put(tmp_path / "export/cat.json", {"filename": "/cat.jpg", "annotations": classes})
    assert bring(tmp_path / "export")[1].records[0].captions == ("cat",)


def test_subsets_of_an_export_are_its_splits(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "validation")):
        draw(tmp_path / f"export/{split}/images/{number}.jpg", number)
        put(tmp_path / f"export/{split}/json/all.json", [item(f"/{number}.jpg", number, description="x")])
    result, dataset = bring(tmp_path / "export")
    assert result.splits == {"train": 1, "validation": 1}
    assert len(dataset.records) == 2


def test_a_prompt_item_is_its_picture_with_every_answer_as_a_caption(tmp_path: Path) -> None:
    source = tmp_path / "export"
    draw(source / "items/photos/cat.jpg")
    put(source / "json/photos/cat.json", item("/photos/cat.jpg", 7))
    body = prompts(f"{GATE}/{7:024x}/stream", question="What is this?")
    put(source / "items/prompts/p.json", body)
    said = [answer("a grey cat"), answer("a cat on a mat"), answer("of another prompt", "9")]
    put(source / "json/prompts/p.json", item("/prompts/p.json", 8, annotations=said))
    _, dataset = bring(source)
    assert [record.captions for record in dataset.records] == [("a grey cat", "a cat on a mat", "of another prompt")]
    assert dataset.records[0].id == f"{8:024x}"
    assert dataset.records[0].metadata["prompt"] == "What is this?"


def test_each_prompt_with_a_picture_is_a_record_with_its_own_answers(tmp_path: Path) -> None:
    for number in range(2):
        draw(tmp_path / f"export/items/{number}.jpg", number)
    put(tmp_path / "export/items/p.json", prompts("0.jpg", "1.jpg"))
    said = [answer("first"), answer("second", "2"), answer("for nobody", "3")]
    put(tmp_path / "export/json/p.json", item("/p.json", 8, annotations=said))
    _, dataset = bring(tmp_path / "export")
    assert [(record.id[-2:], record.captions) for record in dataset.records] == [
        ("/1", ("first",)),
        ("/2", ("second",)),
    ]


@pytest.mark.parametrize("name", ["p.jpg", f"{7:024x}.png"])
def test_a_linked_picture_is_found_by_the_name_of_its_prompt_or_by_its_id(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "pictures" / name)
    body = prompts(f"{GATE}/{7:024x}/stream") | {"annotations": [answer("a cat")]}
    path = put(tmp_path / "prompts/p.json", body)
    _, dataset = bring(path.parent, pictures=tmp_path / "pictures")
    assert dataset.records[0].captions == ("a cat",)


def test_a_prompt_whose_picture_is_elsewhere_waits_for_its_download(tmp_path: Path) -> None:
    link = "https://pictures.example/cat.jpg"
    path = put(tmp_path / "p.json", prompts(link) | {"answers": {"1": ["a cat", {"text": "a tom"}]}})
    result = tuneclip.import_dataset(path, to="d", project=tmp_path / "project")
    assert (result.taken, result.pending) == (0, 1)
    waiting = lines(Path(result.path) / "pending.jsonl")[0]
    assert (waiting["url"], waiting["captions"]) == (link, ["a cat", "a tom"])


def test_the_question_is_the_caption_only_where_nothing_is_answered(tmp_path: Path) -> None:
    draw(tmp_path / "export/cat.jpg")
    put(tmp_path / "export/p.json", prompts("cat.jpg", question="a cat"))
    result, dataset = bring(tmp_path / "export")
    assert dataset.records[0].captions == ("a cat",)
    assert result.understood.endswith("captions: prompt")


def test_an_answer_in_the_conversation_belongs_to_the_picture_before_it(tmp_path: Path) -> None:
    draw(tmp_path / "export/cat.jpg")
    body = prompts("cat.jpg")
    body["prompts"]["2"] = [{"mimetype": "application/text", "value": "a cat"}]
    body["prompts"]["2"].append({"mimetype": "metadata", "value": {"role": "assistant"}})
    put(tmp_path / "export/p.json", body)
    assert bring(tmp_path / "export")[1].records[0].captions == ("a cat",)


def test_what_is_no_record_is_listed_with_its_reason(tmp_path: Path) -> None:
    draw(tmp_path / "export/items/a.jpg")
    files = {
        "a": item("/a.jpg", 1, description="a"),
        "b": item("/b", 2, type="dir"),
        "c": item("/c.json", 3),
        "d": item("/d.json", 4),
        "e": {"some": "thing"},
        "f": item("/f.json", 6, annotations=[answer("x")]),
    }
    for name, value in files.items():
        put(tmp_path / f"export/json/{name}.json", value)
    put(tmp_path / "export/items/d.json", {**prompts(), "prompts": {"1": [{"mimetype": "text", "value": "hm"}]}})
    turn = [{"mimetype": "image/*", "value": "a.jpg"}, {"mimetype": "image/*", "value": "b.jpg"}]
    put(tmp_path / "export/items/f.json", {**prompts(), "prompts": {"1": turn}})
    result, dataset = bring(tmp_path / "export")
    assert (result.taken, result.skipped) == (1, 5)
    assert [row["reason"] for row in lines(dataset.path / "skipped.jsonl")] == [
        "a folder, not a picture",
        "the file with the prompts is not there",
        "no picture among the prompts",
        "not an item of Dataloop",
        "2 pictures in prompt '1'",
    ]


def test_a_list_that_is_named_is_read_as_any_json(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    path = put(
        tmp_path / "x.json", {"items": [item("/a.jpg", 1, description="a")], "more": [{"file": "a.jpg", "text": "b"}]}
    )
    assert bring(path, records="more")[1].records[0].captions == ("b",)
    again = tuneclip.import_dataset(path, to="e", project=tmp_path)
    assert (again.format, again.captions) == ("Dataloop", 1)
