from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from seem_client.adapters import cvat_shapes as shapes
from seem_wire import errors

SQUARE = np.zeros((20, 30), np.bool_)
SQUARE[5:10, 4:12] = True
masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12)).filter(np.any)


@given(masks)
def test_a_mask_comes_back_from_its_runs(mask):
    assert np.array_equal(shapes.read_mask(shapes.mask_points(mask), mask.shape), mask)


def test_runs_begin_with_unmarked_pixels_and_end_with_an_inclusive_box():
    mask = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1]], np.bool_)
    assert shapes.mask_points(mask) == [0, 1, 1, 1, 1, 2, 1, 1, 3, 2]
    assert shapes.mask_points(~mask[1:, :2]) == [0, 1, 1, 2, 0, 0, 1, 1]


def test_a_flat_mask_has_a_number_for_each_pixel_of_its_inclusive_box():
    mask = np.array([[0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1]], np.bool_)
    assert shapes.flat_mask(mask) == [1, 0, 1, 0, 1, 1, 1, 1, 3, 2]


@pytest.mark.parametrize("shape_type", shapes.SHAPE_TYPES)
def test_a_rectangular_object_comes_back_from_each_type(shape_type):
    points = shapes.shape_points(SQUARE, shape_type)
    drawn = shapes.read_shape(shape_type, points, SQUARE.shape)
    expected = (4.0, 5.0, 12.0, 10.0) if shape_type == "rectangle" else SQUARE
    assert np.array_equal(drawn, expected)


def test_nothing_has_no_shape():
    assert shapes.shape_points(np.zeros((4, 4), np.bool_), "mask") is None
    assert shapes.polygon_points(np.zeros((4, 4), np.bool_)) is None


def test_a_polygon_is_the_largest_piece():
    mask = SQUARE.copy()
    mask[15, 20] = True
    assert shapes.polygon_points(mask) == shapes.polygon_points(SQUARE)


@given(masks)
def test_a_polygon_has_corners_enough_and_fills_something(mask):
    points = shapes.polygon_points(mask)
    assert len(points) >= 6
    assert len(points) % 2 == 0


def test_a_round_outline_gets_few_corners_and_stays_near():
    y, x = np.ogrid[:200, :200]
    disk = (x - 100) ** 2 + (y - 100) ** 2 < 80**2
    points = shapes.polygon_points(disk)
    again = shapes.read_shape("polygon", points, disk.shape)
    assert len(points) // 2 < 40
    assert (disk & again).sum() / (disk | again).sum() > 0.97


def test_corners_on_a_line_go_and_others_stay():
    corners = np.array([[0, 0], [5, 0.4], [10, 0], [10, 10], [0, 10]], float)
    assert shapes.simplified(corners, 1.0).tolist() == [[0, 0], [10, 0], [10, 10], [0, 10]]


@pytest.mark.parametrize(
    "points",
    [[], [1, 2, 3, 4], [5, 0, 0, 1, 1], [4.5, 0, 0, 1, 1], [-4, 8, 0, 0, 1, 1], [4, 0, 0, 99, 0]],
)
def test_numbers_that_are_no_mask_are_refused(points):
    with pytest.raises(errors.InvalidValue):
        shapes.read_mask(points, (4, 4))


@pytest.mark.parametrize(
    ("shape_type", "points", "error"),
    [
        ("rectangle", [1, 2, 3], errors.InvalidValue),
        ("polygon", [1, 2, 3, 4], errors.LassoWithoutArea),
        ("polygon", [1, 2, 3, 4, 5], errors.LassoWithoutArea),
        ("polygon", [90, 90, 99, 90, 99, 99], errors.LassoWithoutArea),
        ("ellipse", [1, 2, 3, 4], errors.InvalidValue),
    ],
)
def test_other_shapes_are_refused(shape_type, points, error):
    with pytest.raises(error):
        shapes.read_shape(shape_type, points, (20, 30))


@given(st.sampled_from(["ellipse", "points"]))
def test_nothing_is_written_as_a_shape_that_is_not_known(shape_type):
    with pytest.raises(errors.InvalidValue):
        shapes.shape_points(SQUARE, shape_type)
