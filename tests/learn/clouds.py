"""Vectors whose classes are known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class World:
    """Unit vectors (n, dim), which of them are positive, and a prompt that points to them roughly."""

    vectors: Floats
    positive: npt.NDArray[np.bool_]
    prompt: Floats


def draw_world(seed: int, *, n: int = 1000, dim: int = 32, share: float = 0.1, apart: float = 3.0) -> World:
    """Two clouds `apart` standard deviations from each other, in the narrow cone that CLIP's vectors lie in."""
    random = np.random.default_rng(seed)
    axis = random.normal(size=dim)
    axis /= np.linalg.norm(axis)
    positive = random.random(n) < share
    points = random.normal(size=(n, dim)) + 6 * np.eye(dim)[0] + apart * positive[:, None] * axis
    prompt = axis + 0.25 * random.normal(size=dim)
    vectors = points / np.linalg.norm(points, axis=1, keepdims=True)
    return World(vectors.astype(np.float32), positive, (prompt / np.linalg.norm(prompt)).astype(np.float32))
