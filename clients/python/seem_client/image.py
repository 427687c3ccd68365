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

_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


@runtime_checkable
class PilImage(Protocol):
    """What is used of a `PIL.Image.Image`, so that Pillow need not be there."""

    @property
    def mode(self) -> str:
        """Its pixel format."""

    def convert(self, mode: str, /) -> Any:
        """The same image in another pixel format."""

    def save(self, fp: Any, /, format: str | None = None, **params: Any) -> None:  # noqa: A002
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
)
"""A path, an image file's bytes, an open binary file, a PIL image, or uint8 (H, W, 3) RGB."""


def image_bytes(image: ImageLike) -> bytes:
    """The bytes of an image file that shows `image`.

    Files are sent as they are, with their EXIF rotation, which the server applies. A PIL image and
    an array mean their pixels as they are: they become PNG, and masks are of their size.

    Raises:
        ImageEmpty: There are no bytes, or the array has no pixel.
        InvalidValue: It is none of the things that `ImageLike` lists.
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
                "an open binary file, a PIL image or a uint8 array (H, W, 3)."
            )
    if not data:
        raise ImageEmpty("The image has no bytes.")
    return data


def image_pixels(image: ImageLike) -> npt.NDArray[np.uint8]:
    """The pixels that masks of `image` are of, uint8 (H, W, 3) RGB: upright, as the server sees it.

    Raises:
        LibraryMissing: It is an image file, which is read by Pillow, which is not installed.
        ImageUnreadable: The file is no image, or a damaged one.
        ImageEmpty, InvalidValue, OSError: As `image_bytes`.
    """
    match image:
        case np.ndarray():
            return image
        case PilImage():
            return np.asarray(image.convert("RGB"))
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415 - the SDK runs without it
    except ImportError as error:
        raise LibraryMissing("To read an image file needs Pillow: pip install pillow.") from error
    data = image_bytes(image)
    try:
        with Image.open(io.BytesIO(data)) as file:
            return np.asarray(ImageOps.exif_transpose(file).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        named = image if isinstance(image, str | os.PathLike) else "This"
        raise ImageUnreadable(f"{named} is no image.") from error


def _read(file: BinaryIO) -> bytes:
    data = file.read()
    if not isinstance(data, bytes):
        raise InvalidValue("An image file must be opened in binary mode.")
    return data


def _pil_bytes(image: PilImage) -> bytes:
    drawable = image if image.mode in _PNG_MODES else image.convert("RGB")
    buffer = io.BytesIO()
    drawable.save(
        buffer, "PNG", compress_level=1, exif=b""
    )  # rotated or not, it means these pixels
    return buffer.getvalue()
