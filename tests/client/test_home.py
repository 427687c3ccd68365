"""Where a connection may be used, and what is told elsewhere."""

from __future__ import annotations

import asyncio
import os
import pickle

import numpy as np
import pytest
from fake_server import fake_client
from served_process import serving

import seem_client
from seem_client._home import Home
from seem_wire import errors

PIXELS = np.full((64, 96, 3), 120, np.uint8)


def in_a_fork(*actions):
    """What each action comes to in a forked process: its value, or the code of its error."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        for act in actions:
            try:
                outcome = act()
            except errors.SeemError as error:
                outcome = error.code
            os.write(writing, pickle.dumps(outcome))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        outcomes = [pickle.load(told) for _ in actions]  # noqa: S301 - our own child's
    os.waitpid(pid, 0)
    return outcomes


def test_it_is_known_by_its_process():
    assert not Home().is_elsewhere
    with pytest.raises(errors.OutOfPlace, match="another process, 1"):
        Home(pid=1).check()


async def test_it_is_known_by_its_event_loop():
    Home(loop=asyncio.get_running_loop()).check()
    other = asyncio.new_event_loop()
    with pytest.raises(errors.OutOfPlace, match="another event loop"):
        Home(loop=other).check()
    other.close()


def test_a_forked_process_is_told_closes_nothing_of_its_parents_and_connects_anew(tmp_path):
    def anew():
        with seem_client.connect(server.address) as own, own.open(PIXELS) as session:
            return session.click(40, 30).area

    with (
        serving(tmp_path, bundle="fake") as server,
        seem_client.connect(server.address) as client,
        client.open(PIXELS) as session,
    ):
        area = session.click(40, 30).area
        asking = (session.undo, client.model, lambda: client.open(PIXELS))
        outcomes = in_a_fork(*asking, session.close, session.leave, client.close, anew)
        assert outcomes == [*["OUT_OF_PLACE"] * 3, None, None, None, area]
        assert session.undo() is None


def test_another_event_loop_is_told_and_closes_nothing():
    async def begin(address):
        client = await seem_client.connect_async(address)
        return client, await client.open(PIXELS)

    async def use(awaited):
        with pytest.raises(errors.OutOfPlace):
            await awaited

    with fake_client() as other:
        loop = asyncio.new_event_loop()
        client, session = loop.run_until_complete(begin(other._address))
        asyncio.run(use(session.click(1, 1)))
        asyncio.run(use(client.model()))
        asyncio.run(use(client.open(PIXELS)))
        asyncio.run(client.close())
        assert loop.run_until_complete(session.click(1, 1)).area > 0
        loop.run_until_complete(client.close())
        loop.close()


def test_a_client_that_is_awaited_belongs_to_the_loop_that_awaits_it():
    async def ask(connecting):
        async with connecting as client:
            return (await client.model()).name

    with fake_client() as other:
        assert asyncio.run(ask(seem_client.connect_async(other._address)))
