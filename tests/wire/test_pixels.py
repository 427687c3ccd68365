from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_wire import pixels
from seem_wire.pixels import (
    LATTICE,
    MAP_NAMES,
    MASK_LOGIT,
    NEGATIVE,
    POSITIVE,
    Frame,
    inside_lasso,
    mask_pixels,
    rasterise,
    rasterise_pixels,
    shrink,
)
from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

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
    assert drawn.maps.any(axis=(1, 2)).tolist() == [False, True, False, False, False, False]


def test_a_box_covers_its_cells_by_their_share():
    drawn = rasterise(ObjectPrompt(box=Box(2.0, 4.0, 9.0, 10.0)), FRAME)
    covered = drawn.maps[CHANNEL["region"]]
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


def test_a_negative_box_covers_its_cells_in_a_channel_of_its_own():
    drawn = rasterise(ObjectPrompt(negative_boxes=(Box(2, 4, 9, 10), Box(40, 20, 48, 28))), FRAME)
    covered = drawn.maps[CHANNEL["negative_region"]]
    assert covered.sum() == pytest.approx((7 * 6 + 8 * 8) * 4 / 16)
    assert not drawn.maps[CHANNEL["region"]].any()
    assert drawn.labels.tolist() == [NEGATIVE] * 32


# A right triangle whose legs are 20 pixels, which are 10 cells each.
TRIANGLE = ((10.0, 10.0), (30.0, 10.0), (10.0, 30.0))


@pytest.mark.parametrize(
    ("positive", "channel", "label"),
    [(True, "region", LATTICE), (False, "negative_region", NEGATIVE)],
)
def test_a_lasso_covers_what_it_winds_around(positive, channel, label):
    drawn = rasterise(ObjectPrompt(lassos=(Lasso(TRIANGLE, positive),)), FRAME)
    covered = drawn.maps[CHANNEL[channel]]
    assert covered.sum() == pytest.approx(50, rel=0.1)
    assert (covered[5:9, 5:9].diagonal() == 1).all()
    assert not covered[12, 12]
    assert drawn.maps.any(axis=(1, 2)).sum() == 1
    assert set(drawn.labels) == {label}
    assert len(drawn.points) == 16
    assert (drawn.points.sum(axis=1) <= 2 * 40 + FRAME.stride).all()


def test_a_lasso_and_a_box_are_one_region():
    drawn = rasterise(ObjectPrompt(box=Box(40, 10, 60, 30), lassos=(Lasso(TRIANGLE),)), FRAME)
    region = drawn.maps[CHANNEL["region"]]
    assert region[6, 6] == region[10, 25] == 1


def test_what_a_lasso_winds_around_twice_is_outside():
    around, within = Box(10, 10, 50, 50), Box(20, 20, 40, 40)
    corners = [(b.x0, b.y0, b.x1, b.y1) for b in (around, within)]
    path = [
        (x, y)
        for x0, y0, x1, y1 in corners
        for x, y in [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    ]
    covered = rasterise(ObjectPrompt(lassos=(Lasso(tuple(path)),)), FRAME).maps[CHANNEL["region"]]
    assert covered[7, 15] == 1
    assert covered[15, 15] == 0


def test_a_lasso_may_cross_a_row_more_often_than_fits_a_byte():
    teeth = [(x / 8, y) for x in range(640) for y in ((0.0, 60.0) if x % 2 else (60.0, 0.0))]
    places = np.arange(300) / 4 + 0.1
    inside = inside_lasso(Lasso(tuple(teeth)), places, np.array([30.0]))[0]
    n_crossings = np.floor(places * 8).astype(int) + 1
    assert n_crossings.max() > 500
    assert (inside == (n_crossings % 2 == 1)).all()


def test_a_lasso_too_thin_for_any_cell_marks_those_under_its_corners():
    sliver = Lasso(((10.0, 10.0), (50.0, 10.1), (10.0, 10.2)))
    drawn = rasterise(ObjectPrompt(lassos=(sliver,)), FRAME)
    assert drawn.maps[CHANNEL["region"]][5, [5, 25]].tolist() == [1, 1]
    assert len(drawn.points) > 0


def test_what_is_said_together_stands_together():
    drawn = rasterise(
        ObjectPrompt(points=(Point(9, 9), Point(50, 50, positive=False)), box=Box(2, 2, 20, 20)),
        FRAME,
    )
    assert drawn.maps.any(axis=(1, 2)).tolist() == [True, True, False, False, True, False]
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


# --- pixel sets

# An image of 80 x 60 pixels, halved to 40 x 30 and padded to 64 x 32.
SMALL = Frame(scale_x=0.5, scale_y=0.5, height=32, width=64, resized=(30, 40))


def sets(frame=SMALL, max_points=512, **said):
    return rasterise_pixels(ObjectPrompt(**said), frame, max_points)


def square(x, y):
    return [[column, row] for row in range(y - 1, y + 2) for column in range(x - 1, x + 2)]


def test_a_click_is_the_pixel_under_it_and_its_eight_neighbours():
    pixels = sets(points=(Point(41.0, 21.0), Point(60.9, 50.0, positive=False)))
    assert pixels.positive.tolist() == square(20, 10)
    assert pixels.negative.tolist() == square(30, 25)


@pytest.mark.parametrize(
    ("corner", "expected"),
    [
        ((0, 0), [[0, 0], [1, 0], [0, 1], [1, 1]]),
        ((80, 60), [[38, 28], [39, 28], [38, 29], [39, 29]]),
    ],
)
def test_a_click_at_a_corner_says_nothing_of_the_padding(corner, expected):
    assert sets(points=(Point(*corner),)).positive.tolist() == expected


def test_clicks_side_by_side_mark_each_pixel_once_in_raster_order():
    pixels = sets(points=(Point(42, 20), Point(40, 20))).positive
    assert pixels.tolist() == [[x, y] for y in (9, 10, 11) for x in (19, 20, 21, 22)]


@pytest.mark.parametrize("end", [(75.0, 11.0), (11.0, 55.0), (70.0, 50.0), (12.0, 58.0)])
def test_a_scribble_is_a_line_without_a_gap(end):
    line = sets(scribbles=(Scribble(((10.0, 10.0), end)),)).positive
    longest = np.ptp(line, axis=0).max()
    assert longest < len(line) <= longest + 2
    apart = np.abs(line[:, None] - line[None, :]).max(axis=2)
    assert ((apart == 1).sum(axis=1) >= 1).all()
    assert [5, 5] in line.tolist()
    assert [int(end[0] / 2), int(end[1] / 2)] in line.tolist()


def test_a_negative_scribble_stands_among_the_negative():
    pixels = sets(scribbles=(Scribble(((10.0, 10.0), (20.0, 10.0)), positive=False),))
    assert not len(pixels.positive)
    assert pixels.negative.tolist() == [[x, 5] for x in range(5, 11)]


def test_a_scribble_of_one_vertex_is_a_pixel():
    assert sets(scribbles=(Scribble(((10.0, 10.0),)),)).positive.tolist() == [[5, 5]]


def test_a_box_is_filled():
    pixels = sets(box=Box(10, 20, 20, 26)).positive.tolist()
    assert pixels == [[x, y] for y in range(10, 13) for x in range(5, 10)]


def test_a_box_that_is_too_small_for_a_pixel_is_the_pixel_at_its_middle():
    assert sets(box=Box(10.1, 20.1, 10.3, 20.9)).positive.tolist() == [[5, 10]]


def test_a_box_over_the_edge_stops_there():
    pixels = sets(box=Box(-50, -50, 500, 500)).positive
    assert pixels.min(axis=0).tolist() == [0, 0]
    assert pixels.max(axis=0).tolist() == [39, 29]


def test_a_negative_box_is_filled_among_the_negative():
    pixels = sets(points=(Point(41.0, 21.0),), negative_boxes=(Box(10, 10, 14, 12),))
    assert pixels.negative.tolist() == [[5, 5], [6, 5]]
    assert pixels.positive.tolist() == square(20, 10)


@pytest.mark.parametrize("positive", [True, False])
def test_a_lasso_is_the_pixels_within_it(positive):
    drawn = sets(lassos=(Lasso(((10, 10), (18, 10), (18, 18), (10, 18)), positive),))
    inside, other = drawn.positive, drawn.negative
    if not positive:
        inside, other = other, inside
    assert inside.tolist() == [[x, y] for y in range(5, 9) for x in range(5, 9)]
    assert not len(other)


def test_a_lasso_too_thin_for_any_pixel_is_the_pixels_under_its_corners():
    drawn = sets(lassos=(Lasso(((10, 10), (30, 10.1), (10, 10.2))),))
    assert drawn.positive.tolist() == [[5, 5], [15, 5]]


def test_a_mask_is_its_pixels():
    mask = np.zeros((60, 80), np.bool_)
    mask[20:26, 10:20] = True
    expected = sets(box=Box(10, 20, 20, 26)).positive.tolist()
    assert sets(mask=MaskPrompt(mask)).positive.tolist() == expected
    assert mask_pixels(mask, SMALL).positive.tolist() == expected


def test_a_mask_comes_back_from_a_size_that_it_was_enlarged_to():
    small = np.random.default_rng(0).random((30, 40)) > 0.5
    frame = Frame(40 / 55, 30 / 41, 32, 64, resized=(30, 40))
    rows = ((np.arange(41) + 0.5) * frame.scale_y).astype(int)
    columns = ((np.arange(55) + 0.5) * frame.scale_x).astype(int)
    again = shrink(small[rows[:, None], columns[None, :]], frame)
    np.testing.assert_array_equal(again[:30, :40], small)
    assert not again[30:].any()
    assert not again[:, 40:].any()


def test_a_mask_of_one_pixel_does_not_vanish():
    mask = np.zeros((600, 800), np.bool_)
    mask[301, 401] = True
    frame = Frame(0.05, 0.05, 32, 64, resized=(30, 40))
    assert sets(frame, mask=MaskPrompt(mask)).positive.tolist() == [[20, 15]]


@pytest.mark.parametrize("shape", [(8, 512), (512, 8), (64, 64), (600, 800), (23, 23)])
def test_of_too_many_pixels_some_are_taken_evenly_over_both_axes(shape):
    height, width = shape
    frame = Frame(1.0, 1.0, 608, 800)
    whole = np.zeros((608, 800), np.bool_)
    whole[:height, :width] = True
    pixels = mask_pixels(whole, frame).positive
    assert len(np.unique(pixels, axis=0)) == len(pixels) == 512
    assert (np.diff(pixels[:, 1] * 1000 + pixels[:, 0]) > 0).all()  # in raster order
    for axis, side in ((0, width), (1, height)):
        quarters = np.bincount(pixels[:, axis] * 4 // side, minlength=4)
        expected = np.bincount(np.arange(side) * 4 // side) / side * 512
        assert np.abs(quarters - expected).max() <= 24


@given(CLICKS, st.lists(LINES, max_size=2).map(tuple), st.integers(1, 20))
def test_pixel_sets_are_few_distinct_and_within_the_image(clicks, lines, limit):
    first, second = (sets(points=clicks, scribbles=lines, max_points=limit) for _ in "ab")
    for one, other in ((first.positive, second.positive), (first.negative, second.negative)):
        np.testing.assert_array_equal(one, other)
        assert len(np.unique(one, axis=0)) == len(one) <= limit
        assert ((one >= 0) & (one < [40, 30])).all()
    said = [*clicks, *lines]
    assert (len(first.positive) > 0) == any(one.positive for one in said)
