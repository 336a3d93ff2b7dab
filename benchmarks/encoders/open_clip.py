"""open_clip: its model and its transform, batch after batch."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from peers.open_clip import load
from peers.worker import open_torchvision

from .worker import PHRASE, batches, read_job, work

open_torchvision()
import open_clip  # noqa: E402 - needs torchvision
from PIL import Image  # noqa: E402

if __name__ == "__main__":
    job = read_job()
    model = load(Path(job.model)).eval()
    transform: Any = open_clip.image_transform(model.visual.image_size, is_train=False)
    tokenizer = open_clip.SimpleTokenizer(context_length=model.context_length)

    def phrase() -> Any:
        """The vector of one text."""
        with torch.inference_mode():
            return model.encode_text(tokenizer([PHRASE]), normalize=True)

    def folder() -> Any:
        """The vectors of the folder."""
        found = []
        for group in batches(job.paths):
            pixels = torch.stack([transform(Image.open(path)) for path in group])
            with torch.inference_mode():
                found.append(model.encode_image(pixels, normalize=True).numpy())
        return np.concatenate(found)

    work(job, ("torch", "open_clip_torch"), phrase, folder)
