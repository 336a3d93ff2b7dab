"""The verb `demo`: the whole line on a drawn archive with the starter model, offline."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuneclip import settings
from tuneclip.errors import TuneclipError
from tuneclip.project import REPORT, SETTINGS, Project, write_bytes, write_json, write_text
from tuneclip.records import Difference, Score

if TYPE_CHECKING:
    from rich.console import Console

    from tuneclip.measure.compare import Comparison
    from tuneclip.vectors.search import Found

logger = logging.getLogger("tuneclip")
MARK = "# Made by `tuneclip demo`; running it again goes on here.\n"
PHRASES = ("a black bucchero kantharos", "buff oil lamp", "bronze fibula")


@dataclass(frozen=True)
class Demonstrated:
    """What `demo` did: figures of both models, three searches, the report."""

    report: str
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    seconds: float
    project: str
    compared: "Comparison"
    searches: "tuple[Found, ...]"

    def show(self, console: "Console") -> None:
        """The table, three searches and where to look next."""
        self.compared.show(console)
        for found in self.searches:
            found.show(console)
        console.print(
            f"\nThe whole line took {self.seconds:.0f} s. Look at the report: {Path(self.report).as_uri()}",
            soft_wrap=True,
        )
        console.print(
            f"Search yourself: tuneclip search finds 'terracotta figurine' --project {self.project}", soft_wrap=True
        )
        console.print(f"Or in the browser: tuneclip serve --project {self.project}", soft_wrap=True)


def demo(options: settings.Demo, project: Project) -> Demonstrated:
    """Draw an archive, import it, fine-tune the starter on it, compare, index and search; all in `options.folder`.

    Run again in the same folder it goes on where it was. Raises TuneclipError where the folder holds something else.
    """
    began = time.monotonic()
    root = project.root / options.folder
    place = _enter(root)
    _import(options, place)
    config = place.root / "training.json"
    write_json(config, {"num_epochs": options.epochs, "seed": options.seed})
    from tuneclip.measure.compare import compare
    from tuneclip.training.train import train
    from tuneclip.vectors.embed import index
    from tuneclip.vectors.search import search

    _say(3, "train: fine-tune the starter on the finds")
    train(settings.Train(dataset="finds", model="starter", to="tuned", config=config, resume=True), place)
    _say(4, "compare: the starter against the tuned model, on finds that neither has seen")
    phrases = place.root / "phrases.txt"
    write_text(phrases, "".join(phrase + "\n" for phrase in PHRASES))
    compared = compare(
        settings.Compare(dataset="finds", models=("starter", "tuned"), phrases=phrases, seed=options.seed), place
    )
    for folder in (place.root, place.root / "runs"):  # where a person looks first
        write_bytes(folder / REPORT, Path(compared.report).read_bytes())
    _say(5, "index: every find as a vector of the tuned model")
    index(settings.Index(dataset="finds", model="tuned"), place)
    _say(6, "search")
    searches = tuple(search(settings.Search(collection="finds", text=phrase, k=5), place) for phrase in PHRASES)
    return Demonstrated(
        report=str((place.root / REPORT).resolve()),
        scores=compared.scores,
        differences=compared.differences,
        seconds=round(time.monotonic() - began, 1),
        project=str(root),
        compared=compared,
        searches=searches,
    )


def _enter(root: Path) -> Project:
    mark = root / SETTINGS
    if (
        root.is_dir()
        and any(root.iterdir())
        and not (mark.is_file() and mark.read_text(encoding="utf-8").startswith(MARK))
    ):
        raise TuneclipError("the folder is not empty", where=root, hint="name a new one: tuneclip demo NEW-FOLDER")
    write_text(mark, MARK)
    return Project(root)


def _import(options: settings.Demo, place: Project) -> None:
    from tuneclip.archive import draw_archive
    from tuneclip.data.read import import_dataset

    archive = place.root / "archive"
    _say(1, f"draw an archive of {options.finds:,} finds with their metadata")
    if not (archive / "archive.json").is_file():
        draw_archive(archive, options.finds, seed=options.seed)
    _say(2, "import: pictures and captions become a dataset")
    columns = ("label", "description")
    source = settings.Import(archive / "archive.json", "finds", caption=columns, records="finds")
    import_dataset(source, place)


def _say(number: int, what: str) -> None:
    logger.info("[%d/6] %s", number, what)
