from __future__ import annotations

import numpy as np
import pytest
from made_dataset import SIZE, block

from seem_server.commands import gestures
from seem_wire.pixels import Frame, rasterise
from seem_wire.prompts import Box, ObjectPrompt

BAR = block(20, 10, 32, 90)
SHAPES = {
    "bar": BAR,
    "pixel": block(5, 7, 6, 8),
    "line": block(30, 4, 31, 80),
    "two pieces": block(4, 4, 20, 20) | block(40, 60, 62, 94),
    "ring": block(10, 10, 50, 60) & ~block(20, 20, 40, 50),
    "all": np.ones(SIZE, np.bool_),
}
every_shape = pytest.mark.parametrize("mask", SHAPES.values(), ids=SHAPES)


def iou(one, other):
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def inside(lasso, size):
    """The pixels within a lasso, as the server draws it, bool (H, W)."""
    maps = rasterise(ObjectPrompt(lassos=(lasso,)), Frame(1, 1, *size, stride=1)).maps
    return maps[4] > 0.5


def test_a_box_is_tight_around_all_pieces():
    assert gestures.tight_box(SHAPES["two pieces"]) == Box(4.0, 4.0, 94.0, 62.0)


@every_shape
def test_every_vertex_of_a_stroke_is_on_the_object(mask):
    for seed in range(8):
        points = gestures.stroke(mask, seed).points
        assert 2 <= len(points) <= gestures.STROKE_VERTICES
        assert all(mask[int(y), int(x)] for x, y in points)


def test_a_stroke_runs_along_the_middle():
    points = np.array(gestures.stroke(BAR, 3).points)
    middle = (points[:, 0] > 20) & (points[:, 0] < 80)
    assert np.abs(points[middle, 1] - 26).max() <= 1
    assert np.ptp(points[:, 0]) >= 0.5 * 80


def test_a_stroke_is_on_the_largest_piece():
    points = np.array(gestures.stroke(SHAPES["two pieces"], 1).points)
    assert (points >= 40).all()


def test_a_stroke_follows_a_bend():
    bend = block(4, 4, 60, 14) | block(50, 4, 60, 90)
    points = np.array(gestures.stroke(bend, 0).points)
    assert points[:, 1].min() < 40
    assert points[:, 0].max() > 40


@every_shape
def test_equal_seeds_draw_equally_and_others_not_always(mask):
    strokes = [gestures.stroke(mask, seed).points for seed in (1, 1, 2, 3, 4)]
    assert strokes[0] == strokes[1]
    assert np.array_equal(gestures.rough_mask(mask, 9).mask, gestures.rough_mask(mask, 9).mask)


def test_a_stroke_of_a_large_object_is_on_it_too():
    rows, columns = np.mgrid[:700, :900]
    disc = (rows - 350) ** 2 / 4 + (columns - 450) ** 2 < 150**2
    points = gestures.stroke(disc, 5).points
    assert all(disc[int(y), int(x)] for x, y in points)


def test_a_stroke_may_say_what_is_not_it():
    assert gestures.stroke(BAR, 1, positive=False).positive is False


@every_shape
def test_a_lasso_goes_around_the_whole_object_in_a_few_corners(mask):
    lasso = gestures.lasso(mask)
    assert np.count_nonzero(mask & ~inside(lasso, SIZE)) == 0
    assert 3 <= len(lasso.points) <= 40
    assert all(0 <= x <= SIZE[1] and 0 <= y <= SIZE[0] for x, y in lasso.points)


def test_a_lasso_is_loose():
    assert 0.3 < iou(inside(gestures.lasso(BAR), SIZE), BAR) < 0.9


@every_shape
def test_a_rough_mask_is_near_the_object_and_never_empty(mask):
    for seed in range(8):
        rough = gestures.rough_mask(mask, seed).mask
        assert rough.shape == SIZE
        assert rough.any()


def test_a_rough_mask_is_spoilt_but_not_much():
    overlaps = [iou(gestures.rough_mask(BAR, seed).mask, BAR) for seed in range(20)]
    assert 0.3 < min(overlaps) <= max(overlaps) < 0.95


def test_some_rough_masks_are_worn_down_and_some_swollen():
    areas = [np.count_nonzero(gestures.rough_mask(BAR, seed).mask) for seed in range(20)]
    assert min(areas) < np.count_nonzero(BAR) < max(areas)
