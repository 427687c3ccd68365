from __future__ import annotations

import numpy as np

from seem_client.overlay import PALETTE, colour_of, drawn, overlaid, tint

GREY = np.full((48, 64, 3), 100, np.uint8)
SQUARE = np.zeros((48, 64), np.uint8)
SQUARE[16:32, 16:32] = 1
RED = np.array([(0, 0, 0), (128, 0, 0)], np.uint8)


def test_objects_are_tinted_and_outlined_and_the_rest_stays():
    picture = drawn(GREY, SQUARE, RED)
    assert tuple(picture[0, 0]) == (100, 100, 100)
    assert tuple(picture[16, 16]) == (128, 0, 0)
    assert tuple(picture[24, 24]) == (113, 55, 55)
    assert (GREY == 100).all()


def test_a_tint_lets_the_image_through():
    pixels = GREY.copy()
    tint(pixels, SQUARE > 0, (200, 100, 0))
    assert tuple(pixels[20, 20]) == (145, 100, 55)
    assert tuple(pixels[0, 0]) == (100, 100, 100)


def test_each_object_has_its_colour_and_small_ones_lie_on_top():
    whole, part = np.ones((48, 64), np.bool_), SQUARE > 0
    for objects in ([(1, whole), (2, part)], [(2, part), (1, whole)]):
        picture = overlaid(GREY, objects)
        assert tuple(picture[0, 0]) == (55, 106, 170)
        assert tuple(picture[16, 16]) == PALETTE[1]


def test_without_an_object_the_image_is_as_it_was():
    assert np.array_equal(overlaid(GREY, []), GREY)


def test_colours_go_round():
    assert colour_of(1) == colour_of(1 + len(PALETTE)) != colour_of(2)
