from __future__ import annotations

import asyncio

import pytest
from service_words import (
    OUTSIDE,
    Stream,
    click,
    open_image,
    opening,
    service,
    set_image,
    slow_backend,
    until,
)

from seem_server.service import conversation
from seem_server.service.callers import Caller
from seem_server.service.quotas import Quotas
from seem_server.service.tenants import Tenants
from seem_wire import errors, types


@pytest.fixture
def here():
    with service() as made:
        yield made


async def test_commands_are_answered_and_the_session_ends_with_the_stream(here):
    stream = Stream(here.directory)
    stream.say(*opening(), click(3))
    kinds = [type(reply).__name__ for reply in await stream.hear(3)]
    assert kinds == ["Opened", "ImageSet", "Masks"]
    assert len(here.directory) == 1
    await stream.finish()
    await until(lambda: here.at_rest)


async def test_what_was_asked_before_the_last_word_is_still_answered():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3), None)
        await asyncio.to_thread(gate.wait_for_somebody)
        gate.let_pass()
        await stream.task
        assert (await stream.hear(3))[-1].seq == 3


async def test_the_reader_does_not_wait_for_answers():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3))
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.say(click(4), click(5), click(6))
        replies = await stream.hear(4)
        assert replies[2:] == [types.SupersededBy(4, 5), types.SupersededBy(5, 6)]
        gate.let_pass(2)
        assert [reply.seq for reply in await stream.hear(2)] == [3, 6]
        await stream.finish()


async def test_a_faulty_command_is_answered_and_the_stream_goes_on(here):
    stream = Stream(here.directory)
    unread = types.Failed.of(9, errors.UnknownCommand("What?"))
    stream.say(*opening(), unread, click(3, OUTSIDE), set_image(4, b"no image"), click(5))
    replies = await stream.hear(6)
    codes = [reply.code for reply in replies[2:5]]
    assert codes == ["UNKNOWN_COMMAND", "POINT_OUTSIDE_IMAGE", "IMAGE_UNREADABLE"]
    assert isinstance(replies[5], types.Masks)
    await stream.finish()


async def test_nothing_is_served_before_a_session_is_opened(here):
    stream = Stream(here.directory)
    stream.say(click(1))
    assert (await stream.hear())[0].code == "UNKNOWN_SESSION"
    await stream.finish()


async def test_a_stream_has_one_session_at_a_time(here):
    stream = Stream(here.directory)
    stream.say(open_image(1), open_image(2), types.Release(3), open_image(1))
    first, second, done, third = await stream.hear(4)
    assert (second.code, done) == ("ALREADY_OPEN", types.Done(3))
    assert first.session_id != third.session_id
    assert len(here.directory) == 1
    await stream.finish()


async def test_a_full_server_says_so_in_the_stream():
    with service(max_sessions=0) as here:
        stream = Stream(here.directory)
        stream.say(open_image())
        (reply,) = await stream.hear()
        assert (reply.code, reply.retry_after_ms) == ("OVERLOADED", 2000)
        await stream.finish()


async def test_talking_keeps_a_session_alive():
    with service(idle_timeout_s=10) as here:
        moments = iter([0.0, 6.0, 12.0])
        stream = Stream(here.directory, now=lambda: next(moments))
        stream.say(*opening())
        await stream.hear(2)
        assert here.directory.sweep(now_s=12) == 0
        assert here.directory.sweep(now_s=30) == 1
        await stream.finish()


async def test_hanging_up_in_the_middle_of_a_decode_leaves_nothing_behind():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        stream = Stream(here.directory)
        stream.say(*opening(), click(3), click(4))
        await asyncio.to_thread(gate.wait_for_somebody)
        stream.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stream.task
        assert len(here.directory) == 0
        gate.let_pass(2)
        await until(lambda: here.at_rest)
        assert len(asyncio.all_tasks()) == 1


async def test_a_client_that_does_not_read_is_held_back(here, monkeypatch):
    monkeypatch.setattr(conversation, "MAX_UNANSWERED", 4)
    stream = Stream(here.directory)
    stream.reading.clear()
    stream.say(*opening(), *(types.Clear(seq) for seq in range(3, 20)))
    await until(lambda: stream.n_read == 5)
    await asyncio.sleep(0)
    assert stream.n_read == 5
    other = Stream(here.directory)
    other.say(*opening(), click(3))
    assert isinstance((await other.hear(3))[-1], types.Masks)
    await other.finish()
    assert stream.n_read == 5
    stream.reading.set()
    assert len(await stream.hear(19)) == 19
    await stream.finish()


async def test_a_stream_that_asks_too_much_is_refused_by_command_and_goes_on(here):
    clock = [0.0]
    here.directory.tenants = Tenants(Quotas(tenant_requests_per_s=0.6), now=lambda: clock[0])
    stream = Stream(here.directory, caller=Caller("acme", "ann"))
    stream.say(*opening(), click(3), types.Failed(4, "UNKNOWN_COMMAND", "What?"), click(5))
    replies = sorted(await stream.hear(5), key=lambda reply: reply.seq)
    assert [reply.code for reply in replies[3:]] == ["QUOTA_EXCEEDED"] * 2
    assert isinstance(replies[2], types.Masks)
    clock[0] += replies[4].retry_after_ms / 1000
    stream.say(click(6))
    assert isinstance((await stream.hear())[0], types.Masks)
    await stream.finish()


async def test_a_session_belongs_to_the_tenant_of_its_stream(here):
    stream = Stream(here.directory, caller=Caller("acme", "ann"))
    stream.say(open_image())
    (opened,) = await stream.hear()
    with pytest.raises(errors.UnknownSession):
        here.directory.find(opened.session_id, now_s=0)
    await stream.finish()
