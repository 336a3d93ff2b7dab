"""The plug-in in the real `llm`, started as users start it."""

import os
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("llm", reason="llm is not installed")
PLUGIN = Path(__file__).parents[2] / "plugins" / "llm-tuneclip"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plug-in installed in it."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(PLUGIN)], check=True, capture_output=True)
    return folder


@pytest.fixture
def environment(site: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project, current folder of no project, with a folder of llm's own."""
    (project / "elsewhere").mkdir()
    monkeypatch.chdir(project / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("LLM_USER_PATH", str(project / "llm"))
    monkeypatch.setenv("TUNECLIP_PROJECT", str(project))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("LLM_LOAD_PLUGINS", "LLM_EMBEDDING_MODEL", "LLM_EMBEDDINGS_DB"):
        monkeypatch.delenv(name, raising=False)
    return project


@pytest.fixture
def llm(environment: Path) -> Run:
    def run(*arguments: object, fails: bool = False) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "llm", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
        assert (done.returncode != 0) == fails, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def few(environment: Path) -> Path:
    """Six pictures of the dataset in a folder of their own."""
    folder = environment / "few"
    folder.mkdir()
    for path in sorted((environment / "datasets/small/pictures").iterdir())[:6]:
        shutil.copy(path, folder)
    return folder


def rows(database: Path) -> dict[str, "np.ndarray"]:
    with sqlite3.connect(database) as connection:
        found = connection.execute("select id, embedding from embeddings").fetchall()
    return {name: np.array(struct.unpack(f"<{len(blob) // 4}f", blob), np.float32) for name, blob in found}


def test_pictures_are_stored_as_our_own_vectors_and_found_by_words_and_by_a_picture(
    llm: Run, few: Path, environment: Path
) -> None:
    from tuneclip import open_model

    database = environment / "e.db"
    llm("embed-multi", "photos", "-d", database, "--files", few, "*.png", "--binary", "-m", "tiny", "--batch-size", 4)
    paths = sorted(few.glob("*.png"))
    ours = open_model("tiny", environment).pictures(paths)
    stored = rows(database)
    np.testing.assert_allclose(np.stack([stored[path.name] for path in paths]), ours, atol=1e-6)
    assert llm("similar", "photos", "-d", database, "-c", "a red bowl").stdout.count('"score"') == 6
    by_picture = llm("similar", "photos", "-d", database, "-i", paths[2], "--binary", "-n", 1).stdout
    assert f'"id": "{paths[2].name}"' in by_picture


def test_a_text_has_the_vector_that_we_give_it(llm: Run, environment: Path) -> None:
    import json

    from tuneclip import open_model

    said = json.loads(llm("embed", "-m", "tuneclip/tiny", "-c", "the white amphora").stdout)
    np.testing.assert_allclose(said, open_model("tiny", environment).texts(["the white amphora"])[0], atol=1e-6)


def test_duds_are_named_and_leave_no_row_and_the_others_are_stored(llm: Run, few: Path, environment: Path) -> None:
    good = {path.name for path in few.iterdir()}
    torn = next(few.iterdir()).read_bytes()[:120]
    (few / "torn.png").write_bytes(torn)
    (few / "empty.png").write_bytes(b"")
    (few / "text.png").write_bytes(b"no picture")
    database = environment / "e.db"
    command = ("embed-multi", "photos", "-d", database, "--files", few, "*.png", "--binary", "-m", "tiny")
    for _ in range(2):
        said = llm(*command).stderr
        assert "skipped torn.png (120 bytes)" in said
        assert "skipped empty.png (0 " in said
        assert "3 skipped" in said
        assert set(rows(database)) == good
    shutil.copy(environment / "datasets/small/pictures/020.png", few / "torn.png")
    assert "torn" not in llm(*command).stderr
    assert set(rows(database)) == good | {"torn.png"}


def test_a_single_dud_is_one_line(llm: Run, environment: Path) -> None:
    (environment / "dud.jpg").write_bytes(b"no picture")
    said = llm("embed", "-m", "tiny", "-i", environment / "dud.jpg", "--binary", fails=True).stderr
    assert said.startswith("Error: not a picture")
    assert said.count("\n") == 1


def test_pictures_given_as_text_are_refused_with_the_remedy(llm: Run, few: Path, environment: Path) -> None:
    said = llm("embed-multi", "photos", "-d", environment / "e.db", "--files", few, "*.png", "-m", "tiny").stderr
    assert "give --binary" in said
    assert rows(environment / "e.db") == {}


def test_a_collection_of_other_weights_is_noticed_until_it_is_made_anew(llm: Run, few: Path, environment: Path) -> None:
    where = ("photos", "-d", environment / "e.db")
    pictures = ("--files", few, "*.png", "--binary", "-m", "tiny")
    llm("embed-multi", *where, *pictures)
    config = environment / "models" / "tiny" / "config.json"
    config.write_text(config.read_text() + "\n")  # as good as trained again: another fingerprint
    assert "made by another 'tiny'" in llm("similar", *where, "-c", "a red bowl", fails=True).stderr
    assert "llm collections delete photos" in llm("embed-multi", *where, *pictures, fails=True).stderr
    llm("collections", "delete", *where)
    llm("embed-multi", *where, *pictures)
    assert '"score"' in llm("similar", *where, "-c", "a red bowl").stdout


def test_another_model_for_a_collection_is_refused_as_llm_would_ignore_it(
    llm: Run, few: Path, environment: Path
) -> None:
    command = ("embed-multi", "photos", "-d", environment / "e.db", "--files", few, "*.png", "--binary", "-m")
    llm(*command, "tiny")
    assert "leave -m away" in llm(*command, "starter", fails=True).stderr


def test_models_of_the_list_are_there_outside_their_project(
    llm: Run, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm("tuneclip", "add", "tiny", "--name", "mine", "--alias", "m")
    monkeypatch.delenv("TUNECLIP_PROJECT")
    assert "TuneclipModel: mine (aliases: tuneclip/mine, m)" in llm("embed-models", "list").stdout
    assert llm("embed", "-m", "m", "-c", "a red bowl").stdout.startswith("[")
    assert "is already" in llm("tuneclip", "add", "starter", "--name", "mine", fails=True).stderr
    llm("tuneclip", "remove", "mine")
    listed = llm("tuneclip", "list").stdout
    assert "mine" not in listed
    assert listed.startswith("starter (tuneclip/starter): package")


def test_a_name_that_another_plugin_has_stays_with_it(llm: Run, environment: Path) -> None:
    (environment / "models" / "tiny").rename(environment / "models" / "ada")
    listed = llm("embed-models", "list").stdout
    assert "OpenAIEmbeddingModel: text-embedding-ada-002 (aliases: ada" in listed
    assert "TuneclipModel: tuneclip/ada\n" in listed


def test_a_damaged_list_does_not_take_llm_with_it(llm: Run, environment: Path) -> None:
    (environment / "llm").mkdir()
    (environment / "llm" / "tuneclip.json").write_text("{")
    done = llm("embed-models", "list")
    assert "TuneclipModel: tiny" in done.stdout
    assert "not valid JSON" in done.stderr


def test_nothing_heavy_is_imported_before_the_first_embedding(environment: Path) -> None:
    heavy = ("torch", "transformers", "onnxruntime", "PIL", "tokenizers")
    code = f"import sys, llm, llm.cli; print(llm.get_embedding_models(), *[n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("]")
    assert "tiny" in done.stdout
