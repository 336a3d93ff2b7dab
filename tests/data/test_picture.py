"""Whatever a picture file holds, it comes out as upright RGB or as one clear error."""

import random
import re
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from tuneclip.data import picture
from tuneclip.data.picture import decode, load_picture
from tuneclip.errors import TuneclipError


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    held = BytesIO()
    image.save(held, format, **options)
    return held.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16", "RGB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("L", (6, 4), 255).convert(mode if mode != "I;16" else "L")
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 6), 65535, np.uint16))
    loaded = load_picture(saved(image, "PNG"))
    assert (loaded.mode, loaded.size) == ("RGB", (6, 4))
    assert loaded.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257 * 100, 100), (65535, 255)])
def test_sixteen_bits_are_scaled_by_their_full_range(value: int, expected: int) -> None:
    data = saved(Image.fromarray(np.full((4, 6), value, np.uint16)), "PNG")
    assert load_picture(data).getpixel((0, 0)) == (expected,) * 3


def test_floats_from_zero_to_one_span_black_to_white() -> None:
    data = saved(Image.fromarray(np.array([[0.0, 0.5, 1.0]], np.float32)), "TIFF")
    assert [load_picture(data).getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


def test_samples_beyond_sixteen_bits_span_their_own_extremes() -> None:
    data = saved(Image.fromarray(np.array([[0, 10**6]], np.int32)), "TIFF")
    assert [load_picture(data).getpixel((x, 0))[0] for x in range(2)] == [0, 255]


def test_transparent_pixels_are_white() -> None:
    clear = Image.new("RGBA", (4, 4), (200, 0, 0, 0))
    assert load_picture(saved(clear, "PNG")).getpixel((0, 0)) == (255, 255, 255)


def test_a_transparent_palette_colour_is_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([9, 9, 9, 200, 0, 0])
    image.putpixel((1, 0), 1)
    loaded = load_picture(saved(image, "GIF", transparency=0))
    assert (loaded.getpixel((0, 0)), loaded.getpixel((1, 0))) == ((255, 255, 255), (200, 0, 0))


def test_cmyk_and_lab_become_rgb() -> None:
    red = load_picture(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)).getpixel((4, 4))
    assert red[0] > 240
    assert max(red[1:]) < 20
    white = load_picture(saved(Image.new("LAB", (8, 8), (255, 128, 128)), "TIFF")).getpixel((4, 4))
    assert min(white) > 240


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    loaded = load_picture(saved(Image.new("RGB", (8, 4), "red"), format, exif=exif))
    assert loaded.size == (4, 8)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    loaded = load_picture(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert loaded.getpixel((0, 0)) == (255, 0, 0)


def test_a_given_image_is_not_changed() -> None:
    image = Image.new("L", (8, 4), 7)
    image.getexif()[0x0112] = 6
    assert load_picture(image).size == (4, 8)
    assert (image.mode, image.size) == ("L", (8, 4))


def test_the_format_is_what_the_bytes_are() -> None:
    assert decode(saved(Image.new("RGB", (4, 4)), "WEBP")).extension == ".webp"


@pytest.mark.parametrize("share", range(1, 10))
def test_a_truncated_jpeg_is_refused(share: int) -> None:
    data = saved(Image.effect_noise((80, 60), 80).convert("RGB"), "JPEG")
    with pytest.raises(TuneclipError, match=r"damaged picture|not a picture"):
        load_picture(data[: len(data) * share // 10])


def test_a_truncated_jpeg_is_refused_even_where_another_library_lets_them_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = saved(Image.effect_noise((80, 60), 80).convert("RGB"), "JPEG")
    assert load_picture(data).size == (80, 60)
    with pytest.raises(TuneclipError, match="truncated"):
        load_picture(data[: len(data) // 2])


@pytest.mark.parametrize("size", [(20_000, 5_001), (60_000, 60_000)])
def test_too_many_pixels_are_refused_before_decoding(size: tuple[int, int]) -> None:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data += struct.pack(">I", 9) + b"IDAT"
    with pytest.raises(TuneclipError, match="limit"):
        load_picture(data)


def test_pillows_own_warning_about_size_does_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    assert load_picture(saved(Image.new("RGB", (8, 6)), "PNG")).size == (8, 6)


def test_too_many_bytes_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MAX_BYTES", 10)
    (tmp_path / "a.png").write_bytes(b"x" * 11)
    with pytest.raises(TuneclipError, match=r"over the limit.*a\.png"):
        load_picture(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"<html>not found</html>", "not a picture"), (b"%!PS-Adobe-3.0", "not a pic")]
)
def test_what_is_no_picture_is_said_with_its_file(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(TuneclipError, match=rf"{reason}.*a\.jpg"):
        load_picture(tmp_path / "a.jpg")


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(TuneclipError, match=r"no such picture.*gone\.jpg"):
        load_picture(tmp_path / "gone.jpg")
    with pytest.raises(TuneclipError, match="a folder"):
        load_picture(tmp_path)


@pytest.mark.parametrize(
    ("data", "package"),
    [
        (b"\0\0\0\x18ftypheic", "tuneclip[formats]"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "tuneclip[formats]"),
        (b"\xff\n\xcb", "tuneclip[formats]"),
        (b"\0\0\0 ftypavif", "pillow>=11.3"),
    ],
)
def test_a_format_whose_reader_is_missing_names_the_install(
    data: bytes, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "_formats", lambda: ["JPEG"])
    with pytest.raises(TuneclipError, match=re.escape(f'pip install "{package}"')):
        load_picture(data + bytes(40))


@pytest.mark.parametrize(("format", "module"), [("HEIF", "pillow_heif"), ("JXL", "pillow_jxl"), ("AVIF", "PIL")])
def test_newer_formats_are_read_where_their_reader_is_installed(format: str, module: str) -> None:
    pytest.importorskip(module)
    picture._formats()  # registers the add-ons
    data = saved(Image.effect_noise((64, 48), 80).convert("RGB"), format)
    assert load_picture(data).size == (64, 48)
    assert decode(data).format == format
    with pytest.raises(TuneclipError, match=r"damaged picture|not a picture"):
        load_picture(data[: len(data) // 2])


def test_two_hundred_damaged_files_give_only_our_error() -> None:
    chance = random.Random(0)
    formats = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")
    for number in range(200):
        data = bytearray(saved(Image.effect_noise((24, 20), 60).convert("RGB"), formats[number % len(formats)]))
        for _ in range(1 + number % 9):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with suppress(TuneclipError):  # anything else would fail the test
            assert load_picture(bytes(data)).mode == "RGB"


def test_warnings_are_as_they_were_after_many_threads() -> None:
    before = list(warnings.filters)
    data = [saved(Image.new("RGB", (32, 32)), "PNG")] * 64
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(load_picture, data))) == 64
    assert warnings.filters == before
