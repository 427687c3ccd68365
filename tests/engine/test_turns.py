from __future__ import annotations

import pytest

from seem_server.engine.turns import Turns


def test_a_flow_stands_where_it_came_or_behind_what_it_had():
    turns = Turns(5.0, {"served": 7.0})
    assert (turns.mark("new", 5.0), turns.mark("served", 5.0)) == (5.0, 7.0)


@pytest.mark.parametrize(("grace_s", "mark"), [(0.5, 1.5), (9.0, 0.0)])
def test_what_is_within_the_grace_is_not_held_against_a_flow(grace_s, mark):
    turns = Turns().after("a", 0.0, 2.0, wanting=["a", "b"], grace_s=grace_s)
    assert (turns.mark("a", 0.0), turns.clock_s) == (mark, 1.0)


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
