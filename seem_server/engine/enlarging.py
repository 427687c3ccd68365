"""The published way from the decoder's map to the original image, at the speed of a click.

Both of its resizes are linear, so together they are two matrices, one an axis: a map `L` (h, w)
becomes `rows @ L @ columns.T`. Where only the mask is wanted, most of it is known without that:
between logits on one side of the threshold nothing can cross it.

h, w decoder's map · H, W original image · B side of a tile · K cells that a tile depends on
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from seem_wire.resample import bicubic_antialias, bilinear

if TYPE_CHECKING:
    import numpy.typing as npt

    from seem_server.engine.preprocess import Layout

    Float32 = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.intp]
    Mask = npt.NDArray[np.bool_]

TILE = 16
"""B: pixels that are decided together."""

_KEPT_AXES = 16
_COLUMNS_AT_ONCE = 512


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """An axis in stretches of B pixels: each depends on the K cells from `first` (n,) on.

    weights: (n, B, K) float32; those past the axis's end are zero.
    """

    first: Ints
    weights: Float32


@dataclass(frozen=True, eq=False)
class Axis:
    """What each pixel of an axis is made of: weights (N, n) of n cells."""

    weights: Float32

    @cached_property
    def negative(self) -> float:
        """The largest sum of negative weights of a pixel, as a positive number."""
        return float(-np.minimum(self.weights, 0).sum(axis=1).min())

    @cached_property
    def tiles(self) -> Tiles:
        """The axis in stretches."""
        n_pixels, n_cells = self.weights.shape
        n_tiles = -(-n_pixels // TILE)
        padded = np.zeros((n_tiles * TILE, n_cells), np.float32)
        padded[:n_pixels] = self.weights
        tiled = padded.reshape(n_tiles, TILE, n_cells)
        used = (tiled != 0).any(axis=1)  # (n, cells)
        first = used.argmax(axis=1)
        end = n_cells - used[:, ::-1].argmax(axis=1)
        length = int((end - first).max())
        first = np.minimum(first, n_cells - length)
        cells = first[:, None] + np.arange(length)
        return Tiles(first, np.take_along_axis(tiled, cells[:, None, :], axis=2))


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """From a map (h, w) to the original size (H, W)."""

    rows: Axis
    columns: Axis

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return len(self.rows.weights), len(self.columns.weights)

    def values(self, logits: Float32) -> Float32:
        """Logits (..., h, w) at the original size."""
        return self.band(logits, 0, self.size[0])

    def band(self, logits: Float32, top: int, bottom: int) -> Float32:
        """Rows `top` to `bottom` of logits (..., h, w) at the original size; `top` is n * TILE."""
        tiles = slice(top // TILE, -(-bottom // TILE))
        rows = _stretched(logits, self.rows.tiles, tiles)[..., : bottom - top, :]
        across = _stretched(np.ascontiguousarray(rows.swapaxes(-1, -2)), self.columns.tiles)
        return np.ascontiguousarray(across[..., : self.size[1], :].swapaxes(-1, -2))

    def over(self, logits: Float32, threshold: float) -> Mask:
        """Where logits (h, w) at the original size are over the threshold."""
        down, across = self.rows.tiles, self.columns.tiles
        low, high = _extremes(logits, down, across)  # (n, m) each
        swing: Float32 = (high - low) * np.float32(self._overshoot)
        mask = np.empty((len(low), TILE, low.shape[1], TILE), np.bool_)
        mask[:] = (low - swing > threshold)[:, None, :, None]
        i, j = np.nonzero((low - swing <= threshold) & (high + swing > threshold))
        cells = logits[_cells(down)[i][:, :, None], _cells(across)[j][:, None, :]]  # (T, K, K)
        values = down.weights[i] @ cells @ across.weights[j].transpose(0, 2, 1)  # (T, B, B)
        mask[i, :, j, :] = values > threshold
        height, width = self.size
        return mask.reshape(len(low) * TILE, -1)[:height, :width]

    @property
    def _overshoot(self) -> float:
        """How far a value may lie beyond the cells it is made of, in their differences.

        With weights that sum to 1, of which at most n are negative, it is n on one axis. A little
        is added for what rounding does.
        """
        down, across = self.rows.negative, self.columns.negative
        return ((1 + 2 * down) * (1 + 2 * across) - 1) / 2 + 1e-5


def way(layout: Layout, size: tuple[int, int], *, smooth: bool) -> Way:
    """The published way of an image's maps to `size` (H, W), which is mostly the original's.

    Bilinearly to the network's input, and from there, without its padding, to `size`: bilinearly,
    or where `smooth` bicubically with antialiasing.
    """
    frame = layout.frame
    axes = zip((frame.height, frame.width), frame.grid, layout.resized, size, strict=True)
    return Way(*(_axis(*sides, smooth=smooth) for sides in axes))


@lru_cache(_KEPT_AXES)
def _axis(padded: int, n_cells: int, shown: int, n_pixels: int, *, smooth: bool) -> Axis:
    last = bicubic_antialias if smooth else bilinear
    unit = np.eye(n_cells, dtype=np.float32)[None]  # each cell alone: what becomes of it
    network = bilinear(unit, (padded, n_cells))[:, :shown]
    return Axis(last(network, (n_pixels, n_cells))[0])


def _stretched(maps: Float32, tiles: Tiles, some: slice = slice(None)) -> Float32:
    """Maps (..., n, m) along their rows: those of some tiles, (..., N, m).

    In products so small that no library cuts them up for threads, which then wait for each other.
    """
    weights, cells = tiles.weights[some], _cells(tiles)[some]
    n_rows = len(weights) * TILE
    stretched = np.empty((*maps.shape[:-2], n_rows, maps.shape[-1]), np.float32)
    for left in range(0, maps.shape[-1], _COLUMNS_AT_ONCE):
        part = slice(left, left + _COLUMNS_AT_ONCE)
        products = weights @ maps[..., cells, part]  # (..., tiles, B, columns)
        stretched[..., part] = products.reshape(*maps.shape[:-2], n_rows, -1)
    return stretched


def _extremes(logits: Float32, down: Tiles, across: Tiles) -> tuple[Float32, Float32]:
    """The least and the greatest cell that each tile depends on: (n, m) each."""
    rows, columns = _cells(down), _cells(across)
    stretches = logits[rows]  # (n, K, w)
    low, high = stretches.min(axis=1), stretches.max(axis=1)
    return low[:, columns].min(axis=2), high[:, columns].max(axis=2)


def _cells(tiles: Tiles) -> Ints:
    """The cells (n, K) of each tile."""
    return tiles.first[:, None] + np.arange(tiles.weights.shape[2])
