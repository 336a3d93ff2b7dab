"""What a model's resting half says of pictures and texts: computed once, kept on disk, read by every epoch and run."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from tuneclip import __version__
from tuneclip.data.augment import may_mirror
from tuneclip.data.picture import load_picture, read_bytes
from tuneclip.model.encode import tokenize, unit
from tuneclip.model.open import Loaded, fingerprint
from tuneclip.model.retrieval import Vectors
from tuneclip.training import hyperparameters
from tuneclip.training.ahead import ahead
from tuneclip.training.batches import WORKERS, Batch, Feed
from tuneclip.training.kept import Activations, Job, Piece, digest, keep
from tuneclip.training.order import Indices, Order
from tuneclip.training.plan import Plan
from tuneclip.training.towers import ACTIVATIONS, Halves

PICTURES_AT_ONCE, TEXTS_AT_ONCE, EMBEDDED_AT_ONCE = 32, 256, 256


class Keeper:
    """Runs the resting half of a model and keeps what it says, each picture and each text once."""

    def __init__(self, loaded: Loaded, plan: Plan, halves: Halves, *, cut: str, dtype: DTypeLike, folder: Path):
        self._loaded, self._plan, self._halves = loaded, plan, halves
        self._dtype, self.folder = dtype, folder
        self._device = torch.device(plan.device)
        self._base = {
            "tuneclip": __version__,
            "model": fingerprint(loaded.path),
            "cut": cut,
            "dtype": np.dtype(dtype).name,
            "device": self._device.type,
        }
        self._pictures: dict[tuple[Path, ...], Activations] = {}
        self._texts: dict[tuple[str, ...], KeptTexts] = {}

    def pictures(self, paths: Sequence[Path]) -> Activations:
        """(pictures, …) of the pictures as they are, in float32 arithmetic as the encoder has it."""
        key = tuple(paths)
        if key not in self._pictures:
            resize = self._loaded.preprocessing.resize
            decided = {"precision": "fp32", "view": 0, "pictures": _content(paths)}
            job = self._job("pictures", decided, len(paths), lambda index: resize(load_picture(paths[index])))
            (self._pictures[key],) = keep([job], self.folder)
        return self._pictures[key]

    def views(self, feed: Feed, paths: Sequence[Path], views: int) -> list[Activations]:
        """(pictures, …) of each of the first `views` varied views of a feed's pictures, in the plan's precision.

        View v is what the feed shows in epoch v, the first being 1.
        """
        order = feed.order
        decided = {
            "precision": self._plan.precision,
            "pictures": _content(paths),
            "seed": order.seed,
            "mirror": digest("".join("01"[may_mirror(record)] for record in order.records)),
        }
        jobs = [
            self._job(f"view {v} of {views}", decided | {"view": v}, len(order.records), _show(feed, v))
            for v in range(1, views + 1)
        ]
        return keep(jobs, self.folder)

    def texts(self, texts: Sequence[str]) -> "KeptTexts":
        """The distinct ones among `texts`, found by what they say, in float32 arithmetic."""
        distinct = tuple(dict.fromkeys(texts))
        if distinct not in self._texts:
            lengths = self._lengths(list(distinct))
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            (memory,) = keep([self._texts_job(list(distinct), lengths, offsets)], self.folder)
            numbers = {text: number for number, text in enumerate(distinct)}
            self._texts[distinct] = KeptTexts(numbers, offsets, memory, self._loaded, self._halves.pooled)
        return self._texts[distinct]

    def _job(self, what: str, decided: dict[str, Any], pictures: int, show: Callable[[int], NDArray[np.uint8]]) -> Job:
        numbers = [range(at, min(at + PICTURES_AT_ONCE, pictures)) for at in range(0, pictures, PICTURES_AT_ONCE)]
        fp32 = decided["precision"] == "fp32"

        def run(pixels: Sequence[NDArray[np.uint8]]) -> Activations:
            return self._run(lambda: self._halves.resting.pictures(self._tensor(np.stack(pixels))), fp32=fp32)

        def make(start: int) -> Iterator[Piece]:
            shown = ahead(show, numbers[start:], threads=WORKERS)
            for rows, pixels in zip(numbers[start:], shown, strict=True):
                yield np.array(rows), run(pixels)

        shape = (pictures, *run([show(0)]).shape[1:])
        return Job(what, self._base | decided, shape, self._dtype, len(numbers), make)

    def _texts_job(self, texts: list[str], lengths: Indices, offsets: Indices) -> Job:
        by_length = np.argsort(lengths, kind="stable")
        chunks = [by_length[at : at + TEXTS_AT_ONCE] for at in range(0, len(texts), TEXTS_AT_ONCE)]

        def run(chunk: Indices) -> Activations:
            tokens = tokenize(self._loaded, [texts[i] for i in chunk]).to(self._device)
            return self._run(lambda: self._halves.resting.texts(dict(tokens)), fp32=True)

        def make(start: int) -> Iterator[Piece]:
            for chunk in chunks[start:]:
                said = run(chunk)
                rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in chunk])
                flat = said if self._halves.pooled else [v[: lengths[i]] for v, i in zip(said, chunk, strict=True)]
                yield rows, np.concatenate(flat) if not self._halves.pooled else said

        decided = self._base | {"precision": "fp32", "texts": digest(json.dumps(texts))}
        shape = (int(offsets[-1]), run(chunks[0][:1]).shape[-1])
        return Job("texts", decided, shape, self._dtype, len(chunks), make)

    def _lengths(self, texts: list[str]) -> Indices:
        """(texts,) how many vectors are kept of each: its tokens', with padding only where the model sees it."""
        if self._halves.pooled:
            return np.ones(len(texts), np.int64)
        tokens = tokenize(self._loaded, texts)
        if self._loaded.family.padding == "longest":
            return np.asarray(tokens["attention_mask"].sum(1), np.int64)
        return np.full(len(texts), tokens["input_ids"].shape[1], np.int64)

    def _run(self, half: Callable[[], torch.Tensor], *, fp32: bool) -> Activations:
        self._loaded.model.eval()
        precision = "fp32" if fp32 else self._plan.precision
        with torch.inference_mode(), hyperparameters.autocast(precision, self._device):
            said = half().float().cpu().numpy()
        return np.asarray(said)

    def _tensor(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device)


def _show(feed: Feed, view: int) -> Callable[[int], NDArray[np.uint8]]:
    return lambda index: feed.view(index, view)


def _content(paths: Iterable[Path]) -> str:
    """A hash over the bytes of the pictures, in order."""
    hashes = ahead(
        lambda path: hashlib.blake2b(read_bytes(path), digest_size=16).digest(), ([path] for path in paths), threads=4,
        groups_ahead=16,
    )  # fmt: skip
    total = hashlib.sha256()
    for (found,) in hashes:
        total.update(found)
    return total.hexdigest()


@dataclass(frozen=True)
class KeptTexts:
    """Kept activations of texts, each as long as it is, laid end to end."""

    numbers: dict[str, int]
    offsets: Indices
    """(texts + 1,) where each begins in `memory`."""
    memory: Activations
    loaded: Loaded
    pooled: bool

    def inputs(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """What the moving half takes: the activations, padded to the longest, with the tokens they belong to."""
        chosen = [self.numbers[text] for text in texts]
        if self.pooled:
            return {ACTIVATIONS: torch.from_numpy(_rows(self.memory, np.array(chosen)))}
        tokens = dict(tokenize(self.loaded, list(texts)))
        given = np.zeros((*tokens["input_ids"].shape, self.memory.shape[-1]), self.memory.dtype)
        for row, number in enumerate(chosen):
            start, stop = self.offsets[number : number + 2]
            given[row, : stop - start] = self.memory[start:stop]
        return {**tokens, ACTIVATIONS: torch.from_numpy(given)}


def _rows(memory: Activations, rows: Indices) -> Activations:
    """A copy of some rows, in memory."""
    return np.array(memory[rows])


class FrozenFeed:
    """Batches of kept activations: as `Feed` in order, captions and views, at the speed of reading them."""

    def __init__(self, order: Order, views: Sequence[Activations], texts: KeptTexts):
        """`views` are seen in turn, one an epoch."""
        self.order = order
        self._views, self._texts = views, texts

    def epoch(
        self,
        epoch: int,
        batch_size: int,
        *,
        start: int = 0,
        share: tuple[int, int] = (0, 1),
        alike: Indices | None = None,
    ) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        rank, processes = share
        view = self._views[(epoch - 1) % len(self._views)]

        def read(whole: Indices) -> Batch:
            rows = np.array_split(whole, processes)[rank]
            keys, texts = self.order.keys(epoch, rows), [self.order.caption(epoch, int(i)) for i in rows]
            all_keys = keys if processes == 1 else self.order.keys(epoch, whole)
            given = torch.from_numpy(_rows(view, rows))
            return Batch(given, self._texts.inputs(texts), keys.pictures, keys.captions, all_keys, whole)

        wholes = self.order.batches(epoch, batch_size, alike)[start:]
        for (batch,) in ahead(read, ([whole] for whole in wholes), threads=1, groups_ahead=0):  # one is being read
            yield batch


@torch.inference_mode()
def embed_kept(
    keeper: Keeper, halves: Halves, device: torch.device, paths: Sequence[Path], texts: Sequence[str]
) -> tuple[Vectors, Vectors]:
    """Unit vectors with the weights of now; only the moving half runs, but for what was never seen before."""
    pictures, kept = keeper.pictures(paths), keeper.texts(texts)
    seen = [
        unit(halves.moving.pictures(torch.from_numpy(_rows(pictures, np.array(rows))).to(device))).cpu().numpy()
        for rows in _chunks(len(paths))
    ]
    read = []
    for rows in _chunks(len(texts)):
        inputs = kept.inputs([texts[i] for i in rows])
        read.append(unit(halves.moving.texts({k: v.to(device) for k, v in inputs.items()})).cpu().numpy())
    return np.concatenate(seen), np.concatenate(read)


def _chunks(count: int) -> list[range]:
    return [range(at, min(at + EMBEDDED_AT_ONCE, count)) for at in range(0, count, EMBEDDED_AT_ONCE)]
