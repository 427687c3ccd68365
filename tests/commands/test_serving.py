from __future__ import annotations

import pytest

import seem_client
from seem_server.commands.serving import ServerProcess
from seem_wire.errors import InvalidValue


async def test_a_server_that_was_killed_is_started_again_where_it_was():
    async with ServerProcess("--bundle", "fake", "--store", "memory") as server:
        await server.kill()
        await server.kill()
        await server.start()
        async with seem_client.connect_async(server.address, token="") as client:
            assert (await client.model()).provider == "fake"


async def test_a_server_that_is_stopped_is_started_again_too():
    async with ServerProcess("--bundle", "fake", "--store", "memory") as server:
        await server.stop()
        await server.stop()
        await server.start()


async def test_a_server_that_does_not_start_is_told():
    with pytest.raises(InvalidValue, match="no-such-bundle"):
        await ServerProcess("--bundle", "no-such-bundle").start()
