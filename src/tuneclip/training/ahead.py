"""Work that is done on threads ahead of the one who needs it, in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Item], Result], groups: Iterable[Sequence[Item]], *, threads: int, groups_ahead: int = 2
) -> Generator[list[Result], None, None]:
    """The results of `work` on each group's items, group by group, while up to `groups_ahead` more are being made.

    An error of `work` is raised when its group's turn comes.
    """
    source = iter(groups)
    waiting: deque[list[Future[Result]]] = deque()
    pool = ThreadPoolExecutor(threads)

    def submit(count: int) -> None:
        waiting.extend([pool.submit(work, item) for item in group] for group in islice(source, count))

    try:
        submit(groups_ahead + 1)
        while waiting:
            results = [future.result() for future in waiting.popleft()]
            submit(1)
            yield results
    finally:
        pool.shutdown(cancel_futures=True)
