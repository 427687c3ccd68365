"""Whatever a program calls an image, as the bytes of an image file."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from seem_client.png import encode_png
from seem_wire.errors import ImageEmpty, ImageUnreadable, InvalidValue, LibraryMissing
from seem_wire.greys import spread_grey

_RGB = 3
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_TIFF_MODES = frozenset({"I", "F", "I;16B"})
"""Deep greys, whose values PNG would cut off."""


@runtime_checkable
class PilImage(Protocol):
    """What is used of a `PIL.Image.Image`, so that Pillow need not be there."""

    @property
    def mode(self) -> str:
        """Its pixel format."""

    def convert(self, mode: str, /) -> Any:
        """The same image in another pixel format."""

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002
        """Writes it to a file."""


ImageLike = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | PilImage
    | npt.NDArray[np.uint8]
    | npt.NDArray[np.uint16]
)
"""A path, an image file's bytes, an open binary file, a PIL image, or an array: uint8 (H, W, 3) RGB
(not OpenCV's BGR), (H, W, 4) RGBA or (H, W) grey, or uint16 (H, W) grey.

The server lays what is transparent over white, and spreads a deep grey from its darkest value to
its brightest."""


def image_bytes(image: ImageLike) -> bytes:
    """The bytes of an image file that shows `image`.

    Files are sent as they are, with their EXIF rotation, which the server applies. A PIL image and
    an array mean their pixels as they are, whatever EXIF says: they become PNG (a PIL image of
    32-bit grey TIFF), and masks are of their size.

    Raises:
        ImageEmpty: There are no bytes, or the array has no pixel.
        InvalidValue: It is none of the things that `ImageLike` lists; where it is nearly one, it
            says how to make it one.
        OSError: The file cannot be read.
    """
    match image:
        case str() | os.PathLike():
            data = Path(image).read_bytes()
        case bytes() | bytearray() | memoryview():
            data = bytes(image)
        case np.ndarray():
            return encode_png(image)
        case PilImage():
            return _pil_bytes(image)
        case _ if hasattr(image, "read"):
            data = _read(image)
        case _:
            raise InvalidValue(
                f"A {type(image).__name__} is no image: give a path, an image file's bytes, "
                "an open binary file, a PIL image or a uint8 array (H, W, 3); np.asarray makes "
                "one of many things."
            )
    if not data:
        raise ImageEmpty("The image has no bytes; an open file may have been read to its end.")
    return data


def image_pixels(image: ImageLike) -> npt.NDArray[np.uint8]:
    """The pixels that masks of `image` are of, uint8 (H, W, 3) RGB: upright, as the server sees it.

    Raises:
        LibraryMissing: It is an image file, which is read by Pillow, which is not installed.
        ImageUnreadable: The file is no image, or a damaged one.
        ImageEmpty, InvalidValue, OSError: As `image_bytes`.
    """
    match image:
        case np.ndarray() if image.dtype == np.uint8 and image.shape[2:] == (_RGB,):
            return image.astype(np.uint8, copy=False)
        case PilImage():
            return _shown(image)
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415 - the SDK runs without it
    except ImportError as error:
        raise LibraryMissing("To read an image file needs Pillow: pip install pillow.") from error
    data = image_bytes(image)
    try:
        with Image.open(io.BytesIO(data)) as file:
            return _shown(ImageOps.exif_transpose(file))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        named = image if isinstance(image, str | os.PathLike) else "This"
        raise ImageUnreadable(f"{named} is no image.") from error


def _shown(image: Any) -> npt.NDArray[np.uint8]:
    """A PIL image as the server sees it: on white, a deep grey spread over all brightnesses."""
    if image.mode[0] in "IF":
        return spread_grey(np.asarray(image))
    if image.has_transparency_data:
        drawn = np.asarray(image.convert("RGBA"), np.float32)
        share = drawn[:, :, _RGB:] / 255
        return np.rint(drawn[:, :, :_RGB] * share + 255 * (1 - share)).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def _read(file: BinaryIO) -> bytes:
    data = file.read()
    if not isinstance(data, bytes):
        raise InvalidValue("An image file must be opened in binary mode.")
    return data


def _pil_bytes(image: PilImage) -> bytes:
    buffer = io.BytesIO()
    try:
        if image.mode in _TIFF_MODES:
            image.save(buffer, "TIFF")
        else:
            drawable = image if image.mode in _PNG_MODES else image.convert("RGB")
            drawable.save(buffer, "PNG", compress_level=1, exif=b"")  # it means these pixels
    except ValueError as error:
        raise InvalidValue(
            f"The PIL image (mode {image.mode}) cannot be written: {error}. Convert it to RGB."
        ) from error
    return buffer.getvalue()
