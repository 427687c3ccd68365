"""Sessions about videos, with an engine that follows: streams, servers and images are lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from service_words import (
    FILM,
    GIVEN,
    HEIGHT,
    SQUARE,
    WIDTH,
    Stream,
    click,
    frame,
    photo,
    service,
    slow_backend,
    until,
)
from session_words import MODEL

from seem_server.engine.engine import EngineConfig
from seem_server.engine.worker import CacheConfig
from seem_server.service import session_log
from seem_server.service.callers import ANONYMOUS, Caller
from seem_server.service.quotas import Quotas
from seem_server.service.tenants import Tenants
from seem_server.session.following import MAX_WAITING
from seem_server.store.memory import MemoryStore
from seem_wire import errors, types
from seem_wire.prompts import ObjectPrompt, Point

N_FRAMES = len(FILM)
FIRST = 2 + N_FRAMES
"""The number of the first command after the frames."""


def frames():
    return [frame(2 + index, index) for index in range(N_FRAMES)]


def filmed():
    """The commands that every session here begins with."""
    return types.OpenVideo(1), *frames(), click(FIRST, GIVEN, frame=0)


def propagated(seq=FIRST + 1):
    return [types.Propagate(seq + n, 1 + n, n) for n in range(N_FRAMES - 1)]


def shapes(replies):
    """The masks of each frame, by their command."""
    return {one.seq: [(mask.object_id, mask.rle) for mask in one.objects] for one in replies}


async def left(here, *more):
    """The id of a session that a stream began and left, and the replies."""
    stream, replies = Stream(here.directory), []
    for command in (*filmed(), *more):
        stream.say(command)
        replies += await stream.hear()
    await stream.finish()
    return replies[0].session_id, replies


async def attached(here, session_id, **options):
    stream = Stream(here.directory)
    stream.say(types.Attach(10**6, session_id, **options))
    (reply,) = await stream.hear()
    return stream, reply


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
async def undisturbed():
    """What all frames are followed to where nothing is lost."""
    with service() as here:
        _, replies = await left(here, *propagated())
        return shapes(replies[-N_FRAMES + 1 :])


async def test_an_object_is_followed_through_all_frames():
    with service() as here:
        _, replies = await left(here, *propagated())
        *_, given, first, second, third, fourth, fifth = replies
        assert given.objects[0].area == SQUARE.sum()
        followed = [first, second, third, fourth, fifth]
        assert [one.frame for one in followed] == [1, 2, 3, 4, 5]
        boxes = [one.objects[0].box for one in followed]
        assert all(one.objects[0].round == 0 for one in followed)
        assert boxes[-1].x1 > boxes[0].x1


async def test_the_card_counts_frames(store):
    with service(store=store) as here:
        session_id, _ = await left(here)
        stream, reply = await attached(here, session_id)
        newest = types.content_hash(FILM[-1])
        assert (reply.session.n_frames, reply.session.content_hash) == (N_FRAMES, newest)
        await stream.finish()


async def test_a_frame_by_a_hash_that_is_not_held_is_refused_and_can_come_again():
    with service() as here:
        session = await here.directory.open(now_s=0)
        await session.ask(types.OpenVideo(1))
        refused = await session.ask(types.Frame(2, 0, types.ImageKey("0" * 64)))
        assert refused.code == "IMAGE_UNKNOWN"
        assert isinstance(await session.ask(frames()[0]), types.ImageSet)


async def test_what_was_not_answered_when_the_stream_was_lost_is_answered_in_the_next(
    store, undisturbed
):
    backend, gate = slow_backend()
    with service(backend=backend, store=store) as here:
        gate.let_pass(1)
        stream = Stream(here.directory)
        stream.say(*filmed(), *propagated())
        replies = await stream.hear(len(filmed()))
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.task.cancel()
        await asyncio.wait([stream.task])
        gate.let_pass(100)
        waiting = tuple(undisturbed)
        again, _ = await attached(here, replies[0].session_id, after_seq=FIRST, waiting=waiting)
        assert shapes(await again.hear(len(waiting))) == undisturbed
        await again.finish()


@pytest.mark.parametrize("n_done", [0, 2])
async def test_what_a_killed_server_did_not_follow_is_followed_by_the_next(
    store, undisturbed, n_done
):
    backend, gate = slow_backend()
    with service(backend=backend, store=store) as first:
        gate.let_pass(1 + n_done)
        stream = Stream(first.directory)
        stream.say(*filmed(), *propagated())
        replies = await stream.hear(len(filmed()) + n_done)
        for _ in range(1 + n_done):
            await asyncio.to_thread(gate.wait_for_somebody)
        with service(store=store) as second:
            last, waiting = FIRST + n_done, tuple(undisturbed)[n_done:]
            again, _ = await attached(
                second, replies[0].session_id, after_seq=last, waiting=waiting
            )
            told = shapes((*replies[len(filmed()) :], *await again.hear(len(waiting))))
            assert told == undisturbed
            await again.finish()
        gate.let_pass(100)
        stream.task.cancel()
        await asyncio.wait([stream.task])


NOT_THERE = ObjectPrompt(points=(Point(40.5, 30.5, positive=False),))


async def test_a_correction_of_what_was_followed_is_the_same_on_another_server(store):
    said = click(50, NOT_THERE, frame=5)
    with service() as here:
        _, replies = await left(here, *propagated(), said)
    with service(store=store) as first:
        session_id, _ = await left(first, *propagated())
    with service(store=store) as second:
        stream, _ = await attached(second, session_id, after_seq=FIRST + N_FRAMES)
        stream.say(said)
        assert shapes(await stream.hear()) == shapes(replies[-1:])
        stream.say(types.Undo(51))
        (undone,) = await stream.hear()
        assert (undone.frame, undone.removed_object_ids) == (5, (1,))
        await stream.finish()


def lose_all_that_is_held(here):
    for cache in vars(here.engine._caches).values():
        cache.clear()


@pytest.mark.parametrize("caller", [ANONYMOUS, Caller("acme", "ann")])
async def test_frames_that_the_engine_lost_are_brought_again(store, undisturbed, caller):
    with service(store=store) as here:
        session = await here.directory.open(now_s=0, caller=caller, prewarm=False)
        for command in filmed():
            await session.ask(command)
        told = []
        for command in propagated():
            lose_all_that_is_held(here)
            told.append(await session.ask(command))
        assert shapes(told) == undisturbed


async def test_frames_are_followed_to_where_the_engine_has_room_for_one(store, undisturbed):
    one = EngineConfig(caches=CacheConfig(images_bytes=1))
    with service(store=store, engine=one) as here:
        session = await here.directory.open(now_s=0, prewarm=False)
        for command in filmed():
            await session.ask(command)
        assert shapes([await session.ask(one) for one in propagated()]) == undisturbed


async def test_where_nothing_kept_a_frame_its_loss_is_told_and_others_are_followed_to():
    with service() as here:
        session = await here.directory.open(now_s=0, prewarm=False)
        for command in filmed():
            await session.ask(command)
        lose_all_that_is_held(here)
        await session.ask(frame(20, N_FRAMES, FILM[1]))
        for there, seq in ((2, 21), (N_FRAMES, 22)):  # the frame itself, and what it is like
            assert (await session.ask(types.Propagate(seq, there, 0))).code == "IMAGE_UNKNOWN"
        await session.ask(frame(23, N_FRAMES + 1, FILM[0]))
        assert (await session.ask(types.Propagate(24, N_FRAMES, 0))).objects[0].area > 0


async def test_a_frame_of_another_tenant_is_unknown_by_its_hash_and_followed_by_its_own(store):
    with service(store=store) as here:
        told = []
        for name in ("acme", "rival"):
            session = await here.directory.open(now_s=0, caller=Caller(name, "ann"))
            await session.ask(types.OpenVideo(1))
            by_hash = types.Frame(2, 0, types.ImageKey(types.content_hash(FILM[0])))
            assert (await session.ask(by_hash)).code == "IMAGE_UNKNOWN"
            for command in (*frames(), click(FIRST, GIVEN, frame=0)):
                await session.ask(command)
            told.append(shapes([await session.ask(one) for one in propagated()]))
        assert told[0] == told[1]


async def test_prompts_on_frames_that_are_alike_do_not_take_each_others_place():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        stream = Stream(here.directory)
        stream.say(types.OpenVideo(1), frame(2, 0), frame(3, 1, FILM[0]), click(4, frame=0))
        await stream.hear(3)
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.say(click(5, frame=0), click(6, frame=1), click(7, frame=1))
        await until(lambda: stream.n_read == 7)
        gate.let_pass(100)
        told = {one.seq: one for one in await stream.hear(4)}
        assert told[6] == types.SupersededBy(6, 7)
        assert [told[seq].frame for seq in (4, 5, 7)] == [0, 0, 1]
        await stream.finish()


# --- stopping


async def test_what_was_stopped_is_computed_no_further_than_the_frame_at_hand():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        gate.let_pass(1)
        stream = Stream(here.directory)
        stream.say(*filmed(), *propagated())
        await stream.hear(len(filmed()))
        gate.let_pass(1)
        await stream.hear()
        for _ in range(3):  # the click, the first frame, and the second that is at hand
            await asyncio.to_thread(gate.wait_for_somebody)
        stream.say(types.Stop(50))
        *cancelled, done = await stream.hear(N_FRAMES - 1)
        assert {one.code for one in cancelled} == {"CANCELLED"}
        assert done == types.Done(50)
        gate.let_pass(100)
        stream.say(click(51, frame=0))
        await stream.hear()
        assert backend.n_decoded == 4
        await stream.finish()


async def test_a_click_of_another_session_waits_for_one_frame_at_most():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        told = []
        films = [await here.directory.open(now_s=0, tell=told.append) for _ in range(2)]
        gate.let_pass(1)
        for session in films:  # they would go together if they could
            for command in filmed():
                await session.ask(command)
        await asyncio.to_thread(gate.wait_for_somebody)  # what the first was told, both know
        other = await here.directory.open(now_s=0, tell=told.append)
        await other.ask(types.OpenImage(1))
        await other.ask(types.SetImage(2, types.ImageBytes(FILM[0])))
        for session in films:
            for command in propagated():
                await session.obey(command)
        await asyncio.to_thread(gate.wait_for_somebody)  # the first frame is at hand
        await other.obey(click(3))
        gate.let_pass(100)
        await until(lambda: len(told) == 2 * (N_FRAMES - 1) + 1)
        assert [one.frame for one in told].index(None) <= 1


# --- bounds


async def test_a_session_that_ends_answers_what_waits_to_be_followed():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        told = []
        session = await here.directory.open(now_s=0, tell=told.append)
        gate.let_pass(1)
        for command in filmed():
            await session.ask(command)
        for command in propagated():
            await session.obey(command)
        session.close(errors.ShuttingDown("The server goes down."))
        assert [one.seq for one in told] == [one.seq for one in propagated()]
        assert {one.code for one in told} == {"SHUTTING_DOWN"}
        gate.let_pass(100)


async def test_frames_are_images_whose_limits_and_quotas_hold():
    small = types.Limits(max_image_pixels=HEIGHT * WIDTH)
    model = replace(MODEL, capabilities=replace(MODEL.capabilities, limits=small))
    tenants = Tenants(Quotas(tenant_image_bytes_per_minute=60.0), now=lambda: 0.0)
    with service(model=model, tenants=tenants) as here:
        session = await here.directory.open(now_s=0)
        await session.ask(types.OpenVideo(1))
        large = frame(2, 0, photo(width=WIDTH + 1))
        assert (await session.ask(large)).code == "IMAGE_TOO_LARGE"
        assert (await session.ask(frame(2, 0))).code == "QUOTA_EXCEEDED"
        assert session.card.n_frames == 0


async def test_however_many_frames_wait_each_is_refused_where_the_engine_takes_none():
    clock = [0.0]
    tenants = Tenants(Quotas(tenant_device_s_per_minute=1e-6), now=lambda: clock[0])
    with service(tenants=tenants) as here:
        told = []
        session = await here.directory.open(now_s=0, tell=told.append, prewarm=False)
        for command in filmed()[:-1]:
            await session.ask(command)
        await session.obey(filmed()[-1])
        for seq in range(MAX_WAITING):
            await session.obey(types.Propagate(100 + seq, 1, 0))
        await until(lambda: len(told) == MAX_WAITING + 1)
        assert {one.code for one in told[1:]} == {"QUOTA_EXCEEDED"}
        assert not session.closed


async def test_a_full_log_ends_what_waits_to_be_followed(store, monkeypatch):
    backend, gate = slow_backend()
    with service(backend=backend, store=store) as here:
        gate.let_pass(1)
        stream = Stream(here.directory)
        stream.say(*filmed(), *propagated())
        await stream.hear(len(filmed()))
        await until(lambda: stream.n_read == len(filmed()) + N_FRAMES - 1)
        for _ in range(2):
            await asyncio.to_thread(gate.wait_for_somebody)
        monkeypatch.setattr(session_log, "MAX_BYTES", 1)
        gate.let_pass(100)
        at_hand, *others = await stream.hear(N_FRAMES - 1)
        assert isinstance(at_hand, types.Masks)
        assert {one.code for one in others} == {"LIMIT_EXCEEDED"}
        stream.say(frame(50, N_FRAMES, FILM[0]))
        assert (await stream.hear())[0].code == "LIMIT_EXCEEDED"
        await stream.finish()


async def test_a_unary_call_takes_up_what_a_stream_left_behind():
    backend, gate = slow_backend()
    with service(backend=backend, store=MemoryStore()) as here:
        session = await here.directory.open(now_s=0)
        for command in filmed():
            asked = asyncio.create_task(session.ask(command))
            gate.let_pass(2)
            await asked
        stream = Stream(here.directory)
        stream.say(types.Attach(99, session.session_id))
        await stream.hear()
        stream.say(types.Propagate(50, 1, 0))
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.task.cancel()
        await asyncio.wait([stream.task])
        left = asyncio.create_task(session.ask(types.Propagate(51, 2, 1)))
        gate.let_pass(100)
        assert isinstance(await left, types.Masks)
