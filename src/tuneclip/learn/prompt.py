"""The prompt as a direction: the mean of a few phrasings, by the model that made the collection."""

import numpy as np
import numpy.typing as npt

from tuneclip.model.open import open_model
from tuneclip.project import Project
from tuneclip.vectors.collection import Collection
from tuneclip.vectors.search import check_model

PHRASINGS = ("{}", "a photo of {}.", "a picture of {}.", "a close-up photo of {}.")
"""Whose mean stands for a prompt (prompt ensembling: arXiv 2103.00020, section 3.1.4), without an article since a
prompt is a phrase, not a label."""


def embed_prompt(
    prompt: str, collection: Collection, project: Project, model: str | None = None
) -> tuple[npt.NDArray[np.float32], str]:
    """The prompt's direction (dim,) of unit length, and the name of the model that embedded it.

    Raises TuneclipError when `model`, by default the one that the collection names, did not make the collection.
    """
    name = model or collection.origin.model
    check_model(collection, name, project)
    vectors = open_model(name, project, few=True).texts(
        [phrasing.replace("{}", prompt.strip()) for phrasing in PHRASINGS]
    )
    mean = vectors.mean(axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32), name
