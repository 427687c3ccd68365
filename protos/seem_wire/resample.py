"""Resizing maps exactly as the published programs do, with NumPy alone.

Both filters take the corners of the pixels' areas as the images' corners (`align_corners=False`)
and place samples in float32, as PyTorch does: on large maps that is what decides the last digits.

N maps · h, w size before · H, W size after
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.intp]

    Size = tuple[int, int]
    Filter = Callable[[Float32, Size], Float32]
    Taps = tuple[Ints, Float32]
    """Per new sample, K places (n, K) of old ones and their weights (n, K)."""

_CUBIC_SUPPORT = 2
_SHARPNESS = -0.5  # of Keys' cubic; Pillow's, and PyTorch's where it antialiases


def bilinear(maps: Float32, size: Size) -> Float32:
    """Maps (N, h, w) at (H, W), bilinearly and never antialiased."""
    return _resize(maps, size, _linear_taps)


def bicubic_antialias(maps: Float32, size: Size) -> Float32:
    """Maps (N, h, w) at (H, W), bicubically; where they shrink, the kernel widens."""
    return _resize(maps, size, _cubic_taps)


def to_original(
    maps: Float32, *, padded: Size, resized: Size, size: Size, last: Filter = bicubic_antialias
) -> Float32:
    """Logits (N, h, w) of a padded image at the original's size (N, H, W).

    `padded`: what the network saw; `resized`: the image's own part of it, at its upper left. The
    published programs go there in two steps: bilinearly to `padded`, then, without the padding, by
    `last` (bilinearly where a click asked, bicubically for words and everything).
    """
    height, width = resized
    return last(bilinear(maps, padded)[:, :height, :width], size)


def _resize(maps: Float32, size: Size, taps_of: Callable[[int, int], Taps]) -> Float32:
    n, height, width = maps.shape
    if size == (height, width):
        return maps.astype(np.float32)
    down, across = taps_of(height, size[0]), taps_of(width, size[1])
    resized = np.empty((n, *size), np.float32)
    for before, after in zip(maps.astype(np.float32, copy=False), resized, strict=True):
        _sum_rows(_sum_columns(before, across), down, after)
    return resized


def _sum_columns(before: Float32, taps: Taps) -> Float32:
    """(h, w) as (h, W). Summed as rows of the transpose: those lie together in memory."""
    after = np.empty((len(taps[0]), len(before)), np.float32)
    _sum_rows(np.ascontiguousarray(before.T), taps, after)
    return np.ascontiguousarray(after.T)


def _sum_rows(before: Float32, taps: Taps, after: Float32) -> None:
    """Weighted sums of the rows of `before` (h, w), into `after` (H, w)."""
    places, weights = taps
    np.multiply(before[places[:, 0]], weights[:, :1], out=after)
    for k in range(1, places.shape[1]):
        after += before[places[:, k]] * weights[:, k : k + 1]


def _linear_taps(before: int, after: int) -> Taps:
    scale = np.float32(before) / np.float32(after)
    # In one rounding, as processors that fuse a product and a sum do it.
    centres = (np.float64(scale) * (np.arange(after) + 0.5) - 0.5).astype(np.float32)
    centres = np.maximum(centres, np.float32(0))
    first = np.minimum(centres.astype(np.intp), before - 1)
    share = np.clip(centres - first.astype(np.float32), 0, 1)
    second = np.minimum(first + 1, before - 1)
    return np.stack([first, second], 1), np.stack([1 - share, share], 1).astype(np.float32)


def _cubic_taps(before: int, after: int) -> Taps:
    scale = np.float32(before) / np.float32(after)
    widening = max(scale, np.float32(1))
    support = np.float32(_CUBIC_SUPPORT) * widening
    half = np.float32(0.5)
    centres = scale * (np.arange(after, dtype=np.float32) + half)
    first = np.maximum((centres - support + half).astype(np.intp), 0)
    end = np.minimum((centres + support + half).astype(np.intp), before)
    places = first[:, None] + np.arange(int((end - first).max()))
    distances = np.abs((places.astype(np.float32) - centres[:, None] + half) / widening)
    weights = np.where(places < end[:, None], _cubic(distances), np.float32(0))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.minimum(places, before - 1), weights.astype(np.float32)


def _cubic(x: Float32) -> Float32:
    """Keys' cubic convolution kernel at distances x >= 0."""
    a = np.float32(_SHARPNESS)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    inside: Float32 = np.where(x < 1, near, np.where(x < _CUBIC_SUPPORT, far, 0))
    return inside.astype(np.float32)
