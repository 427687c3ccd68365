from __future__ import annotations

import pytest
from engine_words import click

from seem_server.engine.scheduler import (
    Admitted,
    Entry,
    Expire,
    Limits,
    Refused,
    Run,
    admit,
    next_action,
    retry_after_ms,
)
from seem_server.engine.work import Encode, Everything
from seem_wire.types import SegmentKind

LIMITS = Limits(max_waiting=4, max_batch=3, patience_s=2.0)


def entry(number, work, *, at=0.0, deadline=None, dropped=()):
    return Entry(number, work, at, at, deadline, dropped)


def prewarm(session="s", key="k"):
    return Encode(session, key)


def everything(session="s", seq=1):
    return Everything(session, seq, "k", SegmentKind.PANOPTIC)


def seqs(admitted):
    return [one.seq for one in admitted.work.objects[0].rounds]


def enter(new, *waiting, running=()):
    return admit(new, waiting, running, limits=LIMITS)


def served(now, *waiting):
    """The numbers of those that run next."""
    action = next_action(waiting, now, limits=LIMITS)
    assert isinstance(action, Run)
    return [one.number for one in action.entries]


# --- at the door


def test_the_first_to_come_waits():
    admitted = enter(entry(1, click(1), at=3.0))
    assert admitted.waiting == (admitted.entry,)
    assert admitted.entry.arrived_s == 3.0


def test_a_newer_click_on_the_same_object_takes_the_place_of_a_waiting_one():
    old = entry(1, click(1), at=1.0)
    admitted = enter(entry(2, click(1, 2), at=5.0), old)
    assert admitted.superseded == (old,)
    assert admitted.waiting == (admitted.entry,)


def test_who_supersedes_inherits_the_age_and_drops_the_rounds():
    new = enter(entry(2, click(1, 2), at=5.0), entry(1, click(1), at=1.0)).entry
    assert (new.arrived_s, new.submitted_s) == (1.0, 5.0)
    assert new.dropped == (1,)
    assert seqs(new) == [2]


def test_superseding_reaches_back_through_those_who_superseded():
    second = enter(entry(2, click(1, 2), at=2.0), entry(1, click(1), at=1.0)).entry
    third = enter(entry(3, click(1, 2, 3), at=3.0), second).entry
    assert third.dropped == (1, 2)
    assert third.arrived_s == 1.0
    assert seqs(third) == [3]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (click(1, objects=(1, 2)), click(2, objects=(1,))),
        (click(1, objects=(1,)), click(2, objects=(2,))),
        (click(1), click(2, session="other")),
        (click(1), click(2, key="another image")),
        (prewarm(), click(2)),
        (click(1), prewarm()),
    ],
)
def test_nobody_takes_the_place_of_work_that_he_does_not_include(older, newer):
    old = entry(1, older)
    admitted = enter(entry(2, newer), old)
    assert admitted.superseded == ()
    assert admitted.waiting == (old, admitted.entry)


def test_a_click_on_more_objects_includes_one_on_fewer():
    admitted = enter(entry(2, click(2, objects=(1, 2))), entry(1, click(1, objects=(2,))))
    assert len(admitted.superseded) == 1


def test_what_runs_is_not_superseded_but_what_it_dropped_stays_dropped():
    running = entry(2, click(2), dropped=(1,))
    admitted = enter(entry(3, click(1, 2, 3)), running=(running,))
    assert admitted.superseded == ()
    assert admitted.entry.dropped == (1,)
    assert seqs(admitted.entry) == [2, 3]


def test_what_runs_for_others_says_nothing_about_my_rounds():
    running = entry(2, click(2, session="other"), dropped=(1,))
    assert enter(entry(3, click(1, 2, 3)), running=(running,)).entry.dropped == ()


def full():
    return [entry(number, click(1, session=f"s{number}")) for number in range(4)]


def test_who_finds_the_room_full_is_refused():
    assert enter(entry(9, click(1, session="late")), *full()) == Refused(4)


def test_who_supersedes_needs_no_room_of_his_own():
    assert isinstance(enter(entry(9, click(1, 2, session="s2")), *full()), Admitted)


# --- who is next


def test_nothing_to_do_where_nothing_waits():
    assert next_action([], 0.0, limits=LIMITS) is None


def test_the_oldest_goes_first_whatever_the_order_of_the_queue():
    young, old = entry(2, click(1), at=2.0), entry(1, prewarm("t"), at=1.0)
    other = entry(3, click(1, session="t"), at=1.5)
    assert served(2.0, young, old, other) == [3, 2]


def test_a_click_goes_before_prewarming_that_came_earlier():
    assert served(1.0, entry(1, prewarm(), at=0.0), entry(2, click(1), at=1.0)) == [2]


def test_everything_goes_between_clicks_and_prewarming():
    waiting = entry(1, prewarm(), at=0.0), entry(2, everything(), at=0.5), entry(3, click(1), at=1)
    assert served(1.0, *waiting) == [3]
    assert served(1.0, *waiting[:2]) == [2]


def test_everything_that_has_waited_long_counts_as_a_click():
    waiting = entry(1, everything(), at=0.0), entry(2, click(1), at=1.0)
    assert served(1.9, *waiting) == [2]
    assert served(2.0, *waiting) == [1]


def test_a_newer_question_takes_the_place_of_its_sessions_waiting_one():
    old, other = entry(1, everything(), at=1.0), entry(2, everything("t"))
    admitted = enter(entry(3, everything(seq=2), at=5.0), old, other, entry(4, click(1)))
    assert admitted.superseded == (old,)
    assert admitted.entry.arrived_s == 1.0
    assert admitted.entry.dropped == ()


def test_prewarming_that_has_waited_long_counts_as_a_click():
    waiting = entry(1, prewarm(), at=0.0), entry(2, click(1), at=1.0)
    assert served(1.9, *waiting) == [2]
    assert served(2.0, *waiting) == [1]


def test_a_constant_stream_of_clicks_does_not_starve_a_fast_clicker():
    mine = enter(entry(9, click(1, 2)), entry(1, click(1), at=0.0)).entry
    others = [entry(n, click(1, session=f"s{n}"), at=0.1 * n) for n in range(2, 5)]
    assert served(10.0, *others, mine)[0] == 9


def test_clicks_of_several_sessions_go_together_up_to_the_batch_size():
    waiting = [entry(n, click(1, session=f"s{n}"), at=float(n)) for n in range(5)]
    assert served(9.0, *waiting) == [0, 1, 2]


def test_one_session_has_one_place_in_a_batch():
    waiting = [entry(1, click(1, objects=(1,))), entry(2, click(2, objects=(2,)))]
    assert served(0.0, *waiting) == [1]


def test_a_batch_does_not_mix_kinds():
    waiting = [entry(1, prewarm("a")), entry(2, prewarm("b")), entry(3, click(1, session="c"))]
    assert served(0.0, *waiting) == [3]
    assert served(5.0, *waiting) == [1, 2]


def test_whoever_is_past_his_deadline_is_told_before_anything_runs():
    late, early = entry(1, click(1), deadline=5.0), entry(2, click(1, session="t"), deadline=6.0)
    assert next_action([late, early], 5.0, limits=LIMITS) == Expire((late,))
    assert next_action([late, early], 4.9, limits=LIMITS) != Expire((late,))


# --- when to come again


@pytest.mark.parametrize(
    ("n_waiting", "run_s", "max_batch", "expected"),
    [(100, 0.02, 1, 1000), (100, 0.02, 4, 250), (1, 0.001, 1, 50), (10_000, 1.0, 1, 10_000)],
)
def test_the_hint_grows_with_the_queue_within_reason(n_waiting, run_s, max_batch, expected):
    assert retry_after_ms(n_waiting, run_s, max_batch=max_batch) == expected
