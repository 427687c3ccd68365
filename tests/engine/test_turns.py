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


def test_a_flow_that_was_away_begins_with_its_credit_and_no_more():
    turns = Turns(5.0, credit_s=1.0)
    assert turns.begin_s == 4.0
    turns = turns.after("a", turns.begin_s, 0.5, wanting=["a", "b"])
    assert (turns.mark("a", turns.begin_s), turns.begin_s) == (4.5, 4.25)
    turns = turns.after("b", 4.0, 3.0, wanting=["b"])
    assert (turns.mark("a", turns.begin_s), turns.marks) == (7.25, {"b": 7.0})


def test_who_has_more_waiting_uses_up_its_credit_first():
    turns = Turns(credit_s=1.0)
    spent = {"wanting": ["a"], "has_more": True}
    once = turns.after("a", turns.begin_s, 0.5, **spent)
    assert (once.clock_s, once.marks) == (0.0, {"a": -0.5})
    twice = once.after("a", once.begin_s, 1.0, **spent)
    assert (twice.clock_s, twice.marks) == (1.0, {"a": 0.5})
