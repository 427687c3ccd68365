from __future__ import annotations

import asyncio

import pytest
from service_words import (
    HERE,
    KEY,
    NOT_HERE,
    OTHER,
    OTHER_MASK,
    OUTSIDE,
    PHOTO,
    click,
    open_image,
    service,
    set_image,
    slow_backend,
)

from seem_server.service import unary
from seem_server.service.callers import Caller
from seem_server.service.quotas import Quotas
from seem_server.service.tenants import Tenants
from seem_server.store.memory import MemoryStore
from seem_wire import errors, types
from seem_wire.prompts import ObjectPrompt

IMAGE = types.ImageBytes(PHOTO)


@pytest.fixture
def here():
    with service() as made:
        yield made


def execute(here, command, **options):
    return unary.execute(here.directory, command, now_s=0, **options)


def segment(here, *said, image=IMAGE):
    objects = tuple(types.PromptedObject(n, one) for n, one in enumerate(said, 1))
    return unary.segment(here.directory, types.Segment(image, objects), now_s=0)


async def opened(here):
    session_id = (await execute(here, open_image())).session_id
    await execute(here, set_image(session_id=session_id))
    return session_id


async def test_a_session_lives_from_call_to_call_until_it_is_released(here):
    session_id = await opened(here)
    masks = await execute(here, click(3, session_id=session_id))
    assert masks.objects[0].object_id == 1
    await execute(here, types.Release(4, session_id=session_id))
    with pytest.raises(errors.UnknownSession):
        await execute(here, types.Undo(5, session_id=session_id))


async def test_a_call_that_is_sent_again_is_done_once():
    with service(store=MemoryStore()) as here:
        session_id = await opened(here)
        masks = await execute(here, click(3, session_id=session_id), again=True)
        assert await execute(here, click(3, session_id=session_id), again=True) == masks
        with pytest.raises(errors.BadSequence):
            await execute(here, click(3, session_id=session_id))
        undone = await execute(here, types.Undo(4, session_id=session_id))
        assert undone.removed_object_ids == (1,)


async def test_a_call_whose_server_died_in_its_midst_is_answered_by_the_next():
    store, (backend, gate) = MemoryStore(), slow_backend()
    with service(backend=backend, store=store) as first, service(store=store) as second:
        session_id = await opened(first)
        lost = asyncio.create_task(execute(first, click(3, session_id=session_id)))
        await asyncio.to_thread(gate.wait_for_somebody)
        masks = await execute(second, click(3, session_id=session_id), again=True)
        assert masks.objects[0].object_id == 1
        gate.let_pass(10)
        with pytest.raises(errors.SessionMoved):
            await lost


async def test_a_reply_that_was_not_kept_is_told_to_be_lost():
    with service(store=MemoryStore()) as here:
        session_id = await opened(here)
        await execute(here, types.Clear(9, session_id=session_id))
        with pytest.raises(errors.ReplyLost):
            await execute(here, types.Clear(8, session_id=session_id), again=True)


async def test_what_a_session_refuses_is_raised(here):
    session_id = await opened(here)
    with pytest.raises(errors.PointOutsideImage):
        await execute(here, click(3, OUTSIDE, session_id=session_id))


async def test_a_superseded_call_is_raised_as_such():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        session_id = await opened(here)
        first = asyncio.create_task(execute(here, click(3, session_id=session_id)))
        await asyncio.to_thread(gate.wait_for_somebody)
        second, third = (
            asyncio.create_task(execute(here, click(seq, session_id=session_id))) for seq in (4, 5)
        )
        with pytest.raises(errors.Superseded, match="5"):
            await second
        gate.let_pass(2)
        assert [(await one).seq for one in (first, third)] == [3, 5]


async def test_an_image_without_a_session_gives_its_masks_and_leaves_nothing(here):
    answer = await segment(here, HERE, HERE)
    assert (answer.content_hash, answer.size) == (KEY, (60, 80))
    assert [mask.object_id for mask in answer.objects] == [1, 2]
    assert answer.timings.total_ms > 0
    assert here.at_rest


async def test_a_bad_image_or_prompt_is_raised_and_leaves_nothing(here):
    with pytest.raises(errors.ImageUnreadable):
        await segment(here, HERE, image=types.ImageBytes(b"no image"))
    with pytest.raises(errors.PointOutsideImage):
        await segment(here, OUTSIDE)
    with pytest.raises(errors.OnlyNegativePrompts):
        await segment(here, NOT_HERE)
    assert here.at_rest


async def test_one_of_several_hypotheses_is_chosen_call_by_call(here):
    named = {"session_id": (await execute(here, open_image())).session_id}
    await execute(here, set_image(**named))
    (offered,) = (await execute(here, click(3, hypotheses=True, **named))).objects
    (mask,) = (await execute(here, types.Choose(4, 1, 1, **named))).objects
    assert mask.rle == offered.hypotheses[1].rle


async def test_everything_in_an_image_needs_no_session(here):
    request = types.Segment(IMAGE, question=types.Question())
    answer = await unary.segment(here.directory, request, now_s=0)
    assert (answer.content_hash, answer.size) == (KEY, (60, 80))
    assert all(one.label for one in answer.objects)
    assert here.at_rest


async def test_everything_may_be_asked_in_a_session_call_by_call(here):
    session_id = await opened(here)
    answer = await execute(here, types.Everything(3, session_id=session_id))
    assert isinstance(answer, types.Segments)


async def test_an_example_needs_no_session(here):
    one = types.PromptedObject(
        1, ObjectPrompt(), types.Example(types.ImageBytes(OTHER), OTHER_MASK)
    )
    answer = await unary.segment(here.directory, types.Segment(IMAGE, (one,)), now_s=0)
    assert answer.objects[0].area > 0
    assert here.at_rest


ANN, ROB = Caller("acme", "ann"), Caller("rival", "rob")


async def test_commands_reach_the_sessions_of_ones_own_tenant_alone(here):
    opened = await unary.execute(here.directory, open_image(), now_s=0, caller=ANN)
    asked = set_image(session_id=opened.session_id)
    with pytest.raises(errors.UnknownSession):
        await unary.execute(here.directory, asked, now_s=0, caller=ROB)
    image = await unary.execute(here.directory, asked, now_s=0, caller=ANN)
    assert image.content_hash == KEY


async def test_calls_count_for_the_tenants_quota(here):
    here.directory.tenants = Tenants(Quotas(tenant_requests_per_s=0.1), now=lambda: 0.0)
    request = types.Segment(IMAGE, (types.PromptedObject(1, HERE),))
    await unary.segment(here.directory, request, now_s=0, caller=ANN)
    with pytest.raises(errors.QuotaExceeded, match="tenant_requests_per_s"):
        await unary.segment(here.directory, request, now_s=0, caller=ANN)
    with pytest.raises(errors.QuotaExceeded):
        await unary.execute(here.directory, open_image(), now_s=0, caller=ANN)
    assert (await unary.segment(here.directory, request, now_s=0, caller=ROB)).objects
    assert len(here.directory) == 0
