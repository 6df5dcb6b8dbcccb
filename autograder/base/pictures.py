"""How large a picture would be once it is decoded, by what it says of itself and before anything decodes it.

A few kilobytes can say that they are a picture of a gigabyte, which a browser believes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_SIDE = 2**14
"""Pixels of a picture's longer side, at most: longer ones are no picture on a page."""

MAX_PIXELS = 2**26
"""Pixels of one picture, at most: more than most telephones take, and 256 MB once decoded."""

MAX_PIXELS_IN_ALL = 2**27
"""Pixels of all pictures of a page, at most."""

_OTHERS = re.compile(rb"BM|\x00\x00[\x01\x02]\x00|II\*\x00|MM\x00\*|\xff\x0a|.{4}(?:ftyp|JXL |jP  )", re.DOTALL)
"""How the pictures begin that some browser shows by whatever type they are given, and that are not measured here."""


def pixels_of(content: bytes) -> int:
    """How many pixels a PNG, JPEG, GIF or WebP picture says that it has.

    Returns:
        The number; ``MAX_PIXELS + 1`` at least where a side is longer than ``MAX_SIDE``, or where it is a picture of
        another kind; 0 where it is none that a browser shows.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        sizes = _png(content)
    elif content.startswith(b"\xff\xd8"):
        sizes = _jpeg(content)
    elif content.startswith((b"GIF87a", b"GIF89a")):
        sizes = _gif(content)
    elif content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        sizes = _webp(content)
    else:
        return MAX_PIXELS + 1 if _OTHERS.match(content) else 0
    return max((_count(width, height) for width, height in sizes), default=0)


def _count(width: int, height: int) -> int:
    return max(width * height, MAX_PIXELS + 1) if max(width, height) > MAX_SIDE else width * height


def _png(content: bytes) -> Iterator[tuple[int, int]]:
    for header in re.finditer(rb"IHDR(?P<width>.{4})(?P<height>.{4})", content, re.DOTALL):
        yield int.from_bytes(header["width"], "big"), int.from_bytes(header["height"], "big")


def _jpeg(content: bytes) -> Iterator[tuple[int, int]]:
    at = 2
    while (at := content.find(b"\xff", at)) >= 0:
        while content[at : at + 1] == b"\xff":
            at += 1
        kind = content[at] if at < len(content) else 0xDA
        if kind == 0xDA:  # what follows is the picture itself
            return
        at += 1
        if kind <= 0x01 or 0xD0 <= kind <= 0xD9:
            continue
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            yield int.from_bytes(content[at + 5 : at + 7], "big"), int.from_bytes(content[at + 3 : at + 5], "big")
        at += max(int.from_bytes(content[at : at + 2], "big"), 2)


def _gif(content: bytes) -> Iterator[tuple[int, int]]:
    def two(at: int) -> int:
        return int.from_bytes(content[at : at + 2], "little")

    def colours(flags: int) -> int:
        return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0

    padded = content + bytes(16)
    yield two(6), two(8)
    at = 13 + colours(padded[10])
    while at < len(content) and content[at] in (0x21, 0x2C):
        if content[at] == 0x2C:
            # A frame may reach beyond what the beginning says.
            yield two(at + 1) + two(at + 5), two(at + 3) + two(at + 7)
            at += 11 + colours((content[at + 9 : at + 10] or b"\0")[0])
        else:
            at += 2
        while at < len(content) and content[at]:
            at += content[at] + 1
        at += 1


def _webp(content: bytes) -> Iterator[tuple[int, int]]:
    kind, data = content[12:16], content[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        yield int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        yield int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
