"""Mask files, however a program happened to write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

_OPAQUE = 255
_ONE_CHANNEL = frozenset({"1", "L", "P", "I", "I;16"})


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """A mask file, bool (H, W).

    Inside is all but 0 of a one-channel image, the more opaque half where something is transparent,
    and else the brighter half of colours.

    Raises:
        OSError: The file is missing or no image.
    """
    with Image.open(path) as image:
        if image.mode in _ONE_CHANNEL:
            return np.asarray(image).astype(np.bool_)
        if "A" in image.getbands():
            alpha = np.asarray(image.getchannel("A"))
            if (alpha < _OPAQUE).any():
                return (alpha >> 7).astype(np.bool_)
        return (np.asarray(image.convert("L")) >> 7).astype(np.bool_)
