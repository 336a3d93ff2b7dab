"""How a dataset presents itself: its card for people and for Hugging Face's library, its counts on the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip.data.write import Written
from tuneclip.project import METADATA, write_text

if TYPE_CHECKING:
    from rich.console import Console

# The heading makes `datasets.load_dataset(FOLDER)` take the pictures for the data, however few there are.
_CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: [{metadata}, "pictures/**"]
---
# {name}

{taken} pictures with captions, made by tuneclip. Each line of `{metadata}` is one
record: `file_name`, `text` (its first caption), `captions` (all of them), `id`, `group`, `split`, `metadata`.

| split | records |
|---|---:|
{counts}"""


def write_card(folder: Path, name: str, written: Written) -> None:
    """Write the dataset's `README.md` into its folder."""
    counts = "".join(f"| {split} | {number} |\n" for split, number in written.splits.items())
    write_text(folder / "README.md", _CARD.format(name=name, metadata=METADATA, taken=written.taken, counts=counts))


def show_splits(console: "Console", splits: Mapping[str, int]) -> None:
    """A table of the splits with their numbers of records."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("split", "records"):
        table.add_column(column, justify="left" if column == "split" else "right")
    for name, number in splits.items():
        table.add_row(escape(name), f"{number:,}")
    console.print(table)
