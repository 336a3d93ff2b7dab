"""How long captions are to a model, and which of them it cuts."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tuneclip.errors import TuneclipError, one_line
from tuneclip.model.open import locate
from tuneclip.project import Project

CHUNK = 8192
"""Texts given to the tokenizer at once: memory stays small, the call's cost is spread."""


@dataclass(frozen=True)
class Tokens:
    """The lengths of captions in a model's tokens, both ends included, against what it can take."""

    model: str
    context: int
    captions: int
    longest: int
    median: float
    cut: int
    """How many captions are longer than the context: their ends are never seen."""
    share: float


def token_lengths(model: str, project: Project, texts: Sequence[str]) -> tuple[int, list[int]]:
    """The model's context and the length of each text in its tokens, both ends included; no weights are loaded.

    Raises TuneclipError when there is no such model or it has no tokenizer.
    """
    folder = locate(model, project)
    from transformers import AutoConfig, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        context = int(config.text_config.max_position_embeddings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = one_line(error, 300)
        raise TuneclipError(f"the model's tokenizer cannot be loaded: {reason}", where=folder) from error
    different = list(dict.fromkeys(texts))
    found: dict[str, int] = {}
    for start in range(0, len(different), CHUNK):
        chunk = different[start : start + CHUNK]
        coded = tokenizer(chunk, truncation=False, padding=False, verbose=False)
        found |= {text: len(ids) for text, ids in zip(chunk, coded["input_ids"], strict=True)}
    return context, [found[text] for text in texts]


def measure_tokens(model: str, project: Project, texts: Sequence[str]) -> Tokens:
    """What `token_lengths` finds, in a few figures."""
    context, lengths = token_lengths(model, project, texts)
    cut = sum(length > context for length in lengths)
    middle = float(median(lengths)) if lengths else 0.0
    return Tokens(model, context, len(lengths), max(lengths, default=0), middle, cut, cut / max(1, len(lengths)))
