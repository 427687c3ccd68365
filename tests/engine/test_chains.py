from __future__ import annotations

import numpy as np
import pytest
from engine_words import rounds

from seem_server.engine.cache import ByteCache
from seem_server.engine.chains import Answer, Chain, from_start
from seem_server.engine.readings import Reading, holds, is_absent
from seem_server.engine.work import Round
from seem_wire.prompts import MaskPrompt, ObjectPrompt, Point


def chain(*seqs):
    one = rounds(*seqs)
    return Chain(None, one.rounds, 1, one.memory_keys("k"))


def answer(number):
    return Answer(np.full((1, 1), number, np.float32), 1.0, None)


def known(one, *numbers):
    """A cache that knows the answers to these rounds, counted from 1."""
    cache = ByteCache(1000)
    for number in numbers:
        cache.put(one.keys[number - 1], answer(number), 4)
    return cache


def test_an_answer_weighs_what_all_its_readings_weigh():
    logits = np.zeros((2, 3), np.float32)
    others = (Reading(logits, 0.5, np.zeros(2, np.float32)),) * 3
    assert Answer(logits, 1.0, None).nbytes == 24
    assert Answer(logits, 1.0, None, None, others).nbytes == 96


def test_a_chain_keeps_its_last_two_answers():
    one = chain(1, 2, 3)
    for number in (1, 2, 3):
        assert not one.done
        one.add(answer(number))
    assert one.done
    assert [int(kept.logits[0, 0]) for kept in one.answers] == [2, 3]
    assert one.pending == ()


@pytest.mark.parametrize(
    ("numbers", "n_done"),
    [((), 0), ((1,), 1), ((1, 2), 2), ((2,), 2), ((2, 3), 3), ((1, 3), 1), ((3,), 0)],
)
def test_it_resumes_where_all_that_it_needs_is_known(numbers, n_done):
    one = chain(1, 2, 3)
    one.resume(known(one, *numbers))
    assert one.n_done == n_done
    assert [entry.seq for entry in one.pending] == [1, 2, 3][n_done:]


def test_of_a_single_round_its_answer_is_enough():
    one = chain(1)
    one.resume(known(one, 1))
    assert one.done


START, GIVEN = (MaskPrompt(np.eye(n, dtype=np.bool_)) for n in (3, 4))


def test_every_round_says_what_was_known_before_unless_it_has_a_mask_of_its_own():
    said = rounds(1, 2).rounds
    given = Round(3, ObjectPrompt(mask=GIVEN), as_given=True)
    begun = from_start((*said, given), START)
    assert [entry.prompt.mask for entry in begun] == [START, START, GIVEN]
    assert [entry.prompt.points for entry in begun[:2]] == [entry.prompt.points for entry in said]
    assert begun[2] is given


def test_where_nothing_was_known_rounds_stay_as_they_are():
    said = rounds(1, 2).rounds
    assert from_start(said, None) == said


def test_a_negative_click_on_what_was_known_is_about_something_that_is_there():
    away = ObjectPrompt(points=(Point(1.5, 1.5, positive=False),))
    first, second = from_start((Round(1, away), Round(2, away)), START)
    assert holds(first.prompt, second.prompt)
    assert not is_absent(first.prompt, presence=0.0, threshold=0.5)
