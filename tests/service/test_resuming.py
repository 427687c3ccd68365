"""Sessions that outlive their stream, their server and the images that the engine holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from service_words import (
    KEY,
    OTHER_KEY,
    PHOTO,
    Stream,
    click,
    open_image,
    opening,
    service,
    set_image,
    show,
    slow_backend,
    until,
)
from session_words import MODEL

from seem_server.engine.engine import EngineConfig
from seem_server.engine.worker import CacheConfig
from seem_server.service import unary
from seem_server.service.callers import ANONYMOUS, Caller
from seem_server.store.base import Keeping, PerhapsKept
from seem_server.store.memory import MemoryStore
from seem_wire import errors, types
from seem_wire.prompts import ObjectPrompt, Point

FAR = ObjectPrompt(points=(Point(70.5, 50.5),))


@pytest.fixture
def store():
    return MemoryStore()


async def left(here, *more):
    """The id of a session that a stream began and left, and the replies."""
    stream = Stream(here.directory)
    replies = []
    for command in (*opening(), *more):
        stream.say(command)
        replies += await stream.hear()
    await stream.finish()
    return replies[0].session_id, replies


async def attached(here, session_id, **options):
    """A stream that has the session, and Attached."""
    stream = Stream(here.directory)
    stream.say(types.Attach(99, session_id, **options))
    (reply,) = await stream.hear()
    return stream, reply


async def test_a_session_goes_on_in_another_stream(store):
    with service(store=store) as here:
        session_id, _ = await left(here, click(3))
        stream, reply = await attached(here, session_id, after_seq=3)
        assert reply.session.last_seq == 3
        assert reply.session.content_hash == KEY
        stream.say(types.Undo(4))
        (undone,) = await stream.hear()
        assert undone.removed_object_ids == (1,)
        await stream.finish()


async def test_a_session_goes_on_in_another_server_with_the_same_masks(store):
    with service(store=store) as first:
        session_id, replies = await left(first, click(3), click(4, FAR), click(5, object_id=2))
    with service(store=store) as second:
        stream, reply = await attached(second, session_id, after_seq=5, masks=True)
        masks = {one.object_id: one.rle for one in reply.objects}
        assert masks == {1: replies[3].objects[0].rle, 2: replies[4].objects[0].rle}
        stream.say(types.RemoveObject(6, 2), types.Undo(7), types.Undo(8), types.Undo(9))
        *_, undone = await stream.hear(4)
        assert undone.objects[0].rle == replies[2].objects[0].rle
        await stream.finish()


async def test_what_the_engine_refused_is_taken_back_in_the_log_too(store, monkeypatch):
    def full(*_, **__):
        raise errors.Overloaded("Too much waits.", retry_after_ms=50)

    with service(store=store) as first:
        session_id, _ = await left(first, click(3), click(4))
        stream, _ = await attached(first, session_id, after_seq=4)
        with monkeypatch.context() as patched:
            patched.setattr(first.engine, "submit", full)
            stream.say(types.Undo(5))
            (refusal,) = await stream.hear()
        assert refusal.code == "OVERLOADED"
        stream.say(click(6), types.Undo(7))
        await stream.hear(2)
        card = first.directory.find(session_id, now_s=0).card
        await stream.finish()
    with service(store=store) as second:
        _, reply = await attached(second, session_id, after_seq=7)
        assert reply.session == card


async def test_replies_that_a_client_lacks_are_sent_again_as_they_were(store):
    with service(store=store) as first:
        session_id, replies = await left(first, click(3), types.Clear(4), click(5))
    with service(store=store) as second:
        stream, _ = await attached(second, session_id, after_seq=3)
        assert await stream.hear(2) == replies[3:]
        await stream.finish()


async def test_a_refusal_is_sent_again_to_who_waits_for_it_alone(store):
    with service(store=store) as here:
        session_id, replies = await left(here, click(3), types.Choose(4, 1, 9))
        for waiting, expected in (((4,), [replies[-1]]), ((), [])):
            stream, _ = await attached(here, session_id, after_seq=3, waiting=waiting)
            stream.say(types.RemoveObject(5, 77))
            *again, refusal = await stream.hear(len(expected) + 1)
            assert again == expected
            assert refusal.code == "UNKNOWN_OBJECT"
            await stream.finish()


async def test_a_refusal_is_no_answer_to_a_later_command_of_its_number(store):
    backend, gate = slow_backend()
    with service(backend=backend, store=store) as here:
        session_id, _ = await left(here, types.Choose(3, 1, 9))
        stream, _ = await attached(here, session_id, after_seq=2)
        stream.say(click(3))
        await asyncio.to_thread(gate.wait_for_somebody)
        again, _ = await attached(here, session_id, after_seq=2, waiting=(3,))
        gate.let_pass(100)
        (answer,) = await again.hear()
        assert isinstance(answer, types.Masks)
        await again.finish()


async def test_what_was_not_answered_when_the_stream_was_lost_is_answered_in_the_next():
    backend, gate = slow_backend()
    with service(backend=backend, store=MemoryStore()) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3))
        replies = await stream.hear(2)
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.task.cancel()
        await asyncio.wait([stream.task])
        gate.let_pass(10)
        await until(lambda: here.engine.stats.n_running == 0)
        again, _ = await attached(here, replies[0].session_id, after_seq=2, waiting=(3,))
        (reply,) = await again.hear()
        assert (reply.seq, [one.object_id for one in reply.objects]) == (3, [1])
        await again.finish()


async def test_what_a_killed_server_did_not_answer_is_answered_by_the_next(store):
    backend, gate = slow_backend()
    with service(backend=backend, store=store) as first:
        stream = Stream(first.directory)
        stream.say(*opening(), click(3))
        replies = await stream.hear(2)
        await asyncio.to_thread(gate.wait_for_somebody)
        with service(store=store) as second:
            again, _ = await attached(second, replies[0].session_id, after_seq=2, waiting=(3,))
            (reply,) = await again.hear()
            assert (reply.seq, [one.object_id for one in reply.objects]) == (3, [1])
            await again.finish()
        gate.let_pass(10)
        (late,) = await stream.hear()
        assert late.code == "SESSION_MOVED"
        stream.task.cancel()
        await asyncio.wait([stream.task])


async def test_a_reply_that_nobody_knows_any_more_is_told_to_be_lost(store):
    with service(store=store) as here:
        session_id, _ = await left(here, click(3), set_image(4), types.Everything(5))
    with service(store=store) as second:
        stream, _ = await attached(second, session_id, after_seq=4, waiting=(5,))
        (lost,) = await stream.hear()
        assert (lost.seq, lost.code) == (5, "REPLY_LOST")
        await stream.finish()


async def test_only_the_newest_stream_has_a_session(store):
    with service(store=store) as here:
        old = Stream(here.directory)
        old.say(*opening())
        opened, _ = await old.hear(2)
        new, _ = await attached(here, opened.session_id, after_seq=2)
        with pytest.raises(errors.SessionMoved):
            await old.task
        new.say(click(3))
        assert isinstance((await new.hear())[0], types.Masks)
        await new.finish()


async def test_a_stream_has_one_session_and_a_failed_attach_leaves_it_free(store):
    with service(store=store) as here:
        session_id, _ = await left(here)
        stream = Stream(here.directory)
        stream.say(types.Attach(1, "nobody"), types.Attach(2, session_id, 2), types.Attach(3, "x"))
        unknown, reply, taken = await stream.hear(3)
        assert (unknown.code, taken.code) == ("UNKNOWN_SESSION", "ALREADY_OPEN")
        assert reply.session.session_id == session_id
        await stream.finish()


async def test_a_session_of_another_model_is_not_gone_on_with(store):
    with service(store=store) as here:
        session_id, _ = await left(here)
    other = replace(MODEL, model_id="other@2")
    with service(store=store, model=other) as second:
        _, reply = await attached(second, session_id)
        assert reply.code == "MODEL_CHANGED"
        assert "other@2" in reply.message


async def test_a_released_session_is_forgotten(store):
    with service(store=store) as here:
        session_id, _ = await left(here, types.Release(3))
        _, reply = await attached(here, session_id)
        assert reply.code == "UNKNOWN_SESSION"


async def test_a_session_that_was_left_makes_room_for_another_and_is_not_lost(store):
    with service(store=store, max_sessions=1) as here:
        session_id, _ = await left(here, click(3))
        stream = Stream(here.directory)
        stream.say(open_image())
        assert isinstance((await stream.hear())[0], types.Opened)
        refused = Stream(here.directory)
        refused.say(open_image())
        assert (await refused.hear())[0].code == "OVERLOADED"
        await refused.finish()
        stream.say(types.Release(2))
        await stream.hear()
        _, reply = await attached(here, session_id)
        assert reply.session.object_ids == (1,)


async def test_a_stream_whose_session_was_left_alone_goes_on_without_knowing(store):
    with service(store=store, idle_timeout_s=10) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3))
        await stream.hear(3)
        assert here.directory.sweep(now_s=10) == 1
        assert len(here.directory) == 0
        stream.say(types.Undo(4))
        (undone,) = await stream.hear()
        assert undone.removed_object_ids == (1,)
        await stream.finish()


async def test_one_whose_client_is_gone_lingers_for_a_while(store):
    with service(store=store, linger_s=5) as here:
        await left(here)
        assert here.directory.sweep(now_s=4) == 0
        assert here.directory.sweep(now_s=5) == 1


@pytest.mark.parametrize("caller", [ANONYMOUS, Caller("acme", "ann")])
@pytest.mark.parametrize("said", [click(3), show(3), types.Everything(3)])
async def test_an_image_that_the_engine_lost_is_brought_again(store, said, caller):
    room = (60 * 80 + 20 * 30) * 3
    caches = CacheConfig(images_bytes=room, features_bytes=1, memory_bytes=1)
    with service(store=store, engine=EngineConfig(caches=caches)) as here:
        session = await here.directory.open(now_s=0, caller=caller, prewarm=False)
        for command in opening():
            await session.ask(command)
        here.engine.put_image("another", np.zeros((90, 60, 3), np.uint8))
        assert not here.engine.has_image(here.tenants.of(caller).key_of(KEY))
        assert isinstance(await session.ask(said), types.Masks | types.Segments)


async def test_a_work_whose_image_was_brought_is_asked_for_again_in_the_next_stream(store):
    backend, gate = slow_backend()
    with service(store=store) as first:
        session_id, _ = await left(first)
    with service(store=store, backend=backend) as second:
        stream, _ = await attached(second, session_id, after_seq=2)
        stream.say(click(3))
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.task.cancel()
        await asyncio.wait([stream.task])
        gate.let_pass(10)
        again, _ = await attached(second, session_id, after_seq=2, waiting=(3,))
        assert (await again.hear())[0].seq == 3
        await again.finish()


async def test_where_nothing_kept_an_image_its_loss_is_told():
    with service() as here, pytest.raises(errors.ImageUnknown):
        await here.images.bring(OTHER_KEY)


class Broken(MemoryStore):
    """Keeps nothing from a moment on."""

    broken = False

    def append(self, entries, *, now_s):
        if self.broken:
            raise errors.StoreFailed("The disk is full.")
        return super().append(entries, now_s=now_s)


async def test_what_cannot_be_kept_is_not_done_and_nothing_before_is_lost():
    store = Broken()
    with service(store=store) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3))
        opened, *_ = await stream.hear(3)
        store.broken = True
        stream.say(types.Clear(4))
        assert (await stream.hear())[0].code == "STORE_FAILED"
        await stream.finish()
        store.broken = False
        again, reply = await attached(here, opened.session_id, masks=True)
        assert reply.session.last_seq == 3
        assert [one.object_id for one in reply.objects] == [1]
        await again.finish()


async def test_an_image_that_cannot_be_kept_is_refused():
    with service(store=MemoryStore(Keeping(images_bytes=10))) as here:
        stream = Stream(here.directory)
        stream.say(*opening())
        _, refused = await stream.hear(2)
        assert refused.code == "STORE_FULL"
        await stream.finish()


async def test_a_session_that_another_server_has_had_meanwhile_is_taken_as_it_is_now(store):
    with service(store=store) as first, service(store=store) as second:
        session_id, _ = await left(first, click(3))
        elsewhere, _ = await attached(second, session_id, after_seq=3)
        elsewhere.say(click(4, FAR, object_id=2))
        await elsewhere.hear()
        back, reply = await attached(first, session_id, after_seq=4)
        assert (reply.session.last_seq, reply.session.object_ids) == (4, (1, 2))
        back.say(types.Undo(5))
        assert (await back.hear())[0].removed_object_ids == (2,)
        elsewhere.say(click(6))
        assert (await elsewhere.hear())[0].code == "SESSION_MOVED"
        await back.finish()
        await elsewhere.finish()


async def test_unary_calls_that_go_to_servers_in_turn_are_one_session(store):
    with service(store=store) as first, service(store=store) as second:
        session_id, _ = await left(first, click(3))
        for seq, here in enumerate((second, first, second, first), 4):
            said = click(seq, object_id=seq, session_id=session_id)
            reply = await unary.execute(here.directory, said, now_s=0)
            assert [one.object_id for one in reply.objects] == [seq]
        session = await second.directory.reach(session_id, now_s=0)
        assert session.card.object_ids == (1, 4, 5, 6, 7)


async def test_a_server_that_goes_down_hands_its_sessions_over_once_all_is_answered():
    backend, gate = slow_backend()
    store = MemoryStore()
    with service(backend=backend, store=store) as here:
        stream, quiet = Stream(here.directory), Stream(here.directory)
        for one in (stream, quiet):
            one.say(*opening())
        opened, _ = await stream.hear(2)
        await quiet.hear(2)
        stream.say(click(3))
        await asyncio.to_thread(gate.wait_for_somebody)
        going = asyncio.create_task(here.directory.hand_over(within_s=20))
        with pytest.raises(errors.ShuttingDown):
            await quiet.task
        assert not stream.task.done()
        gate.let_pass()
        assert isinstance((await stream.hear())[0], types.Masks)
        with pytest.raises(errors.ShuttingDown):
            await stream.task
        await going
    with service(store=store) as second:
        again, reply = await attached(second, opened.session_id, after_seq=3)
        assert reply.session.object_ids == (1,)
        await again.finish()


async def test_a_server_that_goes_down_sends_who_comes_to_another(store):
    with service(store=store) as first:
        session_id, _ = await left(first)
    with service(store=store) as second:
        second.directory.drain()
        for word in (opening()[0], types.Attach(9, session_id)):
            stream = Stream(second.directory)
            stream.say(word)
            with pytest.raises(errors.ShuttingDown):
                await stream.task


async def test_where_nobody_knows_what_was_kept_the_next_stream_hears_it(store, monkeypatch):
    def lost(entries, *, now_s):
        append(entries, now_s=now_s)
        raise PerhapsKept("The store did not answer.")

    append = store.append
    with service(store=store) as here:
        stream = Stream(here.directory)
        stream.say(*opening())
        opened, _ = await stream.hear(2)
        with monkeypatch.context() as patched:
            patched.setattr(store, "append", lost)
            stream.say(types.Clear(3))
            with pytest.raises(PerhapsKept):
                await stream.task
        again, reply = await attached(here, opened.session_id, after_seq=2, waiting=(3,))
        assert reply.session.last_seq == 3
        assert await again.hear() == [types.Done(3)]
        await again.finish()


async def test_what_is_not_answered_in_time_is_left_to_the_next_server():
    backend, gate = slow_backend()
    store = MemoryStore()
    with service(backend=backend, store=store) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3))
        opened, _ = await stream.hear(2)
        await asyncio.to_thread(gate.wait_for_somebody)
        await here.directory.hand_over(within_s=0)
        with pytest.raises(errors.ShuttingDown):
            await stream.task
        gate.let_pass(10)
    with service(store=store) as second:
        again, _ = await attached(second, opened.session_id, after_seq=2, waiting=(3,))
        assert (await again.hear())[0].seq == 3
        await again.finish()


async def test_unary_calls_go_on_with_a_session_too(store):
    with service(store=store) as first:
        session_id, _ = await left(first, click(3))
    with service(store=store) as second:
        again = types.Undo(4, session_id=session_id)
        undone = await unary.execute(second.directory, again, now_s=0)
        assert undone.removed_object_ids == (1,)
        attach = types.Attach(5, session_id)
        with pytest.raises(errors.NotOffered):
            await unary.execute(second.directory, attach, now_s=0)


async def test_an_image_without_a_session_is_not_kept(store):
    with service(store=store) as here:
        said = (types.PromptedObject(1, FAR),)
        await unary.segment(here.directory, types.Segment(types.ImageBytes(PHOTO), said), now_s=0)
        assert store._logs == {}


async def test_a_client_that_leaves_while_it_attaches_lets_go_of_the_session():
    store = MemoryStore()
    with service(store=store) as first:
        session_id, _ = await left(first, click(3), click(4, object_id=2), types.Undo(5))
        first.directory._sessions[session_id]._log._replies.clear()
    backend, gate = slow_backend()
    with service(backend=backend, store=store, max_sessions=1) as here:
        stream = Stream(here.directory)
        stream.say(types.Attach(9, session_id, after_seq=5, masks=True))
        session = await _attaching(here)
        session._log._replies.clear()
        session._log._newest.clear()  # so that a mask has to be made
        await asyncio.sleep(0)
        stream.task.cancel()
        await asyncio.wait([stream.task])
        gate.let_pass(10)
        await until(lambda: not session.is_busy)
        assert not session.attached
        await here.directory.hand_over(within_s=0)
        assert not session.attached


async def _attaching(here):
    await until(lambda: len(here.directory) == 1)
    return next(iter(here.directory._sessions.values()))


async def test_a_stream_that_does_not_end_when_it_is_dismissed_holds_up_nobody(monkeypatch):
    monkeypatch.setattr("seem_server.service.directory._LEAVING_S", 0.02)
    with service(store=MemoryStore()) as here:
        session = await here.directory.open(now_s=0)
        session.attach(lambda _: None, lambda _: None)  # one that never leaves
        async with asyncio.timeout(20):
            await here.directory.hand_over(within_s=0)
        assert session.parked


async def test_a_session_that_grew_too_old_is_told_so_and_to_open_a_new_one():
    clock = [0.0]
    store = MemoryStore(Keeping(age_s=100))
    with service(store=store, wall=lambda: clock[0]) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3))
        opened, *_ = await stream.hear(3)
        clock[0] = 101.0
        assert store.sweep(now_s=clock[0]) == 1
        stream.say(types.Undo(4), types.Undo(5))
        assert [reply.code for reply in await stream.hear(2)] == ["SESSION_EXPIRED"] * 2
        stream.say(open_image(6))
        assert (await stream.hear())[0].session_id != opened.session_id
        await stream.finish()


async def test_a_session_that_grew_too_old_is_released_all_the_same():
    store = MemoryStore(Keeping(age_s=100))
    with service(store=store) as here:
        stream = Stream(here.directory)
        stream.say(*opening())
        await stream.hear(2)
        assert store.sweep(now_s=101) == 1
        stream.say(types.Release(3))
        assert isinstance((await stream.hear())[0], types.Done)
        await stream.finish()


async def test_closing_a_session_that_another_server_has_leaves_it_there(store):
    with service(store=store) as first, service(store=store) as second:
        stale = Stream(first.directory)
        stale.say(*opening(), click(3))
        opened, *_ = await stale.hear(3)
        elsewhere, _ = await attached(second, opened.session_id, after_seq=3)
        stale.say(types.Release(4))
        assert (await stale.hear())[0].code == "SESSION_MOVED"
        elsewhere.say(types.Undo(4))
        assert (await elsewhere.hear())[0].removed_object_ids == (1,)
        await elsewhere.finish()
        await stale.finish()


async def test_a_session_that_somebody_waits_for_is_not_let_go_of():
    backend, gate = slow_backend()
    with service(backend=backend, store=MemoryStore(), max_sessions=1, idle_timeout_s=10) as here:
        session_id, _ = await left(here)
        session = await here.directory.reach(session_id, now_s=0)
        asked = asyncio.create_task(session.ask(click(3)))
        await asyncio.to_thread(gate.wait_for_somebody)
        assert here.directory.sweep(now_s=1000) == 0
        with pytest.raises(errors.Overloaded):
            await here.directory.open(now_s=1001)
        gate.let_pass()
        assert isinstance(await asked, types.Masks)
        assert here.directory.sweep(now_s=2000) == 1


async def test_a_session_that_was_closed_while_an_image_was_read_answers_all_the_same(store):
    with service(store=store) as here:
        session = await here.directory.open(now_s=0)
        await session.ask(open_image())
        asked = asyncio.create_task(session.ask(set_image()))
        await asyncio.sleep(0)
        session.close()
        async with asyncio.timeout(20):
            assert (await asked).code == "UNKNOWN_SESSION"


async def test_each_caller_of_one_session_gets_the_replies_to_his_own_commands():
    backend, gate = slow_backend()
    with service(backend=backend, store=MemoryStore()) as here:
        stream = Stream(here.directory)
        stream.say(*opening())
        opened, _ = await stream.hear(2)
        session = await here.directory.reach(opened.session_id, now_s=0)
        asked = asyncio.create_task(session.ask(click(3, object_id=7)))
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.say(click(3))
        (refused,) = await stream.hear()
        assert refused.code == "BAD_SEQUENCE"
        gate.let_pass()
        assert [one.object_id for one in (await asked).objects] == [7]
        stream.say(click(4, FAR))
        await asyncio.to_thread(gate.wait_for_somebody)
        assert (await session.ask(click(4, object_id=9))).code == "BAD_SEQUENCE"
        gate.let_pass()
        assert [one.object_id for one in (await stream.hear())[0].objects] == [1]
        again, _ = await attached(here, opened.session_id, after_seq=3)
        assert [one.object_id for one in (await again.hear())[0].objects] == [1]
        await again.finish()


async def test_a_full_log_takes_no_more_prompts_but_can_be_undone(store, monkeypatch):
    with service(store=store) as here:
        session = await here.directory.open(now_s=0)
        for command in (*opening(), click(3)):
            await session.ask(command)
        monkeypatch.setattr("seem_server.service.session_log.MAX_BYTES", 10)
        assert (await session.ask(click(4))).code == "LIMIT_EXCEEDED"
        assert isinstance(await session.ask(types.Undo(4)), types.Masks)
        assert isinstance(await session.ask(set_image(5)), types.ImageSet)
