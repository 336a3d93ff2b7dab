"""One door for every picture: limits before decoding, then upright 8-bit RGB, whatever the file holds."""

import base64
import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from tuneclip.errors import TuneclipError

THUMBNAIL_QUALITY = 82
MAX_BYTES = 512 * 2**20
MAX_PIXELS = 100_000_000  # 300 MB as RGB; Pillow itself warns from 89 and refuses from 179 million
READ_LARGER = 2
"""A JPEG that is to be shrunk is read this much larger at least. Measured on views of photographs for the starter, the
cosine to the embedding of the picture that is read whole: 0.9993 or more at 2, 0.9989 at 1.75, 0.987 at 1."""
# What a photograph or scan comes in. EPS and WMF are left out: they start other programs.
EXTENSIONS = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "DIB": ".bmp",
    "PPM": ".ppm",
    "AVIF": ".avif",
    "JPEG2000": ".jp2",
    "TGA": ".tga",
    "PCX": ".pcx",
    "ICO": ".ico",
    "PSD": ".psd",
    "QOI": ".qoi",
    "HEIF": ".heic",
    "JXL": ".jxl",
}
SUFFIXES = frozenset(EXTENSIONS.values()) | {".jpeg", ".jpe", ".jfif", ".tiff", ".pgm", ".pnm", ".jpx", ".j2k", ".heif"}
_WHITE = (255, 255, 255, 255)
ORIENTATION = 0x0112  # EXIF's tag; the values turn the picture by a quarter (CIPA DC-008)
SIDEWAYS = (5, 6, 7, 8)
# What files begin with (after four bytes of length, if with `ftyp` or `JXL `) whose reader may be missing here.
_OPTIONAL = {
    "HEIF": (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1"),
    "JXL": (b"JXL \r\n", b"\xff\n"),
    "AVIF": (b"ftypavi",),
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture: upright RGB, and the format that the bytes really are."""

    image: Image.Image
    format: str

    @property
    def extension(self) -> str:
        """The file extension that belongs to the format."""
        return EXTENSIONS[self.format]


def load_picture(
    source: Path | bytes | Image.Image, *, shorter: int | None = None, least: int | None = None
) -> Image.Image:
    """The picture as upright RGB (EXIF orientation applied), fully decoded; its shorter side `shorter` pixels at most.

    With `least` a larger JPEG may be read at 1/2, 1/4 or 1/8, both sides at least `least` pixels; nothing is resampled.

    Grey, palette, alpha (over white), CMYK and 16-bit become 8-bit RGB; of an animation the first frame is taken.
    Raises TuneclipError, naming the file, when it is missing, not a picture, truncated, or larger than `MAX_BYTES`
    or `MAX_PIXELS`. An image that is given is not changed.
    """
    if isinstance(source, Image.Image):
        with _guarded("picture"):
            return shrink(_to_rgb(_upright(source)), shorter)
    if isinstance(source, bytes):
        return decode(source, shorter=shorter, least=least).image
    return decode(read_bytes(source), where=source, shorter=shorter, least=least).image


def shrink(image: Image.Image, shorter: int | None, size: tuple[int, int] | None = None) -> Image.Image:
    """The image with a shorter side of `shorter` pixels at most; `size` is its own, where it was read smaller."""
    size = size or image.size
    if shorter is None or min(size) <= shorter:
        return image
    to = tuple(max(1, round(side * shorter / min(size))) for side in size)
    scale = round(max(size) / max(image.size))
    right, bottom = (min(have, side / scale) for have, side in zip(image.size, size, strict=True))
    return image.resize((to[0], to[1]), box=(0, 0, right, bottom), reducing_gap=2.0)


def as_jpeg(image: Image.Image, quality: int) -> bytes:
    """The image as a JPEG file."""
    held = io.BytesIO()
    image.save(held, "JPEG", quality=quality)
    return held.getvalue()


def thumbnail_link(image: Image.Image, longer: int) -> str:
    """The image, shrunk in place to that longer side (pixels), as a `data:` address for a page that loads nothing."""
    image.thumbnail((longer, longer))
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(image, THUMBNAIL_QUALITY)).decode()


def read_bytes(path: Path) -> bytes:
    """The bytes of a picture file; raises TuneclipError when it is missing, empty or too large to be one."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise TuneclipError(f"picture file of {size / 2**20:,.0f} MiB is over the limit", where=path)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise TuneclipError("no such picture", where=path) from error
    except IsADirectoryError as error:
        raise TuneclipError("a folder, not a picture", where=path) from error


def decode(data: bytes, where: object = "picture", *, shorter: int | None = None, least: int | None = None) -> Decoded:
    """Decode the bytes of one picture file; raises TuneclipError, naming `where`, when that cannot be done.

    With `shorter` the image is shrunk to that shorter side (pixels); a large JPEG is then read at 1/2, 1/4 or 1/8, and
    so it is, but not shrunk any further, with `least`, the pixels that both sides must keep.
    """
    if not data:
        raise TuneclipError("the picture file is empty", where=where)
    if len(data) > MAX_BYTES:
        raise TuneclipError(f"picture of {len(data) / 2**20:,.0f} MiB is over the limit", where=where)
    with _guarded(where, data), Image.open(io.BytesIO(data), formats=_formats()) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise TuneclipError(f"{width} × {height} pixels are over the limit of {MAX_PIXELS:,}", where=where)
        format_name = image.format or "JPEG"
        if ImageFile.LOAD_TRUNCATED_IMAGES:
            _refuse_truncated(image)
        least = shorter * READ_LARGER if shorter is not None else least
        if least is not None:
            image.draft(None, (least, least))
        upright = _to_rgb(_upright(image))
        whole = (width, height) if upright.size == image.size else (height, width)
        return Decoded(shrink(upright, shorter, whole), format_name)


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture in pixels, upright, from its header alone; nothing is decoded.

    Raises TuneclipError when the file is missing, not a picture, or larger than `MAX_PIXELS`.
    """
    with _guarded(path), Image.open(path, formats=_formats()) as image:
        width, height = image.size
        turned = image.getexif().get(ORIENTATION) in SIDEWAYS
    if width * height > MAX_PIXELS:
        raise TuneclipError(f"{width} × {height} pixels are over the limit of {MAX_PIXELS:,}", where=path)
    return (height, width) if turned else (width, height)


@cache
def _formats() -> list[str]:
    Image.init()
    with suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()
    with suppress(ImportError):
        import_module("pillow_jxl")  # registers itself
    return [name for name in EXTENSIONS if name in Image.OPEN]


@contextmanager
def _guarded(where: object, data: bytes = b"") -> Iterator[None]:
    """Turn whatever a decoder says of damaged bytes into one TuneclipError, and keep its warnings quiet."""
    try:
        with _QUIET:
            yield
    except TuneclipError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, KeyError and more
        raise TuneclipError(_reason(error, data), where=where) from error


def _reason(error: Exception, data: bytes) -> str:
    if isinstance(error, UnidentifiedImageError):
        for name, marks in _OPTIONAL.items():
            if name not in _formats() and any(mark in (data[: len(mark)], data[4 : 4 + len(mark)]) for mark in marks):
                package = "pillow>=11.3" if name == "AVIF" else "tuneclip[formats]"
                return f'a {name} picture, which needs an add-on: pip install "{package}"'
        return "not a picture, or a format that is not read here"
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the limit of {MAX_PIXELS:,}"
    return f"damaged picture: {error or type(error).__name__}"


def _upright(image: Image.Image) -> Image.Image:
    """A loaded copy, turned as its EXIF orientation says."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF raises a zoo of errors; the pixels are still good
        return image.copy()


def _refuse_truncated(image: Image.Image) -> None:
    """Another library of the process lets Pillow fill torn JPEGs with grey; hold on to the end mark instead."""
    if isinstance(image, ImageFile.ImageFile) and image.format in ("JPEG", "MPO") and image.fp is not None:
        here = image.fp.tell()
        image.fp.seek(0)
        complete = b"\xff\xd9" in image.fp.read()[-4096:]
        image.fp.seek(here)
        if not complete:
            raise OSError("image file is truncated")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_bytes(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        front = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", front.size, _WHITE), front).convert("RGB")
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_bytes(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Map samples of more than 8 bits to 0…255: 16-bit by its full range, anything else by its own extremes."""
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        low, high = 0.0, 65535.0
    else:
        values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
        low, high = _range(float(values.min()), float(values.max()), whole=bool((values == np.rint(values)).all()))
    scaled = (values.astype(np.float64) - low) * (255.0 / ((high - low) or 1.0))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _range(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """The range that the samples were meant to span: a standard one where they fit, else their own."""
    if low < 0 or high > 65535:
        return low, high
    if not whole:
        return (0.0, 1.0) if high <= 1 else (0.0, 255.0) if high <= 255 else (0.0, 65535.0)
    return (0.0, 255.0) if high <= 255 else (0.0, 65535.0)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if converted is None:
        raise ValueError("Lab colours cannot be converted")
    return converted


class _Quiet:
    """Ignores Pillow's warnings while any thread decodes.

    `warnings.catch_warnings` is not safe with threads (the last one out may restore another's filters), so the filter
    is set by the first thread that enters and taken away by the last that leaves.
    """

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.filter: Any = None

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self.filter = warnings.filters[0]

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and self.filter in warnings.filters:
                warnings.filters.remove(self.filter)  # type: ignore[attr-defined]


_QUIET = _Quiet()
