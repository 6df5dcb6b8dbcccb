"""What of a cell's outputs is kept, of whatever the process inside sent."""

import base64
import struct
from typing import Any

from autograder.base import MAX_PIXELS
from autograder.sandbox.outputs import Allowance, passive


def drawn(width: int, height: int) -> dict[str, Any]:
    """A display of a picture that says that it is so large."""
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIB", 13, b"IHDR", width, height, 8)
    return {"output_type": "display_data", "data": {"image/png": base64.b64encode(content).decode()}, "metadata": {}}


def test_a_picture_of_a_gigabyte_is_left_out_and_it_is_said() -> None:
    for size in ((20_000, 20_000), (1, 1_000_000), (2**31, 2**31)):
        (output,) = passive([drawn(*size)], 64, Allowance())
        assert output["data"] == {"text/plain": "[a picture was left out: too many pixels]"}


def test_all_pictures_of_a_submission_have_so_many_pixels_together() -> None:
    left = Allowance()
    kept = [output for _ in range(4) for output in passive([drawn(8_000, 8_000)], 64, left)]
    assert ["image/png" in output["data"] for output in kept] == [True, True, False, False]
    assert 0 <= left.pixels < MAX_PIXELS
