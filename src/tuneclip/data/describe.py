"""What a multimodal model is asked of which picture, what of its answer is the caption, and what that may cost."""

import base64
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from tuneclip.data.picture import as_jpeg, load_picture, read_bytes, read_size
from tuneclip.errors import TuneclipError

PROMPT = (
    "Describe this picture for an image search engine, in one plain English sentence of at most 40 words. "
    "Say first what it shows, then what can be seen of its kind, colour, material, shape, pattern, text and setting. "
    "Name only what is visible. Answer with the sentence alone."
)
JPEG_QUALITY = 90
PIXELS_PER_TOKEN = 750  # Anthropic's vision guide: tokens = width × height / 750; other models differ by up to 3 times
CHARACTERS_PER_TOKEN = 4
ANSWER_TOKENS = 60  # of a sentence of 40 words
_LOOKED_AT = 200  # pictures whose size the estimate knows
_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)  # how open reasoning models put it before their answer
_QUOTES = {'"': '"', "“": "”", "'": "'", "«": "»"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who is asked, and with how much of a picture; with the question this decides the answer."""

    engine: str
    model: str
    max_side: int
    """Longer side of the picture as it is sent, in pixels."""


@dataclass(frozen=True, slots=True)
class Question:
    """A picture and what is asked about it; `key` names both and who is asked."""

    id: str
    picture: Path
    prompt: str
    key: str
    """32 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that got no caption, and why."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cost:
    """A rough estimate of what all the questions take."""

    pictures: int
    tokens_in: int
    tokens_out: int

    def __str__(self) -> str:
        return (
            f"{self.pictures:,} pictures in as many requests, about {self.tokens_in:,} tokens to read and "
            f"{self.tokens_out:,} to write"
        )


def question(record: str, picture: Path, prompt: str, asker: Asker) -> Question:
    """The question about the picture of a record; raises TuneclipError when its file cannot be read."""
    content = blake2b(read_bytes(picture), digest_size=16).hexdigest()
    parts = (record, content, asker.engine, asker.model, str(asker.max_side), prompt)
    key = blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
    return Question(record, picture, prompt, key)


def picture_to_send(path: Path, max_side: int) -> str:
    """The picture upright as an RGB JPEG in base64, `max_side` pixels at most; of its metadata nothing is left.

    Raises TuneclipError, naming the file, when it cannot be decoded.
    """
    image = load_picture(path, least=max_side)
    if max(image.size) > max_side:
        image = image.copy()
        image.thumbnail((max_side, max_side))
    image.info.clear()
    return base64.b64encode(as_jpeg(image, JPEG_QUALITY)).decode("ascii")


def clean(answer: str) -> str:
    """The caption in an answer: on one line, without the model's thoughts and without quotation marks around it."""
    text = " ".join(_THOUGHT.sub(" ", answer).split())
    if len(text) > 1 and _QUOTES.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def estimate(questions: Sequence[Question], asker: Asker) -> Cost:
    """What the questions take, from the sizes of some of their pictures and the length of their prompts."""
    step = max(1, len(questions) // _LOOKED_AT)
    seen = [_tokens(each.picture, asker.max_side) for each in questions[::step][:_LOOKED_AT]]
    pictures = len(questions) * sum(seen) / max(1, len(seen))
    prompts = sum(len(each.prompt) for each in questions) / CHARACTERS_PER_TOKEN
    return Cost(len(questions), round(pictures + prompts), len(questions) * ANSWER_TOKENS)


def reasons(failed: Sequence[Failure], most: int = 3) -> str:
    """The most frequent reasons with their numbers, on one line."""
    counts = Counter(failure.reason for failure in failed).most_common()
    more = " …" if len(counts) > most else ""
    return "; ".join(f"{reason} ({number:,})" for reason, number in counts[:most]) + more


def _tokens(path: Path, max_side: int) -> float:
    try:
        width, height = read_size(path)
    except TuneclipError:
        return 0.0
    scale = min(1.0, max_side / max(width, height))
    return width * height * scale**2 / PIXELS_PER_TOKEN
