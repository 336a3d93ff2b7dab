"""From rows to pictures: pair, load and decode several at once, and keep the order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

from tuneclip.data.columns import Plan
from tuneclip.data.links import link_of, origin_of
from tuneclip.data.pair import PictureFiles, UnpairedError
from tuneclip.data.picture import Decoded, decode, read_bytes
from tuneclip.data.row import Embedded, Row, Value, as_text, printable
from tuneclip.data.split import split_name
from tuneclip.data.write import Entry
from tuneclip.errors import TuneclipError

# Below this, a picture is decoded sooner than threads take to hand Python's lock to and fro (measured: 60 × 80 pixels
# 3,000 a second on one thread, 2,900 on two).
SMALL_BYTES = 32 * 1024
Loaded = tuple[Decoded, bytes] | str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A row on its way: an entry whose picture is to be loaded, or the reason why there is none."""

    place: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    entry: Entry | None = None
    picture: Path | bytes | None = None
    """None when the picture is known already, from another row."""
    reason: str = ""
    url: str | None = None
    """Where the picture is to be fetched from later: it is no file yet."""


class Gatherer:
    """Applies a plan to rows."""

    def __init__(self, plan: Plan, pictures: Path | None, folder: Path) -> None:
        self.plan = plan
        self.folders = [path for path in (pictures, folder) if path is not None]
        self.files = PictureFiles(self.folders, first=pictures)

    def jobs(self, rows: Iterable[Row], known: Callable[[str], bool]) -> Iterator[Job]:
        """A job for each row, in order; pictures that are `known` are not loaded again."""
        for row in rows:
            job = self.job(row)
            if job.entry is not None and known(job.entry.source):
                job = Job(job.place, job.fields, job.entry)
            yield job

    def job(self, row: Row) -> Job:
        """What is to be done with a row; raises TuneclipError when its picture may be two files."""
        try:
            if row.problem:
                raise UnpairedError(row.problem)
            try:
                source, origin, picture = self._picture(row)
            except UnpairedError:
                url = link_of(row.fields, (self.plan.link, self.plan.picture))
                if url is None:
                    raise
                return Job(row.where, row.fields, self._linked(row, url), url=url)
            entry = self._entry(row, source, origin)
        except UnpairedError as reason:
            return Job(row.where, row.fields, reason=str(reason))
        return Job(row.where, row.fields, entry, picture)

    def _linked(self, row: Row, url: str) -> Entry:
        """The entry of a record whose picture is a link; records with ids of their own stay apart on one link."""
        entry = self._entry(row, url, origin_of(url))
        metadata = dict(entry.metadata)
        link = self.plan.link or self.plan.picture
        metadata.setdefault(link, row.fields.get(link))  # the picture's column is otherwise left out
        own = entry.id or entry.own_id
        return replace(entry, source=f"{url}\0{own}" if own else url, metadata=metadata)

    def _picture(self, row: Row) -> tuple[str, str, Path | bytes]:
        """What identifies the row's picture, where it came from, and the picture's file or bytes."""
        value = row.fields.get(self.plan.picture)
        if isinstance(value, Embedded) and value.data is not None:
            origin = row.key if not value.path else f"{row.key.rsplit('/', 1)[0]}/{printable(value.path)}"
            return f"{origin}\0{blake2b(value.data, digest_size=16).hexdigest()}", origin, value.data
        name = (value.path or "") if isinstance(value, Embedded) else as_text(value)
        if not name:
            raise UnpairedError(f"no picture named in {self.plan.picture!r}")
        path = self.files.find(name, row.where, row.folder)
        return str(path.resolve()), self._origin(path), path

    def _origin(self, path: Path) -> str:
        for folder in self.folders:
            if path.is_relative_to(folder):
                return printable(path.relative_to(folder).as_posix())
        return printable(path.as_posix())

    def _entry(self, row: Row, source: str, origin: str) -> Entry:
        plan, fields = self.plan, row.fields
        captions = tuple(plan.texts(fields))
        if not captions:
            raise UnpairedError("no caption")
        given = as_text(fields.get(plan.id)) if plan.id else None
        if given == "":
            raise UnpairedError(f"no id in column {plan.id!r}")
        split = split_name(as_text(fields.get(plan.split))) if plan.split else None
        return Entry(
            source=f"{source}\0{given}" if given else source,
            place=row.where,
            origin=origin,
            captions=captions,
            metadata=self._metadata(fields),
            id=given,
            own_id=as_text(fields.get("id")) or None,
            group=(as_text(fields.get(plan.group)) or None) if plan.group else None,
            split=split or row.split,
        )

    def _metadata(self, fields: Mapping[str, Value]) -> dict[str, Value]:
        """All columns but the picture, the split, captions that come as lists, and what is the id or group by name."""
        left_out = {name for name in self.plan.captions if isinstance(fields.get(name), list)}
        left_out |= {self.plan.picture, self.plan.split or ""} | {"id", "group"} & {self.plan.id, self.plan.group}
        return {name: value for name, value in fields.items() if name not in left_out}


def load(job: Job) -> Loaded:
    """The decoded picture of a job with its bytes, the reason why it cannot be had, or None where none is needed."""
    if job.picture is None:
        return None
    try:
        data = job.picture if isinstance(job.picture, bytes) else read_bytes(job.picture)
        return decode(data), data
    except TuneclipError as error:
        return error.what


def load_in_order(jobs: Iterable[Job], workers: int) -> Iterator[tuple[Job, Loaded]]:
    """Each job with what `load` gives for it, in order; large pictures are decoded several at once, few are held."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[Job, Callable[[], Loaded]]] = deque()
        for job in jobs:
            result = pool.submit(load, job).result if _size(job) > SMALL_BYTES else partial(load, job)
            waiting.append((job, result))
            if len(waiting) >= 4 * workers:
                done, wait = waiting.popleft()
                yield done, wait()
        while waiting:
            done, wait = waiting.popleft()
            yield done, wait()


def _size(job: Job) -> int:
    if isinstance(job.picture, Path):
        return job.picture.stat().st_size
    return len(job.picture or b"")
