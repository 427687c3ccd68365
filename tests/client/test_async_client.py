from __future__ import annotations

import numpy as np
import pytest
from scripted_server import MODEL, SIZE, TIMINGS, obey, object_mask, scripted_server, segments

import seem_client
from seem_client._waiting import Patience
from seem_wire import errors, types

PIXELS = np.zeros((*SIZE, 3), np.uint8)
OTHER = np.ones((2, 3, 3), np.uint8)


def noting(seen, known=()):
    """A server that holds the `known` kinds of images only; `seen` gets what it was offered."""

    def answer(command):
        if isinstance(command, types.SetImage):
            seen.append(type(command.image))
            if isinstance(command.image, types.ImageKey) and types.ImageKey not in known:
                return types.Failed.of(command.seq, errors.ImageUnknown("Never seen."))
        return obey(command)

    return answer


async def test_it_may_be_awaited_and_knows_what_the_server_runs():
    with scripted_server() as address:
        client = await seem_client.connect_async(address)
        assert await client.model() == MODEL
        await client.close()


async def test_no_server_is_told_with_what_to_do():
    with pytest.raises(errors.Disconnected, match="start the server, or check host and port"):
        async with seem_client.connect_async("127.0.0.1:1"):
            pass


async def test_a_silent_server_is_given_up():
    with scripted_server(lambda _: None) as address:
        async with seem_client.connect_async(address) as client:
            client._patience = Patience(0.1)  # only now: a busy machine takes its time to connect
            with pytest.raises(errors.DeadlineExceeded):
                await client.open(PIXELS)


@pytest.mark.parametrize(
    ("known", "offered"), [((), ["ImageKey", "ImageBytes"]), ([types.ImageKey], ["ImageKey"])]
)
async def test_an_image_that_the_server_took_is_offered_by_its_hash(known, offered):
    seen = []
    with scripted_server(noting(seen, known)) as address:
        async with seem_client.connect_async(address) as client:
            for _ in range(2):
                await (await client.open(PIXELS)).close()
    assert [kind.__name__ for kind in seen] == ["ImageBytes", *offered]


async def test_one_image_needs_no_session():
    reply = types.Segmented("a" * 64, SIZE, (object_mask(),), TIMINGS)
    with scripted_server(segment=lambda _: reply) as address:
        async with seem_client.connect_async(address) as client:
            assert (await client.segment(PIXELS, points=[(1, 1)])).area == 2


async def test_a_refused_call_raises_what_the_server_said():
    refusal = errors.OnlyNegativePrompts("Object 1 has only negative prompts.")
    with scripted_server(segment=lambda _: refusal) as address:
        async with seem_client.connect_async(address) as client:
            with pytest.raises(errors.OnlyNegativePrompts, match="only negative"):
                await client.segment(PIXELS, points=[(1, 1)])


async def test_a_call_that_a_full_server_refuses_is_made_again():
    reply = types.Segmented("a" * 64, SIZE, (object_mask(),), TIMINGS)
    refusals = [errors.Overloaded("Full.", retry_after_ms=1)] * 2
    with scripted_server(segment=lambda _: refusals.pop() if refusals else reply) as address:
        async with seem_client.connect_async(address) as client:
            assert (await client.segment(PIXELS, points=[(1, 1)])).area == 2
    assert refusals == []


async def test_whoever_would_not_wait_is_told_at_once():
    refusal = errors.Overloaded("Full.", retry_after_ms=1)
    with scripted_server(segment=lambda _: refusal) as address:
        async with seem_client.connect_async(address, retry_s=0) as client:
            with pytest.raises(errors.Overloaded):
                await client.segment(PIXELS, points=[(1, 1)])


async def test_closing_closes_the_sessions_and_may_be_repeated():
    with scripted_server() as address:
        async with seem_client.connect_async(address) as client:
            session = await client.open(PIXELS)
            await client.close()
            with pytest.raises(errors.UnknownSession, match="closed"):
                await session.click(1, 1)


async def test_all_that_is_in_an_image_needs_no_session():
    reply = types.Segmented("a" * 64, SIZE, segments(1).segments, TIMINGS)
    with scripted_server(segment=lambda _: reply) as address:
        async with seem_client.connect_async(address) as client:
            assert [one.label for one in await client.everything(PIXELS)] == ["cat", "grass"]


async def test_an_example_without_a_session_goes_along():
    asked = []

    def found(request):
        asked.append(request.objects[0])
        return types.Segmented("a" * 64, SIZE, (object_mask(),), TIMINGS)

    with scripted_server(segment=found) as address:
        async with seem_client.connect_async(address) as client:
            await client.segment(PIXELS, points=[(1, 1)], example=(OTHER, OTHER[:, :, 0]))
    assert asked[0].example.mask.mask.shape == (2, 3)
    assert asked[0].prompt.points


async def test_a_closed_client_says_so():
    with scripted_server() as address:
        client = await seem_client.connect_async(address)
        await client.close()
        for ask in (client.model, lambda: client.open(PIXELS), lambda: client.attach("session-1")):
            with pytest.raises(errors.Disconnected, match="client is closed"):
                await ask()
