from __future__ import annotations

import random
from dataclasses import replace

import pytest
from engine_words import click, follow
from hypothesis import given
from hypothesis import strategies as st

from seem_server.engine.scheduler import (
    CLICKS_WAITED,
    CREDIT_S,
    LEAST_WAIT_S,
    Admitted,
    Entry,
    Expire,
    Limits,
    Marks,
    Refused,
    Run,
    Scene,
    Shares,
    admit,
    again,
    expected_wait,
    gives_way,
    in_order,
    next_action,
    retry_after_ms,
)
from seem_server.engine.work import Encode, Everything, Priority
from seem_wire.types import SegmentKind

LIMITS = Limits(max_waiting=4, max_batch=3, patience_s=2.0)
ALONE = Limits(max_batch=1, patience_s=2.0)
"""Where work runs one by one, as on a CPU."""


def entry(number, work, *, at=0.0, deadline=None, dropped=(), tenant="", cost=0.0, joined=()):
    return Entry(number, work, at, at, deadline, dropped, tenant, cost, Marks(*joined))


def prewarm(session="s", key="k"):
    return Encode(session, key)


def everything(session="s", seq=1):
    return Everything(session, seq, "k", SegmentKind.PANOPTIC)


def seqs(admitted):
    return [one.seq for one in admitted.work.objects[0].rounds]


def enter(new, *waiting, running=()):
    return admit(new, Scene(waiting, running), limits=LIMITS)


def served(now, *waiting):
    """The numbers of those that run next."""
    action = next_action(waiting, now, limits=LIMITS, shares=Shares())
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
        (click(1), replace(click(2), frame=1)),
        (prewarm(), click(2)),
        (click(1), prewarm()),
        (follow(1), follow(2)),
        (follow(1), click(2)),
        (click(1), follow(2)),
    ],
)
def test_nobody_takes_the_place_of_work_that_he_does_not_include(older, newer):
    old = entry(1, older)
    admitted = enter(entry(2, newer), old)
    assert admitted.superseded == ()
    assert admitted.waiting == (old, admitted.entry)


@pytest.mark.parametrize(
    ("first", "late"), [(click(1, 2), click(1)), (everything(seq=2), everything(seq=1))]
)
def test_what_was_said_before_and_comes_late_takes_nobodys_place(first, late):
    admitted = enter(entry(2, late), entry(1, first))
    assert admitted.superseded == ()


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
    assert enter(entry(9, click(1, session="late")), *full()) == Refused(0.0)


def test_a_tenant_fills_a_room_of_its_own():
    newcomer = entry(9, click(1, session="late"), tenant="other")
    assert isinstance(enter(newcomer, *full()), Admitted)


def test_who_supersedes_needs_no_room_of_his_own():
    assert isinstance(enter(entry(9, click(1, 2, session="s2")), *full()), Admitted)


# --- who is next


def test_nothing_to_do_where_nothing_waits():
    assert next_action([], 0.0, limits=LIMITS, shares=Shares()) is None


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


WORK_OF = {
    Priority.CLICK: click(1, session="a"),
    Priority.PROPAGATION: follow(session="b"),
    Priority.EVERYTHING: everything("c"),
    Priority.PREWARM: prewarm("d"),
}


def test_work_of_every_class_runs_the_most_urgent_first():
    waiting = [entry(work.priority, work) for work in reversed(WORK_OF.values())]
    order = in_order(waiting, Shares(), 0.0, limits=LIMITS)
    assert [one.work.priority for one in order] == list(Priority)


@pytest.mark.parametrize("priority", Priority)
def test_work_of_any_class_runs_where_it_alone_waits(priority):
    assert served(0.0, entry(1, WORK_OF[priority])) == [1]


def test_a_frame_of_a_video_is_followed_to_alone_so_that_clicks_wait_for_one():
    waiting = [entry(n, follow(session=f"s{n}"), at=float(n)) for n in range(3)]
    assert served(0.0, *waiting) == [0]
    assert served(0.0, *waiting[1:], entry(9, click(1, session="t"), at=9.0)) == [9]


def test_following_that_has_waited_long_counts_as_a_click():
    waiting = entry(1, follow(), at=0.0), entry(2, click(1, session="t"), at=1.0)
    assert served(1.9, *waiting) == [2]
    assert served(2.0, *waiting) == [1]


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
    then = next_action([late, early], 5.0, limits=LIMITS, shares=Shares())
    before = next_action([late, early], 4.9, limits=LIMITS, shares=Shares())
    assert (then, before) == (Expire((late,)), Run((late, early)))


# --- when to come again


@pytest.mark.parametrize(
    ("wait_s", "expected"), [(0.2501, 251), (0.0, 50), (0.03, 50), (1000.0, 10_000)]
)
def test_the_hint_is_the_expected_wait_within_reason(wait_s, expected):
    assert retry_after_ms(wait_s) == expected


# --- permits, by expected wait


def clicked(number, *, session=None, **options):
    """A click of 10 ms, of a session of its own."""
    return entry(number, click(1, session=session or f"s{number}"), **{"cost": 0.01, **options})


RUNS = (clicked(0, session="runs"),)


def let_in(new, *waiting, rest=0.0, limits=ALONE, running=RUNS, click_s=0.01):
    scene = Scene(waiting, running, rest_s=rest, click_s=click_s)
    return isinstance(admit(new, scene, limits=limits), Admitted)


def waits(new, *waiting, rest=0.0, limits=ALONE, running=RUNS, shares=None):
    scene = Scene(waiting, running, shares or Shares(), rest)
    return pytest.approx(expected_wait(new, scene, limits=limits).seconds)


def test_a_click_waits_for_the_rest_of_what_runs_and_for_all_before_it():
    assert waits(clicked(9), clicked(1), clicked(2), rest=0.004) == 0.024
    assert waits(clicked(9), clicked(1), entry(2, prewarm("t"), cost=5.0), rest=0.004) == 0.014


def test_what_needs_its_image_encoded_first_counts_for_those_behind_it():
    assert waits(clicked(9), clicked(1, cost=0.07)) == 0.07


def test_who_goes_with_others_waits_for_them_too():
    scene = Scene(tuple(clicked(n) for n in range(2)), RUNS, rest_s=0.004, another_s=0.003)
    assert expected_wait(clicked(9), scene, limits=LIMITS).seconds == pytest.approx(0.010)
    behind = Scene(tuple(clicked(n) for n in range(3)), RUNS, rest_s=0.004, another_s=0.003)
    assert expected_wait(clicked(9), behind, limits=LIMITS).seconds == pytest.approx(0.020)


def test_who_would_be_next_does_not_wait():
    assert waits(clicked(9), rest=60.0) == 0
    assert let_in(clicked(9), rest=60.0)
    assert let_in(clicked(9), entry(1, prewarm("t"), cost=5.0), rest=60.0)


def test_what_a_session_waits_for_itself_does_not_count():
    mine = [entry(n, click(n, session="me", objects=(n,)), cost=0.01) for n in (1, 2, 3)]
    new = entry(9, click(9, session="me", objects=(9,)), cost=0.01)
    assert waits(new, *mine, rest=0.009, running=(mine[0],)) == 0
    assert waits(new, *mine, clicked(5), rest=0.009) == 0.019


def test_batches_are_waited_for_not_their_entries():
    others = [clicked(n) for n in range(7)]
    assert waits(clicked(9), *others, limits=LIMITS) == 0.02


@pytest.mark.parametrize(("rest", "fits"), [(0.0049, True), (0.0051, False)])
def test_a_click_may_wait_for_as_long_as_one_and_a_half_take(rest, fits):
    assert CLICKS_WAITED == 1.5
    assert let_in(clicked(9), clicked(1), rest=rest) is fits


def test_the_longest_wait_can_be_set():
    limits = Limits(max_batch=1, max_wait_s=0.05)
    others = [clicked(n) for n in range(5)]
    assert let_in(clicked(9), *others, rest=0.0, limits=limits)
    assert not let_in(clicked(9), *others, rest=0.001, limits=limits)


def test_quick_clicks_are_not_refused_for_what_nobody_can_tell():
    others = [clicked(n, cost=0.0001) for n in range(40)]
    assert let_in(clicked(99), *others, click_s=0.0001)
    assert not let_in(clicked(99), *others, rest=LEAST_WAIT_S, click_s=0.0001)


def test_what_is_no_click_may_wait_longer_and_not_for_ever():
    others = [clicked(n) for n in range(50)]
    assert let_in(entry(99, prewarm()), *others)
    assert not let_in(entry(99, prewarm()), *others, rest=10.0)


def test_who_takes_a_place_over_is_let_in_however_long_it_waits():
    line = [clicked(n) for n in range(5)]
    newer = entry(9, click(1, 2, session="s4"), cost=0.01)
    assert let_in(newer, *line, rest=60.0)
    assert not let_in(clicked(9), *line, rest=60.0)


def test_the_only_one_of_a_tenant_goes_with_the_next_batch_whoever_else_does():
    heavy = [clicked(n, tenant="heavy") for n in range(2)]
    scene = Scene(tuple(heavy), RUNS, rest_s=0.05, click_s=0.01, another_s=0.005)
    light, third = clicked(9, tenant="light"), clicked(9, tenant="heavy")
    assert isinstance(admit(light, scene, limits=LIMITS), Admitted)
    assert isinstance(admit(third, scene, limits=LIMITS), Refused)


def test_a_tenants_own_line_is_what_it_is_refused_for():
    heavy = [clicked(n, tenant="heavy") for n in range(2)]
    running = (clicked(8, tenant="heavy"),)
    mine, theirs = clicked(9, tenant="light", at=1.0), clicked(10, tenant="heavy", at=1.0)
    assert let_in(mine, *heavy, rest=0.009, running=running)
    assert not let_in(theirs, *heavy, rest=0.009, running=running)


# --- fair turns


def order(*waiting, shares=None, now=1.0):
    return [one.number for one in in_order(waiting, shares or Shares(), now, limits=ALONE)]


def ran(entry_, spent_s, *waiting, shares=None):
    return (shares or Shares()).after((entry_,), spent_s, waiting)


def test_tenants_take_turns_however_many_sessions_they_have():
    heavy = [clicked(n, tenant="heavy", at=0.001 * n) for n in range(4)]
    light = [clicked(9, tenant="light", at=0.5), clicked(10, tenant="light", at=0.6)]
    assert order(*heavy, *light) == [0, 9, 1, 10, 2, 3]


def test_sessions_of_a_tenant_take_turns():
    mine = [entry(n, click(n, session="busy", objects=(n,)), cost=0.01) for n in range(1, 4)]
    assert order(*mine, clicked(9, at=0.5)) == [1, 9, 2, 3]


def test_turns_are_of_time_not_of_clicks():
    long = [clicked(n, tenant="long", cost=0.02) for n in range(2)]
    short = [clicked(n, tenant="short", at=0.1) for n in range(4, 8)]
    assert order(*long, *short) == [0, 4, 5, 1, 6, 7]


@pytest.mark.parametrize(("spent_s", "expected"), [(0.09, [2, 3]), (0.5, [3, 2])])
def test_who_has_had_much_goes_behind_who_has_not(spent_s, expected):
    other = clicked(3, at=0.2)
    shares = ran(clicked(1, session="me"), spent_s, other)
    again = clicked(2, session="me", at=0.1)
    assert order(again, other, shares=shares) == expected


def test_of_tenants_who_was_just_served_goes_behind_who_was_not():
    again, other = clicked(2, tenant="a", at=0.1), clicked(3, tenant="b", at=0.2)
    shares = ran(clicked(1, tenant="a"), 0.01, again, other)
    assert order(again, other, shares=shares) == [3, 2]


def test_who_was_away_has_saved_no_turns_up():
    shares = Shares()
    busy = clicked(1, session="busy")
    for _ in range(100):
        shares = ran(busy, 0.01, busy, shares=shares)
    back = [entry(n, click(n, session="back", objects=(n,)), cost=0.01, at=0.2) for n in (5, 6, 7)]
    joined = shares.joined("", "back", ())
    back = [entry(one.number, one.work, cost=0.01, at=0.2, joined=joined) for one in back]
    assert order(clicked(2, session="busy", at=0.1), *back, shares=shares)[:2] == [2, 5]


def test_who_supersedes_keeps_the_turn():
    old = clicked(3, session="b")
    shares = Shares().after((clicked(1, session="a"),), 1.0, (old,))
    admitted = admit(entry(4, click(1, 2, session="b")), Scene((old,), shares=shares), limits=ALONE)
    assert admitted.entry.joined == old.joined != shares.joined("", "b", ())


def test_what_lost_patience_gets_as_much_time_as_clicks():
    late = [entry(n, prewarm(f"t{n}"), cost=0.03) for n in (1, 2)]
    clicks = [clicked(n, at=5.0) for n in range(3, 8)]
    assert order(*late, *clicks, now=5.0) == [1, 3, 4, 5, 2, 6, 7]


def test_clicks_are_owed_what_other_work_has_had_while_they_waited():
    late, waiting = entry(1, prewarm("t"), cost=0.03), clicked(2, at=5.0)
    shares = ran(entry(3, prewarm("u")), 0.03, late, waiting)
    assert shares.owed_to_clicks_s == 0.03
    assert order(late, waiting, shares=shares, now=5.0) == [2, 1]
    assert ran(waiting, 0.05, late, shares=shares).owed_to_clicks_s == 0
    assert ran(entry(3, prewarm("u")), 0.03, late).owed_to_clicks_s == 0


def clears_the_way(new, running, *waiting, shares=None, limits=ALONE, spent=0.001):
    scene = Scene((*waiting, new), (running,), shares or Shares(), spent_s=spent)
    return gives_way(new, scene, limits=limits)


GREEDY = {"tenant": "heavy", "joined": (0.0, 0.0)}
"""It has begun where the clock is, as whoever always has something waiting."""


@pytest.mark.parametrize(
    ("tenant", "begun_s", "gives"),
    [
        ("light", -CREDIT_S, True),
        ("light", -0.02, True),
        ("light", -0.01, False),
        ("light", 0.0, False),
        ("heavy", -CREDIT_S, False),
    ],
)
def test_a_click_gives_way_to_a_tenant_that_would_go_first_even_after_it(tenant, begun_s, gives):
    newcomer = clicked(2, tenant=tenant, joined=(begun_s, 0.0))
    assert clears_the_way(newcomer, clicked(1, cost=0.02, **GREEDY)) is gives


def test_what_is_no_click_gives_way_to_a_click_of_another_session():
    for work in (prewarm("t"), everything("t")):
        assert clears_the_way(clicked(2), entry(1, work))
        assert not clears_the_way(entry(2, prewarm("u")), entry(1, work))
        assert not clears_the_way(clicked(2, session="t"), entry(1, work))


def test_what_has_waited_for_long_or_gave_way_before_is_left_alone():
    running = entry(1, prewarm("t"))
    assert not clears_the_way(clicked(2, at=2.0), running)
    assert clears_the_way(clicked(2), replace(running, n_interruptions=7))
    assert not clears_the_way(clicked(2), replace(running, n_interruptions=8))
    light, running = clicked(2, tenant="light", joined=(-0.1, 0.0)), clicked(1, **GREEDY)
    assert clears_the_way(light, again(running))
    assert not clears_the_way(light, again(again(running)))


def test_nobody_gives_way_to_who_would_not_be_next():
    running = clicked(1, cost=0.02, **GREEDY)
    newcomer = clicked(3, tenant="light", at=1.0, joined=(-0.05, 0.0))
    assert clears_the_way(newcomer, running)
    assert not clears_the_way(newcomer, running, clicked(2, tenant="new", joined=(-0.1, 0.0)))
    early = clicked(2, tenant="light", session="early", joined=(-0.05, 0.0))
    assert not clears_the_way(newcomer, running, early)


def test_a_tenant_that_asks_for_less_than_its_share_is_next_whenever_it_asks():
    shares, waiting = Shares(), []

    def asks(number, tenant):
        joined = shares.joined(tenant, tenant, waiting)
        waiting.append(clicked(number, session=tenant, tenant=tenant, at=number, joined=joined))

    asks(0, "heavy")
    for number in range(1, 100):
        asks(number, "heavy")
        if number % 3 == 0 and number > 30:  # when the heavy one has used up its credit
            asks(number + 0.5, "light")
        (head,) = next_action(waiting, 0.0, limits=ALONE, shares=shares).entries
        assert (head.tenant == "light") == (waiting[-1].tenant == "light")
        waiting.remove(head)
        shares = shares.after((head,), head.cost_s, waiting)


WAITING = st.lists(
    st.builds(
        lambda tenant, session, kind, at, cost: (tenant, session, kind, at, cost),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from("stuv"),
        st.sampled_from([click(1), follow(), everything(), prewarm()]),
        st.floats(0, 3),
        st.sampled_from([0.01, 0.02, 0.5]),
    ),
    max_size=12,
)


def made(drawn):
    return [
        entry(n, replace(work, session_id=tenant + session), at=at, tenant=tenant, cost=cost)
        for n, (tenant, session, work, at, cost) in enumerate(drawn)
    ]


def played(waiting, limits):
    """When each begins, by its number, if nobody else comes."""
    shares, now, left, began = Shares(), 0.0, list(waiting), {}
    while left:
        batch = next_action(left, 3.0, limits=limits, shares=shares).entries
        assert len({one.work.session_id for one in batch}) == len(batch) <= limits.max_batch
        assert not began.keys() & {one.number for one in batch}
        began |= dict.fromkeys([one.number for one in batch], now)
        left = [one for one in left if one not in batch]
        spent = max(one.cost_s for one in batch)
        shares, now = shares.after(batch, spent, left), now + spent
    return began


@given(WAITING, st.integers(1, 4))
def test_everybody_who_waits_runs_exactly_once(drawn, max_batch):
    waiting = made(drawn)
    began = played(waiting, Limits(max_batch=max_batch))
    assert sorted(began) == [one.number for one in waiting]


@given(WAITING)
def test_the_expected_wait_of_a_click_among_clicks_is_what_it_waits(drawn):
    waiting = [one for one in made(drawn) if one.work.priority is Priority.CLICK]
    newcomer = clicked(99, at=3.0, session="new", tenant="a")
    assert waits(newcomer, *waiting, running=()) == played([*waiting, newcomer], ALONE)[99]


@given(st.lists(st.sampled_from([0.01, 0.02, 0.05]), min_size=2, max_size=6), st.integers())
def test_tenants_who_always_want_more_get_the_same_within_two_turns(costs, seed):
    chance = random.Random(seed)
    shares, spent, waiting = Shares(), dict.fromkeys(map(str, range(len(costs))), 0.0), []

    def asks(tenant):
        cost, at, number = costs[int(tenant)], chance.random(), chance.random()
        joined = shares.joined(tenant, tenant, waiting)
        one = clicked(number, session=tenant, tenant=tenant, cost=cost, at=at, joined=joined)
        waiting.append(one)

    for tenant in [*spent, *spent]:
        asks(tenant)
    for _ in range(60):
        (head,) = next_action(waiting, 0.0, limits=ALONE, shares=shares).entries
        waiting.remove(head)
        shares = shares.after((head,), head.cost_s, waiting)
        spent[head.tenant] += head.cost_s
        asks(head.tenant)
    assert max(spent.values()) - min(spent.values()) <= 2 * max(costs)


COMING = st.lists(
    st.tuples(
        st.sampled_from(["heavy", "light", "like"]),
        st.sampled_from("stu"),
        st.sampled_from([click(1), everything(), prewarm()]),
        st.sampled_from([0.0, 0.001, 0.01, 0.05]),
    ),
    max_size=30,
)


@given(COMING, st.integers(0, 2))
def test_however_they_interrupt_each_other_everybody_comes_to_an_end(drawn, max_interruptions):
    """One after the other comes, each a while after the last; the device never rests."""
    limits = Limits(
        max_batch=1, max_interruptions=max_interruptions, max_false_starts=max_interruptions
    )
    shares, waiting, running, since, now, done = Shares(), [], None, 0.0, 0.0, []
    coming = made([(tenant, name, work, 0.0, 0.02) for tenant, name, work, _ in drawn])
    gaps = [gap for *_, gap in drawn]
    while len(done) < len(coming):
        if running is None and waiting:
            (running,) = next_action(waiting, now, limits=limits, shares=shares).entries
            waiting.remove(running)
            since = now
        if gaps and (running is None or now + gaps[0] < since + running.cost_s):
            now += gaps.pop(0)
            newcomer = coming[len(coming) - len(gaps) - 1]
            newcomer = replace(newcomer, arrived_s=now, submitted_s=now)
            waiting.append(newcomer)
            if running is None:
                continue
            scene = Scene(tuple(waiting), (running,), shares, spent_s=now - since)
            if gives_way(newcomer, scene, limits=limits):
                shares = shares.after((running,), now - since, waiting)
                waiting.append(again(running))
                (running,) = next_action(waiting, now, limits=limits, shares=shares).entries
                assert running is newcomer
                waiting.remove(running)
                since = now
            continue
        now = since + running.cost_s
        shares = shares.after((running,), running.cost_s, waiting)
        assert running.n_interruptions <= max_interruptions
        done.append(running.number)
        running = None
    assert sorted(done) == [one.number for one in coming]


@given(st.integers(1, 30), st.integers(0, 200))
def test_nobody_starves_under_ever_new_sessions(n_waiting, seed):
    """Each run, two sessions come that were never seen; whoever waits is served all the same."""
    shares, mine = Shares(), clicked(0, session="me")
    shares = shares.after((mine,), 0.01, ())
    mine = replace(mine, joined=shares.joined("", "me", ()))
    waiting = [mine, *(clicked(n + 1) for n in range(n_waiting))]
    for step in range(3 * n_waiting + 10):
        (head,) = next_action(waiting, 0.0, limits=ALONE, shares=shares).entries
        waiting.remove(head)
        shares = shares.after((head,), 0.01, waiting)
        if head is mine:
            return
        if len(waiting) <= n_waiting:
            name = f"new {seed} {step}"
            joined = shares.joined("", name, waiting)
            waiting.append(clicked(1000 + step, session=name, at=1.0 + step, joined=joined))
    pytest.fail("it starved")
