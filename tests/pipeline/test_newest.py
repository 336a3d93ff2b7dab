"""The newest model in tuneclip.toml: it moves on and back, and the user's file stays the user's."""

from pathlib import Path

import pytest

from tuneclip.errors import TuneclipError
from tuneclip.pipeline.newest import earlier, move_back, move_on, newest
from tuneclip.project import Project

MINE = '# finds of 2026\n[variables]\ndataset = "finds" # all of them\n\n[search]\nk = 5\n'


@pytest.fixture
def moved(tmp_path: Path) -> Project:
    (tmp_path / "tuneclip.toml").write_text(MINE)
    project = Project(tmp_path)
    move_on(project, "finds-1", before="starter")
    move_on(project, "finds-2", before="starter")
    return project


def test_moving_on_keeps_the_comments_and_the_order_of_the_file(moved: Project) -> None:
    text = (moved.root / "tuneclip.toml").read_text()
    assert newest(moved) == "finds-2"
    assert [line for line in text.splitlines() if line and line in MINE] == [line for line in MINE.splitlines() if line]


def test_going_back_twice_goes_back_two(moved: Project) -> None:
    assert move_back(moved) == ("finds-2", "finds-1")
    assert move_back(moved) == ("finds-1", "starter")
    with pytest.raises(TuneclipError, match="has no value before starter"):
        move_back(moved)


def test_going_back_to_an_earlier_model_forgets_what_came_after_it(moved: Project) -> None:
    assert move_back(moved, to="starter") == ("finds-2", "starter")
    assert earlier(moved) == ()


def test_going_to_another_model_can_itself_be_taken_back(moved: Project) -> None:
    move_back(moved, to="other")
    assert (newest(moved), earlier(moved)) == ("other", ("starter", "finds-1", "finds-2"))
