from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import numpy as np
import pytest
from scripted_server import HANG_UP, SIZE, masks, obey, scripted_server

import seem_client
from seem_client._waiting import Patience
from seem_wire import errors, types

PIXELS = np.zeros((*SIZE, 3), np.uint8)
OTHER = np.ones((2, 3, 3), np.uint8)


@asynccontextmanager
async def session(answer=obey, **options):
    with scripted_server(answer) as address:
        async with (
            seem_client.connect_async(address, **options) as client,
            client.open(PIXELS) as opened,
        ):
            yield opened


def on_prompt(reply):
    """A good server, but for prompts."""
    return lambda command: reply(command) if isinstance(command, types.Prompt) else obey(command)


async def test_a_prompt_is_answered_by_a_prediction_that_stands():
    async with session() as opened:
        prediction = await opened.click(1, 1)
        assert prediction.mask.shape == opened.size == SIZE
        assert opened.predictions[1].area == prediction.area


async def test_a_session_that_is_refused_says_so_rather_than_that_it_has_no_image():
    def full(command):
        if isinstance(command, types.OpenImage):
            return types.Failed.of(command.seq, errors.Overloaded("Full.", retry_after_ms=250))
        return types.Failed.of(command.seq, errors.UnknownSession("No session."))

    with pytest.raises(errors.Overloaded):
        async with session(full, retry_s=0):
            pass


def busy(kind, n_refusals=2):
    """A server without room for the first commands of a kind; and what it was asked of them."""
    asked = []

    def answer(command):
        if not isinstance(command, kind):
            return obey(command)
        asked.append(command.seq)
        if len(asked) > n_refusals:
            return obey(command)
        return types.Failed.of(command.seq, errors.Overloaded("Full.", retry_after_ms=1))

    return answer, asked


CALLS = [
    (types.Prompt, lambda opened: opened.click(1, 1)),
    (types.Prompt, lambda opened: opened.example(OTHER, OTHER[:, :, 0])),
    (types.Choose, lambda opened: opened.choose(0)),
    (types.Undo, lambda opened: opened.undo()),
    (types.Redo, lambda opened: opened.redo()),
    (types.Everything, lambda opened: opened.everything()),
    (types.Clear, lambda opened: opened.clear()),
    (types.RemoveObject, lambda opened: opened.remove(1)),
]


@pytest.mark.parametrize(("kind", "call"), CALLS)
async def test_what_a_full_server_refuses_is_said_again_under_new_numbers(kind, call):
    answer, asked = busy(kind)
    async with session(answer) as opened:
        await call(opened)
    assert len(asked) == len(set(asked)) == 3


@pytest.mark.parametrize("kind", [types.OpenImage, types.SetImage])
async def test_so_is_what_opens_a_session(kind):
    answer, asked = busy(kind)
    async with session(answer) as opened:
        assert opened.size == SIZE
    assert len(asked) == len(set(asked)) == 3


async def test_a_refusal_reaches_whoever_does_not_wait_or_has_waited_long_enough():
    answer, asked = busy(types.Prompt, n_refusals=1000)
    async with session(answer, retry_s=0.05) as opened:
        with pytest.raises(errors.Overloaded):
            await opened.submit_click(1, 1)
        assert len(asked) == 1
        with pytest.raises(errors.Overloaded):
            await opened.click(1, 1)
        assert len(asked) > 2


async def test_whoever_pauses_is_told_when_the_session_is_closed():
    refused = asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer(command):
        if isinstance(command, types.Prompt):
            loop.call_soon_threadsafe(refused.set)
            return types.Failed.of(command.seq, errors.Overloaded("Full.", retry_after_ms=60_000))
        return obey(command)

    async with session(answer, retry_s=100, timeout_s=200) as opened:
        waiting = asyncio.create_task(opened.click(1, 1))
        await refused.wait()
        await opened.close()
        with pytest.raises(errors.Overloaded):
            await asyncio.wait_for(waiting, 5)


async def test_undo_and_redo_give_what_stands_and_clear_gives_nothing():
    async with session() as opened:
        await opened.click(1, 1)
        assert (await opened.undo()).area == (await opened.redo()).area == 2
        assert await opened.clear() is None
        assert opened.predictions == {}


async def test_a_removed_object_stands_no_more():
    async with session() as opened:
        await asyncio.gather(opened.click(1, 1), opened.click(1, 1, object_id=2))
        await opened.remove(1)
        assert set(opened.predictions) == {2}


async def test_a_refused_prompt_raises_and_the_session_goes_on():
    async with session() as opened:
        with pytest.raises(errors.PointOutsideImage):
            await opened.click(100, 1)
        assert (await opened.click(1, 1)).area == 2


async def test_rapid_clicks_do_not_wait_and_the_overtaken_ones_are_told():
    held = []

    def reply(command):
        held.append(command.seq)
        if len(held) < 3:
            return None
        return [*(types.SupersededBy(seq, held[-1]) for seq in held[:-1]), masks(held[-1], 1)]

    async with session(on_prompt(reply)) as opened:
        *overtaken, last = [opened.submit_click(1, 1) for _ in range(3)]
        assert (await last).area == 2
        for future in overtaken:
            with pytest.raises(errors.Superseded):
                await future


async def test_nobody_has_to_look_at_an_overtaken_click():
    async with session(on_prompt(lambda c: types.SupersededBy(c.seq, 99))) as opened:
        opened.submit_click(1, 1)
        assert (await opened.undo()).area == 2  # an exception that nobody saw would fail the test


async def test_a_server_that_hangs_up_is_told_to_all_who_wait_with_what_to_do():
    async with session(on_prompt(lambda _: HANG_UP), reconnect_s=0) as opened:
        with pytest.raises(errors.Disconnected, match=r"going down.*Check that a server is"):
            await opened.click(1, 1)
        with pytest.raises(errors.Disconnected):
            await opened.undo()


async def test_no_reply_in_time_raises_and_the_session_goes_on():
    async with session(on_prompt(lambda _: None)) as opened:
        opened._patience = Patience(0.01)  # only now: opening takes its time on a busy machine
        with pytest.raises(errors.DeadlineExceeded):
            await opened.click(1, 1)
        opened._patience = Patience(30)
        assert (await opened.undo()).area == 2


async def test_a_task_may_be_cancelled_while_it_waits():
    async with session(on_prompt(lambda _: None)) as opened:
        task = asyncio.create_task(opened.click(1, 1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await opened.undo()).area == 2


async def test_closing_releases_it_once_and_nothing_can_be_said_after():
    said = []

    def answer(command):
        said.append(type(command))
        return obey(command)

    async with session(answer) as opened:
        await opened.close()
        await opened.close()
        with pytest.raises(errors.UnknownSession):
            await opened.click(1, 1)
    assert said.count(types.Release) == 1


def noting_examples(seen):
    """A server that knows no example by its hash; `seen` gets what it was shown."""

    def answer(command):
        if isinstance(command, types.Prompt):
            example = command.objects[0].example
            seen.append(type(example.image).__name__)
            if isinstance(example.image, types.ImageKey):
                return types.Failed.of(command.seq, errors.ImageUnknown("Never seen."))
        return obey(command)

    return answer


async def test_an_example_is_offered_by_its_hash_once_it_was_sent():
    seen = []
    async with session(noting_examples(seen)) as opened:
        for _ in range(2):
            assert (await opened.example(OTHER, OTHER[:, :, 0])).area == 2
    assert seen == ["ImageBytes", "ImageKey", "ImageBytes"]


async def test_a_submitted_example_is_sent_whole():
    seen = []
    async with session(noting_examples(seen)) as opened:
        for _ in range(2):
            await opened.submit_prompt(example=(OTHER, OTHER[:, :, 0]))
    assert seen == ["ImageBytes", "ImageBytes"]


async def test_an_examples_image_over_the_servers_limit_is_not_sent():
    async with session() as opened:
        with pytest.raises(errors.ImageTooLarge):
            await opened.example(bytes(32 * 1024**2 + 1), OTHER[:, :, 0])
        assert (await opened.click(1, 1)).area == 2


async def test_everything_is_a_list_of_labelled_predictions_that_are_no_objects():
    async with session() as opened:
        found = await opened.everything()
        assert [(one.object_id, one.label) for one in found] == [(1, "cat"), (2, "grass")]
        assert found[0].mask.shape == SIZE
        assert opened.predictions == {}


async def test_a_question_that_was_overtaken_says_so():
    def overtaken(command):
        if isinstance(command, types.Everything):
            return types.SupersededBy(command.seq, command.seq + 1)
        return obey(command)

    async with session(overtaken) as opened:
        with pytest.raises(errors.Superseded):
            await opened.everything()
