"""What an image layer shows, as pictures that a server reads: without napari.

    (H, W)   (H, W, 3 or 4) with `is_rgb`        an image
    (T, H, W)   (T, H, W, 3 or 4) with `is_rgb`  a video

Numbers of any kind become uint8 (H, W, 3). Grey ones are seen as the layer shows them, between its
contrast limits; colours from 0 to 1 where they are floats, else to the greatest of their type.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from seem_wire.errors import InvalidValue

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

_IMAGE, _VIDEO = 2, 3
_BRIGHTEST = 255


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image layer's data, read when it is asked for: it may be lazy.

    Raises:
        InvalidValue: It has another number of dimensions, or is no numbers.
    """

    data: Any
    is_rgb: bool
    limits: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        n_dimensions = len(self.data.shape) - self.is_rgb
        if n_dimensions not in {_IMAGE, _VIDEO}:
            raise InvalidValue(
                f"The layer has {n_dimensions} dimensions; an image has 2, a video 3."
            )
        if np.dtype(self.data.dtype).kind not in "buif":
            raise InvalidValue(f"The layer holds {self.data.dtype}, which is no image.")

    @property
    def n_frames(self) -> int | None:
        """How many frames a video has; None of an image."""
        is_video = len(self.data.shape) - self.is_rgb == _VIDEO
        return int(self.data.shape[0]) if is_video else None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        first = 0 if self.n_frames is None else 1
        height, width = self.data.shape[first : first + 2]
        return int(height), int(width)

    def pixels(self, frame: int | None = None) -> Pixels:
        """The image, or a frame of the video, uint8 (H, W, 3)."""
        array = np.asarray(self.data if frame is None else self.data[frame])
        return _colours(array) if self.is_rgb else _greys(array, self.limits)


class Frames(Sequence[Any]):
    """A video's frames, each uint8 (H, W, 3) and made when it is asked for."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def __len__(self) -> int:
        return self._picture.n_frames or 0

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pixels]: ...
    def __getitem__(self, index: int | slice) -> Pixels | list[Pixels]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        return self._picture.pixels(index)


def _greys(array: npt.NDArray[Any], limits: tuple[float, float]) -> Pixels:
    low, high = limits
    grey = _scaled(array, low, high)
    return np.repeat(grey[..., None], 3, axis=2)


def _colours(array: npt.NDArray[Any]) -> Pixels:
    colours = array[..., :3]
    if colours.dtype == np.uint8:
        return np.ascontiguousarray(colours)
    greatest = np.iinfo(colours.dtype).max if colours.dtype.kind in "ui" else 1
    return _scaled(colours, 0, greatest)


def _scaled(array: npt.NDArray[Any], low: float, high: float) -> Pixels:
    """Numbers as 0 at `low` and below, what is none as well, and 255 at `high` and above."""
    shares = (array.astype(np.float32) - low) / (high - low or 1.0)
    shares = np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0)
    scaled: Pixels = np.round(np.clip(shares, 0, 1) * _BRIGHTEST).astype(np.uint8)
    return scaled
