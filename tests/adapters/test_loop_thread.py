from __future__ import annotations

import asyncio

import pytest

from seem_client.adapters.loop_thread import LoopThread


@pytest.fixture
def loop():
    one = LoopThread()
    yield one
    one.close()


async def doubled(number):
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError(number)
    return 2 * number


def test_who_waits_gets_the_value_or_the_error(loop):
    assert loop.run(doubled(3)) == 6
    with pytest.raises(ValueError, match="-1"):
        loop.run(doubled(-1))


def test_what_was_begun_goes_on_between_calls(loop):
    async def begin():
        return asyncio.create_task(doubled(4))

    async def end(task):
        return await task

    assert loop.run(end(loop.run(begin()))) == 8
