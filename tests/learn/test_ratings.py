"""The log of ratings: what was written survives; what was torn is read past."""

import subprocess
import sys
from pathlib import Path

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.learn.ratings import Log, Subject

SUBJECT = Subject("dogs", "photos", "dogs in the snow", "tiny", "0123456789abcdef")


def begun(tmp_path: Path) -> Log:
    log = Log(tmp_path / "dogs.ratings.jsonl", SUBJECT)
    log.page(["a", "b", "c"])
    log.rate("a", 1)
    log.rate("b", -0.5)
    return log


def test_a_log_that_is_opened_again_tells_the_same(tmp_path: Path) -> None:
    log = begun(tmp_path)
    assert Log(log.path, SUBJECT).story == log.story
    assert log.story.ratings == {"a": 1.0, "b": -0.5}


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_last_line_is_read_past_and_the_next_event_follows_whole_lines(tmp_path: Path, cut: int) -> None:
    log = begun(tmp_path)
    log.path.write_bytes(log.path.read_bytes()[:-cut])
    again = Log(log.path, SUBJECT)
    assert again.story.ratings == {"a": 1.0}
    again.rate("c", 0)
    assert Log(log.path, SUBJECT).story.ratings == {"a": 1.0, "c": 0.0}


def test_damage_before_the_end_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    log = begun(tmp_path)
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(lines[0] + b'{"event": "ra\n' + b"".join(lines[2:]))
    with pytest.raises(TuneclipError, match="line 2 is damaged"):
        Log(log.path, SUBJECT)


def test_undo_takes_back_one_rating_at_a_time_and_brings_back_what_it_replaced(tmp_path: Path) -> None:
    log = begun(tmp_path)
    log.rate("a", -1)
    log.undo()
    assert log.story.ratings == {"a": 1.0, "b": -0.5}
    log.undo()
    log.undo()
    log.undo()  # nothing is left to take back
    assert Log(log.path, SUBJECT).story.ratings == {}


@pytest.mark.parametrize("value", [2, 0.3, float("nan"), True, "1"])
def test_what_is_no_rating_is_refused_and_not_written(tmp_path: Path, value: float) -> None:
    log = begun(tmp_path)
    before = log.path.read_bytes()
    with pytest.raises(TuneclipError, match="no rating"):
        log.rate("c", value)
    assert log.path.read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [
        Subject("dogs", "photos", "cats", "tiny", SUBJECT.fingerprint),
        Subject("dogs", "scans", SUBJECT.prompt, "tiny", SUBJECT.fingerprint),
    ],
)
def test_the_log_of_another_prompt_or_collection_is_refused_with_a_hint(tmp_path: Path, other: Subject) -> None:
    with pytest.raises(TuneclipError, match="--to"):
        Log(begun(tmp_path).path, other)


def test_the_ratings_count_on_when_another_model_has_embedded_the_collection(tmp_path: Path) -> None:
    log = begun(tmp_path)
    other = Subject("dogs", "photos", SUBJECT.prompt, "tuned", "another")
    for _ in range(2):  # as it was opened first, and as it was written
        story = Log(log.path, other).story
        assert (story.ratings, story.shown, story.pages) == ({"a": 1.0, "b": -0.5}, {"a", "b", "c"}, [])
    assert len(list(tmp_path.glob("dogs.ratings.*.jsonl"))) == 1


def test_of_two_processes_the_second_is_told_which_one_rates(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from tuneclip.learn.alone import hold; "
    code += "held = hold(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    path = tmp_path / "dogs.ratings.jsonl"
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(TuneclipError, match=rf"'dogs' is being rated by process {first.pid}, since 20"):
            Log(path, SUBJECT)
        first.kill()
    assert begun(tmp_path).story.ratings == {"a": 1.0, "b": -0.5}


def test_reset_begins_anew_and_keeps_the_old_log(tmp_path: Path) -> None:
    log = begun(tmp_path)
    before = log.path.read_bytes()
    old = log.reset()
    assert old.read_bytes() == before
    assert (log.story.ratings, Log(log.path, SUBJECT).story.pages) == ({}, [])
    assert log.reset() != old


def test_a_rating_after_the_end_makes_the_classifier_unfinished(tmp_path: Path) -> None:
    log = begun(tmp_path)
    log.finish()
    assert log.story.finished
    log.undo()
    assert not log.story.finished
