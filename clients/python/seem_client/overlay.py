"""Masks drawn over what they are of, in NumPy alone: tinted, with an outline of one pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.integer]
    Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (0, 114, 255),
    (255, 136, 0),
    (0, 190, 120),
    (214, 39, 160),
    (240, 220, 0),
    (120, 80, 220),
)
_TINT = 0.45


def colour_of(object_id: int) -> Colour:
    """The colour of an object; far ids may share one."""
    return PALETTE[(object_id - 1) % len(PALETTE)]


def tint(pixels: Pixels, marked: Mask, colours: Pixels | Colour) -> None:
    """Colours the marked pixels of an image, uint8 (H, W, 3), so that it shows through.

    `colours` is one for all, or (N, 3), one for each marked pixel.
    """
    mixed = (1 - _TINT) * pixels[marked] + _TINT * np.asarray(colours)
    pixels[marked] = mixed.round().astype(np.uint8)


def drawn(pixels: Pixels, indices: Indices, colours: Pixels) -> Pixels:
    """The image with its objects tinted and outlined, uint8 (H, W, 3).

    `indices`, (H, W), says which object each pixel shows, 0 for none; `colours`, (N, 3), has a row
    for each index.
    """
    marked = indices > 0
    picture = pixels.copy()
    tint(picture, marked, colours[indices[marked]])
    rim = marked & _is_edge(indices)
    picture[rim] = colours[indices[rim]]
    return picture


def overlaid(pixels: Pixels, objects: Iterable[tuple[int, Mask]]) -> Pixels:
    """The image with the masks of objects, by their id, each in its colour; small ones on top."""
    largest_first = sorted(objects, key=lambda one: -int(one[1].sum()))
    indices = np.zeros(pixels.shape[:2], np.intp)
    for place, (_, mask) in enumerate(largest_first, 1):
        indices[mask] = place
    colours = np.array([(0, 0, 0), *(colour_of(number) for number, _ in largest_first)], np.uint8)
    return drawn(pixels, indices, colours)


def _is_edge(indices: Indices) -> Mask:
    """The pixels beside one of another object."""
    edge = np.zeros(indices.shape, np.bool_)
    across, down = indices[:, 1:] != indices[:, :-1], indices[1:] != indices[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
