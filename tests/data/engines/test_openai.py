"""Captions from a server that speaks OpenAI's protocol: each picture once, whatever happens, and no key anywhere."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from chat_server import Answer, Chat, caption_of, chatting, plain, refused, said
from PIL import Image

import tuneclip
from tuneclip.errors import TuneclipError

KEY = "sk-proj-b7f1/0e3a+secret=="
QUICK: dict[str, Any] = {"model": "tiny", "engine": "openai", "yes": True, "wait_seconds": 0.02}


def rows(project: Path, name: str = "small") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project / "datasets" / name / "metadata.jsonl").read_text().splitlines()]


def use(server: Chat, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("OPENAI_BASE_URL", server.url)
    patch.setenv("OPENAI_API_KEY", KEY)
    patch.setenv("OPENAI_MODEL", "seer")


def answered(project: Path, name: str = "small") -> list[dict[str, Any]]:
    path = project / "runs" / ".captions" / name / "answers.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def refuse_key_anywhere(project: Path, *texts: str) -> None:
    for path in project.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes() or path.name == ".env", path
    for text in texts:
        assert KEY not in text


def draw(folder: Path, count: int) -> None:
    """A dataset of `count` pictures, each like no other."""
    (folder / "pictures").mkdir(parents=True)
    lines = []
    for number in range(count):
        name = f"pictures/{number:03}.png"
        picture = Image.new("RGB", (40, 30), (number % 256, 90, 255 - number % 256))
        picture.paste((250, 250, 0), (number % 37, 5, 39, 12))
        picture.save(folder / name)
        row = {"file_name": name, "text": "old", "captions": ["old"], "id": f"p{number}", "split": "train"}
        lines.append(json.dumps(row | {"group": f"p{number}", "metadata": {"number": number}}) + "\n")
    (folder / "dataset.json").write_text(json.dumps({"name": folder.name}))
    (folder / "metadata.jsonl").write_text("".join(lines))


def bad_days(name: str, attempt: int, body: dict[str, Any]) -> Answer:
    """Every second picture fails at first, each in one of eight ways."""
    first: dict[int, Answer] = {
        0: refused(429, "slow down"),
        1: refused(429, "slow down", Retry_After="0"),
        2: refused(503, f"overloaded, {KEY}"),
        3: (200, {}, "<html>not JSON</html>"),
        4: said(""),
        5: said("a cut sentence of", finish_reason="length"),
        6: said(None, finish_reason="content_filter"),
        7: (0, {}, ""),
    }
    kind = int(name, 16) % 16
    return first[kind] if attempt == 1 and kind in first else plain(name, attempt, body)


def test_200_pictures_get_one_caption_each_through_bad_answers_and_a_kill(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    draw(project / "datasets/many", 200)
    before = rows(project, "many")
    with chatting(bad_days) as server:
        use(server, monkeypatch)
        server.pause_seconds = 0.03
        command = [
            sys.executable,
            "-m",
            "tuneclip",
            "caption",
            "many",
            "--engine",
            "openai",
            "--yes",
            "--model",
            "tiny",
        ]
        killed = subprocess.Popen([*command, "--wait-seconds", "0.02", "--project", str(project)])
        until = time.monotonic() + 60
        while len(answered(project, "many")) < 60 and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(killed.pid, signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
        assert rows(project, "many") == before
        kept = answered(project, "many")
        assert 60 <= len(kept) < 200
        time.sleep(0.2)
        asked = server.asked.copy()
        result = tuneclip.caption("many", **QUICK, project=project)
        again = {f"a thing called {name}" for name in server.asked if server.asked[name] > asked[name]}
    assert not again & {row["caption"] for row in kept}
    assert result.failed == []
    after = rows(project, "many")
    assert [row["id"] for row in after] == [row["id"] for row in before]
    for row in after:
        assert row["captions"] == [caption_of(project / "datasets/many" / row["file_name"])]
    assert len({row["key"] for row in answered(project, "many")}) == len(answered(project, "many")) == 200
    refuse_key_anywhere(project, *capfd.readouterr())


def test_nothing_is_asked_again_when_all_is_there(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting() as server:
        use(server, monkeypatch)
        tuneclip.caption("small", **QUICK, project=project)
        first, server.asked = rows(project), server.asked.copy()
        server.asked.clear()
        tuneclip.caption("small", **{**QUICK, "yes": False}, project=project)
        assert not server.asked
        assert rows(project) == first
        tuneclip.caption("small", **QUICK, prompt="Which colour?", limit=3, project=project)
        assert server.asked.total() == 3


def test_a_torn_last_line_of_the_ledger_is_asked_again_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting() as server:
        use(server, monkeypatch)
        tuneclip.caption("small", **QUICK, project=project)
        path = project / "runs/.captions/small/answers.jsonl"
        path.write_bytes(path.read_bytes()[:-20])
        server.asked.clear()
        tuneclip.caption("small", **QUICK, project=project)
        assert server.asked.total() == 1
        server.asked.clear()
        tuneclip.caption("small", **QUICK, project=project)
        assert not server.asked


@pytest.mark.parametrize(("code", "message"), [(401, "401"), (404, "no model 'seer'"), (402, "402")])
def test_what_no_picture_gets_past_stops_at_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    before = rows(project)
    with chatting(lambda *_: refused(code, "no")) as server:
        use(server, monkeypatch)
        with pytest.raises(TuneclipError, match=message) as error:
            tuneclip.caption("small", **QUICK, connections=2, project=project)
        assert server.asked.total() <= 4
    assert KEY not in str(error.value)
    assert rows(project) == before


def test_a_quota_that_is_used_up_stops_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (429, {}, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
    with chatting(lambda *_: answer) as server:
        use(server, monkeypatch)
        with pytest.raises(TuneclipError, match="exceeded your current quota"):
            tuneclip.caption("small", **QUICK, connections=1, project=project)
        assert server.asked.total() == 1


def test_pictures_that_never_get_an_answer_keep_their_captions_and_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tuneclip.cli import main

    before = rows(project)
    bad = [caption_of(project / "datasets/small" / row["file_name"]).split()[-1] for row in before[:2]]
    with chatting(
        lambda name, *rest: said("", message={"refusal": "I cannot"}) if name in bad else plain(name, *rest)
    ) as server:
        use(server, monkeypatch)
        options = ["--engine", "openai", "--yes", "--model", "tiny", "--wait-seconds", "0.02"]
        with pytest.raises(SystemExit) as end:
            main(["caption", "small", *options, "--project", str(project)])
        assert [server.asked[name] for name in bad] == [3, 3]
        out = capsys.readouterr().out
        server.asked.clear()
        result = tuneclip.caption("small", **QUICK, project=project)
        assert set(server.asked) == set(bad)
    assert end.value.code == 0
    assert "no caption: find-0  the model refused: I cannot" in out
    assert [failure.id for failure in result.failed] == ["find-0", "find-1"]
    assert [row["captions"] for row in rows(project)[:2]] == [row["captions"] for row in before[:2]]
    assert rows(project)[2]["captions"][0].startswith("a thing called")


def test_when_nothing_worked_it_is_an_error_and_nothing_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(project)
    with chatting(lambda *_: refused(400, "this model takes no pictures")) as server:
        use(server, monkeypatch)
        with pytest.raises(TuneclipError, match=r"none of the first 20 pictures.*takes no pictures"):
            tuneclip.caption("small", **QUICK, project=project)
    assert rows(project) == before


def test_many_failures_do_not_undo_what_is_known(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tired(name: str, attempt: int, body: dict[str, Any]) -> Answer:
        return plain(name, attempt, body) if len(server.asked) <= 6 else refused(400, "no more")

    with chatting(tired) as server:
        use(server, monkeypatch)
        for _ in range(2):
            result = tuneclip.caption("small", **QUICK, connections=1, project=project)
            assert len(result.failed) == 30


def test_a_server_that_is_not_there_is_one_message(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting() as server:
        use(server, monkeypatch)
    with pytest.raises(TuneclipError, match=r"no connection.*127\.0\.0\.1.*OPENAI_BASE_URL"):
        tuneclip.caption("small", **QUICK, project=project)


def test_the_server_is_asked_to_wait_as_long_as_it_says(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting(
        lambda name, attempt, body: (
            refused(429, "wait", Retry_After="1") if attempt == 1 else plain(name, attempt, body)
        )
    ) as server:
        use(server, monkeypatch)
        tuneclip.caption("small", **QUICK, limit=1, project=project)
    assert server.times[1] - server.times[0] >= 1.0


def test_no_more_pictures_are_asked_for_at_once_than_connections(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chatting() as server:
        use(server, monkeypatch)
        server.pause_seconds = 0.03
        tuneclip.caption("small", **QUICK, connections=3, project=project)
    assert server.most_active == 3


def test_pictures_are_sent_small_upright_and_without_their_metadata(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = Image.Exif()
    tags[0x0112], tags[0x010E] = 6, "where I live"
    Image.new("RGB", (300, 100), (9, 90, 9)).save(project / "datasets/small/pictures/000.png", "JPEG", exif=tags)
    with chatting() as server:
        use(server, monkeypatch)
        tuneclip.caption("small", **QUICK, limit=1, max_side=120, project=project)
    picture = Image.open(io.BytesIO(server.pictures[0]))
    assert (picture.format, picture.size) == ("JPEG", (40, 120))
    assert b"where I live" not in server.pictures[0]


def test_a_picture_that_cannot_be_read_fails_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "datasets/small/pictures/000.png").unlink()
    (project / "datasets/small/pictures/001.png").write_bytes(b"no picture")
    with chatting() as server:
        use(server, monkeypatch)
        result = tuneclip.caption("small", **QUICK, project=project)
        assert server.asked.total() == 34
    assert [failure.id for failure in result.failed] == ["find-0", "find-1"]


def test_keys_come_from_the_env_file_and_the_environment_wins(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with chatting() as server:
        (project / ".env").write_text(f"OPENAI_BASE_URL={server.url}/\nOPENAI_API_KEY='{KEY}'\nOPENAI_MODEL=seer\n")
        tuneclip.caption("small", **QUICK, limit=1, project=project)
        assert server.keys == {f"Bearer {KEY}"}
        assert "OPENAI_API_KEY" not in os.environ
        monkeypatch.setenv("OPENAI_API_KEY", "another")
        tuneclip.caption("small", **QUICK, limit=2, project=project)
        assert "Bearer another" in server.keys
    refuse_key_anywhere(project)


def test_a_key_that_the_server_repeats_is_told_nowhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with chatting(lambda name, *_: said(f"a key {KEY}") if int(name, 16) % 2 else refused(400, f"bad {KEY}")) as server:
        use(server, monkeypatch)
        result = tuneclip.caption("small", **QUICK, project=project)
    assert result.failed
    refuse_key_anywhere(project, caplog.text, repr(result))


def test_without_a_terminal_nothing_is_asked_before_yes_and_the_cost_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with chatting() as server:
        use(server, monkeypatch)
        with pytest.raises(TuneclipError, match=r"36 pictures in as many requests, about [\d,]+ tokens.*--yes"):
            tuneclip.caption("small", model="tiny", engine="openai", project=project)
        assert not server.asked


def test_on_a_terminal_the_user_is_asked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pty

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with chatting() as server:
        use(server, monkeypatch)
        ours, theirs = pty.openpty()
        command = [
            sys.executable,
            "-m",
            "tuneclip",
            "caption",
            "small",
            "--engine",
            "openai",
            "--project",
            str(project),
        ]
        done = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        seen = b""
        while b"Go on?" not in seen:
            seen += os.read(ours, 4096)
        os.write(ours, b"n\n")
        assert done.wait(timeout=60) == 1
        os.close(ours)
        assert not server.asked


def test_a_prompt_names_fields_as_templates_do(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chatting() as server:
        use(server, monkeypatch)
        tuneclip.caption("small", **QUICK, prompt="What is this {shape}, of {colour} clay?", limit=1, project=project)
    assert server.bodies[0]["messages"][0]["content"][1]["text"] == "What is this bowl, of red clay?"


def test_a_new_dataset_remembers_who_was_asked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(project)
    with chatting() as server:
        use(server, monkeypatch)
        tuneclip.caption("small", **QUICK, to="new", keep=True, project=project)
        tuneclip.caption("small", **QUICK, project=project)
        assert server.asked.total() == 36
    assert rows(project, "new")[0]["captions"][1:] == before[0]["captions"]
    options = json.loads((project / "datasets/new/dataset.json").read_text())["source"]["options"]
    assert (options["engine"], options["model"]) == ("openai", "seer")
    kept = json.loads((project / "datasets/small/dataset.json").read_text())["captioned"]
    assert kept["model"] == "seer"
    assert kept["prompt"].startswith("Describe this picture")


def test_a_server_that_knows_only_the_new_name_of_the_length_gets_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strict(name: str, attempt: int, body: dict[str, Any]) -> Answer:
        told = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        return refused(400, told) if "max_tokens" in body else plain(name, attempt, body)

    with chatting(strict) as server:
        use(server, monkeypatch)
        result = tuneclip.caption("small", **QUICK, connections=1, max_tokens=99, project=project)
    assert result.failed == []
    assert server.bodies[-1]["max_completion_tokens"] == 99
    assert server.asked.total() == 37


def test_two_processes_do_not_ask_about_one_dataset_at_once(project: Path) -> None:
    from tuneclip.data.ledger import opened
    from tuneclip.project import Project

    with (
        opened(Project(project).asked("small")),
        pytest.raises(TuneclipError, match="another process"),
        opened(Project(project).asked("small")),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "local"}, "no engine 'local' yet.*vLLM, Ollama, llama.cpp"),
        ({"template": "{shape}", "submit": True}, "--submit is a step.*bedrock"),
        ({"engine": "openai", "poll": True}, "--poll is a step.*bedrock"),
        ({"prompt": "Which colour?"}, "nothing says what the captions are.*--engine"),
        ({"template": "{shape}", "limit": 3}, "--limit is for captions from a model"),
        ({"engine": "openai", "template": "{shape}"}, "not from both"),
        ({"engine": "openai", "prompt": "a {color} thing"}, "did you mean 'colour'"),
        ({"engine": "openai", "prompt": "better than {caption}"}, "would ask again.*--to"),
        ({"engine": "openai", "max_side": 0}, "--max-side is 0"),
        ({"engine": "openai", "to": "small"}, "cannot replace"),
        ({"engine": "bedrock", "engine_model": "m", "submit": True, "poll": True}, "one step each"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    with chatting() as server:
        use(server, monkeypatch)
        with pytest.raises(TuneclipError, match=message):
            tuneclip.caption("small", **{"model": "tiny", "yes": True, **options}, project=project)
        assert not server.asked


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("OPENAI_MODEL", "", "OPENAI_MODEL or --engine-model"),
        ("OPENAI_BASE_URL", "localhost:8000", "OPENAI_BASE_URL is not a web address"),
        ("OPENAI_BASE_URL", "", "no key for the model's server.*OPENAI_API_KEY"),
        ("OPENAI_API_KEY", "sk-\nbroken", "characters that no key has"),
    ],
)
def test_settings_that_cannot_work_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_MODEL", "seer")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(TuneclipError, match=message) as error:
        tuneclip.caption("small", **QUICK, project=project)
    assert "broken" not in str(error.value)
