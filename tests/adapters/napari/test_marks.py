"""What napari's points and shapes say, and how marks are drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from seem_client.adapters.napari.marks import Kind, drawn, places_of, shape_of, vertices_of

RECTANGLE = np.array([(2.0, 10.0), (2.0, 30.0), (8.0, 30.0), (8.0, 10.0)])


def test_the_first_pixels_centre_is_half_a_pixel_from_the_corner():
    assert places_of(np.array([(0.0, 0.0), (3.0, 7.25)])) == ((0.5, 0.5), (7.75, 3.5))


def test_an_upright_rectangle_is_a_box_in_whatever_order_it_was_drawn():
    for order in (RECTANGLE, RECTANGLE[::-1], np.roll(RECTANGLE, 1, axis=0)):
        mark = drawn("rectangle", order, 3, positive=True)
        assert (mark.kind, mark.object_id) == (Kind.BOX, 3)
        assert mark.places == ((10.5, 2.5), (30.5, 8.5))


def test_a_turned_rectangle_is_a_region():
    turned = np.array([(0.0, 5.0), (5.0, 10.0), (10.0, 5.0), (5.0, 0.0)])
    assert drawn("rectangle", turned, 1, positive=True).kind is Kind.REGION


def test_an_ellipse_is_a_region_within_its_corners():
    mark = drawn("ellipse", RECTANGLE, 1, positive=False)
    x, y = np.transpose(mark.places)
    assert (mark.kind, mark.positive) == (Kind.REGION, False)
    assert np.allclose(((x - 20.5) / 10) ** 2 + ((y - 5.5) / 3) ** 2, 1, atol=0.01)


@pytest.mark.parametrize("shape_type", ["line", "path"])
def test_lines_are_lines(shape_type):
    assert drawn(shape_type, RECTANGLE[:2], 1, positive=True).kind is Kind.LINE


@pytest.mark.parametrize("shape_type", ["rectangle", "ellipse", "polygon", "path"])
def test_a_mark_that_is_drawn_again_is_the_same_mark(shape_type):
    uneven = RECTANGLE + np.array([0.123456, 0.98765])
    mark = drawn(shape_type, uneven, 1, positive=True, frame=4)
    again, vertices = shape_of(mark)
    in_layer = vertices.astype(np.float32).astype(np.float64)  # as napari's shapes are held
    assert drawn(again, in_layer, 1, positive=True, frame=4) == mark


def test_vertices_are_places_the_other_way():
    assert vertices_of(places_of(RECTANGLE)).tolist() == RECTANGLE.tolist()
    assert vertices_of(()).shape == (0, 2)
