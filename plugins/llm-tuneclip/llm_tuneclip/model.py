"""A tuneclip model as llm sees it: opened when first used, pictures and texts in one batch."""

import logging
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click
import llm

from llm_tuneclip.offers import Offer
from tuneclip.errors import TuneclipError

if TYPE_CHECKING:
    from tuneclip.model.encode import Encoder

Item = str | bytes
AMOUNTS = (1, 16, 63)
"""More pictures in one call than these open the encoder anew: for work to come, with its graphs, with int8 checked."""
PICTURE_AS_TEXT = re.compile("ÿØÿ|\x89PNG|GIF8[79]a|RIFF.{4}WEBP", re.DOTALL)
"""How a picture begins that llm has read as Latin-1."""


class Unreadable(click.ClickException):
    """Some items of a batch have no embedding; the others were embedded and are remembered for the next call."""

    def __init__(self, reasons: dict[Item, str]):
        self.reasons = reasons
        first = next(iter(reasons.values()))
        super().__init__(first if len(reasons) == 1 else f"{len(reasons)} items cannot be embedded, the first: {first}")


class TuneclipModel(llm.EmbeddingModel):  # type: ignore[misc] # llm is typed in part only
    """An embedding model of llm; vectors are float32 of unit length, those of `tuneclip.open_model`."""

    supports_text = True
    supports_binary = True

    def __init__(self, model_id: str, offer: Offer):
        self.model_id, self.offer = model_id, offer
        self._opened: Encoder | None = None
        self._amount = -1
        self._kept: dict[Item, list[float]] = {}

    def embed_batch(self, items: Iterable[Item], *, key: str | None = None) -> Iterator[list[float]]:
        """One vector for each item, in order; bytes are a picture file. Raises Unreadable when some have none."""
        del key  # nothing here needs one
        items = list(items)
        fresh = [item for item in dict.fromkeys(items) if item not in self._kept]
        vectors, reasons = self._embed(fresh)
        vectors |= self._kept
        if reasons:
            self._kept = vectors
            raise Unreadable(reasons)
        self._kept = {}
        return iter([vectors[item] for item in items])

    @cached_property
    def folder(self) -> Path:
        """Where the model lies."""
        from tuneclip.model.open import locate
        from tuneclip.project import Project

        with _one_line():
            return locate(self.offer.source, Project(self.offer.project))

    @property
    def fingerprint(self) -> str:
        """Identifies the weights, tokenizer and preprocessing of now."""
        from tuneclip.model.open import fingerprint

        return fingerprint(self.folder)

    def _embed(self, items: Sequence[Item]) -> tuple[dict[Item, list[float]], dict[Item, str]]:
        """The vectors of those that have one, and why the others have none."""
        reasons = {item: why for item in items if (why := _refusal(item))}
        texts = [item for item in items if isinstance(item, str) and item not in reasons]
        pictures = [item for item in items if isinstance(item, bytes) and item not in reasons]
        vectors: dict[Item, list[float]] = {}
        if texts or pictures:
            with _one_line():
                encoder = self._encoder(pictures, len(items))
                vectors |= zip(texts, encoder.texts(texts).tolist(), strict=True) if texts else {}
                for _, found in encoder.stream([(None, pictures)] if pictures else []):
                    for picture, vector in zip(pictures, found, strict=True):
                        if isinstance(vector, TuneclipError):
                            reasons[picture] = vector.what
                        else:
                            vectors[picture] = vector.tolist()
        return vectors, reasons

    def _encoder(self, pictures: Sequence[bytes], count: int) -> "Encoder":
        """The encoder for that many items: a single query takes what is there, larger work makes the faster one."""
        amount = bisect_left(AMOUNTS, max(len(pictures), min(count, 2)))
        if self._opened is None or amount > self._amount:
            from tuneclip.model.open import open_model
            from tuneclip.model.ready import Sample

            _show_messages()
            sample = Sample(pictures) if amount > 1 else None
            project = self.offer.project
            self._opened = open_model(self.offer.source, project, sample=sample, few=amount == 0)
            self._amount = amount
        return self._opened


def _refusal(item: Item) -> str | None:
    """Why an item is not even given to the model. llm turns a file of 0 bytes into an empty text."""
    if not item:
        return "empty: a file of 0 bytes, or no text"
    if isinstance(item, str) and PICTURE_AS_TEXT.match(item):
        return "the bytes of a picture, read as text: give --binary"
    return None


@contextmanager
def _one_line() -> Iterator[None]:
    """Show an error that the user can mend as llm shows its own: in one line."""
    try:
        yield
    except TuneclipError as error:
        raise click.ClickException(str(error)) from error


def _show_messages() -> None:
    """On llm's command line, show what tuneclip says (graphs made, int8 or not), unless somebody listens already."""
    logger = logging.getLogger("tuneclip")
    if click.get_current_context(silent=True) is not None and not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)
        logger.propagate = False  # torch's exporter sets up a root handler, which would say it again
