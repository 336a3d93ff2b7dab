"""The starter's own byte-pair tokenizer and the prompt templates for class names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer

from .sources import Source

Tokens = NDArray[np.int64]  # (texts, length), filled up with the end token

VOCABULARY = 6000
LONGEST = 77  # tokens, as in the CLIP of Radford et al. (arXiv 2103.00020)
START, END = "<|startoftext|>", "<|endoftext|>"
TEMPLATES = (
    "a photo of a {}",
    "a picture of the {}",
    "a close-up photo of a {}",
    "a photo of the {}",
    "a blurry photo of a {}",
    "a small photo of a {}",
    "there is a {} in this picture",
    "a {}",
    "{}",
)
FOR_JUDGING = TEMPLATES[:3]
CAPTION_TOKENS = 24  # longer captions are cut while learning; 7 % are


def learn_tokenizer(texts: list[str], folder: Path) -> CLIPTokenizer:
    """Learn a byte-pair vocabulary (Sennrich et al., arXiv 1508.07909) on `texts`, save it in `folder`, return it.

    The end token gets the highest id, so that both of CLIP's ways to find it in a text work.
    """
    learner = CLIPTokenizer().backend_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = BpeTrainer(
        vocab_size=VOCABULARY - len(alphabet) - 2,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    pieces = [*alphabet, *(f"{letter}</w>" for letter in alphabet), *("".join(pair) for pair in merges), START, END]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LONGEST).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)


def encode(tokenizer: CLIPTokenizer, texts: list[str], longest: int = LONGEST) -> Tokens:
    """Token ids of `texts`, cut to `longest` and padded to the longest of them."""
    ids = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="np")["input_ids"]
    return np.asarray(ids, dtype=np.int64)


def cut(tokens: Tokens) -> Tokens:
    """Without the columns at the end that are padding in every text."""
    longest = int((tokens != tokens.max()).sum(1).max()) + 1
    kept: Tokens = tokens[:, :longest]
    return kept


def drop_words(tokens: Tokens, share: float, random: np.random.Generator) -> Tokens:
    """Leave out a random `share` of the tokens between start and end, and cut what then is padding only."""
    end = tokens.max()
    length = (tokens != end).sum(1)  # position of the first end token
    position = np.arange(tokens.shape[1])
    gone = (random.random(tokens.shape) < share) & (position > 0) & (position < length[:, None])
    order = np.argsort(np.where(gone, tokens.shape[1] + position, position), axis=1)
    kept = np.take_along_axis(np.where(gone, end, tokens), order, axis=1)
    return cut(kept)


def all_names(sources: list[Source]) -> dict[str, list[str]]:
    """The names of every class of every source; a class that two sources share keeps the names of both."""
    names: dict[str, list[str]] = {}
    for source in sources:
        for label, found in source.names.items():
            names[label] = list(dict.fromkeys([*names.get(label, []), *found]))
    return names


def texts_to_learn_from(sources: list[Source]) -> list[str]:
    """Every caption, and every class name in every template."""
    captions = [caption for source in sources for own in source.captions for caption in own]
    names = [name for found in all_names(sources).values() for name in found]
    return captions + [template.format(name) for template in TEMPLATES for name in names]


class Prompts:
    """Every class name in every template as tokens, to draw one prompt a class."""

    def __init__(self, tokenizer: CLIPTokenizer, sources: list[Source]) -> None:
        self.names = all_names(sources)
        self.labels = sorted(self.names)
        prompts = [
            [template.format(name) for name in self.names[label] for template in TEMPLATES] for label in self.labels
        ]
        self.tokens = encode(tokenizer, [prompt for own in prompts for prompt in own])
        self.counts = np.array([len(own) for own in prompts])
        self.starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])

    def draw(self, random: np.random.Generator) -> Tokens:
        """One prompt a class, with the class's first name half of the time."""
        first = random.random(len(self.labels)) < 0.5
        pick = (random.random(len(self.labels)) * np.where(first, len(TEMPLATES), self.counts)).astype(int)
        chosen = self.tokens[self.starts + pick]
        return cut(chosen)


class Captions:
    """The captions of a source as tokens, with and without the full stop at their end."""

    def __init__(self, tokenizer: CLIPTokenizer, source: Source, longest: int = CAPTION_TOKENS) -> None:
        captions = [caption for own in source.captions for caption in own]
        both = encode(tokenizer, captions + [caption.rstrip(" .") for caption in captions], longest)
        self.tokens = both.reshape(2, len(captions), -1)
        counts = np.array([len(own) for own in source.captions])
        self.counts, self.starts = counts, np.concatenate([[0], np.cumsum(counts)[:-1]])
        self.picture = np.repeat(np.arange(len(counts)), counts)  # of each caption

    def draw(self, pictures: np.ndarray, random: np.random.Generator) -> Tokens:
        """One caption for each of `pictures`."""
        pick = self.starts[pictures] + (random.random(len(pictures)) * self.counts[pictures]).astype(int)
        chosen = self.tokens[random.integers(0, 2, len(pick)), pick]
        return cut(chosen)
