from __future__ import annotations

import numpy as np
import pytest

from seem_wire.errors import ImageUnreadable
from seem_wire.greys import spread_grey


def levels(*row):
    return spread_grey(np.array([row]))[0, :, 0].tolist()


def test_the_range_that_is_used_is_spread_over_all_brightnesses():
    assert levels(100, 200, 300) == [0, 128, 255]
    assert spread_grey(np.zeros((2, 3), np.uint16)).shape == (2, 3, 3)


def test_what_is_no_number_is_black_and_what_has_no_end_is_as_bright_as_can_be():
    assert levels(np.nan, 1.0, 3.0, np.inf, -np.inf) == [0, 0, 255, 255, 0]


def test_one_value_alone_is_black():
    assert levels(7, 7) == [0, 0]


def test_an_image_without_any_number_is_refused():
    with pytest.raises(ImageUnreadable):
        levels(np.nan, np.inf)
