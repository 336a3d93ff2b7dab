"""llm-clip: what `llm embed-multi --files … --binary -m clip` does, its model replaced by the one of the job.

Its own store is a database; the vectors are read back from there.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from peers.worker import open_torchvision

from .worker import PHRASE, read_job, work

open_torchvision()
import llm  # noqa: E402 - needs torchvision
import sqlite_utils  # noqa: E402
from llm_clip import ClipEmbeddingModel  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

if __name__ == "__main__":
    job = read_job()
    model: Any = ClipEmbeddingModel()
    model._model = SentenceTransformer(job.export, device="cpu")  # its own name is written into its code

    def folder() -> Any:
        """The vectors of the folder, as llm keeps them."""
        with TemporaryDirectory() as place:
            database = sqlite_utils.Database(Path(place) / "embeddings.db")
            collection = llm.Collection("photos", database, model=model)
            collection.embed_multi((path.name, path.read_bytes()) for path in job.paths)
            rows = database.query("select embedding from embeddings order by id")
            found = np.array([llm.decode(row["embedding"]) for row in rows])
            database.close()
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    work(job, ("torch", "sentence-transformers", "llm", "llm-clip"), lambda: model.embed(PHRASE), folder)
