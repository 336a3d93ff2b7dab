"""The verb `search`: what is found, how it is shown, what is refused."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import tuneclip
from tuneclip.errors import TuneclipError


@pytest.fixture
def indexed(project: Path) -> Path:
    tuneclip.index(dataset="small", model="tiny", project=project)
    return project


def test_a_picture_finds_itself_first(indexed: Path):
    picture = indexed / "datasets/small/pictures/007.png"
    found = tuneclip.search("small", picture=picture, k=3, project=indexed)
    assert (found.hits[0].id, found.hits[0].path) == ("find-7", str(picture))
    assert found.hits[0].score == pytest.approx(1, abs=1e-5)
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)


def test_words_are_scored_by_the_cosine_of_the_model(indexed: Path):
    hit = tuneclip.search("small", "a red bowl", k=1, project=indexed).hits[0]
    encoder = tuneclip.open_model("tiny", indexed)
    cosine = float(encoder.texts(["a red bowl"])[0] @ encoder.pictures([Path(hit.path)])[0])
    assert hit.score == pytest.approx(cosine, abs=1e-5)


def test_a_filter_leaves_only_what_fulfils_it(indexed: Path):
    where = "colour = 'red' and number >= 12 and split = 'train' and caption like '%bowl%'"
    found = tuneclip.search("small", "a coin", k=99, where=where, project=indexed)
    assert [hit.id for hit in found.hits] == ["find-12"]


def test_more_hits_than_there_are_pictures_are_all_pictures(indexed: Path):
    assert len(tuneclip.search("small", "a coin", k=10**6, project=indexed).hits) == 36


def test_another_model_is_refused_in_one_line(indexed: Path, tiny_siglip: Path):
    shutil.copytree(tiny_siglip, indexed / "models/other")
    with pytest.raises(TuneclipError, match=r"made by model 'tiny' \(fingerprint \w{16}\); model 'other' has \w{16}"):
        tuneclip.search("small", "a coin", model="other", project=indexed)


def test_the_same_model_under_another_name_is_not_refused(indexed: Path):
    (indexed / "models/tiny").rename(indexed / "models/renamed")
    with pytest.raises(TuneclipError, match=r"was made by model 'tiny', which cannot be opened.*--model"):
        tuneclip.search("small", "a coin", project=indexed)
    assert tuneclip.search("small", "a coin", model="renamed", project=indexed).hits


def test_a_model_that_was_changed_in_its_place_is_refused(indexed: Path):
    config = indexed / "models/tiny/config.json"
    config.write_text(config.read_text() + " ")
    with pytest.raises(TuneclipError, match=r"model 'tiny' has \w{16}.*Next: tuneclip index small --model tiny --to"):
        tuneclip.search("small", "a coin", project=indexed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to look for"),
        ({"text": "x", "picture": Path("x.png")}, "both words and a picture"),
        ({"text": "  "}, "the words to look for are empty"),
        ({"picture": Path("nowhere.png")}, r"no such picture \(nowhere.png\)"),
        ({"text": "x", "k": 0}, "k of 1 or more"),
        ({"text": "x", "where": "color = 'red'"}, r"expected colour\?"),
        ({"text": "x", "where": "colour = red"}, "texts in quotes: 'red'"),
        ({"text": "x", "model": "nosuch"}, "there is no model 'nosuch'"),
    ],
)
def test_a_question_that_is_none_is_refused(indexed: Path, options: dict, message: str):
    with pytest.raises(TuneclipError, match=message):
        tuneclip.search("small", project=indexed, **options)


def test_a_damaged_picture_is_named(indexed: Path):
    (indexed / "bad.png").write_bytes(b"no picture")
    with pytest.raises(TuneclipError, match=r"bad\.png"):
        tuneclip.search("small", picture=indexed / "bad.png", project=indexed)


def test_a_missing_collection_is_refused_naming_those_there_are(indexed: Path):
    with pytest.raises(TuneclipError, match="expected one of small"):
        tuneclip.search("smal", "a coin", project=indexed)


def test_people_see_rank_cosine_and_a_link_to_the_picture(indexed: Path):
    screen = io.StringIO()
    found = tuneclip.search("small", picture=indexed / "datasets/small/pictures/000.png", k=2, project=indexed)
    found.show(Console(file=screen, force_terminal=True, width=100, highlight=False))
    assert "1.000" in screen.getvalue()
    assert f"file://{indexed}/datasets/small/pictures/000.png" in screen.getvalue()
    assert "a red clay bowl" in screen.getvalue()


def test_people_are_told_when_the_filter_leaves_nothing(indexed: Path):
    screen = io.StringIO()
    found = tuneclip.search("small", "x", where="colour = 'gold'", project=indexed)
    found.show(Console(file=screen, width=100))
    assert "the filter takes all of them out" in screen.getvalue()


def test_a_cold_search_imports_neither_torch_nor_transformers(indexed: Path):
    asked = "import sys, tuneclip; print(tuneclip.search('small', 'a coin', k=1).hits[0].id)"
    code = f"{asked}; print([name for name in ('torch', 'transformers', 'onnx') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=indexed, capture_output=True, text=True)
    assert done.stdout.splitlines()[1] == "[]"


def test_the_result_is_what_json_promises(indexed: Path):
    command = [sys.executable, "-m", "tuneclip", "search", "small", "a green coin", "-k", "2", "--json"]
    done = subprocess.run(command, check=True, cwd=indexed, capture_output=True, text=True)
    result = json.loads(done.stdout)
    assert (result["collection"], result["model"], len(result["hits"])) == ("small", "tiny", 2)
    assert all(hit.keys() >= {"id", "score", "path", "metadata"} for hit in result["hits"])
    assert all(Path(hit["path"]).is_file() and -1 <= hit["score"] <= 1 for hit in result["hits"])
    assert done.stderr == ""
