from __future__ import annotations

import numpy as np
import pytest
from made_coco import as_coco, block

from seem_model.evaluate.outlines import draw

BLOCK = block(10, 20, 30, 50)
LISTED = {"size": [40, 60], "counts": [20 * 40 + 10, *[20, 20] * 29, 20, 9 * 40 + 50]}


@pytest.mark.parametrize(
    "segmentation", [as_coco(BLOCK), [[20, 10, 50, 10, 50, 30, 20, 30]], LISTED]
)
def test_all_ways_to_write_a_mask_give_the_same(segmentation):
    np.testing.assert_array_equal(draw(segmentation, (40, 60)), BLOCK)


def test_several_polygons_are_one_mask():
    halves = [[20, 10, 35, 10, 35, 30, 20, 30], [35, 10, 50, 10, 50, 30, 35, 30]]
    np.testing.assert_array_equal(draw(halves, (40, 60)), BLOCK)


def test_no_polygon_is_an_empty_mask():
    assert not draw([], (40, 60)).any()


@pytest.mark.parametrize(
    ("segmentation", "fault"),
    [("x", TypeError), ({"counts": 5, "size": [4, 6]}, TypeError), (None, TypeError)],
)
def test_anything_else_is_refused(segmentation, fault):
    with pytest.raises(fault):
        draw(segmentation, (40, 60))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="40, 60"):
        draw(as_coco(BLOCK), (41, 60))
