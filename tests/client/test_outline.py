from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from seem_client.outline import polygons

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def drawn(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


def filled(pieces, shape):
    """The pixels within the outlines: an odd number of upright edges lies to their left."""
    crossed = np.zeros(shape, int)
    for piece in pieces:
        for ring in (piece.outline, *piece.holes):
            for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if x0 == x1:
                    low, high = sorted((int(y0), int(y1)))
                    crossed[low:high, int(x0) :] += 1
    return crossed % 2 == 1


def signed_area(ring):
    x, y = ring.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


@given(MASKS)
def test_filling_the_outlines_gives_the_mask_again(mask):
    assert np.array_equal(filled(polygons(mask), mask.shape), mask)


@given(MASKS)
def test_every_connected_piece_is_one_polygon_with_its_holes(mask):
    label, count = ndimage.label(mask)
    pieces = polygons(mask)
    assert len(pieces) == count
    for piece in pieces:
        pixels = filled([piece], mask.shape)
        assert np.array_equal(pixels, label == label[pixels][0])


@given(MASKS)
def test_outlines_run_clockwise_on_the_screen_and_holes_the_other_way(mask):
    for piece in polygons(mask):
        assert signed_area(piece.outline) > 0
        assert all(signed_area(hole) < 0 for hole in piece.holes)


def test_a_rectangle_has_four_corners():
    (piece,) = polygons(drawn("....", ".##.", ".##."))
    assert piece.outline.tolist() == [[1, 1], [3, 1], [3, 3], [1, 3]]


def test_pixels_that_touch_at_a_corner_are_two_pieces():
    assert len(polygons(drawn("#.", ".#"))) == 2


@pytest.mark.parametrize(
    "mask",
    [
        drawn("#####", "#...#", "#.#.#", "#...#", "#####"),  # an island in the hole
        drawn("######", "#.##.#", "######"),  # two holes side by side
        drawn("#####", "#.###", "##.##", "#####"),  # two holes that touch at a corner
    ],
)
def test_holes_belong_to_the_piece_around_them(mask):
    assert polygons(mask)[0].holes
    assert np.array_equal(filled(polygons(mask), mask.shape), mask)


def test_an_empty_mask_has_no_outline():
    assert polygons(np.zeros((3, 4), np.bool_)) == ()
