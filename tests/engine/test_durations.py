from __future__ import annotations

from dataclasses import replace

import pytest
from engine_words import click, follow

from seem_server.engine.durations import REMEMBERED, Durations, Kind
from seem_server.engine.work import Encode, Encoded, Everything, Followed, MasksReady
from seem_server.engine.worker import Unfinished
from seem_wire.errors import Internal
from seem_wire.types import SegmentKind, Timings

ENCODE = Encode("s", "k")
EVERYTHING = Everything("s", 1, "k", SegmentKind.PANOPTIC)
HIT, MISSED = Timings(encode_ms=1), Timings(encode_ms=60)


def answered(*, hit=True):
    return MasksReady(click(1), (), hit, HIT if hit else MISSED)


def learn(durations, works, outcomes, spent_s, *, alone=True):
    durations.learn(works, outcomes, spent_s, alone=alone)


@pytest.fixture
def durations():
    return Durations()


def test_what_has_not_run_yet_costs_nothing_that_is_known(durations):
    assert durations.cost_s(click(1), encoded=False) == 0


def test_three_runs_in_four_take_no_longer(durations):
    for spent_s in (0.01, 0.02, 0.03, 0.04, 9.0):
        learn(durations, [click(1)], [answered()], spent_s)
    assert durations.usual_s(Kind.CLICK) == 0.04


def test_what_is_long_past_is_forgotten(durations):
    for spent_s in [9.0] * REMEMBERED + [0.01] * REMEMBERED:
        learn(durations, [click(1)], [answered()], spent_s)
    assert durations.usual_s(Kind.CLICK) == 0.01


def test_a_click_that_encoded_its_image_teaches_both(durations):
    learn(durations, [click(1)], [answered(hit=False)], 0.075)
    assert durations.usual_s(Kind.CLICK) == pytest.approx(0.015)
    assert durations.usual_s(Kind.ENCODE) == pytest.approx(0.06)


def test_work_costs_more_where_its_image_is_to_be_encoded(durations):
    learn(durations, [ENCODE], [Encoded(cache_hit=False, timings=MISSED)], 0.06)
    learn(durations, [click(1)], [answered()], 0.01)
    learn(durations, [EVERYTHING], [Unfinished(EVERYTHING)], 0.1)
    costs = {
        encoded: [durations.cost_s(one, encoded=encoded) for one in (click(1), ENCODE, EVERYTHING)]
        for encoded in (True, False)
    }
    assert costs == {True: [0.01, 0, 0.1], False: pytest.approx([0.07, 0.06, 0.16])}


def test_following_costs_by_its_objects(durations):
    two, three = follow(objects=(1, 2)), follow(objects=(1, 2, 3))
    learn(durations, [two], [Followed(two, (), True, HIT)], 0.5)
    assert durations.usual_s(Kind.FRAME) == 0.25
    assert durations.cost_s(three, encoded=True) == 0.75


def test_following_to_a_frame_that_was_encoded_for_it_teaches_both(durations):
    work = follow()
    learn(durations, [work], [Followed(work, (), False, MISSED)], 0.1)
    assert durations.usual_s(Kind.FRAME) == pytest.approx(0.04)
    assert durations.cost_s(work, encoded=False) == pytest.approx(0.1)
    assert durations.usual_s(Kind.CLICK) == durations.usual_s(Kind.TURN) == 0


def test_what_failed_and_what_was_there_already_is_no_measure(durations):
    learn(durations, [click(1)], [Internal("It broke.")], 5.0)
    learn(durations, [ENCODE], [Encoded(cache_hit=True, timings=HIT)], 5.0)
    assert [durations.usual_s(kind) for kind in Kind] == [0] * len(Kind)


def test_what_a_click_takes_without_load_is_learned_without_load(durations):
    learn(durations, [click(1)], [answered()], 0.01)
    for _ in range(REMEMBERED):
        learn(durations, [click(1)], [answered()], 0.03, alone=False)
    assert durations.usual_s(Kind.CLICK) == 0.03
    assert durations.usual_s(Kind.UNHURRIED) == 0.01


def test_each_further_click_of_a_run_has_its_share_of_the_rest(durations):
    learn(durations, [click(1)], [answered()], 0.01)
    batch = [replace(click(1), session_id=name) for name in "abc"]
    learn(durations, batch, [answered()] * 3, 0.02)
    assert durations.usual_s(Kind.ANOTHER) == 0.005
    assert durations.usual_s(Kind.CLICK) == 0.01
