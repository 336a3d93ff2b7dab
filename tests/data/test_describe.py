"""What is asked of a picture, and what of an answer is the caption."""

from pathlib import Path

import pytest
from drawn import picture_bytes

from tuneclip.data.describe import Asker, clean, estimate, question


@pytest.mark.parametrize(
    ("answer", "caption"),
    [
        ("  A red\n bowl. ", "A red bowl."),
        ("<think>a bowl?\nor a cup</think>A red bowl.", "A red bowl."),
        ('"A red bowl."', "A red bowl."),
        ('"A" and "B"', '"A" and "B"'),
        ("<think>only thoughts</think>", ""),
    ],
)
def test_the_caption_of_an_answer_is_one_plain_line(answer: str, caption: str) -> None:
    assert clean(answer) == caption


def test_a_question_is_another_for_another_record_picture_prompt_size_model_or_engine(tmp_path: Path) -> None:
    for number in (0, 1):
        (tmp_path / f"{number}.jpg").write_bytes(picture_bytes(number))
    first, second = tmp_path / "0.jpg", tmp_path / "1.jpg"
    asker = Asker("openai", "seer", 768)
    keys = {
        question("a", first, "What?", asker).key,
        question("b", first, "What?", asker).key,
        question("a", second, "What?", asker).key,
        question("a", first, "Where?", asker).key,
        question("a", first, "What?", Asker("openai", "seer", 512)).key,
        question("a", first, "What?", Asker("openai", "other", 768)).key,
        question("a", first, "What?", Asker("bedrock", "seer", 768)).key,
    }
    assert len(keys) == 7
    assert question("a", first, "What?", asker).key in keys


def test_the_estimate_counts_pictures_as_they_are_sent(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(picture_bytes(0, size=(1500, 1000)))
    asker = Asker("openai", "seer", 750)
    cost = estimate([question(str(n), tmp_path / "0.jpg", "p" * 400, asker) for n in range(3)], asker)
    assert (cost.pictures, cost.tokens_in) == (3, 3 * (750 * 500 // 750 + 100))
