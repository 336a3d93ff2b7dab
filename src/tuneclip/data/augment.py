"""Varied pictures that keep their captions true: no black bars, no squashed shapes, no mirrored inscriptions.

`vary` is what training does on the fly; the verb `augment` writes such copies to disk.
"""

import dataclasses
import logging
import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from itertools import count, islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tuneclip.data.derive import Derivation, Derived, Part, derive, refuse_other
from tuneclip.data.load import Dataset, open_dataset
from tuneclip.data.pending import read_pending
from tuneclip.data.picture import load_picture, shrink
from tuneclip.data.sheet import Strip, checked_sheet, draw_sheet
from tuneclip.data.split import position
from tuneclip.errors import TuneclipError
from tuneclip.progress import track
from tuneclip.project import Project
from tuneclip.records import Record
from tuneclip.settings import Augment

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.console import Console

logger = logging.getLogger("tuneclip")
Box = tuple[int, int, int, int]
SIDED = re.compile(
    r"\b(left|right|links?|rechts?|gauche|droite|sinistr[aoe]|destr[aoe]|izquierd[ao]|derech[ao]"
    r"|inscri\w+|legend|letters?|written|text|signed|stamp\w*|reads?|reading)\b",
    re.IGNORECASE,
)
"""Words after which a mirrored picture would no longer be what its caption says."""

ROTATION_DEGREES = 10.0
SMALLEST_AREA = 0.6
"""Share of the picture that a random crop keeps at least; below it the object itself is often cut."""
COLOUR = 0.2
LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue weigh in a grey value (ITU-R BT.601, as Pillow has it)."""
FLAT, FLAT_SHARE = 6, 0.99
"""Levels of 255 by which a flat rim's pixels may differ from their median (JPEG's own noise), and how many must."""
COPY_OF = "copy_of"
"""The metadata column with the id of the picture that a copy was made from; null where it is no copy."""
QUALITY = 92
LARGEST_EDGE = 1024
"""Pixels of a copy's shorter side at most; no CLIP in use looks at more than half of that."""
_SHOWN_RECORDS, _SHOWN_COPIES = 6, 6


@dataclass(frozen=True)
class Augmented:
    """What `augment` made; when only a preview was asked for, there is no dataset."""

    dataset: str | None
    path: str | None
    taken: int
    skipped: int
    splits: dict[str, int]
    copies: int
    """Of each training picture."""
    preview: str | None

    def show(self, console: "Console") -> None:
        """The counts, and where dataset and contact sheet lie."""
        from rich.markup import escape

        if self.dataset is not None and self.path is not None:
            Derived(self.dataset, self.path, self.taken, self.skipped, self.splits).show(console)
        if self.preview is not None:
            place = f"[link={Path(self.preview).resolve().as_uri()}]{escape(self.preview)}[/link]"
            console.print(f"contact sheet: {place}")


def augment(options: Augment, project: Project) -> Augmented:
    """Make the dataset `options.to` of all records and of `copies` varied views of each training picture.

    A copy carries captions, metadata, group and split of its picture, is named `ID~1`, `ID~2`, … and says in `copy_of`
    what it was made from; what is a copy already gets none. Records of other splits come over unchanged. A picture that
    cannot be read has its copies skipped. Raises TuneclipError when there is nothing to train on or nothing to make, or
    when another dataset has the name.
    """
    if options.copies < 1:
        raise TuneclipError(f"{options.copies} copies of each picture", expected="1 or more")
    if options.to is None and options.preview is None:
        raise TuneclipError("nothing to make", hint="name the new dataset with --to, or a contact sheet with --preview")
    source = open_dataset(options.dataset, project)
    source.split("train")
    waiting = read_pending(source.path)
    if waiting:
        logger.warning("%s records have no picture yet and are left out (tuneclip download)", f"{len(waiting):,}")
    derivation = Derivation(source, "augment", {"copies": options.copies, "seed": options.seed})
    if options.to is not None:
        refuse_other(derivation, options.to, project)
    if options.preview is not None:
        _preview(checked_sheet(options.preview), source, options)
    preview = None if options.preview is None else str(options.preview)
    if options.to is None:
        return Augmented(None, None, 0, 0, {}, options.copies, preview)
    families = track(_families(source, options), "varying", len(source.records))
    parts = (part for family in families for part in family)
    made = derive(derivation, parts, to=options.to, project=project)
    return Augmented(**dataclasses.asdict(made), copies=options.copies, preview=preview)


def _families(source: Dataset, options: Augment) -> Iterator[list[Part]]:
    """Each record with its copies, in order; several are drawn at once, few are held."""
    ids = {record.id for record in source.records}
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[list[Part]]] = deque()
        for record in source.records:
            waiting.append(pool.submit(_family, source, record, _copies(record, ids, options), options.seed))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _copies(record: Record, ids: set[str], options: Augment) -> list[Record]:
    """The records of a picture's copies, under ids that are free; none for what is not to be varied."""
    if record.split != "train" or record.metadata.get(COPY_OF) is not None:
        return []
    names = (name for number in count(1) if (name := f"{record.id}~{number}") not in ids)
    path = PurePosixPath(record.picture)
    return [
        dataclasses.replace(
            record,
            id=name,
            picture=str(path.with_name(f"{path.stem}~{name.rsplit('~', 1)[1]}.jpg")),
            metadata={**record.metadata, COPY_OF: record.id},
            group=record.group or record.id,
        )
        for name in islice(names, options.copies)
    ]


def _family(source: Dataset, record: Record, copies: list[Record], seed: int) -> list[Part]:
    family = [Part(dataclasses.replace(record, metadata={**record.metadata, COPY_OF: record.metadata.get(COPY_OF)}))]
    if not copies:
        return family
    try:
        picture = load_picture(source.picture_path(record))
    except TuneclipError as error:
        return [*family, *(Part(copy, reason=error.what) for copy in copies)]
    for copy in copies:
        held = BytesIO()
        view(picture, copy, seed).save(held, "JPEG", quality=QUALITY)
        family.append(Part(copy, held.getvalue()))
    return family


def view(picture: "Image", copy: Record, seed: int) -> "Image":
    """The view of its picture that this copy is: it depends on seed and id alone."""
    digest = blake2b(f"{seed}\0{copy.id}".encode(), digest_size=16).digest()
    random = np.random.default_rng(int.from_bytes(digest))
    return vary(picture, random, mirror=may_mirror(copy), working_edge=LARGEST_EDGE)


def _preview(path: Path, source: Dataset, options: Augment) -> None:
    """A contact sheet of some training pictures beside the copies that they have or would have."""
    ids = {record.id for record in source.records}
    families = ((record, copies) for record in source.split("train") if (copies := _copies(record, ids, options)))
    chosen = sorted(families, key=lambda family: position(f"preview\0{family[0].id}", options.seed))[:_SHOWN_RECORDS]
    strips = []
    for record, copies in chosen:
        picture = load_picture(source.picture_path(record))
        views = [view(picture, copy, options.seed) for copy in copies[:_SHOWN_COPIES]]
        words = record.captions[0] + ("" if may_mirror(record) else " · never mirrored")
        strips.append(Strip([picture, *views], words))
    shown = min(options.copies, _SHOWN_COPIES)
    draw_sheet(path, ["original", *(f"copy {number}" for number in range(1, shown + 1))], strips)


def may_mirror(record: Record) -> bool:
    """Whether a mirrored copy keeps its captions true: none names a side or writing, no inscription is recorded."""
    inscribed = any("inscription" in key.lower() and value for key, value in record.metadata.items())
    return not inscribed and not any(SIDED.search(caption) for caption in record.captions)


def vary(picture: "Image", random: np.random.Generator, *, mirror: bool, working_edge: int = 512) -> "Image":
    """A random view of an RGB picture: rotated, scaled, shifted, its colours changed, perhaps mirrored; aspect kept.

    Corners are filled with the background where it is flat, else by reflection. The picture is first shrunk so that its
    shorter side is `working_edge` at most.
    """
    from PIL import ImageOps

    picture = shrink(picture, working_edge)
    degrees = random.uniform(-ROTATION_DEGREES, ROTATION_DEGREES) if random.random() < 0.5 else 0.0
    picture = _rotated(picture, degrees, _window(picture, random))
    if mirror and random.random() < 0.5:
        picture = ImageOps.mirror(picture)
    return _coloured(picture, random)


def _window(picture: "Image", random: np.random.Generator) -> Box:
    """A random window of the picture's own aspect."""
    side = float(np.sqrt(random.uniform(SMALLEST_AREA, 1.0)))
    width, height = (max(1, round(length * side)) for length in picture.size)
    left = int(random.integers(0, picture.width - width + 1))
    top = int(random.integers(0, picture.height - height + 1))
    return left, top, left + width, top + height


def _rotated(picture: "Image", degrees: float, window: Box) -> "Image":
    """The window of the picture after a turn around its middle; only what the window shows is computed.

    What comes in from outside is the flat background, else the picture's reflection.
    """
    from PIL import Image

    if not degrees:
        return picture.crop(window)
    left, top, right, bottom = window
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    middle_x, middle_y = picture.width / 2, picture.height / 2
    # Where in the picture the window's upper left corner comes from, then its other corners (Pillow's `rotate`).
    from_x = middle_x + cosine * (left - middle_x) - sine * (top - middle_y)
    from_y = middle_y + sine * (left - middle_x) + cosine * (top - middle_y)
    wide, high = right - left, bottom - top
    xs = [from_x + cosine * x - sine * y for x in (0, wide) for y in (0, high)]
    ys = [from_y + sine * x + cosine * y for x in (0, wide) for y in (0, high)]
    beyond = max(-min(xs), max(xs) - picture.width, -min(ys), max(ys) - picture.height)
    background = None
    if beyond > 0:
        pixels = np.asarray(picture)
        background = _flat_border(pixels)
        if background is None:
            margin = int(np.ceil(beyond)) + 1
            picture = Image.fromarray(_reflected(pixels, margin))
            from_x, from_y = from_x + margin, from_y + margin
    turn = (cosine, -sine, from_x, sine, cosine, from_y)
    return picture.transform(
        (wide, high), Image.Transform.AFFINE, turn, Image.Resampling.BILINEAR, fillcolor=background
    )


def _reflected(pixels: npt.NDArray[np.uint8], margin: int) -> npt.NDArray[np.uint8]:
    """(height, width, 3) pixels with `margin` more on every side, mirrored at the rim."""
    height, width = pixels.shape[:2]
    if margin > min(height, width):
        return np.pad(pixels, [(margin, margin), (margin, margin), (0, 0)], mode="symmetric")
    # As `np.pad` does it, at a quarter of its time.
    wide = np.empty((height + 2 * margin, width + 2 * margin, 3), np.uint8)
    middle = wide[margin : margin + height]
    middle[:, margin : margin + width] = pixels
    middle[:, :margin] = pixels[:, margin - 1 :: -1] if margin < width else pixels[:, ::-1]
    middle[:, margin + width :] = pixels[:, : width - margin - 1 if margin < width else None : -1]
    wide[:margin] = wide[margin : 2 * margin][::-1]
    wide[margin + height :] = wide[height : height + margin][::-1]
    return wide


def _flat_border(pixels: npt.NDArray[np.uint8]) -> tuple[int, ...] | None:
    """The one colour that the picture's rim has (scans, drawings, cut-outs), else None; `pixels` is (height, width, 3).

    Reflection would bring a second piece of what stands near the rim into the corners there.
    """
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.int16)
    colour = np.median(rim, axis=0).astype(np.int16)
    flat = (np.abs(rim - colour).max(axis=1) <= FLAT).mean() >= FLAT_SHARE
    return tuple(int(value) for value in colour) if flat else None


def _coloured(picture: "Image", random: np.random.Generator) -> "Image":
    """Brightness, contrast and saturation each within ± COLOUR, as one pass over the pixels."""
    brightness, contrast, saturation = random.uniform(1 - COLOUR, 1 + COLOUR, 3)
    middle = np.asarray(picture.convert("L")).mean()
    # Pillow's own matrix, not NumPy's: the threads that BLAS starts for a product fight with those of the model
    # (measured: 8 pictures/s of training instead of 70 on two cores).
    own, grey = brightness * contrast * saturation, brightness * contrast * (1 - saturation)
    offset = brightness * (1 - contrast) * middle
    rows = [[grey * part + own * (row == column) for column, part in enumerate(LUMA)] + [offset] for row in range(3)]
    return picture.convert("RGB", tuple(value for row in rows for value in row))
