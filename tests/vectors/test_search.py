"""The verb `search`: what is found, how it is shown, what is refused."""

import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import tuneclip
from tuneclip.errors import TuneclipError
from tuneclip.vectors.collection import Origin, Row
from tuneclip.vectors.exact import ExactCollection
from tuneclip.vectors.survey import scale


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


def test_words_and_pictures_together_are_the_weighted_sum(indexed: Path):
    picture = indexed / "datasets/small/pictures/007.png"
    found = tuneclip.search("small", "a red bowl", picture=[f"{picture}^0.5"], minus="green", k=1, project=indexed)
    encoder = tuneclip.open_model("tiny", indexed)
    red, green = encoder.texts(["a red bowl", "green"])
    wanted = red + 0.5 * encoder.pictures([picture])[0] - 0.5 * green
    seen = encoder.pictures([Path(found.hits[0].path)])[0]
    assert found.hits[0].score == pytest.approx(float(seen @ wanted / np.linalg.norm(wanted)), abs=1e-5)
    assert found.query == f"'a red bowl' + {picture} x 0.5 - 'green' x 0.5"


def test_more_like_this_leaves_this_out_and_needs_no_model(indexed: Path):
    shutil.rmtree(indexed / "models/tiny/onnx", ignore_errors=True)
    hits = tuneclip.search("small", like="find-7", k=36, project=indexed).hits
    assert len(hits) == 35
    assert "find-7" not in {hit.id for hit in hits}


def test_full_text_has_a_say_in_the_order(indexed: Path):
    found = tuneclip.search("small", "x", words="lamp black", k=3, where="split = 'train'", project=indexed)
    assert all("black clay lamp" in hit.captions[0] for hit in found.hits[:1])
    assert all(-1 <= hit.score <= 1 and hit.metadata["split"] == "train" for hit in found.hits)
    assert tuneclip.search("small", words="lamp", k=1, project=indexed).query == "'lamp'"


def test_full_text_finds_what_was_indexed_later(indexed: Path):
    tuneclip.search("small", words="bowl", k=1, project=indexed)
    collection = tuneclip.open_collection("small", indexed)
    (row,) = collection.get(["find-1"])
    collection.upsert([dataclasses.replace(row, captions=("an astrolabe",))])
    assert collection.matching("astrolabe", 5) == ["find-1"]


def test_the_contact_sheet_holds_its_pictures_and_no_markup_of_others(indexed: Path):
    collection = tuneclip.open_collection("small", indexed)
    (row,) = collection.get(["find-0"])
    collection.upsert([dataclasses.replace(row, captions=("<script>alert(1)</script>",))])
    tuneclip.search("small", "<b>bowl", like="find-0^0.1", k=40, html=indexed / "a.html", project=indexed)
    tuneclip.search("small", "x", k=40, html=indexed / "b.html", project=indexed)
    page, other = (indexed / "a.html").read_text(), (indexed / "b.html").read_text()
    assert "<b>bowl" not in page
    assert ("<script>" in other, "&lt;script&gt;" in other) == (False, True)
    assert other.count('src="data:image/jpeg;base64,') == 36
    assert not re.search(r"(src|href)=.https?:", page)


def test_pictures_at_random_say_what_a_high_score_is():
    collection = ExactCollection("many", Origin("tiny", "f", 8))
    vectors = np.random.default_rng(0).normal(size=(500, 8))
    collection.upsert([Row(str(n), vector, "x") for n, vector in enumerate(vectors)])
    scores = vectors @ vectors[0] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[0])
    told = scale(collection, vectors[0] / np.linalg.norm(vectors[0]))
    assert told.sample == 500
    assert (told.median, told.high) == pytest.approx(tuple(np.quantile(scores, [0.5, 0.99])), abs=1e-4)


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
        ({"minus": "red"}, "only what is not wanted is named"),
        ({"like": "find-99"}, "there is no 'find-99'"),
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
