"""Which frames are followed to, and in what order: pure."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pytest

from seem_client._following import AHEAD, ahead_of, is_refused, legs, missing
from seem_client.frames import open_frames
from seem_wire import errors

NOWHERE = frozenset()


def way(*arguments):
    """Frames with the one that each is followed to from."""
    return [step for leg in legs(*arguments) for step in leg.steps()]


def test_forward_each_frame_is_followed_to_from_the_one_before():
    assert way(2, 5, "forward", NOWHERE) == [(2, 2), (3, 2), (4, 3), (5, 4)]


def test_backward_each_frame_is_followed_to_from_the_one_after():
    assert way(2, 5, "backward", NOWHERE) == [(5, 5), (4, 5), (3, 4), (2, 3)]


def test_both_ways_go_out_from_the_first_prompted_frame():
    assert way(0, 4, "both", frozenset({2, 3, 9})) == [(2, 2), (3, 2), (4, 3), (1, 2), (0, 1)]


@pytest.mark.parametrize("prompted", [NOWHERE, {0}, {9}])
def test_both_ways_are_one_where_nothing_lies_before_the_prompted_frame(prompted):
    assert way(0, 2, "both", frozenset(prompted)) == way(0, 2, "forward", NOWHERE)


def test_one_frame_is_a_way_in_every_direction():
    assert {tuple(way(3, 3, one, NOWHERE)) for one in ("forward", "backward", "both")} == {
        ((3, 3),)
    }


def test_without_a_last_frame_the_way_forward_does_not_end():
    (leg,) = legs(5, None, "forward", NOWHERE)
    steps = leg.steps()
    assert [next(steps) for _ in range(1000)][-1] == (1004, 1003)


@pytest.mark.parametrize(
    ("first", "last", "direction", "says"),
    [
        (0, 1, "sideways", "forward, backward, both"),
        (-1, 1, "forward", "from -1 to 1"),
        (3, 2, "forward", "from 3 to 2"),
        (0, None, "backward", "which frame is the last"),
    ],
)
def test_what_is_no_way_is_refused(first, last, direction, says):
    with pytest.raises(errors.InvalidValue, match=says):
        legs(first, last, direction, NOWHERE)


def test_what_comes_live_is_never_asked_for_ahead():
    image = np.zeros((2, 2, 3), np.uint8)
    assert ahead_of(open_frames([image])) == AHEAD > 1
    assert ahead_of(open_frames(iter([image]))) == 1


def test_a_frame_is_refused_only_once_that_is_known():
    waiting, shown, refused = Future(), Future(), Future()
    shown.set_result(None)
    refused.set_exception(errors.UnknownFrame("No."))
    assert [is_refused(one) for one in (waiting, shown, refused)] == [False, False, True]


def test_a_missing_frame_is_named():
    assert "no frame 3" in str(missing(3, open_frames([np.zeros((2, 2, 3), np.uint8)])))
