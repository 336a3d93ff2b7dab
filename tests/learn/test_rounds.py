"""The rounds of rating, on a real collection."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.learn.classifier import load_classifier
from tuneclip.learn.rounds import Rounds, State, start
from tuneclip.project import Project
from tuneclip.vectors.collection import open_collection


def begun(project: Project, name: str = "red", prompt: str = "a red bowl") -> Rounds:
    return start("finds", prompt, to=name, project=project, batch=6)


def rate_page(rounds: Rounds, state: State, *, reds: Sequence[str] = ("red",)) -> State:
    for hit in state.page:
        state = rounds.rate(hit.id, 1 if hit.metadata["colour"] in reds else -1)
    return state


def test_pictures_come_once_until_all_were_seen_and_are_marked_as_seen(indexed: Project) -> None:
    rounds, shown = begun(indexed), list[str]()
    state = rounds.state()
    while state.page:
        shown += [hit.id for hit in state.page]
        state = rate_page(rounds, state)
        state = rounds.next_round()
    assert len(shown) == len(set(shown)) == 36
    assert (state.rated, state.positives, state.negatives) == (36, 9, 27)
    rounds.settle()
    assert open_collection("finds", indexed).count("seen = 1") == 36


def test_a_session_that_is_opened_again_stands_where_the_last_one_did(indexed: Project) -> None:
    rounds = begun(indexed)
    rate_page(rounds, rounds.state())
    state = rounds.next_round()
    state = rounds.rate(state.page[0].id, 0.5)
    again = begun(indexed).state()
    assert (again.round, again.ratings, again.rated) == (2, {state.page[0].id: 0.5}, 7)
    assert [hit.id for hit in again.page] == [hit.id for hit in state.page]


def test_ratings_survive_a_kill_at_any_moment(indexed: Project) -> None:
    code = f"""
from pathlib import Path
from tuneclip.learn.rounds import start
from tuneclip.project import Project
rounds = start("finds", "a red bowl", to="red", project=Project(Path({str(indexed.root)!r})), batch=6)
for hit in rounds.state().page[:4]:
    rounds.rate(hit.id, 1)
print("rated", flush=True)
__import__("time").sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "rated\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert begun(indexed).state().rated == 4


def test_undo_reaches_back_over_rounds(indexed: Project) -> None:
    rounds = begun(indexed)
    first = rate_page(rounds, rounds.state())
    second = rounds.next_round()
    state = rounds.undo()
    assert (state.rated, state.page) == (first.rated - 1, second.page)
    assert state.can_undo


def test_reset_forgets_ratings_and_marks_and_keeps_the_old_log(indexed: Project) -> None:
    rounds = begun(indexed)
    first = rounds.state().page
    rate_page(rounds, rounds.state())
    rounds.next_round()
    state = rounds.reset()
    assert (state.round, state.rated, [h.id for h in state.page]) == (1, 0, [h.id for h in first])
    assert open_collection("finds", indexed).count("seen = 1") == 0
    assert len(list((indexed.root / "classifiers").glob("red.ratings.*.jsonl"))) == 1


def test_a_picture_that_is_not_on_the_page_cannot_be_rated(indexed: Project) -> None:
    with pytest.raises(TuneclipError, match="not on the page"):
        begun(indexed).rate("find-99", 1)


def test_positives_are_the_best_without_those_rated_below_zero(indexed: Project) -> None:
    rounds = begun(indexed)
    state = rate_page(rounds, rounds.state(), reds=("red", "green"))
    found = rounds.positives(50)
    refused = {key for key, value in state.ratings.items() if value < 0}
    assert len(found) == 36 - len(refused)
    assert not refused & {hit.id for hit in found}
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_another_prompt_under_the_same_name_is_refused(indexed: Project) -> None:
    begun(indexed)
    with pytest.raises(TuneclipError, match="begun with the prompt"):
        begun(indexed, prompt="a green lamp")


def test_finish_writes_a_classifier_that_reads_back_the_same(indexed: Project) -> None:
    rounds = begun(indexed)
    for _ in range(4):
        rate_page(rounds, rounds.state())
        rounds.next_round()
    made, read = rounds.finish(), load_classifier("red", indexed)
    assert (read.w == made.w).all()
    assert {**vars(read), "w": 0} == {**vars(made), "w": 0}
    assert (rounds.state().finished, len(read.ratings)) == (True, 24)


def test_finish_without_a_rating_is_an_error_with_a_hint(indexed: Project) -> None:
    with pytest.raises(TuneclipError, match="nothing was rated"):
        begun(indexed).finish()


def test_a_large_collection_is_rated_by_a_sample_and_what_its_index_finds(
    indexed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneclip.learn import rounds as module
    from tuneclip.learn.pool import read_pool

    monkeypatch.setattr(module, "read_pool", lambda found: read_pool(found, largest=10, sample=8))
    rounds = begun(indexed)
    shown = [hit.id for hit in rounds.state().page]
    for _ in range(2):
        rate_page(rounds, rounds.state())
        shown += [hit.id for hit in rounds.next_round().page]
    assert len(shown) == len(set(shown)) == 18
    assert rounds.finish().w.any()


def test_texts_without_a_picture_are_rated_as_pictures_are(project: Path, tiny_model: Path) -> None:
    import tuneclip
    from tuneclip.vectors.collection import Origin, Row

    encoder = tuneclip.open_model("tiny", project)
    texts = ["a red clay bowl", "an old green lamp", "the white amphora", "a small black bronze coin"]
    origin = Origin("tiny", encoder.fingerprint, encoder.dimension)
    collection = open_collection("texts", project, origin=origin)
    vectors = encoder.texts(texts)
    collection.upsert([Row(text, vector, "", {}, (text,)) for text, vector in zip(texts, vectors, strict=True)])
    rounds = start("texts", "a bowl", to="bowls", project=Project(project))
    page = rounds.state().page
    assert {hit.captions[0] for hit in page} == set(texts)
    assert {hit.path for hit in page} == {""}
    rounds.rate("a red clay bowl", 1)
    rounds.rate("an old green lamp", -1)
    assert set(rounds.finish().ratings) == {"a red clay bowl", "an old green lamp"}
