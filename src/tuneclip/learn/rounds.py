"""The rounds of rating: a page of pictures, their ratings, a fit, the next page; and at last a classifier."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tuneclip.errors import TuneclipError
from tuneclip.learn.alone import hold
from tuneclip.learn.choose import choose
from tuneclip.learn.classifier import Classifier, save_classifier
from tuneclip.learn.fit import Fit, Ground, explore, fit, ground
from tuneclip.learn.pool import CANDIDATES, Pool, read_pool, with_nearest
from tuneclip.learn.prompt import embed_prompt
from tuneclip.learn.ratings import VALUES, Log, Story, Subject, checked_value
from tuneclip.learn.threshold import find_threshold
from tuneclip.project import Project
from tuneclip.records import Hit
from tuneclip.vectors.collection import Collection, Row, open_collection, to_hit

__all__ = ["VALUES", "Rounds", "State", "start"]

logger = logging.getLogger("tuneclip")
BATCH = 5
"""Pictures of a page: what the first five teach chooses the next five (docs/experiments.md)."""


@dataclass(frozen=True)
class State:
    """All that a page needs to show where the rating stands; a snapshot, never changed."""

    classifier: str
    collection: str
    prompt: str
    model: str
    round: int
    """From 1."""
    page: tuple[Hit, ...]
    """The pictures of this round in the order in which to rate them; a picture comes once. Empty: all were seen."""
    ratings: Mapping[str, float]
    """Of this page's pictures, by id; what was not rated is not in it."""
    rated: int
    """In all rounds."""
    positives: int
    """Ratings above 0, in all rounds."""
    negatives: int
    """Ratings below 0, in all rounds."""
    can_undo: bool
    finished: bool
    """A classifier was written, and nothing was rated since."""


class Rounds:
    """A rating session; made by `start`.

    Every call that changes something has written it to the log when it returns; a session that is opened again stands
    where the last one did. Not safe for threads: calls must not overlap. Errors that a user can mend are TuneclipError.
    """

    def __init__(self, log: Log, collection: Collection, project: Project, *, prompt: npt.ArrayLike, batch: int):
        """Read the collection's vectors and show the first page, or the one that the log ends with."""
        self._log, self._collection, self._project, self._batch = log, collection, project, batch
        self._writer = ThreadPoolExecutor(1)
        self._marking: Future[None] | None = None
        self._pool: Pool = read_pool(collection)
        if not self._pool.ids:
            raise TuneclipError(f"collection {collection.name!r} is empty", hint="tuneclip index DATASET --model MODEL")
        self._ground: Ground = ground(prompt, self._pool.vectors)
        self._fitted: tuple[dict[str, float], Fit] | None = None
        self._page: tuple[int, tuple[Hit, ...]] | None = None
        if not self._story.pages:
            self._turn()
        self.state()
        self._mark([key for page in self._story.pages[:-1] for key in page])  # a kill may have come before

    @property
    def _store(self) -> Collection:
        """The collection, once nothing is being written to it any more."""
        self.settle()
        return self._collection

    def settle(self) -> None:
        """Wait until all that was seen is marked in the collection; raises what went wrong with that."""
        marking, self._marking = self._marking, None
        if marking is not None:
            marking.result()

    def _mark(self, ids: Sequence[str]) -> None:
        """Mark these as seen, beside what the user does: the log decides what was seen, so nothing waits for it."""
        if ids:
            self._marking = self._writer.submit(self._store.update_seen, ids, 1)

    @property
    def _story(self) -> Story:
        return self._log.story

    @cached_property
    def _positions(self) -> dict[str, int]:
        return self._pool.positions()

    def state(self) -> State:
        """Where it stands."""
        subject, story = self._log.subject, self._story
        if self._page is None or self._page[0] != len(story.pages):  # the hits keep the scores that chose them
            self._page = len(story.pages), self._described(story.pages[-1])
        page = self._page[1]
        values = story.ratings.values()
        return State(
            classifier=subject.classifier,
            collection=subject.collection,
            prompt=subject.prompt,
            model=subject.model,
            round=len(story.pages),
            page=page,
            ratings={hit.id: story.ratings[hit.id] for hit in page if hit.id in story.ratings},
            rated=len(values),
            positives=sum(value > 0 for value in values),
            negatives=sum(value < 0 for value in values),
            can_undo=bool(story.before),
            finished=story.finished,
        )

    def rate(self, id: str, value: float) -> State:
        """Rate a picture of this page with one of VALUES; the last rating of a picture counts."""
        checked_value(value)
        if id not in self._story.pages[-1]:
            raise TuneclipError(f"{id!r} is not on the page of this round", expected="a picture that is")
        self._log.rate(id, value)
        return self.state()

    def undo(self) -> State:
        """Take the last rating back; the one that it had replaced counts again. With none there is no change.

        It reaches back over rounds: the page stays, and the earlier picture's rating no longer counts.
        """
        self._log.undo()
        return self.state()

    def next_round(self) -> State:
        """Fit to all ratings, mark this page's pictures as seen, rated or not, and choose the next page."""
        left = self._story.pages[-1]
        self._turn()
        state = self.state()
        self._mark(left)
        return state

    def positives(self, k: int = 100) -> tuple[Hit, ...]:
        """The `k` best pictures by the ratings so far, best first, rated ones too unless they were rated below 0.

        `score` is the cosine with w.
        """
        scores, pool = self._scored()
        negative = [key for key, value in self._story.ratings.items() if value < 0]
        out = self._places(pool, negative)
        scores[out] = -np.inf
        best = np.argsort(-scores, kind="stable")[: max(0, min(k, len(scores) - len(out)))]
        return self._described([pool.ids[i] for i in best])

    def reset(self) -> State:
        """Forget all ratings and what was seen; the old log is kept beside under a dated name."""
        self._store.update_seen(sorted(self._story.shown), 0)
        old = self._log.reset()
        logger.info("the ratings until now are kept as %s", old.name)
        self._page = None
        self._turn()
        return self.state()

    def finish(self) -> Classifier:
        """Fit, find the threshold by cross-validation, write classifiers/NAME.json. Rating can go on afterwards.

        Raises TuneclipError when nothing was rated.
        """
        ratings, vectors = self._rated()
        if not ratings:
            raise TuneclipError("nothing was rated yet", hint=f"tuneclip label {self._collection.name} PROMPT")
        fitted = self._fit()
        rest = np.ones(len(self._pool.ids), bool)
        rest[self._places(self._pool, ratings)] = False
        found = find_threshold(self._ground, fitted, vectors, list(ratings.values()), self._pool.vectors[rest])
        subject = self._log.subject
        classifier = Classifier(
            name=subject.classifier,
            prompt=subject.prompt,
            collection=subject.collection,
            model=subject.model,
            fingerprint=subject.fingerprint,
            w=fitted.w.astype(np.float32),
            bias=fitted.bias,
            threshold=found.threshold,
            precision=found.precision,
            recall=found.recall,
            ratings=ratings,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        save_classifier(classifier, self._project.classifier(subject.classifier))
        self._log.finish()
        return classifier

    def _turn(self) -> None:
        """Choose the next page and write it down."""
        ratings, vectors = self._rated()
        bold = explore(self._ground, vectors, list(ratings.values()))
        scores, pool = self._scored(bold)
        free = np.ones(len(scores), bool)
        free[self._places(pool, self._story.shown)] = False
        exploring = bold.scores(pool.vectors)
        chosen = choose(scores, free, self._batch, seed=len(self._story.pages), exploring=exploring)
        self._log.page(pool.ids[i] for i in chosen)

    def _scored(self, *others: Fit) -> tuple[npt.NDArray[np.float64], Pool]:
        """The logits of the pool and, if that is not whole, of the collection's nearest by the fit and by others."""
        fitted, pool = self._fit(), self._pool
        for one in (fitted, *others):
            pool = with_nearest(pool, self._store, one.w, CANDIDATES + len(self._story.shown))
        return fitted.scores(pool.vectors), pool

    def _places(self, pool: Pool, ids: Iterable[str]) -> list[int]:
        """Where in the pool, or in one grown by candidates, these ids are; without those that are not."""
        known = self._positions if pool is self._pool else pool.positions()
        return [known[key] for key in ids if key in known]

    def _fit(self) -> Fit:
        """The fit to the ratings of now; kept until they change."""
        ratings, vectors = self._rated()
        if self._fitted is None or self._fitted[0] != ratings:
            self._fitted = dict(ratings), fit(self._ground, vectors, list(ratings.values()))
        return self._fitted[1]

    def _rated(self) -> tuple[dict[str, float], npt.NDArray[np.float32]]:
        """The ratings whose pictures are still in the collection, and their vectors (n, dim)."""
        ratings = self._story.ratings
        far = [key for key in ratings if key not in self._positions]
        fetched = {row.id: row.vector for row in self._store.get(far)} if far else {}
        there = {key: value for key, value in ratings.items() if key in self._positions or key in fetched}
        vectors = [fetched[key] if key in fetched else self._pool.vectors[self._positions[key]] for key in there]
        return there, np.stack(vectors) if vectors else np.zeros((0, self._pool.vectors.shape[1]), np.float32)

    def _described(self, ids: Sequence[str]) -> tuple[Hit, ...]:
        """Hits of these ids, in this order; what has left the collection is left out."""
        w = self._fit().w
        return tuple(self._hit(row, w) for row in self._store.get(ids))

    def _hit(self, row: Row, w: npt.NDArray[np.float64]) -> Hit:
        cosine = float(row.vector.astype(np.float64) @ w / max(float(np.linalg.norm(w)), 1e-12))
        return to_hit(row, cosine, self._collection.origin, self._project.root)


def start(
    collection: str, prompt: str, *, to: str, project: Project, model: str | None = None, batch: int = BATCH
) -> Rounds:
    """Open or resume the rating of `collection` for the classifier `to`, from the words of `prompt`.

    A log of the same classifier, collection and prompt goes on where it stood, with all its ratings also when another
    model has embedded the collection since. Raises TuneclipError when the log is of another prompt or collection or
    another process has it, when the collection is empty, and when `model` did not make it.
    """
    if not prompt.strip():
        raise TuneclipError("the prompt is empty", expected='words, like "dogs in the snow"')
    if batch < 1:
        raise TuneclipError(f"a page of {batch} pictures cannot be shown", expected="1 or more")
    held = hold(project.classifier_log(to))  # before the seconds that opening takes
    found = open_collection(collection, project)
    vector, name = embed_prompt(prompt, found, project, model)
    subject = Subject(to, found.name, prompt, name, found.origin.fingerprint)
    log = Log(project.classifier_log(to), subject)
    held.release()  # the log holds it, too
    return Rounds(log, found, project, prompt=vector, batch=batch)
