from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_server.engine import zoom
from seem_server.engine.preprocess import lay_out
from seem_server.engine.zoom import ABSENT, Window
from seem_server.runtime.fake_backend import MANIFEST
from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

SIZE = (1000, 2000)  # (H, W)
LONG_SIDE = 256

places = st.integers(0, 999)
boxes = st.tuples(places, places, st.integers(1, 400), st.integers(1, 400)).map(
    lambda t: Box(t[0], t[1], min(t[0] + t[2], 2000), min(t[1] + t[3], 1000))
)


def test_a_window_shows_the_object_and_a_third_of_its_extent_around_it():
    window = zoom.window_around(Box(500, 400, 700, 500), SIZE, LONG_SIDE)
    assert window == Window(430, 330, 770, 570)


def test_a_large_object_needs_no_window():
    assert zoom.window_around(Box(100, 100, 1500, 900), SIZE, LONG_SIDE) is None


def test_a_speck_is_not_enlarged_beyond_what_the_image_shows():
    window = zoom.window_around(Box(10, 10, 12, 12), SIZE, LONG_SIDE)
    assert window is not None
    assert LONG_SIDE / max(window.size) == pytest.approx(zoom.MAGNIFYING, rel=0.02)
    assert (window.x0, window.y0) == (0, 0)


def test_an_image_that_the_network_sees_whole_has_no_more_to_show():
    assert zoom.window_around(Box(100, 100, 130, 130), (320, 430), 512) is None


@given(boxes)
def test_a_window_lies_in_the_image_and_holds_the_object(thing: Box):
    window = zoom.window_around(thing, SIZE, LONG_SIDE)
    if window is None:
        return
    assert 0 <= window.x0 <= thing.x0 < thing.x1 <= window.x1 <= SIZE[1]
    assert 0 <= window.y0 <= thing.y0 < thing.y1 <= window.y1 <= SIZE[0]
    assert zoom.still_serves(window, thing, SIZE, LONG_SIDE)


def test_a_window_is_left_when_the_object_grows_out_of_it_or_shrinks_to_a_corner():
    window = Window(430, 330, 770, 570)
    assert not zoom.still_serves(window, Box(440, 400, 765, 500), SIZE, LONG_SIDE)
    assert not zoom.still_serves(window, Box(500, 400, 530, 420), SIZE, 64)


def test_what_is_known_of_an_object_is_its_mask_and_all_positive_marks():
    prompt = ObjectPrompt(
        points=(Point(5, 6), Point(900, 900, positive=False)),
        scribbles=(Scribble(((20, 7), (30, 50))),),
        lassos=(Lasso(((1, 2), (3, 2), (3, 4))),),
    )
    assert zoom.subject(prompt, Box(10, 10, 20, 40)) == Box(1, 2, 30, 50)
    assert zoom.subject(ObjectPrompt(text="cat"), None) is None


def test_prompts_move_with_the_window_and_clicks_beside_it_are_left_out():
    mask = np.zeros(SIZE, np.bool_)
    mask[340:350, 440:460] = True
    prompt = ObjectPrompt(
        points=(Point(440.5, 340.5), Point(5, 5, positive=False)),
        box=Box(400, 320, 500, 400),
        scribbles=(Scribble(((440, 340), (450, 350))),),
        mask=MaskPrompt(mask),
        text="cat",
        negative_boxes=(Box(0, 0, 9, 9), Box(760, 560, 900, 900)),
    )
    moved = zoom.within(prompt, Window(430, 330, 770, 570))
    assert moved.points == (Point(10.5, 10.5),)
    assert moved.box == Box(0, 0, 70, 70)
    assert moved.scribbles == (Scribble(((10, 10), (20, 20))),)
    assert moved.negative_boxes == (Box(330, 230, 340, 240),)
    assert moved.text == "cat"
    assert moved.mask is not None
    assert moved.mask.mask.shape == (240, 340)
    assert moved.mask.mask[10:20, 10:30].all()


def test_logits_carried_to_the_same_look_stay_the_same():
    layout = lay_out(SIZE, MANIFEST)
    logits = np.random.default_rng(0).normal(size=layout.frame.grid).astype(np.float32)
    everything = zoom.whole(SIZE)
    carried = zoom.carried(logits, layout, everything, layout, everything)
    rows, columns = (side // 4 for side in layout.resized)
    np.testing.assert_allclose(carried[:rows, :columns], logits[:rows, :columns], atol=1e-4)


def test_a_window_gets_its_part_of_a_look_at_the_whole_and_gives_it_back():
    whole_layout = lay_out(SIZE, MANIFEST)
    window = Window(500, 250, 1500, 750)
    part_layout = lay_out(window.size, MANIFEST)
    x = (np.arange(whole_layout.frame.grid[1]) + 0.5) * 4 / whole_layout.frame.scale_x
    logits = np.tile(x.astype(np.float32), (whole_layout.frame.grid[0], 1))  # each cell's column
    part = zoom.carried(logits, whole_layout, zoom.whole(SIZE), part_layout, window)
    wanted = 500 + (np.arange(part.shape[1]) + 0.5) * 4 / part_layout.frame.scale_x
    np.testing.assert_allclose(part[3], wanted, atol=0.1)
    back = zoom.carried(part, part_layout, window, whole_layout, zoom.whole(SIZE))
    assert back[0, 0] == pytest.approx(ABSENT)
    inside = (x > 520) & (x < 1480)
    middle = back.shape[0] // 4  # the padding lies below
    np.testing.assert_allclose(back[middle][inside], x[inside], atol=2)
