from __future__ import annotations

import json
import logging

import grpc
import pytest
from service_words import Talk, open_image, served

from seem_server.telemetry.logs import JsonLines
from seem_server.transport.interceptors import REQUEST_ID_KEY
from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes
from seem_wire.v1 import seem_pb2 as pb

NOBODY = pb.GetSessionRequest(session_id="nobody")


@pytest.fixture
async def stub():
    async with served() as (_, made, _):
        yield made


async def failure_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def carried(failure):
    return error_from_bytes(dict(failure.trailing_metadata())[ERROR_METADATA_KEY])


async def test_an_error_ends_a_unary_call_with_its_status_and_itself(stub):
    failure = await failure_of(stub.GetSession(NOBODY))
    assert failure.code() is grpc.StatusCode.NOT_FOUND
    assert carried(failure).code == "UNKNOWN_SESSION"
    assert failure.details() == str(carried(failure))


async def test_a_call_has_an_id_which_the_client_is_told(stub):
    call = stub.GetModel(pb.GetModelRequest())
    await call
    assert len(dict(await call.initial_metadata())[REQUEST_ID_KEY]) == 16


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_3", True), ("x" * 65, False), ("a b", False)]
)
async def test_a_plain_id_of_the_clients_own_is_kept(stub, given, kept):
    call = stub.GetModel(pb.GetModelRequest(), metadata=((REQUEST_ID_KEY, given),))
    await call
    assert (dict(await call.initial_metadata())[REQUEST_ID_KEY] == given) is kept


async def test_each_call_leaves_a_line_with_its_id_and_how_it_ended(stub, caplog):
    caplog.set_level(logging.INFO, "seem_server")
    caplog.handler.setFormatter(JsonLines())
    await failure_of(stub.GetSession(NOBODY, metadata=((REQUEST_ID_KEY, "mine"),)))
    talk = Talk(stub)
    await talk.ask(open_image())
    await talk.hear_until_the_end()
    lines = [json.loads(line) for line in caplog.text.splitlines() if '"call"' in line]
    ends = [(line["method"], line["code"]) for line in lines]
    assert ends == [("GetSession", "UNKNOWN_SESSION"), ("Interact", "OK")]
    assert lines[0]["request_id"] == "mine"


async def test_what_breaks_is_logged_with_its_cause_and_told_as_internal(caplog):
    async with served() as (running, stub, _):
        running.directory.reach = None  # no way to serve
        failure = await failure_of(stub.GetSession(NOBODY))
    assert failure.code() is grpc.StatusCode.INTERNAL
    assert carried(failure).code == "INTERNAL"
    assert "NoneType" not in failure.details()
    assert "TypeError" in caplog.text


async def test_a_stream_that_breaks_ends_with_a_status(caplog):
    async with served() as (running, stub, _):
        running.directory.open = None
        talk = Talk(stub)
        await talk.say(open_image())
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await talk.hear_until_the_end()
    assert carried(caught.value).code == "INTERNAL"
    assert "TypeError" in caplog.text
