"""Draw the first ten Flickr8k test pictures that the packaged model finds for a few queries, one row a query."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps
from transformers import AutoTokenizer, CLIPModel

from .package import packaged_embeddings
from .shape import text_embeddings
from .sources import decode, read
from .words import encode

QUERIES = ["a dog running through snow", "children playing football", "a man riding a bike"]
TILE, LINE, FIRST = 144, 24, 10  # px, px, pictures


@torch.inference_mode()
def nearest(folder: Path, pictures: torch.Tensor, queries: list[str]) -> list[list[int]]:
    """The places of each query's nearest pictures, best first."""
    model, tokenizer = CLIPModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    texts = text_embeddings(model, torch.from_numpy(encode(tokenizer, queries)))
    found: list[list[int]] = (texts @ pictures.T).topk(FIRST, dim=1).indices.tolist()
    return found


def main() -> None:
    """Read the options and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m training.starter.contact_sheet", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the packaged model")
    parser.add_argument("--data", type=Path, required=True, help="folder with flickr8k")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("queries", nargs="*", default=QUERIES)
    options = parser.parse_args()
    source = read(options.data, "flickr8k", "test")
    rows = nearest(options.model, packaged_embeddings(options.model, source), options.queries)
    sheet = Image.new("RGB", (FIRST * TILE, len(rows) * (TILE + LINE)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (query, row) in enumerate(zip(options.queries, rows, strict=True)):
        top = number * (TILE + LINE)
        draw.text((4, top + 4), query, fill="black", font=ImageFont.load_default(14))
        for place, index in enumerate(row):
            sheet.paste(ImageOps.fit(decode(source.pictures[index]), (TILE, TILE)), (place * TILE, top + LINE))
    sheet.save(options.out)


if __name__ == "__main__":
    main()
