from __future__ import annotations

import numpy as np
import pytest
from made_dataset import SIZE, block

from seem_server.commands.annotators import IN_TURN, Task, Way, annotator, say
from seem_wire.prompts import Box, Lasso, MaskPrompt, Point, Scribble

WANTED = block(10, 10, 30, 50)
NOTHING = np.zeros(SIZE, np.bool_)
ALL = np.ones(SIZE, np.bool_)
KINDS = {
    Way.CLICKS: Point,
    Way.JITTERED: Point,
    Way.BOX: Box,
    Way.SCRIBBLE: Scribble,
    Way.LASSO: Lasso,
    Way.MASK: MaskPrompt,
}


class Noting:
    """Notes which of a session's methods was called, and with what."""

    def __getattr__(self, name):
        return lambda *words, **more: (name, words, more)


@pytest.mark.parametrize(("way", "kind"), KINDS.items())
def test_each_begins_in_its_way_and_goes_on_with_clicks(way, kind):
    says = annotator(way, Task(WANTED, ALL, 3))
    assert isinstance(says(NOTHING, 0), kind)
    assert isinstance(says(NOTHING, 1), Point)


def test_mixed_begins_in_all_ways_in_turn():
    begun = [annotator(Way.MIXED, Task(WANTED, ALL, seed))(NOTHING, 0) for seed in range(5)]
    assert [type(one) for one in begun] == [KINDS[way] for way in IN_TURN]


def test_mixed_lets_a_stroke_take_every_second_correction():
    says = annotator(Way.MIXED, Task(WANTED, ALL, 1))
    too_much = WANTED | block(40, 60, 60, 90)
    assert [type(says(too_much, said)) for said in (1, 2, 3, 4)] == [Point, Scribble] * 2
    assert says(too_much, 2).positive is False


@pytest.mark.parametrize("way", Way)
def test_where_nothing_is_wrong_nothing_more_is_said(way):
    says = annotator(way, Task(WANTED, ALL, 1))
    assert says(WANTED, 1) is says(WANTED, 2) is None


def test_only_what_counts_is_drawn_around():
    counted = ~block(0, 30, 64, 96)
    assert annotator(Way.BOX, Task(WANTED, counted, 1))(NOTHING, 0) == Box(10.0, 10.0, 30.0, 30.0)


def test_a_hand_that_trembles_does_so_equally_each_time():
    first, second = (annotator(Way.JITTERED, Task(WANTED, ALL, 7)) for _ in range(2))
    clicks = [first(NOTHING, said) for said in range(4)]
    assert clicks == [second(NOTHING, said) for said in range(4)]
    assert len(set(clicks)) > 1


def test_what_is_drawn_is_told_to_the_session():
    line = ((1.5, 2.5), (3.5, 4.5))
    told = [
        say(Noting(), Point(1.5, 2.5, positive=False)),
        say(Noting(), Box(1, 2, 3, 4)),
        say(Noting(), Scribble(line, positive=False)),
        say(Noting(), Lasso(line)),
        say(Noting(), MaskPrompt(WANTED)),
    ]
    assert told == [
        ("click", (1.5, 2.5), {"positive": False}),
        ("box", (1, 2, 3, 4), {}),
        ("scribble", (line,), {"positive": False}),
        ("lasso", (line,), {"positive": True}),
        ("mask", (WANTED,), {}),
    ]
