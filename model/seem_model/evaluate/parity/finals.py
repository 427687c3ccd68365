"""From mask logits at stride 4 to the masks that a user gets, as each published program does it.

n masks · h4, w4 rows and columns of the logits
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from seem_wire.resample import bilinear, to_original

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seem_model.evaluate.parity.setting import Sizes

    Float32 = NDArray[np.float32]


def shown(logits: NDArray[Any], sizes: Sizes) -> Float32:
    """(n, h4, w4) at the resized picture's size: what the demo shows where > 0."""
    padded = bilinear(logits.astype(np.float32), sizes.padded)
    return padded[:, : sizes.resized[0], : sizes.resized[1]]


def shown_straight(logits: NDArray[Any], sizes: Sizes) -> Float32:
    """(n, h4, w4) at the original size, bilinearly: answers to visual prompts in v0 and v1."""
    return to_original(
        logits.astype(np.float32),
        padded=sizes.padded,
        resized=sizes.resized,
        size=sizes.original,
        last=bilinear,
    )


def shown_smooth(logits: NDArray[Any], sizes: Sizes) -> Float32:
    """(n, h4, w4) at the original size, bicubically: texts and generic segmentation."""
    return to_original(
        logits.astype(np.float32), padded=sizes.padded, resized=sizes.resized, size=sizes.original
    )
