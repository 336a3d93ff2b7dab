"""Vectors as points on a plane, by PaCMAP: what is near stays near, and clusters keep their places to each other."""

import logging
import warnings
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from tuneclip.vectors.collection import Vector
from tuneclip.vectors.map_pairs import NEIGHBOURS, Rows

METHOD = "pacmap"
FEWEST = 20  # points; with fewer there is nothing to lay out
PLAIN = 100  # dimensions to which PaCMAP reduces first, if there are more rows than that
Points = npt.NDArray[np.float32]


def can_project() -> bool:
    """Whether the extra `map` is installed."""
    return find_spec("pacmap") is not None


def sampled(count: int, size: int, seed: int) -> npt.NDArray[np.intp]:
    """Which of `count` rows are projected, in order: all, or beyond `size` a fair sample; same seed, same rows."""
    if count <= size:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, size, replace=False))


def neighbours_needed(count: int) -> int:
    """How many neighbours of each point PaCMAP looks at, of `count` points."""
    return min(NEIGHBOURS, (count - 1) // 4)


def project(vectors: Vector, neighbours: Rows, seed: int) -> Points:
    """Points (n, 2) of unit vectors (n, dim), n at least `FEWEST`, whose exact neighbours are (n, k).

    PaCMAP (Wang, Huang, Rudin, Shaposhnik, JMLR 22, 2021) with its defaults. Its own search for neighbours is not
    reproducible and not exact, so they are given to it. The same input and seed give the same points on one machine.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its libraries, at import
        import pacmap
    logging.getLogger("pacmap").setLevel(logging.ERROR)  # it warns of its own defaults
    count, wanted = len(vectors), neighbours_needed(len(vectors))
    pairs = np.stack([np.repeat(np.arange(count), wanted), neighbours[:, :wanted].ravel()], axis=1).astype(np.int32)
    reducer = pacmap.PaCMAP(
        n_components=2, n_neighbors=wanted, pair_neighbors=pairs, random_state=seed, apply_pca=count > PLAIN
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        points: Points = reducer.fit_transform(vectors).astype(np.float32)
    return points
