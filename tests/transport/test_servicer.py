from __future__ import annotations

import asyncio

import grpc
import pytest
from service_words import (
    HEIGHT,
    HERE,
    KEY,
    OUTSIDE,
    PHOTO,
    WIDTH,
    Talk,
    click,
    np,
    open_image,
    opening,
    served,
    set_image,
)

from seem_server.transport.servicer import ATTEMPT_KEY, LIGHT_BYTES
from seem_wire import convert, types
from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes
from seem_wire.prompts import MaskPrompt, ObjectPrompt
from seem_wire.v1 import seem_pb2 as pb

MASK = ObjectPrompt(mask=MaskPrompt(np.ones((HEIGHT, WIDTH), np.bool_)))


@pytest.fixture
async def stub():
    async with served() as (_, made, _):
        yield made


async def execute(stub, command):
    return convert.reply_from_proto(await stub.Execute(convert.command_to_proto(command)))


async def error_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_bytes(dict(caught.value.trailing_metadata())[ERROR_METADATA_KEY])


async def test_a_model_is_told_with_what_it_offers(stub):
    card = convert.model_card_from_proto(await stub.GetModel(pb.GetModelRequest()))
    assert (card.model_id, card.provider) == ("fake@1", "fake")
    assert card.capabilities.commands == types.COMMAND_NAMES
    assert card.capabilities.prompts == set(types.PromptKind)


async def test_bytes_that_are_no_command_are_refused_and_end_the_stream():
    async with served() as (_, _, channel):
        call = channel.stream_stream("/seem_wire.v1.Seem/Interact")()
        for command in (open_image(1), set_image(2)):
            await call.write(convert.command_to_proto(command).SerializeToString())
            await call.read()
        await call.write(b"\xff")
        refusal = pb.Reply.FromString(await call.read())
        assert refusal.error.code == "INVALID_VALUE"
        assert await call.read() is grpc.aio.EOF


async def test_a_session_over_one_stream(stub):
    talk = Talk(stub)
    masks = await talk.ask(*opening(), click(3))
    assert masks.objects[0].area > 0
    assert await talk.ask(types.Release(4)) == types.Done(4)
    assert await talk.hear_until_the_end() == []


async def test_a_command_that_cannot_be_read_is_answered_and_the_stream_goes_on(stub):
    talk = Talk(stub)
    await talk.ask(*opening())
    await talk.say_raw(pb.Command(seq=3))
    (reply,) = await talk.hear()
    assert (reply.seq, reply.code) == (3, "UNKNOWN_COMMAND")
    assert isinstance(await talk.ask(click(3)), types.Masks)


async def test_masks_are_read_elsewhere_and_in_their_turn(stub):
    talk = Talk(stub)
    await talk.ask(*opening())
    await talk.say(click(3, MASK), click(4, object_id=2))
    assert [reply.seq for reply in await talk.hear(2)] == [3, 4]


async def test_the_same_commands_one_call_at_a_time(stub):
    session = (await execute(stub, open_image())).session_id
    await execute(stub, set_image(session_id=session))
    masks = await execute(stub, click(3, session_id=session))
    assert masks.objects[0].area > 0
    card = await stub.GetSession(pb.GetSessionRequest(session_id=session))
    assert convert.session_card_from_proto(card).object_ids == (1,)
    await execute(stub, types.Release(4, session_id=session))
    assert (await error_of(execute(stub, types.Undo(5, session_id=session)))).code == (
        "UNKNOWN_SESSION"
    )


async def test_a_call_that_is_told_to_be_a_retry_is_done_once(stub):
    opened = await execute(stub, open_image())
    await execute(stub, set_image(session_id=opened.session_id))
    clear = convert.command_to_proto(types.Clear(3, session_id=opened.session_id))
    for _ in range(2):
        reply = await stub.Execute(clear, metadata=((ATTEMPT_KEY, "2"),))
        assert convert.reply_from_proto(reply) == types.Done(3)
    assert (
        await error_of(stub.Execute(clear, metadata=((ATTEMPT_KEY, "1"),)))
    ).code == "BAD_SEQUENCE"


async def test_a_call_that_cannot_be_read_fails_with_its_error(stub):
    assert (await error_of(stub.Execute(pb.Command(seq=1)))).code == "UNKNOWN_COMMAND"
    assert (await error_of(stub.Segment(pb.SegmentRequest()))).code == "IMAGE_EMPTY"


@pytest.mark.parametrize("padding", [0, LIGHT_BYTES])
async def test_an_image_without_a_session(stub, padding):
    image = types.ImageBytes(PHOTO + bytes(padding))
    request = types.Segment(image, (types.PromptedObject(1, HERE),))
    reply = convert.segmented_from_proto(await stub.Segment(convert.segment_to_proto(request)))
    assert reply.size == (HEIGHT, WIDTH)
    assert reply.objects[0].area > 0


async def test_an_image_that_is_known_need_not_be_sent_again(stub):
    talk = Talk(stub)
    await talk.ask(*opening())
    image = await talk.ask(types.SetImage(3, types.ImageKey(KEY)))
    assert image.content_hash == KEY
    assert image.cache_hit or image.timings.total_ms < 1000


async def test_a_faulty_segment_carries_its_error(stub):
    request = types.Segment(types.ImageBytes(PHOTO), (types.PromptedObject(1, OUTSIDE),))
    error = await error_of(stub.Segment(convert.segment_to_proto(request)))
    assert error.code == "POINT_OUTSIDE_IMAGE"


async def test_sessions_do_not_disturb_each_other(stub):
    talks = [Talk(stub) for _ in range(8)]
    replies = await asyncio.gather(*(talk.ask(*opening(), click(3)) for talk in talks))
    assert len({reply.objects[0].rle for reply in replies}) == 1
