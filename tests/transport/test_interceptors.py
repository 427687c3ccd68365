from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import pytest
from service_words import OUTSIDE, PHOTO, Talk, click, open_image, served, service, set_image

from seem_server.telemetry.logs import JsonLines
from seem_server.transport.interceptors import REQUEST_ID_KEY
from seem_server.transport.server import Server, TransportConfig
from seem_server.transport.servicer import Servicer
from seem_wire import convert, types
from seem_wire.convert import ERROR_METADATA_KEY, error_from_bytes
from seem_wire.prompts import ObjectPrompt, Point
from seem_wire.tags import session_tag
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

NOBODY = pb.GetSessionRequest(session_id="nobody")


@dataclass
class began:  # noqa: N801  (one of the things that are told)
    method: str
    metadata: dict


class Noting:
    """An observer and watch that notes what it is told."""

    def __init__(self):
        self.told = []

    def began(self, method, metadata):
        self.told.append(began(method, metadata))
        return self

    def commanded(self, asked):
        self.told.append(asked)

    def replied(self, reply):
        self.told.append(reply)

    def ended(self, code):
        self.told.append(code)


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


async def test_an_observer_sees_each_call_what_it_asks_and_how_it_ends(tmp_path):
    noting = Noting()
    config = TransportConfig(f"unix:{tmp_path}/seem.sock", grace_s=0)
    with service() as here, ThreadPoolExecutor(1) as executor:
        servicer = Servicer(here.directory, executor, now=lambda: 0.0)
        limits = here.directory.model.capabilities.limits
        server = Server(servicer, config, limits, noting)
        await server.start()
        async with grpc.aio.insecure_channel(config.address) as channel:
            talk = Talk(SeemStub(channel))
            await talk.ask(open_image(), types.Undo(2))
            await talk.hear_until_the_end()
            await failure_of(SeemStub(channel).GetSession(NOBODY, metadata=(("mine", "x"),)))
        await server.stop()
    kinds = [type(one).__name__ for one in noting.told]
    assert kinds == ["began", "OpenImage", "Opened", "Undo", "Failed", "str", "began", "str"]
    assert [one for one in noting.told if isinstance(one, str)] == ["OK", "UNKNOWN_SESSION"]
    assert noting.told[-2].metadata["mine"] == "x"


async def test_a_line_names_the_session_by_its_tag(caplog):
    caplog.set_level(logging.INFO, "seem_server")
    caplog.handler.setFormatter(JsonLines())
    async with served() as (_, stub, _):
        talk = Talk(stub)
        session_id = (await talk.ask(open_image())).session_id
        await talk.hear_until_the_end()
        opened = await stub.Execute(convert.command_to_proto(open_image()))
        undo = types.Undo(2, session_id=opened.opened.session_id)
        await failure_of(stub.Execute(convert.command_to_proto(undo)))
        await stub.GetModel(pb.GetModelRequest())
    lines = [json.loads(line) for line in caplog.text.splitlines() if '"call"' in line]
    streamed, unary = session_tag(session_id), session_tag(opened.opened.session_id)
    assert [line.get("session") for line in lines] == [streamed, unary, unary, None]


async def test_no_line_tells_what_was_said_or_shown_or_lets_a_reader_in(caplog):
    caplog.set_level(logging.DEBUG, "seem_server")
    caplog.handler.setFormatter(JsonLines())
    said = ObjectPrompt(text="a purple walrus", points=(Point(31.25, 21.25),))
    async with served() as (running, stub, _):
        talk = Talk(stub)
        session_id = (await talk.ask(open_image(client="curious"))).session_id
        await talk.ask(set_image(), click(3, said), types.Undo(4), click(5, OUTSIDE))
        running.engine._worker.run = None  # whatever breaks is told, too
        await talk.ask(click(6, said))
        await talk.hear_until_the_end()
    assert f'"sessions": "{session_tag(session_id)}"' in caplog.text
    assert "Traceback" in caplog.text
    for secret in (session_id, "walrus", "31.25", types.content_hash(PHOTO), str(PHOTO[:8])[2:-1]):
        assert secret not in caplog.text
