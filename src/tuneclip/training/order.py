"""Which pictures an epoch's batches hold, and with which caption: a pure function of the seed, one for all feeds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tuneclip.data.load import Dataset
from tuneclip.errors import TuneclipError
from tuneclip.model.retrieval import caption_key
from tuneclip.records import Record
from tuneclip.settings import TrainingConfig
from tuneclip.training.mine import bring_together

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Keys:
    """What says which pictures and texts of a batch belong together; equal keys do."""

    pictures: tuple[str, ...]
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True)
class Order:
    """The batches of every epoch. Each random choice follows from (seed, epoch); nothing is remembered in between."""

    records: tuple[Record, ...]
    pictures: tuple[str, ...]
    """A key for each record's picture; records with the same picture share it."""
    seed: int = 0
    avoid_twins: bool = True
    hard_negatives: float = 0.0
    """Share of a batch's rows that are brought beside what they are alike to, where `alike` is given."""

    def batches(self, epoch: int, batch_size: int, alike: Indices | None = None) -> list[Indices]:
        """The epoch's batches as indices into `records`: each picture once, sizes even, none with a single picture.

        With `avoid_twins` no batch has two records of one caption or one picture where that can be; else they are
        spread as evenly as can be. `alike` (records, candidates) names for each record those that it is to meet, best
        first, -1 for none (`mine.find_alike`).
        """
        random = np.random.default_rng((self.seed, epoch))
        count = batches_per_epoch(len(self.records), batch_size)
        if self.avoid_twins:
            batches = deal(_families(self._caption_codes(epoch), self._picture_codes, count), count, random)
        else:
            batches = list(np.array_split(random.permutation(len(self.records)), count))
        if alike is None or not self.hard_negatives:
            return batches
        apart = [self._caption_codes(epoch), self._picture_codes] if self.avoid_twins else []
        return bring_together(batches, alike, apart, share=self.hard_negatives, random=random)

    def caption(self, epoch: int, index: int) -> str:
        """The caption of record `index` in this epoch: each of its captions in turn, begun at a seeded one."""
        captions = self.records[index].captions
        return captions[int(self._offsets[index] + epoch) % len(captions)]

    def keys(self, epoch: int, chosen: Iterable[int]) -> Keys:
        """What belongs together among these records in this epoch."""
        numbers = [int(index) for index in chosen]
        captions = tuple(caption_key(self.caption(epoch, index)) for index in numbers)
        return Keys(tuple(self.pictures[index] for index in numbers), captions)

    def apart(self, epoch: int) -> list[Indices]:
        """Numbers, each (records,): those with an equal one are no negatives of each other in this epoch.

        They have the same caption, the same picture, or are of one group.
        """
        return [self._caption_codes(epoch), self._picture_codes, _numbered(r.group or r.id for r in self.records)]

    def _caption_codes(self, epoch: int) -> Indices:
        """(records,) a number for the caption that each record has in this epoch."""
        return self._codes[self._starts + (self._offsets + epoch) % self._counts]

    @cached_property
    def _offsets(self) -> Indices:
        return np.random.default_rng((self.seed, 0)).integers(2**31, size=len(self.records))

    @cached_property
    def _counts(self) -> Indices:
        return np.array([len(record.captions) for record in self.records])

    @cached_property
    def _starts(self) -> Indices:
        return np.concatenate([[0], np.cumsum(self._counts)[:-1]])

    @cached_property
    def _codes(self) -> Indices:
        """A number for each caption of each record, one after the other; equal for captions that say the same."""
        return _numbered(caption_key(caption) for record in self.records for caption in record.captions)

    @cached_property
    def _picture_codes(self) -> Indices:
        return _numbered(self.pictures)


def make_order(dataset: Dataset, config: TrainingConfig) -> Order:
    """The order in which a run goes through the train split of `dataset`.

    Raises TuneclipError for a picture without a caption and for one whose file is missing.
    """
    records = dataset.split("train")
    bare = [record for record in records if not record.captions]
    if bare:
        raise TuneclipError(
            f"{len(bare):,} pictures have no caption, the first is {bare[0].id!r}",
            where=dataset.path,
            hint=f"tuneclip caption {dataset.name} --template …",
        )
    return Order(
        records, picture_keys(dataset, records), config.seed, config.avoid_twins, hard_negatives=config.hard_negatives
    )


def picture_keys(dataset: Dataset, records: Sequence[Record]) -> tuple[str, ...]:
    """For each record its picture's path, or the path of the first record whose file holds the same bytes.

    Only files of equal size are read. Raises TuneclipError, naming it, for a file that is missing.
    """
    sizes: dict[int, list[str]] = {}
    for name in dict.fromkeys(record.picture for record in records):
        path = dataset.path / name
        try:
            sizes.setdefault(path.stat().st_size, []).append(name)
        except OSError as error:
            raise TuneclipError(
                "no such picture", where=path, hint=f"tuneclip check {dataset.name} finds all of them"
            ) from error
    firsts: dict[str, str] = {}
    for names in sizes.values():
        seen: dict[bytes, str] = {}
        for name in names if len(names) > 1 else ():
            firsts[name] = seen.setdefault(blake2b((dataset.path / name).read_bytes()).digest(), name)
    return tuple(firsts.get(record.picture, record.picture) for record in records)


def batches_per_epoch(records: int, batch_size: int) -> int:
    """Steps of an epoch: each picture once, in batches as even as can be, none of them with a single picture."""
    return max(1, min(-(-records // batch_size), records // 2))


def deal(families: Indices, count: int, random: np.random.Generator) -> list[Indices]:
    """Shuffle records into `count` batches of even sizes so that each family is spread as evenly as can be.

    A family (equal numbers in `families`) of at most `count` members has no two in one batch. Dealt like cards: in
    rounds of one card a batch, family after family; where a family goes on in the next round, the batches that it has
    not come to yet are served first. Linear in the records but for one sort.
    """
    shuffled = random.permutation(len(families))
    ranks = random.permutation(int(families.max()) + 1)
    cards = shuffled[np.argsort(ranks[families[shuffled]], kind="stable")]
    batch_of = np.empty(len(cards), np.int64)
    served, last = np.zeros(count, bool), -1  # batches that the family at hand came to in its first, partial round
    for start in range(0, len(cards), count):
        hand = families[cards[start : start + count]]
        seats = random.permutation(count)
        going_on = int(np.argmin(hand == last)) if (hand != last).any() else len(hand)
        seats = np.concatenate([seats[~served[seats]], seats[served[seats]]])
        seats[going_on:] = random.permutation(seats[going_on:])
        seats = seats[: len(hand)]
        batch_of[start : start + count] = seats
        if hand[-1] != last:
            served[:] = False
            served[seats[hand == hand[-1]]] = True
            last = int(hand[-1])
    order = np.argsort(batch_of, kind="stable")
    sizes = np.bincount(batch_of, minlength=count)
    return sorted(np.split(cards[order], np.cumsum(sizes)[:-1]), key=len, reverse=True)


def _families(captions: Indices, pictures: Indices, count: int) -> Indices:
    """(records,) a number for all that should not meet: equal captions, and equal pictures of different captions.

    Captions that are tied by a picture make one family, unless it became larger than `count`, the number of batches:
    then each caption stays one for itself, as they are the commoner twins.
    """
    root = np.arange(int(captions.max()) + 1)

    def top(number: int) -> int:
        while root[number] != number:
            root[number] = root[root[number]]
            number = int(root[number])
        return number

    common = np.flatnonzero(np.bincount(pictures)[pictures] > 1)
    first: dict[int, int] = {}
    for picture, caption in zip(pictures[common].tolist(), captions[common].tolist(), strict=True):
        root[top(caption)] = top(first.setdefault(picture, caption))
    if not len(common):
        return captions
    tops = np.array([top(number) for number in range(len(root))])[captions]
    return np.where(np.bincount(tops, minlength=len(root))[tops] <= count, tops, len(root) + captions)


def _numbered(keys: Iterable[str]) -> Indices:
    """A number for each key, equal for equal keys, in the order of their first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
