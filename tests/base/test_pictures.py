"""How large a picture says that it is, before anything decodes it."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from autograder.base import MAX_PIXELS, pixels_of


def picture(kind: str, width: int, height: int, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, kind, **options)
    return out.getvalue()


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIB", 13, b"IHDR", width, height, 8)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"icc_profile": b"\xff\xc0" * 20_000, "exif": b"Exif\0\0" + b"\xff" * 40}),
        ("GIF", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0II*\0"}),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (640, 480), (37, 300)])
def test_a_picture_is_as_large_as_it_says(kind: str, options: dict[str, object], size: tuple[int, int]) -> None:
    assert pixels_of(picture(kind, *size, **options)) == size[0] * size[1]


def test_a_small_file_that_says_it_is_a_gigabyte_is_too_large() -> None:
    huge = picture("JPEG", 8, 8)
    at = huge.index(b"\xff\xc0") + 5
    frame = picture("GIF", 8, 8)
    screen = frame.index(b"\x2c") + 5
    for content in (
        png(20_000, 20_000),
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s4sI", 4, b"abCd", b"1234", 0) + png(20_000, 20_000)[8:],
        huge[:at] + struct.pack(">HH", 65_000, 65_000) + huge[at + 4 :],
        b"GIF89a" + struct.pack("<HH", 65_000, 65_000),
        frame[:screen] + struct.pack("<HH", 65_000, 65_000) + frame[screen + 4 :],
        b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0" + b"\xff" * 6,
    ):
        assert pixels_of(content) > MAX_PIXELS


def test_a_picture_that_no_page_has_room_for_is_too_large_however_narrow_it_is() -> None:
    assert pixels_of(png(1, 1_000_000)) > MAX_PIXELS


@pytest.mark.parametrize("kind", ["BMP", "ICO", "TIFF"])
def test_a_picture_of_another_kind_is_too_large_by_whatever_name_it_goes(kind: str) -> None:
    assert pixels_of(picture(kind, 16, 16)) > MAX_PIXELS


@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"hi"]), st.binary())
def test_any_bytes_have_a_number_of_pixels(begin: bytes, rest: bytes) -> None:
    assert pixels_of(begin + rest) >= 0
