from __future__ import annotations

from seem_client.adapters.label_studio.context import Words
from seem_client.adapters.label_studio.steps import Way, way_to

A, B, C, D = map(Words, "abcd")


def test_the_first_thing_said_is_about_a_new_object():
    assert way_to((A,), {}) == Way(None, 0, (A,))
    assert way_to((B,), {1: ((A,),)}) == Way(None, 0, (B,))


def test_a_further_click_refines_what_stands():
    assert way_to((A, B), {1: ((A,),)}) == Way(1, 0, (B,))


def test_the_same_again_says_nothing():
    assert way_to((A, B), {1: ((A,), (B,))}) == Way(1, 0, ())


def test_a_click_taken_back_is_undone():
    assert way_to((A,), {1: ((A,), (B,), (C,))}) == Way(1, 2, ())


def test_a_click_changed_is_undone_and_said_anew():
    assert way_to((A, D), {1: ((A,), (B,))}) == Way(1, 1, (D,))


def test_what_was_said_in_one_step_is_undone_in_one():
    assert way_to((A, B, D), {1: ((A,), (B, C))}) == Way(1, 1, (B, D))
    assert way_to((A,), {1: ((A, B),)}) == Way(None, 0, (A,))


def test_of_several_objects_the_one_with_most_in_common_is_meant():
    assert way_to((A, B, C), {1: ((A,),), 2: ((A,), (B,)), 3: ((C,),)}) == Way(2, 0, (C,))


def test_of_equals_the_one_with_less_to_undo_is_meant():
    assert way_to((A, B), {1: ((A,), (C,)), 2: ((A,),)}) == Way(2, 0, (B,))
