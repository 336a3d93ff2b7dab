"""Going back to the model before, and what the pipeline makes of it."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from small_run import settings

import tuneclip
from tuneclip.pipeline.newest import newest
from tuneclip.project import Project


def test_rollback_makes_the_model_before_the_newest_and_removes_nothing(ran: Path) -> None:
    result = tuneclip.rollback(project=ran)
    assert (result.before, result.newest) == ("small-1", "tiny")
    assert (ran / "models" / "small-1").is_dir()


def test_a_model_that_was_taken_back_is_not_taken_again_by_the_next_run(ran: Path) -> None:
    tuneclip.rollback(project=ran)
    result = tuneclip.run(set=settings(), project=ran)
    assert [step.status for step in result.steps] == ["skipped", "skipped", "done"]
    assert "taken back" in result.steps[1].why
    assert newest(Project(ran)) == "tiny"
    assert tuneclip.search("small", "a red clay bowl", project=ran).model == "tiny"


def test_a_collection_goes_back_with_the_model_at_once_where_its_version_is_kept(ran: Path) -> None:
    assert tuneclip.rollback(project=ran).waiting == ("small",)  # there never was one by tiny
    tuneclip.run(set=settings(), project=ran)
    result = tuneclip.rollback(to="small-1", project=ran)
    assert (result.waiting, result.collections) == ((), ("small",))
    assert tuneclip.search("small", "a red clay bowl", project=ran).model == "small-1"
    assert [step.status for step in tuneclip.run(set=settings(), project=ran).steps] == ["skipped"] * 3


def test_a_collection_that_cannot_go_back_is_named_with_what_to_type(ran: Path) -> None:
    shown = io.StringIO()
    tuneclip.rollback(project=ran).show(Console(file=shown, width=160))
    assert "Next: tuneclip reindex small --model tiny" in shown.getvalue()


def test_rollback_to_a_model_makes_it_the_newest(ran: Path) -> None:
    tuneclip.rollback(project=ran)
    assert tuneclip.rollback(to="small-1", project=ran).newest == "small-1"
    assert [step.status for step in tuneclip.run(set=settings(), project=ran).steps] == ["skipped"] * 3


def test_rollback_to_a_model_that_is_not_there_changes_nothing(ran: Path) -> None:
    with pytest.raises(tuneclip.TuneclipError, match="there is no model 'nowhere'"):
        tuneclip.rollback(to="nowhere", project=ran)
    assert newest(Project(ran)) == "small-1"


def test_rollback_without_anything_before_says_so(project: Path) -> None:
    with pytest.raises(tuneclip.TuneclipError, match="has no value before"):
        tuneclip.rollback(project=project)
