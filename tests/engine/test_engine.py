from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from blobs import ROOM, BlobBackend, paint
from engine_words import PATIENCE_S, BrokenBackend, Gate, click, engine, follow, image, points

from seem_server.engine import findings
from seem_server.engine.engine import Engine, EngineConfig
from seem_server.engine.looking import CLICKS_AT_ONCE
from seem_server.engine.scheduler import Limits
from seem_server.engine.tickets import TicketState
from seem_server.engine.work import (
    Decode,
    Encode,
    Encoded,
    Everything,
    MasksReady,
    ObjectRounds,
    Round,
    SegmentsReady,
)
from seem_server.engine.worker import WORDS_AT_ONCE, CacheConfig
from seem_server.runtime.bundle import read_bundle
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.runtime.onnx_backend import open_backend
from seem_wire.errors import (
    Cancelled,
    DeadlineExceeded,
    ImageUnknown,
    Internal,
    Overloaded,
    ShuttingDown,
    Superseded,
)
from seem_wire.prompts import ExamplePrompt, ObjectPrompt
from seem_wire.types import SegmentKind

SMALL = EngineConfig(caches=CacheConfig(images_bytes=1, features_bytes=1, memory_bytes=1))


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def slow(gate):
    """An engine whose decodes wait at the gate, one piece of work at a time."""
    config = EngineConfig(Limits(max_waiting=3, max_batch=1))
    made = engine(FakeBackend(decode_s=1, wait=gate), config, keys=("k", "l"))
    yield made
    gate.let_pass(1000)
    made.close()


@pytest.fixture
def quick():
    made = engine(keys=("k", "l"))
    yield made
    made.close()


def nothing_is_left(made):
    stats = made.stats
    return (stats.n_waiting, stats.n_running, stats.n_pins) == (0, 0, 0)


# --- results


async def test_a_click_is_answered_with_a_mask_and_its_timings(quick):
    answer = await quick.submit(click(1))
    assert isinstance(answer, MasksReady)
    assert answer.masks[0].area > 0
    assert answer.timings.total_ms >= answer.timings.decode_ms > 0


async def test_an_image_is_encoded_ahead_of_its_first_click(quick):
    assert await quick.submit(Encode("s", "k")) != await quick.submit(Encode("s", "k"))
    assert quick.has_features("k")
    assert (await quick.submit(click(1))).cache_hit


async def test_it_says_what_it_holds(quick):
    assert quick.has_image("k")
    assert not quick.has_image("other")
    assert not quick.has_features("k")
    assert quick.provider == "fake"
    assert quick.manifest.name == "fake"


async def test_an_image_that_is_not_held_is_refused_at_the_door(quick):
    with pytest.raises(ImageUnknown):
        quick.submit(click(1, key="never sent"))


async def test_an_image_put_again_is_not_encoded_again(quick):
    await quick.submit(Encode("s", "k"))
    quick.put_image("k", image())
    assert (await quick.submit(Encode("s", "k"))).cache_hit


async def test_work_of_several_sessions_shares_one_decode(gate):
    made = engine(FakeBackend(decode_s=1, wait=gate))
    first = made.submit(click(1, session="a"))
    gate.wait_for_somebody()
    rest = [made.submit(click(n, session=str(n))) for n in (2, 3, 4)]
    gate.let_pass(2)
    assert all([await ticket for ticket in (first, *rest)])
    made.close()


def test_on_a_cpu_nobody_waits_for_others_in_his_batch(gate):
    class Cpu(FakeBackend):
        provider = "cpu"

    made = engine(Cpu(decode_s=1, wait=gate))
    first, second, third = (made.submit(click(n, session=str(n))) for n in (1, 2, 3))
    gate.wait_for_somebody()
    gate.let_pass()
    gate.wait_for_somebody()
    assert [first.ended, second.ended, third.ended] == [True, False, False]
    gate.let_pass(2)
    made.close()


async def test_equal_clicks_of_two_people_are_decoded_once(quick):
    mine, yours = await quick.submit(click(1)), await quick.submit(click(1, session="yours"))
    assert mine.masks == yours.masks
    assert quick._backend.n_decoded == 1


# --- everything


def everything(session="s", seq=1, key="k", **asked):
    return Everything(session, seq, key, SegmentKind.PANOPTIC, **asked)


async def test_everything_is_answered_with_segments(quick):
    answer = await quick.submit(everything())
    assert isinstance(answer, SegmentsReady)
    assert len(answer.segments) == 2
    assert answer.timings.total_ms >= answer.timings.post_ms > 0
    assert nothing_is_left(quick)


class Easel:
    """Holds the drawing of segments up, as a large image does, until it is told to go on."""

    def __init__(self, monkeypatch):
        self._gate = Gate()
        self._segment = findings.segment
        monkeypatch.setattr(findings, "segment", self._held)

    def _held(self, *arguments, **options):
        self._gate(0)
        return self._segment(*arguments, **options)

    def wait_for_somebody(self):
        self._gate.wait_for_somebody()

    def go_on(self):
        self._gate.let_pass(1000)


@pytest.fixture
def easel(monkeypatch):
    made = Easel(monkeypatch)
    yield made
    made.go_on()


async def test_nobody_waits_for_what_is_long_to_draw(quick, easel):
    asked = quick.submit(everything())
    easel.wait_for_somebody()
    assert (await quick.submit(click(1))).masks
    assert not asked.ended
    easel.go_on()
    assert (await asked).segments


async def test_a_question_that_nobody_asks_any_more_is_not_drawn(quick, easel):
    first, second = quick.submit(everything("a")), quick.submit(everything("b"))
    easel.wait_for_somebody()
    await quick.submit(click(1))
    first.cancel()
    second.cancel()
    easel.go_on()
    assert (await quick.submit(everything("c"))).segments
    assert nothing_is_left(quick)


async def test_too_many_drawings_are_refused_with_a_hint(easel):
    made = engine(config=EngineConfig(max_drawings=1))
    drawn = made.submit(everything("a"))
    easel.wait_for_somebody()
    with pytest.raises(Overloaded) as refusal:
        made.submit(everything("b"))
    assert refusal.value.retry_after_ms > 0
    easel.go_on()
    assert (await drawn).segments
    made.close()


async def test_a_drawing_that_breaks_fails_its_own_work_alone(quick, monkeypatch, caplog):
    def break_down(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr(findings, "segment", break_down)
    with caplog.at_level(logging.CRITICAL), pytest.raises(Internal):
        await quick.submit(everything())
    assert (await quick.submit(click(1))).masks
    assert nothing_is_left(quick)


async def test_closing_does_not_wait_for_ever_for_what_is_drawn(easel):
    made = engine()
    drawn = made.submit(everything())
    easel.wait_for_somebody()
    made.close(drain_s=0.0)
    with pytest.raises(ShuttingDown):
        await drawn


async def test_a_newer_question_supersedes_a_waiting_one(slow, gate):
    slow.submit(click(1))
    gate.wait_for_somebody()
    old, new = slow.submit(everything()), slow.submit(everything(seq=2))
    assert old.superseded_by == 2
    gate.let_pass(1000)
    assert (await new).segments


async def test_clicks_get_their_turn_while_a_long_vocabulary_is_read(quick):
    read = []
    backend, encode_text = quick._backend, quick._backend.encode_text
    clicked = []

    def slowly(text):
        read.append(text)
        if len(read) == 1:
            clicked.append(quick.submit(click(1)))
            clicked[0].add_done_callback(lambda _: read.append("clicked"))
        return encode_text(text)

    backend.encode_text = slowly
    words = tuple(f"word {n}" for n in range(40))
    answer = await quick.submit(everything(vocabulary=words, threshold=0.0))
    assert isinstance(answer, SegmentsReady)
    assert read.index("clicked") == WORDS_AT_ONCE
    assert len(read) == 41


class Doubtful(BlobBackend):
    """Is sure of no mask, so that an image costs all the clicks it may, and counts them.

    `surprise` is called when the third one comes.
    """

    def __init__(self, surprise):
        super().__init__()
        self.surprise = surprise

    def decode(self, items):
        answers = super().decode(items)
        if self.n_decoded == 3:
            self.surprise()
        return [replace(one, iou=one.iou * 0, hypotheses=None) for one in answers]


def searching(surprise):
    """An engine that holds a room and a Doubtful backend."""
    made = engine(Doubtful(surprise), keys=())
    made.put_image("k", paint(*ROOM))
    return made


async def test_clicks_get_their_turn_while_an_image_is_searched():
    decoded_before = []

    def click_meanwhile():
        ticket = made.submit(click(1))
        ticket.add_done_callback(lambda _: decoded_before.append(made._backend.n_decoded))

    made = searching(click_meanwhile)
    assert isinstance(await made.submit(everything()), SegmentsReady)
    assert decoded_before == [CLICKS_AT_ONCE + 1]
    assert nothing_is_left(made)
    made.close()


async def test_a_search_gets_a_third_of_the_device_under_constant_clicking():
    seconds = [0.0]

    class Ticking(Doubtful):
        """Every call of decode takes a hundredth of a second, and somebody clicks meanwhile."""

        def decode(self, items):
            seconds[0] += 0.01
            if seconds[0] < 30:
                somewhere = points((1 + seconds[0] * 5, 60))
                asked = (ObjectRounds(1, (Round(1, somewhere),)),)
                made.submit(Decode(f"{seconds[0]}", 1, "k", asked))
            return super().decode(items)

    config = EngineConfig(Limits(max_wait_s=60))
    made = Engine(lambda: Ticking(lambda: None), config, now=lambda: seconds[0])
    made.put_image("k", paint(*ROOM))
    assert isinstance(await made.submit(everything()), SegmentsReady)
    busy_s = made.manifest.everything.clicks.most * 0.01
    patience_s = Limits().patience_s
    assert seconds[0] < patience_s + 4 * busy_s
    made.close()


async def test_a_search_that_nobody_waits_for_any_more_ends_and_is_gone_on_with_later():
    made = searching(lambda: asked.cancel())  # noqa: PLW0108  (it is asked later)
    asked = made.submit(everything())
    with pytest.raises(Cancelled):
        await asked
    assert (await made.submit(click(1))).masks
    assert made._backend.n_decoded == CLICKS_AT_ONCE + 1
    assert isinstance(await made.submit(everything(seq=2)), SegmentsReady)
    assert made._backend.n_decoded == made.manifest.everything.clicks.most + 1
    assert nothing_is_left(made)
    made.close()


async def test_a_newer_question_takes_over_what_an_older_ones_search_found():
    tickets = []
    made = searching(lambda: tickets.append(made.submit(everything(seq=2))))
    older = made.submit(everything())
    assert (await older).segments == (await tickets[0]).segments
    assert made._backend.n_decoded == made.manifest.everything.clicks.most
    made.close()


async def test_the_image_of_an_example_is_held_while_its_work_waits(gate):
    made = engine(FakeBackend(decode_s=1, wait=gate), SMALL)
    first = made.submit(click(1))
    gate.wait_for_somebody()
    made.put_image("other", image())
    shown = ObjectPrompt(example=ExamplePrompt("other", np.ones((120, 160), np.bool_)))
    asked = made.submit(Decode("t", 1, "k", (ObjectRounds(1, (Round(1, shown),)),)))
    for number in range(5):
        made.put_image(str(number), image())
    gate.let_pass(1000)
    assert (await first).masks
    assert (await asked).masks
    assert nothing_is_left(made)
    made.close()


async def test_all_frames_that_following_looks_at_are_held_while_it_waits(gate):
    made = engine(FakeBackend(decode_s=1, wait=gate), SMALL)
    first = made.submit(click(1))
    gate.wait_for_somebody()
    made.put_image("seen", image())
    asked = made.submit(follow(session="t"))
    for number in range(5):
        made.put_image(str(number), image())
    gate.let_pass(1000)
    assert (await first).masks
    assert [one.object_id for one in (await asked).masks] == [1]
    assert nothing_is_left(made)
    made.close()


# --- superseded


async def test_of_200_rapid_clicks_the_last_is_answered_and_the_others_are_told(slow, gate):
    tickets = [slow.submit(click(1))]
    gate.wait_for_somebody()
    tickets += [slow.submit(click(*range(1, seq + 1))) for seq in range(2, 201)]
    gate.let_pass(1000)
    answer = await tickets[-1]
    assert (await tickets[0]).masks
    assert {ticket.state for ticket in tickets[1:-1]} == {TicketState.SUPERSEDED}
    assert [ticket.superseded_by for ticket in tickets[1:-1]] == list(range(3, 201))
    assert answer.superseded == tuple(range(2, 200))
    assert [entry.seq for entry in answer.work.objects[0].rounds] == [1, 200]
    assert nothing_is_left(slow)


async def test_a_superseded_click_raises_superseded(slow, gate):
    slow.submit(click(1, session="other"))
    gate.wait_for_somebody()
    old = slow.submit(click(1))
    slow.submit(click(1, 2))
    with pytest.raises(Superseded):
        await old


# --- cancelled


async def test_cancelled_work_never_runs(slow, gate):
    slow.submit(click(1))
    gate.wait_for_somebody()
    doomed = slow.submit(click(3, session="gone"))
    last = slow.submit(click(1, 2, session="last"))
    assert doomed.cancel()
    assert slow.stats.n_waiting == 1
    gate.let_pass(1000)
    assert (await last).masks
    assert slow._backend.n_decoded == 2
    with pytest.raises(Cancelled):
        await doomed


async def test_who_pays_is_told_how_long_the_device_worked_even_for_what_was_cancelled(slow, gate):
    paid = []
    running = slow.submit(click(1), pay=lambda spent_s: paid.append(("running", spent_s)))
    gate.wait_for_somebody()
    waiting = slow.submit(click(1, 2), pay=lambda spent_s: paid.append(("waiting", spent_s)))
    waiting.cancel()
    running.cancel()
    gate.let_pass(1000)
    await slow.submit(click(1, 3))
    ((who, spent_s),) = paid
    assert (who, spent_s > 0) == ("running", True)


async def test_work_cancelled_while_it_runs_harms_nobody(slow, gate):
    running = slow.submit(click(1))
    gate.wait_for_somebody()
    running.cancel()
    gate.let_pass(1000)
    assert (await slow.submit(click(1, 2))).masks
    assert running.state is TicketState.CANCELLED
    assert nothing_is_left(slow)


# --- refused


async def test_whoever_finds_the_queue_full_is_refused_with_a_hint(slow, gate):
    slow.submit(click(1))
    gate.wait_for_somebody()
    for name in "abc":
        slow.submit(click(1, session=name))
    with pytest.raises(Overloaded) as refusal:
        slow.submit(click(1, session="late"))
    assert refusal.value.retry_after_ms > 0


@pytest.fixture
def timed(gate):
    """An engine on a clock of one's own, whose clicks have taken 10 s so far."""
    clock = [0.0]
    made = engine(
        FakeBackend(decode_s=1, wait=gate), EngineConfig(Limits(max_batch=1)), now=lambda: clock[0]
    )
    ended = threading.Event()
    made.submit(click(1, session="taught")).add_done_callback(lambda _: ended.set())
    gate.wait_for_somebody()
    clock[0] = 10.0
    gate.let_pass()
    assert ended.wait(PATIENCE_S)
    yield made, clock
    gate.let_pass(1000)
    made.close()


def begin(made, gate, session, **options):
    """Has a click run."""
    ticket = made.submit(click(2, session=session), **options)
    gate.wait_for_somebody()
    return ticket


def test_whoever_would_wait_longer_than_he_may_is_told_for_how_long(timed, gate):
    made, clock = timed
    begin(made, gate, "running")
    made.submit(click(1, session="a"))
    clock[0] = 13.0
    with pytest.raises(Overloaded) as refusal:
        made.submit(click(1, session="late"))
    assert "17.00 s" in str(refusal.value)
    assert refusal.value.retry_after_ms == 10_000
    clock[0] = 15.0
    assert made.submit(click(1, session="late")).state is TicketState.WAITING


def test_the_door_tells_who_would_be_refused_and_lets_nobody_in(timed, gate):
    made, _ = timed
    begin(made, gate, "running")
    made.check_room("a", "k")
    assert made.stats.n_waiting == 0
    made.submit(click(1, session="a"))
    with pytest.raises(Overloaded):
        made.check_room("late", "k")
    made.check_room("light", "k", tenant="light")
    assert made.stats.n_waiting == 1


def test_a_tenant_that_asks_for_more_than_its_share_is_refused_alone(timed, gate):
    made, _ = timed
    begin(made, gate, "running", tenant="heavy")
    made.submit(click(1, session="a"), tenant="heavy")
    with pytest.raises(Overloaded):
        made.submit(click(1, session="b"), tenant="heavy")
    light = made.submit(click(3, session="light"), tenant="light")
    gate.let_pass()
    gate.wait_for_somebody()
    assert light.state is TicketState.RUNNING


def test_a_click_takes_its_sessions_waiting_one_s_place_whatever_waits(timed, gate):
    made, clock = timed
    begin(made, gate, "running")
    old = made.submit(click(1, session="a"))
    clock[0] = 17.0
    made.submit(click(1, session="b"))
    clock[0] = 12.0
    newer = made.submit(click(1, 2, session="a"))
    assert (old.state, newer.state) == (TicketState.SUPERSEDED, TicketState.WAITING)


async def test_cancelling_makes_room_at_once(slow, gate):
    slow.submit(click(1))
    gate.wait_for_somebody()
    waiting = [slow.submit(click(1, session=name)) for name in "abc"]
    waiting[0].cancel()
    assert slow.submit(click(1, session="late")).state is TicketState.WAITING


async def test_what_is_past_its_deadline_does_not_run():
    clock = [0.0]
    gate = Gate()
    made = engine(FakeBackend(decode_s=1, wait=gate), now=lambda: clock[0])
    first = made.submit(click(1), deadline_s=5.0)
    gate.wait_for_somebody()
    late = made.submit(click(1, session="late"), deadline_s=5.0)
    clock[0] = 5.0
    gate.let_pass(2)
    with pytest.raises(DeadlineExceeded):
        await late
    assert (await first).timings.total_ms == 5000
    made.close()


# --- giving way


class Busy:
    """An engine whose runs wait at the gate, and of which a tenant always wants more."""

    def __init__(self, gate):
        self.gate, self.paid, self.order = gate, [], []
        self.backend = FakeBackend(encode_s=1, decode_s=1, wait=gate)
        clock = iter(range(10**6))
        self.engine = engine(
            self.backend,
            EngineConfig(Limits(max_batch=1, max_wait_s=1e6, patience_s=1e6, max_false_starts=2)),
            keys=("k", "l"),
            now=lambda: next(clock) / 1000,
        )
        gate.let_pass(41)  # the image, and forty clicks: its credit is used up by then
        taught = [self.say(click(n + 10, session=f"taught {n}")) for n in range(40)]
        ended = threading.Semaphore(0)
        for ticket in taught:
            ticket.add_done_callback(lambda _: ended.release())
        for _ in range(40):
            assert ended.acquire(timeout=PATIENCE_S)
        for _ in range(41):
            gate.wait_for_somebody()
        self.order.clear()
        self.paid.clear()

    def say(self, work, tenant="heavy"):
        ticket = self.engine.submit(work, tenant=tenant, pay=self.paid.append)
        ticket.add_done_callback(lambda one: self.order.append(one.work.session_id))
        return ticket

    def begin(self, work, tenant="heavy"):
        ticket = self.say(work, tenant)
        self.gate.wait_for_somebody()
        return ticket


@pytest.fixture
def busy(gate):
    made = Busy(gate)
    yield made
    gate.let_pass(1000)
    made.engine.close()


async def test_a_click_of_a_greedy_tenant_gives_way_and_is_answered_as_if_it_had_not(busy, gate):
    heavy = busy.begin(click(2, 3, session="heavy"))
    light = busy.say(click(4, session="light"), tenant="light")
    gate.let_pass(1000)
    light_masks, heavy_masks = (await light).masks, (await heavy).masks
    assert busy.order == ["light", "heavy"]
    assert len(busy.paid) == 2
    alone = engine()
    assert heavy_masks == (await alone.submit(click(2, 3, session="x"))).masks
    assert light_masks == (await alone.submit(click(4, session="y"))).masks
    alone.close()
    assert nothing_is_left(busy.engine)


async def test_a_head_start_gives_way_to_a_click_twice_and_then_no_more(busy, gate):
    ahead = busy.begin(Encode("ahead", "l"))
    for n, name in enumerate("abc", 2):  # each says something else: nothing is in a cache
        busy.say(click(n, session=name))
        gate.let_pass()
        gate.wait_for_somebody()
        if name != "c":
            gate.let_pass()
            gate.wait_for_somebody()
    assert busy.order == ["a", "b", "ahead"]
    assert isinstance(await ahead, Encoded)


async def test_a_head_start_of_the_same_session_is_what_its_click_needs(busy, gate):
    ahead = busy.begin(Encode("me", "l"))
    busy.say(click(1, session="me", key="l"))
    gate.let_pass(1000)
    await ahead
    assert not ahead.result().cache_hit


async def test_who_was_cancelled_when_it_gave_way_does_not_wait_again(busy, gate):
    heavy = busy.begin(click(2, session="heavy"))
    light = busy.say(click(4, session="light"), tenant="light")
    heavy.cancel()
    gate.let_pass(1000)
    assert (await light).masks
    assert busy.order == ["heavy", "light"]
    assert nothing_is_left(busy.engine)


async def test_what_gave_way_may_be_superseded(busy, gate):
    heavy = busy.begin(click(2, session="heavy"))
    light = busy.say(click(4, session="light"), tenant="light")
    gate.let_pass()
    gate.wait_for_somebody()
    newer = busy.say(click(2, 3, session="heavy"))
    gate.let_pass(1000)
    assert (await light).masks
    assert (await newer).superseded == (2,)
    assert heavy.state is TicketState.SUPERSEDED


# --- broken


async def test_a_broken_batch_is_answered_and_the_next_one_runs(caplog):
    made = engine(BrokenBackend(RuntimeError("out of memory")))
    with caplog.at_level(logging.CRITICAL), pytest.raises(Internal):
        await made.submit(click(1))
    assert (await made.submit(click(1))).masks
    assert nothing_is_left(made)
    made.close()


async def test_one_poisoned_item_harms_no_other_of_its_batch(gate):
    class Picky(FakeBackend):
        def decode(self, items):
            if any(len(prompts.labels[0]) == 3 for _, prompts in items):
                raise RuntimeError("three points are too many")
            return super().decode(items)

    made = engine(Picky(decode_s=1, wait=gate))
    made.submit(click(1, session="first"))
    gate.wait_for_somebody()
    poisoned, fine = made.submit(click(3, session="a")), made.submit(click(2, session="b"))
    gate.let_pass(1000)
    assert (await fine).masks
    with pytest.raises(Internal):
        await poisoned
    made.close()


async def test_after_several_failures_in_a_row_the_backend_is_made_anew():
    made = engine(BrokenBackend(*map(RuntimeError, "abc")), EngineConfig(max_failures=3))
    await made.submit(Encode("s", "k"))
    for _ in range(3):
        with pytest.raises(Internal):
            await made.submit(click(1))
    assert (await made.submit(click(1))).masks
    assert made.stats.n_restarts == 1
    made.close()


async def test_when_the_worker_dies_every_waiter_is_answered_and_another_takes_over(gate):
    class Mortal(FakeBackend):
        def decode(self, items):
            super().decode(items)
            self.decode = super().decode
            raise SystemExit

    made = engine(Mortal(decode_s=1, wait=gate))
    tickets = [made.submit(click(1, session=name)) for name in "abc"]
    gate.let_pass(1000)
    for ticket in tickets:
        with pytest.raises(Internal):
            await ticket
    assert (await made.submit(click(1))).masks
    assert nothing_is_left(made)
    made.close()


# --- caches


async def test_evicted_features_are_made_again_and_give_the_same_mask(quick):
    tight = engine(config=SMALL, keys=("k",))
    await quick.submit(click(1))
    expected = await quick.submit(click(1, 2))
    for work in (click(1), Encode("s", "k"), click(1, 2)):
        tight._caches.features.clear()
        answer = await tight.submit(work)
    assert answer.masks == expected.masks
    assert not answer.cache_hit
    tight.close()


async def test_a_real_network_answers_again_bit_by_bit_after_losing_everything():
    def open_tiny():
        return open_backend(read_bundle("tiny"), provider="cpu", n_threads=1)

    roomy, tight = Engine(open_tiny), Engine(open_tiny, SMALL)
    answers = []
    for made in (roomy, tight):
        made.put_image("k", image(90, 130))
        for seqs in ((1,), (1, 2), (1, 2, 3)):
            tight._caches.features.clear()
            answer = await made.submit(click(*seqs, objects=(1, 2)))
        answers.append(answer.masks)
        made.close()
    assert answers[0] == answers[1]


async def test_the_caches_stay_within_their_budgets():
    made = engine(config=SMALL, keys=())
    for number in range(5):
        made.put_image(str(number), image(seed=number))
        await made.submit(click(1, key=str(number)))
    assert not made.has_image("0")
    assert made.has_image("4")
    stats = made.stats
    assert stats.features_bytes < 100_000
    made.close()


async def test_what_waiting_work_needs_is_not_evicted(gate):
    made = engine(FakeBackend(decode_s=1, wait=gate), SMALL)
    first = made.submit(click(1))
    gate.wait_for_somebody()
    made.put_image("l", image())
    waiting = made.submit(click(1, key="l", session="t"))
    for number in range(5):
        made.put_image(str(number), image())
    gate.let_pass(1000)
    assert (await first).masks
    assert (await waiting).masks
    made.close()


# --- the end


async def test_closing_finishes_what_waits(slow, gate):
    tickets = [slow.submit(click(1)), slow.submit(click(1, 2, session="t"))]
    gate.let_pass(1000)
    await asyncio.to_thread(slow.close)
    assert [ticket.state for ticket in tickets] == [TicketState.DONE] * 2


async def test_closing_ends_what_it_could_not_finish(slow, gate):
    tickets = [slow.submit(click(1)), slow.submit(click(1, 2, session="t"))]
    gate.wait_for_somebody()
    slow.close(drain_s=0.0)
    for ticket in tickets:
        with pytest.raises(ShuttingDown):
            await ticket
    assert slow.stats.n_waiting == 0


def test_a_closed_engine_takes_no_work():
    made = engine()
    made.close()
    with pytest.raises(ShuttingDown):
        made.submit(click(1))


def test_closing_twice_is_closing_once():
    made = engine()
    made.close()
    made.close()


def test_closing_ends_the_thread():
    before = threading.active_count()
    engine().close()
    assert threading.active_count() == before


def test_a_backend_that_cannot_be_made_is_the_makers_error():
    def fail():
        raise Internal("no device")

    with pytest.raises(Internal):
        Engine(fail)


# --- the event loop


async def test_the_event_loop_never_computes():
    made = engine(FakeBackend(decode_s=0.02), keys=())
    made.put_image("k", image(2000, 3000))
    tickets = [made.submit(click(1, session=f"s{n}")) for n in range(20)]
    worst = 0.0
    while not all(ticket.ended for ticket in tickets):
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - before)
    assert worst < 0.2
    made.close()


async def test_encoding_is_answered_as_encoded(quick):
    assert isinstance(await quick.submit(Encode("s", "l")), Encoded)


# --- what others may look at


async def test_it_tells_how_each_cache_is_used(quick):
    await quick.submit(click(1))
    await quick.submit(click(1))
    caches = quick.caches
    assert {"images", "features", "answers", "drawings"} <= set(caches)
    assert caches["features"].n_bytes > 0
    assert caches["features"].n_hits == caches["features"].n_misses == 1


def test_it_answers_until_it_closes():
    made = engine()
    assert made.is_alive
    assert made.answers
    made.close()
    assert not made.is_alive
    assert not made.answers


def test_it_does_not_answer_while_a_batch_hangs(gate):
    clock = iter(range(0, 10**6, 1000))
    made = engine(FakeBackend(decode_s=1, wait=gate), now=lambda: next(clock))
    made.submit(click(1))
    gate.wait_for_somebody()
    assert made.is_alive
    assert not made.answers
    gate.let_pass(10)
    made.close()
