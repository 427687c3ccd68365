"""Bytes of an image file to upright RGB pixels, within limits.

The header is read first, and nothing is decoded that it says to be too large: a few kilobytes can
unpack to gigabytes. What comes out is what a person sees in an image viewer:

    EXIF orientation        applied; ignored where the EXIF is unreadable
    grey, palette, CMYK     as RGB (colour profiles are not applied)
    alpha                   laid on white
    deep grey (16 bits, 32 bits, floats)  spread linearly from its darkest to its brightest pixel: a
                            microscope uses a small part of the range, and clipping shows white
    deep colour (16 bits)   its upper eight bits
    animation, pages        the first
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from PIL import Image, ImageOps

from seem_wire.errors import ImageEmpty, ImageTooLarge, ImageTruncated, ImageUnreadable
from seem_wire.greys import spread_grey
from seem_wire.rle import MAX_SIDE

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_wire.types import Limits

    Pixels = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
"""What is tried at all: each further format is a further parser of hostile bytes."""

_DEEP_GREYS = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_STRIP = 64
"""Rows that are copied out of Pillow at a time: it copies them twice, quickly as long as they stay
in the processor's caches. Whole, 12 megapixels take three times as long."""

_WHITE = (255, 255, 255, 255)

_PARSER_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, ArithmeticError, TypeError),
    *(AttributeError, Warning, struct.error, zlib.error),
)
"""What Pillow's parsers raise on damaged files."""


def read_image(data: bytes, limits: Limits) -> Pixels:
    """The pixels of an image file: upright RGB uint8 (H, W, 3).

    Raises:
        ImageEmpty: There are no bytes.
        ImageTooLarge: More bytes or, by its header, more pixels than `limits` allow.
        ImageTruncated: It begins as an image and ends too soon.
        ImageUnreadable: It is no image of FORMATS, or a damaged one.
    """
    if not data:
        raise ImageEmpty("The image has no bytes.")
    if len(data) > limits.max_image_bytes:
        raise ImageTooLarge(
            f"The image has {len(data)} bytes; {limits.max_image_bytes} are allowed."
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, limits)
            image.load()
            return _to_rgb(_upright(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(f"The image's header claims too much: {error}") from error
    except (ImageTooLarge, ImageUnreadable):
        raise
    except _PARSER_ERRORS as error:
        _refuse(data, error)


def _check_size(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.max_image_pixels:
        raise ImageTooLarge(
            f"The image has {width} x {height} pixels; {limits.max_image_pixels} are allowed."
        )
    if max(width, height) > MAX_SIDE:  # its masks could not be said
        raise ImageTooLarge(f"The image has {width} x {height} pixels; a side may have {MAX_SIDE}.")


def _upright(image: Image.Image) -> Image.Image:
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except _PARSER_ERRORS:
        return image  # its pixels are fine: better lying on its side than refused
    return image


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode in _DEEP_GREYS:
        return spread_grey(np.asarray(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, _WHITE)
        image = Image.alpha_composite(white, image)
    return _copied(image if image.mode == "RGB" else image.convert("RGB"))


def _copied(image: Image.Image) -> Pixels:
    """The pixels of an RGB image."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP):
        bottom = min(top + _STRIP, height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return pixels


def _refuse(data: bytes, error: Exception) -> NoReturn:
    reason = str(error).split("<", maxsplit=1)[0].strip()  # without the address of our own buffer
    if "truncated" in reason.lower() or _ends_too_soon(data):
        raise ImageTruncated(f"The image ends after {len(data)} bytes: {reason}.") from error
    raise ImageUnreadable(f"The bytes are no image that can be read: {reason}.") from error


def _ends_too_soon(data: bytes) -> bool:
    """Whether bytes that begin as an image lack the end which their format prescribes."""
    if data.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" not in data[-1024:]
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" not in data[-1024:]
    if data.startswith((b"GIF87a", b"GIF89a")):
        return not data.rstrip(b"\0").endswith(b";")
    if data.startswith(b"RIFF") and data[8:12] in {b"", b"WEBP"}:
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    if data.startswith(b"BM"):
        return len(data) < int.from_bytes(data[2:6], "little")
    if data.startswith((b"II*\0", b"MM\0*")) and len(data) >= 8:  # noqa: PLR2004  (its header)
        first_directory = struct.unpack("<I" if data.startswith(b"II") else ">I", data[4:8])[0]
        return bool(len(data) < first_directory + 2)
    return False
