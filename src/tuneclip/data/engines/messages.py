"""The form of one request to an Anthropic model on Bedrock (InvokeModel), and the caption in its answer."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

from tuneclip.data.describe import clean

VERSION = "bedrock-2023-05-31"  # the one that Bedrock's Messages API names
_TOLD = 300


def body(prompt: str, picture: str, max_tokens: int) -> dict[str, Any]:
    """What InvokeModel takes: one picture (a JPEG in base64), then the prompt."""
    source = {"type": "base64", "media_type": "image/jpeg", "data": picture}
    content = [{"type": "image", "source": source}, {"type": "text", "text": prompt}]
    return {"anthropic_version": VERSION, "max_tokens": max_tokens, "messages": [{"role": "user", "content": content}]}


def outcome(row: dict[str, Any]) -> tuple[str, str]:
    """The caption in a line of a job's output, and the reason why there is none: one of them is empty."""
    if error := row.get("error"):
        told = error.get("errorMessage") if isinstance(error, dict) else str(error)
        return "", " ".join(f"the model failed: {told}".split())[:_TOLD]
    output = row.get("modelOutput")
    if not isinstance(output, dict) or not isinstance(output.get("content"), list):
        return "", "the answer is not what this model answers with"
    ending = output.get("stop_reason")
    if ending == "max_tokens":
        return "", "the answer was cut: raise --max-tokens"
    if ending == "refusal":
        return "", "the model refused"
    parts = [part.get("text", "") for part in output["content"] if isinstance(part, dict)]
    caption = clean(" ".join(parts))
    return (caption, "") if caption else ("", "the answer is empty")


def cut(sizes: Sequence[int], most_records: int, most_bytes: float) -> list[range]:
    """Which lines of these sizes (bytes) make each file: as few files as the limits allow, of even numbers of lines.

    Even ones, because the service refuses jobs of too few. A line that is over the limit alone counts as within it.
    """
    total = [0, *accumulate(sizes)]
    most_bytes = max(most_bytes, *sizes)
    parts = max(-(-len(sizes) // most_records), ceil(total[-1] / most_bytes))
    while True:
        edges = [len(sizes) * number // parts for number in range(parts + 1)]
        if all(total[end] - total[start] <= most_bytes for start, end in pairwise(edges)):
            return [range(start, end) for start, end in pairwise(edges)]
        parts += 1
