"""sentence-transformers: `encode` over the opened pictures, with its defaults."""

from typing import Any

from peers.worker import open_torchvision

from .worker import PHRASE, read_job, work

open_torchvision()
from PIL import Image  # noqa: E402 - needs torchvision
from sentence_transformers import SentenceTransformer  # noqa: E402

if __name__ == "__main__":
    job = read_job()
    model: Any = SentenceTransformer(job.export, device="cpu")

    def folder() -> Any:
        """The vectors of the folder."""
        return model.encode([Image.open(path) for path in job.paths], normalize_embeddings=True)

    work(job, ("torch", "sentence-transformers"), lambda: model.encode(PHRASE), folder)
