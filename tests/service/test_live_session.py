from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
from service_words import (
    HERE,
    KEY,
    OTHER,
    OTHER_KEY,
    OTHER_MASK,
    OUTSIDE,
    click,
    open_image,
    opening,
    photo,
    service,
    set_image,
    show,
    slow_backend,
    until,
)
from session_words import MODEL

from seem_server.service import live_session
from seem_server.store.memory import MemoryStore
from seem_server.telemetry.logs import JsonLines, request_id
from seem_wire import errors, types
from seem_wire.prompts import MaskPrompt, ObjectPrompt
from seem_wire.tags import session_tag

GONE = types.ImageKey("0" * 64)


@pytest.fixture
def here():
    with service() as made:
        yield made


async def opened(here, **options):
    session = await here.directory.open(now_s=0, **options)
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
    session = await here.directory.open(now_s=0, prewarm=False)
    for command in opening():
        await session.ask(command)
    assert here.engine.stats.features_bytes == 0
    assert not (await session.ask(click(3))).cache_hit


async def test_commands_are_folded_in_the_order_in_which_they_came(here):
    session = await here.directory.open(now_s=0)
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


def shut(here, monkeypatch):
    """Lets no new click in."""
    full = errors.Overloaded("Full.", retry_after_ms=70)

    def refuse(*_arguments, **_options):
        raise full

    monkeypatch.setattr(here.engine, "check_room", refuse)


async def test_a_prompt_without_room_is_refused_at_the_door_and_leaves_no_trace(monkeypatch):
    store = MemoryStore()
    with service(store=store) as here:
        session = await opened(here)
        with monkeypatch.context() as door:
            shut(here, door)
            refused = await session.ask(click(3))
        assert (refused.code, refused.retry_after_ms) == ("OVERLOADED", 70)
        assert session.card.object_ids == ()
        assert isinstance(await session.ask(click(3)), types.Masks)
        kept = store.claim(session.session_id, owner="", now_s=0).records
        assert not any(b"OVERLOADED" in bytes(record) for record in kept)


async def test_a_click_that_may_take_a_waiting_ones_place_is_not_refused_at_the_door(monkeypatch):
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        first = asyncio.create_task(session.ask(click(3)))
        await until(lambda: session.n_tickets)
        shut(here, monkeypatch)
        gate.let_pass(2)
        assert isinstance(await session.ask(click(4)), types.Masks)
        assert first.done()


async def test_a_command_that_was_obeyed_before_is_not_refused_for_want_of_room(here, monkeypatch):
    session = await opened(here)
    await session.ask(click(3))
    shut(here, monkeypatch)
    assert (await session.ask(click(3))).code == "BAD_SEQUENCE"


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
    caplog.handler.setFormatter(JsonLines())
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        request_id.set("the request that broke it")
        asked = asyncio.create_task(session.ask(click(3)))
        await asyncio.to_thread(gate.wait_for_somebody)
        monkeypatch.setattr(live_session, "step", None)
        gate.let_pass()
        assert (await asked).code == "INTERNAL"
        assert session.closed
    (line,) = [
        one for one in map(json.loads, caplog.text.splitlines()) if "broke" in one["message"]
    ]
    assert line["request_id"] == "the request that broke it"
    assert line["session"] == session_tag(session.session_id)


# --- examples


async def test_an_example_is_answered_with_a_mask_and_kept_as_a_name_and_a_mask(here):
    session = await opened(here)
    reply = await session.ask(show(3))
    assert reply.objects[0].area > 0
    said = session._state.history.objects[0].said
    assert said.example.image == OTHER_KEY
    assert said.example.mask is OTHER_MASK.mask
    assert session.card.content_hash == KEY


async def test_an_example_adds_to_what_else_is_said(here):
    session = await opened(here)
    alone = (await session.ask(click(3))).objects[0]
    both = (await session.ask(show(4, said=HERE, object_id=2))).objects[0]
    assert both.area > alone.area


async def test_an_example_s_image_is_read_once_and_then_known_by_its_hash(here):
    session = await opened(here)
    await session.ask(show(3))
    n_read = here.executor.done.count("read_image")
    whole = await session.ask(show(4, object_id=2))
    named = await session.ask(show(5, types.ImageKey(OTHER_KEY), object_id=3))
    assert here.executor.done.count("read_image") == n_read
    assert whole.objects[0].rle == named.objects[0].rle


async def test_the_session_s_own_image_may_show_the_example(here):
    session = await opened(here)
    mask = MaskPrompt(np.ones((60, 80), np.bool_))
    assert isinstance(await session.ask(show(3, types.ImageKey(KEY), mask)), types.Masks)


@pytest.mark.parametrize(
    ("image", "mask", "code"),
    [
        (types.ImageBytes(b"no image"), OTHER_MASK, "IMAGE_UNREADABLE"),
        (types.ImageBytes(OTHER[:-50]), OTHER_MASK, "IMAGE_TRUNCATED"),
        (GONE, OTHER_MASK, "IMAGE_UNKNOWN"),
        (types.ImageBytes(OTHER), MaskPrompt(np.ones((30, 20), np.bool_)), "MASK_SIZE_MISMATCH"),
    ],
)
async def test_a_bad_example_fails_its_command_and_nothing_else(here, image, mask, code):
    session = await opened(here)
    await session.ask(click(3))
    assert (await session.ask(show(4, image, mask))).code == code
    assert session.card.last_seq == 3
    assert isinstance(await session.ask(show(4)), types.Masks)


async def test_an_example_over_the_limits_is_refused():
    limits = types.Limits(max_image_pixels=60 * 80, max_mask_pixels=60 * 80)
    offered = replace(MODEL.capabilities, limits=limits)
    with service(model=replace(MODEL, capabilities=offered)) as here:
        session = await opened(here)
        large = types.ImageBytes(photo(9, height=100, width=100))
        assert (await session.ask(show(3, large))).code == "IMAGE_TOO_LARGE"
        whole = ObjectPrompt(mask=MaskPrompt(np.ones((60, 80), np.bool_)))
        assert (await session.ask(show(3, said=whole))).code == "LIMIT_EXCEEDED"


async def test_an_example_that_the_model_does_not_take_is_not_even_read():
    offered = replace(MODEL.capabilities, prompts=frozenset({types.PromptKind.POINT}))
    with service(model=replace(MODEL, capabilities=offered)) as here:
        session = await opened(here)
        n_read = here.executor.done.count("read_image")
        assert (await session.ask(show(3))).code == "NOT_OFFERED"
        assert here.executor.done.count("read_image") == n_read


async def test_an_example_is_undone_like_any_prompt(here):
    session = await opened(here)
    before = (await session.ask(click(3))).objects[0]
    await session.ask(show(4))
    back = await session.ask(types.Undo(5))
    assert back.objects[0].rle == before.rle
    assert (await session.ask(types.Redo(6))).objects[0].area > before.area


# --- everything


async def test_everything_is_answered_with_labelled_segments_that_are_no_objects(here):
    session = await opened(here)
    reply = await session.ask(types.Everything(3))
    assert [one.object_id for one in reply.segments] == list(range(1, len(reply.segments) + 1))
    assert all(one.label and one.is_thing is not None for one in reply.segments)
    assert reply.model_id == MODEL.model_id
    assert session.card.object_ids == ()


@pytest.mark.parametrize("kind", types.SegmentKind)
async def test_every_kind_of_segments_is_to_be_had(here, kind):
    session = await opened(here)
    reply = await session.ask(types.Everything(3, types.Question(kind)))
    assert isinstance(reply, types.Segments)


async def test_clicks_go_on_while_everything_is_looked_for():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        asked = asyncio.create_task(session.ask(types.Everything(3)))
        await asyncio.to_thread(gate.wait_for_somebody)
        clicked = asyncio.create_task(session.ask(click(4)))
        gate.let_pass(2)
        assert isinstance(await asked, types.Segments)
        assert isinstance(await clicked, types.Masks)
        await until(lambda: here.engine.stats.n_pins == 0)  # a head start may still wait


async def test_a_newer_question_takes_the_place_of_one_that_waits():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        running = asyncio.create_task(session.ask(click(3)))
        await asyncio.to_thread(gate.wait_for_somebody)
        older, newer = (asyncio.create_task(session.ask(types.Everything(seq))) for seq in (4, 5))
        assert await older == types.SupersededBy(4, 5)
        gate.let_pass(2)
        assert isinstance(await newer, types.Segments)
        assert isinstance(await running, types.Masks)


async def test_a_refused_question_is_told(here):
    session = await opened(here)
    here.engine.close()
    assert (await session.ask(types.Everything(3))).code == "SHUTTING_DOWN"


async def test_closing_tells_those_who_ask_too():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session = await opened(here)
        asked = asyncio.create_task(session.ask(types.Everything(3)))
        await until(lambda: session.n_tickets)
        session.close(errors.ShuttingDown("The server goes down."))
        assert (await asked).code == "SHUTTING_DOWN"
        gate.let_pass()
        await until(lambda: here.at_rest)
