from __future__ import annotations

import asyncio

import pytest
from service_words import (
    KEY,
    OUTSIDE,
    click,
    open_image,
    opening,
    photo,
    service,
    set_image,
    slow_backend,
    until,
)

from seem_server.service import live_session
from seem_wire import errors, types

GONE = types.ImageKey("0" * 64)


@pytest.fixture
def here():
    with service() as made:
        yield made


async def opened(here, **options):
    session = here.directory.open(now_s=0, **options)
    for command in opening():
        await session.ask(command)
    return session


async def test_a_click_is_answered_with_a_mask(here):
    session = await opened(here)
    reply = await session.ask(click(3))
    assert [mask.object_id for mask in reply.objects] == [1]
    assert session.card.content_hash == KEY
    assert session.n_tickets == 0


async def test_an_image_that_cannot_be_read_fails_its_command_and_nothing_else(here):
    session = await opened(here)
    await session.ask(click(3))
    reply = await session.ask(set_image(4, b"no image"))
    assert reply.code == "IMAGE_UNREADABLE"
    assert session.card.object_ids == (1,)
    reply = await session.ask(types.SetImage(4, GONE))
    assert reply.code == "IMAGE_UNKNOWN"


async def test_an_image_is_encoded_before_the_first_click():
    backend, _ = slow_backend()
    with service(backend=backend) as here:
        await opened(here)
        await until(lambda: backend.n_encoded == 1)


async def test_without_a_head_start_the_first_click_encodes(here):
    session = here.directory.open(now_s=0, prewarm=False)
    for command in opening():
        await session.ask(command)
    assert here.engine.stats.features_bytes == 0
    assert not (await session.ask(click(3))).cache_hit


async def test_commands_are_folded_in_the_order_in_which_they_came(here):
    session = here.directory.open(now_s=0)
    await session.ask(open_image())
    image, mask = await asyncio.gather(session.ask(set_image()), session.ask(click(3)))
    assert isinstance(image, types.ImageSet)
    assert isinstance(mask, types.Masks)


async def test_replies_that_nobody_asked_for_are_told_to_the_session_s_owner(here):
    told = []
    session = await opened(here, tell=told.append)
    await session.obey(click(3, OUTSIDE))
    assert [reply.code for reply in told] == ["POINT_OUTSIDE_IMAGE"]


async def test_a_number_that_is_being_answered_cannot_be_asked_again():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        first = asyncio.create_task(session.ask(click(3)))
        await until(lambda: session.n_tickets)
        with pytest.raises(errors.BadSequence):
            await session.ask(click(3))
        gate.let_pass()
        assert isinstance(await first, types.Masks)


async def test_asking_no_more_takes_the_command_back():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        asking = asyncio.create_task(session.ask(click(3)))
        await until(lambda: session.n_tickets)
        asking.cancel()
        await until(lambda: not session.n_tickets)
        assert session.card.object_ids == ()
        gate.let_pass()
        assert asking.cancelled()


async def test_a_newer_click_takes_the_place_of_one_that_waits():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        first = asyncio.create_task(session.ask(click(3)))
        await asyncio.to_thread(gate.wait_for_somebody)
        others = [asyncio.create_task(session.ask(click(seq))) for seq in (4, 5, 6)]
        assert await asyncio.gather(*others[:2]) == [
            types.SupersededBy(4, 5),
            types.SupersededBy(5, 6),
        ]
        gate.let_pass(2)
        assert [(await one).objects[0].round for one in (first, others[2])] == [1, 2]


async def test_a_refusal_at_the_engine_s_door_fails_the_click_and_takes_it_back(here):
    session = await opened(here)
    here.engine.close()
    reply = await session.ask(click(3))
    assert reply.code == "SHUTTING_DOWN"
    assert session.card.object_ids == ()


async def test_release_ends_the_session_and_what_comes_after_is_told_so(here):
    session = await opened(here)
    assert await session.ask(types.Release(3)) == types.Done(3)
    assert session.closed
    assert (await session.ask(click(4))).code == "UNKNOWN_SESSION"


async def test_closing_tells_those_who_wait_and_leaves_nothing_behind():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        asked = asyncio.create_task(session.ask(click(3)))
        await until(lambda: session.n_tickets)
        session.close(errors.ShuttingDown("The server goes down."))
        assert (await asked).code == "SHUTTING_DOWN"
        gate.let_pass()
        await until(lambda: here.at_rest)


async def test_a_withdrawn_ticket_is_cancelled():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        asked = asyncio.create_task(session.ask(click(3)))
        await until(lambda: session.n_tickets)
        assert await session.ask(types.Clear(4)) == types.Done(4)
        assert await asked == types.SupersededBy(3, 4)
        assert session.n_tickets == 0
        gate.let_pass()


async def test_a_new_image_ends_the_head_start_of_the_old(here):
    session = await opened(here)
    reply = await session.ask(set_image(3, photo(1)))
    assert reply.content_hash == session.card.content_hash
    await until(lambda: here.engine.stats.n_pins == 0)


async def test_a_session_that_breaks_tells_its_client_and_ends(monkeypatch, caplog):
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        asked = asyncio.create_task(session.ask(click(3)))
        await asyncio.to_thread(gate.wait_for_somebody)
        monkeypatch.setattr(live_session, "step", None)
        gate.let_pass()
        assert (await asked).code == "INTERNAL"
        assert session.closed
    assert "a session broke" in caplog.text
