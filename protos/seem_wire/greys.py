"""What a grey of more than eight bits looks like: client and server draw it alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seem_wire.errors import ImageUnreadable

if TYPE_CHECKING:
    import numpy.typing as npt


def spread_grey(grey: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Deep grey (H, W) as RGB (H, W, 3): darkest black, brightest white, NaN black.

    Raises:
        ImageUnreadable: No pixel has a finite value.
    """
    values = grey.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        raise ImageUnreadable("The image has no pixel of a finite value.")
    low, high = float(values[finite].min()), float(values[finite].max())
    shares = (np.clip(np.nan_to_num(values, nan=low), low, high) - low) / ((high - low) or 1.0)
    levels = np.rint(shares * 255).astype(np.uint8)
    return np.repeat(levels[:, :, None], 3, axis=2)
