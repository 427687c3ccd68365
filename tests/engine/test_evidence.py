from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_server.engine.evidence import RADIUS, bend, settle
from seem_wire.pixels import Frame
from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point, Scribble

# An image of 80 x 60 pixels, doubled to 160 x 120: a grid of 40 x 30, two pixels a cell.
SIZE = (60, 80)
FRAME = Frame(scale_x=2.0, scale_y=2.0, height=120, width=160)
NOWHERE = np.full(FRAME.grid, -5, np.float32)
EVERYWHERE = -NOWHERE


def clicked(*signed):
    return ObjectPrompt(points=tuple(Point(*one) for one in signed))


def bent(logits, prompt, threshold=0.0):
    return bend(logits, prompt, FRAME, threshold)


# --- bending


@pytest.mark.parametrize(
    "prompt",
    [
        clicked((40, 30)),
        ObjectPrompt(scribbles=(Scribble(((5, 5), (70, 50))),)),
        ObjectPrompt(box=Box(1, 1, 9, 9)),
        ObjectPrompt(text="zebra"),
    ],
)
def test_logits_that_agree_stay_the_same_array(prompt):
    assert bent(EVERYWHERE, prompt) is EVERYWHERE


@pytest.mark.parametrize("threshold", [0.0, 1.5])
@pytest.mark.parametrize("positive", [True, False])
def test_an_ignored_click_takes_its_surroundings_along(positive, threshold):
    logits = NOWHERE if positive else EVERYWHERE
    over = bent(logits, clicked((41, 31, positive)), threshold) > threshold
    assert over[15, 20] == positive
    assert 10 < (over == positive).sum() < 4 * RADIUS**2
    assert (over[[0, -1]] != positive).all()


def test_the_surroundings_of_a_click_end_half_way_to_one_of_the_other_sign():
    over = bent(NOWHERE, clicked((40, 31), (46, 31, False))) > 0
    assert over[15, [19, 20, 21]].tolist() == [True, True, False]
    assert over[15, 17]


def test_a_click_on_the_masks_edge_counts_as_ignored():
    half = np.where(np.arange(FRAME.grid[1]) < 20, 5, -5).astype(np.float32)
    logits = np.broadcast_to(half, FRAME.grid)
    assert bent(logits, clicked((41, 31)))[15, 20] > 0
    assert bent(logits, clicked((41, 31, False))) is logits


def test_the_ignored_part_of_a_line_alone_is_bent():
    logits = np.where(np.arange(FRAME.grid[1]) < 20, 5, -5).astype(np.float32)
    logits = np.broadcast_to(logits, FRAME.grid)
    over = bent(logits, ObjectPrompt(scribbles=(Scribble(((4, 31), (70, 31))),))) > 0
    assert over[15, :35].all()
    assert not over[5, 20:].any()
    assert over[:, :20].all()


def test_the_later_of_two_clicks_on_one_pixel_is_taken():
    over = bent(NOWHERE, clicked((40, 31, False), (40, 31))) > 0
    assert over[15, 20]


def test_no_click_draws_anything_around_it_where_that_is_forbidden():
    prompt = ObjectPrompt(points=(Point(40, 30),), negative_boxes=(Box(30, 20, 50, 40),))
    assert bent(NOWHERE, prompt) is NOWHERE


def test_what_is_remembered_is_not_touched():
    before = NOWHERE.copy()
    bent(NOWHERE, clicked((40, 30)))
    assert (before == NOWHERE).all()


# --- settling


def settled(prompt, *, value=False):
    mask = np.full(SIZE, value)
    settle(mask, prompt)
    return mask


def test_the_very_pixels_of_clicks_are_set():
    assert np.argwhere(settled(clicked((40.2, 30.9)))).tolist() == [[30, 40]]
    assert np.argwhere(~settled(clicked((40, 30, False)), value=True)).tolist() == [[30, 40]]


@pytest.mark.parametrize("corner", [(0, 0), (80, 0), (0, 60), (80, 60)])
def test_a_click_on_the_images_very_corner_is_the_last_pixel(corner):
    assert settled(clicked(corner)).sum() == 1


def test_the_pixels_under_a_line_are_set_without_a_gap():
    line = Scribble(((10.5, 20.5), (60.5, 40.5)))
    mask = settled(ObjectPrompt(scribbles=(line,)))
    assert mask[:, 10:61].any(axis=0).all()
    assert mask.sum() < 80
    line = Scribble(line.points, positive=False)
    assert (settled(ObjectPrompt(scribbles=(line,)), value=True) == ~mask).all()


@pytest.mark.parametrize(
    ("box", "cleared"),
    [
        (Box(10, 20, 30, 25), np.s_[20:25, 10:30]),
        (Box(10.4, 20.6, 30.6, 25), np.s_[21:25, 10:31]),
        (Box(-50, -50, 3, 500), np.s_[:, :3]),
        (Box(10.6, 20.6, 11.2, 21.2), np.s_[20:21, 10:11]),
        (Box(79.8, 59.8, 500, 500), np.s_[59:, 79:]),
    ],
)
def test_nothing_is_left_in_a_negative_box(box, cleared):
    expected = np.ones(SIZE, np.bool_)
    expected[cleared] = False
    assert (settled(ObjectPrompt(negative_boxes=(box,)), value=True) == expected).all()


def test_nothing_is_left_in_a_negative_lasso_and_a_positive_one_sets_nothing():
    corners = ((10.0, 10.0), (30.0, 10.0), (30.0, 95.0), (10.0, 95.0))
    expected = np.ones(SIZE, np.bool_)
    expected[10:, 10:30] = False
    lasso = Lasso(corners, positive=False)
    assert (settled(ObjectPrompt(lassos=(lasso,)), value=True) == expected).all()
    assert not settled(ObjectPrompt(lassos=(Lasso(corners),))).any()


@pytest.mark.parametrize(
    "corners", [((-70, -5), (-60, -5), (-60, -9)), ((85, 5), (150, 5), (90, 9))]
)
def test_a_lasso_beside_the_image_clears_nothing(corners):
    assert settled(ObjectPrompt(lassos=(Lasso(corners, positive=False),)), value=True).all()


@pytest.mark.parametrize(
    ("prompt", "inside"),
    [
        (clicked((40, 30), (40.5, 30.5, False)), False),
        (clicked((40, 30, False), (40.5, 30.5)), True),
        (ObjectPrompt(points=(Point(40, 30),), negative_boxes=(Box(30, 20, 50, 40),)), False),
        (
            ObjectPrompt(
                points=(Point(40, 30),), scribbles=(Scribble(((30, 30), (50, 30)), positive=False),)
            ),
            False,
        ),
        (
            ObjectPrompt(
                points=(Point(40, 30, positive=False),), scribbles=(Scribble(((30, 30), (50, 30))),)
            ),
            False,
        ),
        (ObjectPrompt(points=(Point(40, 30, positive=False),), box=Box(30, 20, 50, 40)), False),
    ],
)
def test_where_sayings_contradict_the_later_click_wins_and_else_what_is_not_meant(prompt, inside):
    assert settled(prompt)[30, 40] == inside
    assert settled(prompt, value=True)[30, 40] == inside


@given(
    st.lists(st.builds(Point, st.floats(0, 80), st.floats(0, 60), st.booleans()), max_size=6),
    st.booleans(),
)
def test_every_click_ends_on_its_side(points, value):
    mask = settled(ObjectPrompt(points=tuple(points)), value=value)
    last = {(min(int(p.y), 59), min(int(p.x), 79)): p.positive for p in points}
    assert all(mask[place] == positive for place, positive in last.items())
