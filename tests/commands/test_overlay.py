from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_dataset import SIZE, block
from PIL import Image

from seem_client.overlay import PALETTE
from seem_client.prediction import Prediction
from seem_server.commands.overlay import Drawn, overlay
from seem_wire import rle
from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point, Scribble
from seem_wire.types import Timings

HEIGHT, WIDTH = SIZE
GREY = Image.new("RGB", (WIDTH * 8, HEIGHT * 8), (100, 100, 100))
SAID_NOTHING = ObjectPrompt()


def drawn(mask, said=SAID_NOTHING, object_id=1):
    large = np.kron(mask, np.ones((8, 8), np.bool_)).astype(np.bool_)
    prediction = Prediction(
        object_id, rle.encode(large), 0.5, None, None, None, 1, 1, Timings(), False, "m"
    )
    return Drawn(prediction, said)


def pixel(image, x, y):
    return image.getpixel((x, y))


def test_the_mask_is_tinted_and_the_rest_is_left_alone():
    image = overlay(GREY, [drawn(block(10, 10, 30, 30))])
    assert pixel(image, 160, 160)[2] > 130
    assert pixel(image, 400, 400) == (100, 100, 100)


def test_the_outline_has_the_objects_colour():
    image = overlay(GREY, [drawn(block(10, 10, 30, 30))])
    assert pixel(image, 160, 80) == PALETTE[0]


def test_objects_have_colours_of_their_own():
    objects = [drawn(block(2, 2, 20, 20)), drawn(block(30, 30, 60, 60), object_id=2)]
    image = overlay(GREY, objects)
    assert pixel(image, 80, 16) == PALETTE[0]
    assert pixel(image, 360, 240) == PALETTE[1]


@pytest.mark.parametrize(
    ("said", "place", "channel"),
    [
        (ObjectPrompt(points=(Point(400, 400),)), (405, 405), 1),
        (ObjectPrompt(points=(Point(400, 400, positive=False),)), (405, 405), 0),
        (ObjectPrompt(box=Box(300, 300, 500, 500)), (400, 300), 1),
        (ObjectPrompt(negative_boxes=(Box(300, 300, 500, 500),)), (400, 300), 0),
        (ObjectPrompt(lassos=(Lasso(((300, 300), (500, 300), (400, 500))),)), (400, 300), 1),
        (ObjectPrompt(lassos=(Lasso(((300, 300), (300, 500), (500, 300)), False),)), (400, 300), 0),
        (ObjectPrompt(scribbles=(Scribble(((300, 300), (500, 300))),)), (400, 300), 1),
        (ObjectPrompt(scribbles=(Scribble(((300, 300), (500, 300)), False),)), (400, 300), 0),
    ],
)
def test_what_was_said_is_drawn_green_for_yes_and_red_for_no(said, place, channel):
    seen = pixel(overlay(GREY, [drawn(block(2, 2, 4, 4), said)]), *place)
    assert int(np.argmax(seen)) == channel
    assert max(seen) > 1.5 * sorted(seen)[1]


def test_an_empty_mask_draws_nothing():
    assert np.array_equal(np.asarray(overlay(GREY, [drawn(block(0, 0, 0, 0))])), np.asarray(GREY))


def test_a_small_photo_is_enlarged_by_a_whole_number():
    assert overlay(Image.new("RGB", (200, 150)), []).size == (800, 600)


def test_a_caption_stands_in_the_corner():
    image = np.asarray(overlay(GREY, [], "one click"))
    assert (image[-5:, :20] == 0).all()
    assert (image == 255).any()


def test_what_is_not_tinted_is_only_outlined():
    one = replace(drawn(block(10, 10, 30, 30)), tinted=False)
    image = overlay(GREY, [one])
    assert pixel(image, 20, 20) == pixel(GREY, 20, 20)
    assert not np.array_equal(np.asarray(image), np.asarray(GREY))
