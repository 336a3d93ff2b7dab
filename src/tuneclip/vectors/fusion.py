"""Several rankings joined to one."""

from collections.abc import Sequence

CONSTANT = 60
"""Of reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009."""


def fused(orders: Sequence[Sequence[str]]) -> list[str]:
    """All ids of some rankings, best first by the sum of their reciprocal ranks, equals by id."""
    scores: dict[str, float] = {}
    for order in orders:
        for rank, key in enumerate(order, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (CONSTANT + rank)
    return sorted(scores, key=lambda key: (-scores[key], key))
