from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from seem_server.commands import simulation
from seem_server.commands.simulation import Fleet, Habits, Routing, StageTimes

TIMES = StageTimes(encode_ms=50, click_ms=10)
HABITS = Habits()


def simulate(annotators, fleet=None, *, habits=HABITS, seconds=200, seed=0):
    return simulation.simulate(
        annotators, fleet or Fleet(1, TIMES), habits, seconds=seconds, seed=seed
    )


def test_an_annotator_alone_waits_for_his_click_and_what_lies_beyond():
    times = replace(TIMES, beyond_ms=3)
    assert simulate(1, Fleet(1, times)).click_ms[0] == pytest.approx(13)


def test_the_same_seed_gives_the_same_and_another_another():
    assert simulate(5) == simulate(5)
    assert simulate(5) != simulate(5, seed=1)


def test_annotators_click_as_often_as_they_think_and_wait():
    assert simulate(20, seconds=1000).clicks_s == pytest.approx(20 / 1.76, rel=0.1)


def test_a_machine_that_is_asked_for_too_much_is_busy_and_late():
    flood = simulate(400)
    assert flood.busy == pytest.approx(1, abs=0.01)
    assert flood.clicks_s < 110
    assert flood.click_ms[1] > 1000


def test_every_image_is_encoded_once_where_it_stays():
    assert simulate(10).encodings == pytest.approx(1, abs=0.02)


def test_images_that_do_not_stay_are_encoded_again():
    few = simulate(10, Fleet(4, TIMES, routing=Routing.ANY))
    assert few.encodings > 2
    assert few.busy > simulate(10, Fleet(4, TIMES)).busy


def test_a_machine_that_holds_too_few_images_encodes_again():
    assert simulate(20, Fleet(1, replace(TIMES, kept=4))).encodings > 2


def test_clicks_that_share_a_run_take_less_of_the_machine():
    alone = replace(TIMES, kept=1000)
    shared = replace(alone, batch_share=0.2, most=8)
    late, early = (simulate(150, Fleet(1, one)) for one in (alone, shared))
    assert early.click_ms[1] < late.click_ms[1] / 2


def test_a_run_grows_by_the_share_of_each_further_click():
    assert replace(TIMES, batch_share=0.5, most=4).run_ms(3) == pytest.approx(20)


def test_numbers_about_a_mean_have_that_mean():
    chance = random.Random(0)
    drawn = [simulation.about(chance, 3.0) for _ in range(4000)]
    assert min(drawn) == 1
    assert np.mean(drawn) == pytest.approx(3, rel=0.05)
    assert simulation.about(chance, 1.0) == 1


def test_thinking_takes_its_mean():
    chance = random.Random(0)
    drawn = [simulation.think_ms(chance, HABITS) for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(1750, rel=0.05)
