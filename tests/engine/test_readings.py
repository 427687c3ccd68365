from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seem_server.engine import readings
from seem_server.engine.readings import Reading
from seem_server.runtime.backend import Decoded, Hypotheses
from seem_wire.errors import Internal
from seem_wire.prompts import Box, ExamplePrompt, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

HERE, NOT_HERE = Point(3, 4), Point(9, 9, positive=False)
CLICK = ObjectPrompt(points=(HERE,))
AROUND = Lasso(((1, 1), (9, 1), (9, 9)))
MASK = np.ones((9, 9), np.bool_)
NAMED = ObjectPrompt(text="zebra")
SHOWN = ObjectPrompt(example=ExamplePrompt("other", MASK))


def test_a_first_click_and_nothing_else_is_ambiguous():
    assert readings.is_ambiguous(CLICK, is_first=True)
    assert not readings.is_ambiguous(CLICK, is_first=False)


@pytest.mark.parametrize(
    "prompt",
    [
        ObjectPrompt(),
        ObjectPrompt(points=(HERE, HERE)),
        ObjectPrompt(points=(HERE, NOT_HERE)),
        ObjectPrompt(points=(NOT_HERE,)),
        replace(CLICK, box=Box(1, 1, 9, 9)),
        replace(CLICK, negative_boxes=(Box(1, 1, 9, 9),)),
        replace(CLICK, scribbles=(Scribble(((1, 1),)),)),
        replace(CLICK, lassos=(AROUND,)),
        replace(CLICK, mask=MaskPrompt(MASK)),
        replace(CLICK, text="zebra"),
        replace(CLICK, example=SHOWN.example),
        NAMED,
    ],
)
def test_whatever_more_was_said_makes_it_clear(prompt):
    assert not readings.is_ambiguous(prompt, is_first=True)


@pytest.mark.parametrize(
    ("scores", "ambiguous", "expected"),
    [
        ([0.5], True, [0]),
        ([0.5, 0.9, 0.7], True, [1, 2, 0]),
        ([0.5, 0.9, 0.7], False, [0, 1, 2]),
        ([0.9, 0.5, 0.7], True, [0, 2, 1]),
        ([0.5, 0.5, 0.5], True, [0, 1, 2]),
    ],
)
def test_the_best_goes_first_where_it_is_open_and_else_the_main_one(scores, ambiguous, expected):
    apart = [np.arange(len(scores)) == place for place in range(len(scores))]
    assert readings.order(scores, apart, ambiguous=ambiguous) == expected


def test_a_reading_that_others_nearly_agree_with_goes_before_a_lonely_better_one():
    masks = [np.arange(100) < end for end in (50, 55, 60)] + [np.arange(100) > 80]
    scores = [0.5, 0.5, 0.5, 0.6]
    assert readings.order(scores, masks, ambiguous=True) == [1, 3, 0, 2]
    assert readings.order(scores, masks, ambiguous=False) == [0, 3, 1, 2]


def test_what_to_expect_of_a_reading_weighs_the_others_by_their_scores():
    left, right = np.arange(4) < 2, np.arange(4) >= 2
    assert readings.expected([left, right], [0.9, 0.1]) == pytest.approx([0.9, 0.1])
    assert readings.expected([left, left], [0.9, 0.1]) == pytest.approx([1.0, 1.0])
    assert readings.expected([left, right], [0.0, 0.0]) == [0.0, 0.0]


def strip(n, length=100):
    return np.arange(length) < n


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ([strip(50)], [0]),
        ([strip(50), strip(50)], [0]),
        ([strip(100), strip(96), strip(50), strip(49)], [0, 2]),
        ([strip(100), strip(95)], [0, 1]),
        ([strip(0), strip(0), strip(9)], [0, 2]),
    ],
)
def test_what_is_empty_or_nearly_the_same_as_one_before_is_left_out(masks, expected):
    assert readings.distinct(masks) == expected


def reading(mask, score):
    return Reading(np.where(mask, 5, -5).astype(np.float32)[None], score, np.zeros(2, np.float32))


def test_readings_that_differ_only_in_the_padding_are_one():
    same = [reading(strip(50), 0.5), reading(strip(50) | ~strip(90), 0.9)]
    assert readings.ranked(same, (1, 90), 0.0, ambiguous=False) == same[:1]
    assert readings.ranked(same, (1, 90), 0.0, ambiguous=True) == same[1:]
    assert readings.ranked(same, (1, 100), 0.0, ambiguous=False) == same


# --- of what the network said


def decoded(main=0.5, others=(0.9, 0.7), presence=None):
    n = len(others)
    masks = np.arange(n, dtype=np.float32)[None, :, None, None] * np.ones((1, 1, 2, 3), np.float32)
    more = Hypotheses(masks, np.array([others], np.float32), np.zeros((1, n, 2), np.float32))
    return Decoded(
        np.full((1, 2, 3), 9, np.float32),
        np.array([main], np.float32),
        None if presence is None else np.array([presence], np.float32),
        np.zeros((1, 2), np.float32),
        more if n else None,
    )


def test_the_main_reading_comes_first_and_all_have_arrays_of_their_own():
    said = decoded()
    found = readings.of_decoded(said)
    assert [one.score for one in found] == pytest.approx([0.5, 0.9, 0.7])
    assert [float(one.logits[0, 0]) for one in found] == [9, 0, 1]
    assert not any(np.shares_memory(one.logits, said.hypotheses.mask_logits) for one in found)


def test_a_network_with_one_reading_has_one():
    assert len(readings.of_decoded(decoded(others=()))) == 1


def test_scores_are_brought_within_0_and_1():
    found = readings.of_decoded(decoded(main=1.5, others=(-0.25,)))
    assert [one.score for one in found] == [1, 0]


@pytest.mark.parametrize("spoiled", [{"main": np.nan}, {"others": (0.5, np.inf)}])
def test_a_score_that_is_no_number_is_the_servers_fault(spoiled):
    with pytest.raises(Internal):
        readings.of_decoded(decoded(**spoiled))


def test_a_presence_is_told_where_the_network_tells_it():
    assert readings.presence_of(decoded()) is None
    assert readings.presence_of(decoded(presence=0.25)) == 0.25
    with pytest.raises(Internal):
        readings.presence_of(decoded(presence=np.nan))


@pytest.mark.parametrize(
    ("prompt", "presence", "threshold", "absent"),
    [
        (NAMED, 0.2, 0.5, True),
        (NAMED, 0.5, 0.5, False),
        (NAMED, 0.2, None, False),
        (NAMED, None, 0.5, False),
        (SHOWN, 0.2, 0.5, True),
        (replace(NAMED, points=(NOT_HERE,)), 0.2, 0.5, True),
        (replace(NAMED, points=(HERE,)), 0.2, 0.5, False),
        (replace(NAMED, lassos=(AROUND,)), 0.2, 0.5, False),
        (replace(SHOWN, box=Box(1, 1, 2, 2)), 0.2, 0.5, False),
        (CLICK, 0.2, 0.5, False),
    ],
)
def test_only_what_was_named_or_shown_elsewhere_can_be_absent(prompt, presence, threshold, absent):
    assert readings.is_absent(prompt, presence, threshold) == absent


OTHER = np.arange(81).reshape(9, 9) > 40


@pytest.mark.parametrize(
    ("before", "now", "holds"),
    [
        (CLICK, replace(CLICK, text="cup"), True),
        (NAMED, replace(NAMED, points=(NOT_HERE,)), True),
        (NAMED, ObjectPrompt(text="cup"), False),
        (replace(CLICK, text="zebra"), replace(CLICK, text="cup"), True),
        (replace(NAMED, points=(NOT_HERE,)), ObjectPrompt((NOT_HERE,), text="cup"), False),
        (ObjectPrompt(lassos=(AROUND,)), ObjectPrompt(lassos=(AROUND,), box=Box(1, 1, 2, 2)), True),
        (ObjectPrompt(box=Box(1, 1, 9, 9)), ObjectPrompt(box=Box(1, 1, 9, 9), text="cup"), True),
        (ObjectPrompt(box=Box(1, 1, 9, 9)), ObjectPrompt(box=Box(1, 1, 5, 9)), False),
        (ObjectPrompt(mask=MaskPrompt(MASK)), ObjectPrompt(mask=MaskPrompt(MASK.copy())), True),
        (ObjectPrompt(mask=MaskPrompt(MASK)), ObjectPrompt(mask=MaskPrompt(OTHER)), False),
        (SHOWN, ObjectPrompt(example=ExamplePrompt("other", MASK.copy())), True),
        (SHOWN, ObjectPrompt(example=ExamplePrompt("third", MASK)), False),
        (SHOWN, ObjectPrompt(example=ExamplePrompt("other", OTHER)), False),
    ],
)
def test_what_was_said_holds_until_all_of_it_was_replaced(before, now, holds):
    assert readings.holds(before, now) is holds
