from __future__ import annotations

import grpc
import pytest

from seem_server.commands.echo import answer, echo_process


async def test_it_answers_with_as_many_bytes_as_it_was_asked_for():
    async def requests():
        yield (5).to_bytes(4, "big") + b"whatever"
        yield (0).to_bytes(4, "big")

    assert [len(reply) async for reply in answer(requests(), None)] == [5, 0]


def test_a_round_trip_to_the_process_takes_some_time_and_ends_with_it():
    with echo_process() as echo:
        assert 0 < echo.round_trip_ms(40, 1000) < 5000
        assert 0 < echo.round_trip_ms(0, 0) < 5000
    with pytest.raises(grpc.RpcError):
        echo.round_trip_ms(40, 1000)
