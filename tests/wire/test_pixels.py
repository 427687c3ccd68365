from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_wire import pixels
from seem_wire.pixels import LATTICE, MAP_NAMES, MASK_LOGIT, NEGATIVE, POSITIVE, Frame, rasterise
from seem_wire.prompts import Box, MaskPrompt, ObjectPrompt, Point, Scribble

# An image of 80 x 60 pixels, doubled to 160 x 120 and padded to 160 x 128: a grid of 40 x 32.
FRAME = Frame(scale_x=2.0, scale_y=2.0, height=128, width=160)
CHANNEL = {name: index for index, name in enumerate(MAP_NAMES)}


def test_a_click_is_a_point_in_network_pixels_and_a_disk_around_it():
    drawn = rasterise(ObjectPrompt(points=(Point(41.0, 21.0),)), FRAME)
    disk = drawn.maps[CHANNEL["positive_clicks"]]
    np.testing.assert_array_equal(drawn.points, [[82.0, 42.0]])
    np.testing.assert_array_equal(drawn.labels, [POSITIVE])
    rows, columns = np.nonzero(disk)
    assert (rows.mean(), columns.mean()) == (10, 20)
    assert disk[10, 20] == disk.max() == 1.0
    assert len(rows) < 30


def test_a_negative_click_stands_in_a_channel_of_its_own():
    drawn = rasterise(ObjectPrompt(points=(Point(41, 21, positive=False),)), FRAME)
    assert list(drawn.labels) == [NEGATIVE]
    assert drawn.maps.any(axis=(1, 2)).tolist() == [False, True, False, False, False]


def test_a_box_covers_its_cells_by_their_share():
    drawn = rasterise(ObjectPrompt(box=Box(2.0, 4.0, 9.0, 10.0)), FRAME)
    covered = drawn.maps[CHANNEL["box"]]
    assert covered.sum() == pytest.approx(14 * 12 / 16)  # area in network pixels / area of a cell
    np.testing.assert_allclose(covered[2:5, 4], 0.5)
    assert set(drawn.labels) == {LATTICE}
    assert (drawn.points >= [4, 8]).all()
    assert (drawn.points <= [18, 20]).all()


def test_a_scribble_leaves_no_gap_and_is_sampled_evenly():
    line = Scribble(((5.0, 10.5), (75.0, 10.5)), positive=False)
    drawn = rasterise(ObjectPrompt(scribbles=(line,)), FRAME)
    stroke = drawn.maps[CHANNEL["negative_strokes"]]
    assert (stroke[5, 3:37] == 1.0).all()
    assert not stroke[10:].any()
    assert len(drawn.points) == pixels.MAX_STROKE_POINTS
    assert np.ptp(np.diff(drawn.points[:, 0])) <= 2 * FRAME.stride


def test_a_mask_becomes_the_mask_that_the_model_might_have_drawn():
    mask = np.zeros((60, 80), np.bool_)
    mask[10:20, 30:50] = True
    drawn = rasterise(ObjectPrompt(mask=MaskPrompt(mask)), FRAME)
    inside = np.zeros(FRAME.grid, np.bool_)
    inside[5:10, 15:25] = True
    np.testing.assert_array_equal(drawn.mask_logits, np.where(inside, MASK_LOGIT, -MASK_LOGIT))
    rows, columns = (drawn.points[:, ::-1] // FRAME.stride).astype(int).T
    assert inside[rows, columns].all()


def test_a_mask_says_nothing_of_the_padding():
    drawn = rasterise(ObjectPrompt(mask=MaskPrompt(np.ones((60, 80), np.bool_))), FRAME)
    assert (drawn.mask_logits[:30] == MASK_LOGIT).all()
    assert (drawn.mask_logits[30:] == -MASK_LOGIT).all()


def test_what_is_said_together_stands_together():
    drawn = rasterise(
        ObjectPrompt(points=(Point(9, 9), Point(50, 50, positive=False)), box=Box(2, 2, 20, 20)),
        FRAME,
    )
    assert drawn.maps.any(axis=(1, 2)).tolist() == [True, True, False, False, True]
    assert drawn.labels.tolist() == [POSITIVE, NEGATIVE] + [LATTICE] * 16
    assert drawn.mask_logits is None


X, Y = st.floats(0, 80), st.floats(0, 60)
CLICKS = st.lists(st.builds(Point, X, Y, st.booleans()), max_size=4).map(tuple)
LINES = st.builds(
    Scribble, st.lists(st.tuples(X, Y), min_size=1, max_size=4).map(tuple), st.booleans()
)


@given(CLICKS, st.lists(LINES, max_size=2).map(tuple))
def test_equal_prompts_give_equal_arrays_of_sound_values(clicks, lines):
    first, second = (rasterise(ObjectPrompt(points=clicks, scribbles=lines), FRAME) for _ in "ab")
    np.testing.assert_array_equal(first.maps, second.maps)
    np.testing.assert_array_equal(first.points, second.points)
    assert first.maps.shape == (len(MAP_NAMES), *FRAME.grid)
    assert first.maps.min() >= 0
    assert first.maps.max() <= 1
    assert len(first.points) == len(first.labels) <= len(clicks) + 2 * pixels.MAX_STROKE_POINTS


@pytest.mark.parametrize("corner", [(0, 0), (80, 0), (0, 60), (80, 60)])
def test_a_click_on_the_images_very_corner_is_drawn(corner):
    drawn = rasterise(ObjectPrompt(points=(Point(*corner),)), FRAME)
    assert drawn.maps[CHANNEL["positive_clicks"]].max() > 0.5
