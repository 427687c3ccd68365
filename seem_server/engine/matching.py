"""An object found again in another frame, by what its places look like: pure arrays.

Every place of a frame, at stride 8, has an appearance. It is compared with places of frames in
which the object's mask is known: with those where it was prompted, wherever they lay, because it
may have come back anywhere; and with those of the frame before, near where they were, because
things move little from frame to frame (global and local matching, Voigtlaender et al. 2019,
FEELVOS, sections 3.3 and 3.4). The most similar ones tell by their masks how much of the object is
at a place. That is what the decoder gets as its memory of the object, with a click where it is
surest and one on what is most easily mistaken for it.

N places of a frame, row by row · K places of others · C appearance · h, w = mask logits
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from seem_wire import rle
from seem_wire.prompts import Point

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from seem_server.engine.preprocess import Layout
    from seem_wire.rle import Rle

    Float32 = npt.NDArray[np.float32]
    Ints = npt.NDArray[np.intp]
    Mask = npt.NDArray[np.bool_]

CELLS = 2
"""Cells of the mask logits to a side of a place."""

SIMILAR = 8
"""So many of the most similar places tell what a place is."""

SHARPNESS = 20.0
"""How much more the more similar ones count: the weight is e to this times the cosine."""

TOKENS = 256
"""Places of the object that are remembered of all its references, and as many of what is not it."""

NEAR = 4
"""Half of what is not the object lies within so many places of it: there it is mistaken for it."""

REACH = 7
"""How many places anything moves from a frame to the next, at most, where it is looked for."""

BLOCK = 12
"""Places to a side of the blocks that are looked up nearby together."""

BY_PLACE = 0.65
"""How much what lies nearby counts beside what looks alike anywhere, where both are known."""

MISTAKEN = 0.15
"""A place outside the object is clicked as what is not, where it is this likely to be it."""

APART = 6
"""Cells that such a click keeps away from the object."""

ALIKE, ALIKE_WIDTH = 0.86, 0.025
"""The cosine at which an object is as likely to be there as not, and how sharply that changes."""

FOUND, STILL_SEEN = 0.5, 0.2
"""How likely an object has to be there to be shown: where it is looked for, and where it was
seen in the frame before, which makes it likelier than its looks alone."""

_TOP = 4
"""Of a mask's places the most alike quarter tells whether it is there: the rest may have turned."""

_SURE = 0.99
_LEAD = 1e-3
_HALF = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """A frame's places: vectors (N, C) float32 of unit length, in `rows` rows of `columns`."""

    vectors: Float32
    rows: int
    columns: int

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors."""
        return self.vectors.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """Places of a frame in which an object is known, some of them.

    vectors: (K, C) float32. shares: (K,) float32, how much of each is the object.
    """

    vectors: Float32
    shares: Float32

    @property
    def nbytes(self) -> int:
        """Bytes of both."""
        return self.vectors.nbytes + self.shares.nbytes


def places_of(appearance: Float32) -> Places:
    """The places of an appearance (C, rows, columns)."""
    channels, rows, columns = appearance.shape
    vectors = appearance.reshape(channels, rows * columns).T
    return Places(np.ascontiguousarray(vectors), rows, columns)


def shares_of(mask: Rle, layout: Layout) -> Float32:
    """How much of each place a mask covers: (N,) float32 in 0..1, none of the padding."""
    frame = layout.frame
    rows, columns = (side // frame.stride for side in layout.resized)
    inside = Image.fromarray(rle.decode(mask).astype(np.uint8) * 255)
    cells = np.zeros(frame.grid, np.float32)
    cells[:rows, :columns] = np.asarray(inside.resize((columns, rows), Image.Resampling.BOX))
    return _pooled(cells / np.float32(255)).ravel()


def remembered(places: Places, shares: Float32, limit: int = TOKENS) -> Remembered:
    """At most `limit` places of the object, and as many of what is not it, evenly spread."""
    inside = shares > _HALF
    if not inside.any():
        inside[shares.argmax()] = True
    away = ndimage.distance_transform_edt(~inside.reshape(places.rows, places.columns)).ravel()
    near = _some(np.flatnonzero((away > 0) & (away <= NEAR)), limit // 2)
    far = _some(np.flatnonzero(away > NEAR), limit - len(near))
    chosen = np.concatenate([_some(np.flatnonzero(inside), limit), near, far])
    return Remembered(places.vectors[chosen], shares[chosen])


def together(several: Sequence[Remembered]) -> Remembered:
    """All of these as one."""
    vectors = np.concatenate([one.vectors for one in several])
    return Remembered(vectors, np.concatenate([one.shares for one in several]))


def anywhere(places: Places, known: Remembered) -> Float32:
    """How likely each place is the object, (N,), by the known places that look most like it."""
    return _voted(places.vectors @ known.vectors.T, known.shares)


def mostly_near(places: Places, known: Remembered, close: Mask) -> Float32:
    """The same, (N,), for the places `close` (N,), and roughly for others: one of four is asked.

    What is far from where an object was is asked only for what may be mistaken for it.
    """
    asked = np.zeros((places.rows, places.columns), np.bool_)
    asked[::2, ::2] = True
    asked = asked.ravel() | close
    likely = np.zeros(len(asked), np.float32)
    likely[asked] = _voted(places.vectors[asked] @ known.vectors.T, known.shares)
    rough = likely.reshape(places.rows, places.columns)[::2, ::2].repeat(2, 0).repeat(2, 1)
    return np.where(close, likely, rough[: places.rows, : places.columns].ravel())


def within_reach(places: Places, shares: Float32) -> Mask:
    """Where an object can have moved to, (N,), that covered so much of each place before."""
    inside = shares.reshape(places.rows, places.columns) > _HALF
    near: Mask = ndimage.maximum_filter(inside, 2 * REACH + 1).ravel()
    return near


def nearby(places: Places, before: Places, shares: Float32) -> Float32:
    """The same, (N,), by the frame before and by what lay near the place there; 0 far from it.

    A block of places at a time is compared with those within reach of any of them.
    """
    shape = places.rows, places.columns
    close = within_reach(places, shares).reshape(shape)
    likely = np.zeros(shape, np.float32)
    seen = places.vectors.reshape(*shape, -1)
    known = before.vectors.reshape(*shape, -1)
    for block in _blocks(shape):
        asked = close[block]
        if asked.any():
            around = tuple(
                slice(max(one.start - REACH, 0), min(one.stop + REACH, side))
                for one, side in zip(block, shape, strict=True)
            )
            there = known[around].reshape(-1, seen.shape[2])
            similar = seen[block][asked] @ there.T
            similar[_beyond(_corners(block), _corners(around))[asked.ravel()]] = -np.inf
            likely[block][asked] = _voted(similar, shares.reshape(shape)[around].ravel())
    return likely.ravel()


def memory_logits(likely: Float32, places: Places) -> Float32:
    """The likelihoods (N,) as mask logits (h, w), the decoder's memory of a round before."""
    odds = np.clip(likely, 1 - _SURE, _SURE).reshape(places.rows, places.columns)
    logits = Image.fromarray(np.log(odds / (1 - odds)))
    size = (places.columns * CELLS, places.rows * CELLS)
    return np.asarray(logits.resize(size, Image.Resampling.BILINEAR))


def clicks(logits: Float32, layout: Layout) -> tuple[Point, ...]:
    """Where a memory (h, w) is surest to be the object, and what it most nearly mistakes for it.

    None where it is sure of nothing.
    """
    inside = logits > 0
    if not inside.any():
        return ()
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    away = ndimage.distance_transform_edt(~inside)
    mistaken = np.where((away > APART) & ~inside, logits, -np.inf)
    points = [_point(depth, layout, positive=True)]
    if mistaken.max() > np.log(MISTAKEN / (1 - MISTAKEN)):
        points.append(_point(mistaken, layout, positive=False))
    return tuple(points)


def presence(places: Places, known: Remembered, inside: Mask) -> float:
    """How likely the object is what a mask (h, w) holds: by how alike the most alike places are."""
    covered = (_pooled(inside.astype(np.float32)) > _HALF).ravel()
    of_object = known.vectors[known.shares > _HALF]
    if not covered.any() or not len(of_object):
        return 0.0
    alike = (places.vectors[covered] @ of_object.T).max(axis=1)
    count = max(len(alike) // _TOP, 1)
    top = float(np.partition(alike, -count)[-count:].mean())
    return float(1 / (1 + np.exp((ALIKE - top) / ALIKE_WIDTH)))


def apart(logits: Sequence[Float32]) -> list[Float32]:
    """Logits (h, w) of several objects, so that no two are over 0 in one place, however enlarged.

    Where more than one was, the surest keeps it by what it is surer. For any two the sum is then
    nowhere over 0, and so it stays when both are interpolated.
    """
    if len(logits) < 2:  # noqa: PLR2004  (nothing to part)
        return list(logits)
    stacked = np.stack(logits)
    second, first = np.partition(stacked, -2, axis=0)[-2:]
    is_surest = np.arange(len(stacked))[:, None, None] == stacked.argmax(axis=0)  # of equals one
    others = np.where(is_surest, second, first)
    lead = np.where(is_surest, _LEAD, -_LEAD)
    parted = np.minimum(stacked, stacked - others + lead)
    return list(np.where(others > 0, parted, stacked).astype(np.float32))


def _blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    rows, columns = shape
    for top in range(0, rows, BLOCK):
        for left in range(0, columns, BLOCK):
            yield slice(top, min(top + BLOCK, rows)), slice(left, min(left + BLOCK, columns))


def _corners(block: tuple[slice, ...]) -> tuple[int, int, int, int]:
    rows, columns = block
    return rows.start, rows.stop, columns.start, columns.stop


@lru_cache(maxsize=256)
def _beyond(block: tuple[int, int, int, int], around: tuple[int, int, int, int]) -> Mask:
    """Which places of `around` are out of reach of which of `block`, row by row: (Q, K)."""
    (top, bottom, left, right), (first, last, start, end) = block, around
    far_rows = abs(np.arange(top, bottom)[:, None] - np.arange(first, last)) > REACH
    far_columns = abs(np.arange(left, right)[:, None] - np.arange(start, end)) > REACH
    far = far_rows[:, None, :, None] | far_columns[None, :, None, :]
    n_here = (bottom - top) * (right - left)
    return far.reshape(n_here, -1)


def _voted(similar: Float32, shares: Float32) -> Float32:
    """(N, K) cosines and shares (K,) to (N,): the mean share of the most similar, weighted."""
    count = min(SIMILAR, similar.shape[1])
    most = np.partition(similar, -count, axis=1)[:, -count:]
    place, known = np.nonzero(similar >= most[:, :1])  # few of them: what is costly is done to few
    nearness = similar[place, known] - most.max(axis=1)[place]
    weights = np.exp(SHARPNESS * nearness)
    weighed = np.bincount(place, weights * shares[known], len(similar))
    return (weighed / np.bincount(place, weights, len(similar))).astype(np.float32)


def _pooled(cells: Float32) -> Float32:
    """(h, w) to the means of each place's cells."""
    rows, columns = (side // CELLS for side in cells.shape)
    pooled: Float32 = cells.reshape(rows, CELLS, columns, CELLS).mean(axis=(1, 3))
    return pooled


def _some(places: Ints, limit: int) -> Ints:
    """At most `limit` of these, evenly spread."""
    if len(places) <= limit:
        return places
    return places[np.linspace(0, len(places) - 1, limit).round().astype(np.intp)]


def _point(worth: npt.NDArray[np.floating], layout: Layout, *, positive: bool) -> Point:
    """A click at the middle of the cell (h, w) that is worth most, within the image."""
    frame = layout.frame
    rows, columns = (side // frame.stride for side in layout.resized)
    row, column = np.unravel_index(worth[:rows, :columns].argmax(), (rows, columns))
    x = (float(column) + _HALF) * frame.stride / frame.scale_x
    y = (float(row) + _HALF) * frame.stride / frame.scale_y
    return Point(min(x, layout.size[1]), min(y, layout.size[0]), positive)
