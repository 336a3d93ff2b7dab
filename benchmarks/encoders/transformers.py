"""transformers: its CLIPModel and its picture processor, batch after batch."""

from typing import Any

import numpy as np
import torch

from peers.worker import open_torchvision

from .worker import PHRASE, batches, read_job, work

open_torchvision()
from PIL import Image  # noqa: E402 - needs torchvision
from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer  # noqa: E402

if __name__ == "__main__":
    job = read_job()
    model = CLIPModel.from_pretrained(job.model).eval()
    processor, tokenizer = CLIPImageProcessorPil.from_pretrained(job.model), CLIPTokenizer.from_pretrained(job.model)
    half = torch.autocast("cpu", torch.bfloat16, enabled=job.precision == "bf16")

    def phrase() -> Any:
        """The vector of one text."""
        with torch.inference_mode():
            return model.get_text_features(**tokenizer([PHRASE], return_tensors="pt"))

    def folder() -> Any:
        """The vectors of the folder."""
        found = []
        for group in batches(job.paths):
            pixels = processor([Image.open(path).convert("RGB") for path in group], return_tensors="pt")
            with torch.inference_mode(), half:
                features = model.get_image_features(**pixels).pooler_output
            found.append(torch.nn.functional.normalize(features.float(), dim=-1).numpy())
        return np.concatenate(found)

    work(job, ("torch", "transformers"), phrase, folder)
