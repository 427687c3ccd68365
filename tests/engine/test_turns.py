from __future__ import annotations

import pytest

from seem_server.engine.turns import Turns


def test_who_comes_first_begins_at_the_clock():
    turns = Turns(5.0, {"served": 7.0})
    assert (turns.joins_at("new"), turns.joins_at("served")) == (5.0, 7.0)


def test_what_a_flow_had_puts_it_back_by_as_much():
    turns = Turns().after("a", 0.0, 2.0, wanting=["a", "b"])
    assert (turns.mark("a", 0.0), turns.mark("b", 0.0)) == (2.0, 0.0)


def test_the_clock_rises_by_what_each_could_have_had():
    assert Turns().after("a", 0.0, 2.0, wanting=["a"]).clock_s == 2.0
    assert Turns().after("a", 0.0, 2.0, wanting=["a", "b", "c", "d"]).clock_s == 0.5


def test_the_clock_is_never_behind_whose_turn_it_was():
    assert Turns(1.0, {"a": 9.0}).after("a", 1.0, 2.0, wanting=["a", "b"]).clock_s == 9.0


@pytest.mark.parametrize(("wanting", "kept"), [(["b"], {}), (["a", "b"], {"a": 1.0})])
def test_what_is_behind_the_clock_is_kept_only_while_it_waits(wanting, kept):
    turns = Turns(0.0, {"a": 1.0}).after("b", 0.0, 4.0, wanting=wanting)
    assert {name: mark for name, mark in turns.marks.items() if name == "a"} == kept
