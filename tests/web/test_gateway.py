from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager

import aiohttp
import grpc
import grpc.aio
import pytest
from PIL import Image
from sites import click, opening, page, photo, site

from seem_server.service.callers import line_of
from seem_server.web import gateway
from seem_server.web.site import SiteConfig
from seem_wire.v1 import seem_pb2 as pb

TOKEN = "t" * 43


@pytest.fixture
def png():
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def callers(tmp_path):
    file = tmp_path / "callers"
    file.write_text(line_of("acme", "ann", TOKEN) + "\n", "utf-8")
    return str(file)


async def test_a_page_opens_a_picture_and_clicks(png):
    async with site() as (_, browser), page(browser) as one:
        assert (await one.ask(**opening())).opened.model.provider == "fake"
        assert (await one.ask(**photo(png))).image_set.width == 64
        masks = (await one.ask(**click(20, 20))).masks
        assert masks.objects[0].area > 0


async def test_a_refused_command_is_answered_and_the_socket_stays(png):
    async with site() as (_, browser), page(browser) as one:
        await one.ask(**opening())
        assert (await one.ask(**click(1, 1))).error.code == "NO_IMAGE"
        assert (await one.ask(**photo(png))).HasField("image_set")


async def test_a_page_that_was_loaded_anew_attaches_to_its_session(png):
    async with site() as (_, browser):
        async with page(browser) as one:
            name = (await one.ask(**opening())).opened.session_id
            await one.ask(**photo(png))
            await one.ask(**click(20, 20))
        async with page(browser) as again:
            attach = pb.Attach(session_id=name, after_seq=3, masks=True)
            attached = (await again.ask(attach=attach)).attached
            assert [one.object_id for one in attached.objects] == [1]


async def test_who_took_a_session_over_is_told_to_the_other():
    async with site() as (_, browser), page(browser) as one:
        name = (await one.ask(**opening())).opened.session_id
        async with page(browser) as other:
            await other.ask(attach=pb.Attach(session_id=name))
            reply = await one.heard()
            assert (reply.seq, reply.error.code) == (0, "SESSION_MOVED")


async def test_what_is_no_message_ends_the_socket_with_a_sentence():
    async with site() as (_, browser), page(browser) as one:
        await one.socket.send_bytes(b"\xff\xff\xff")
        reply = await one.heard()
        assert reply.seq == 0
        assert reply.error.message


@pytest.mark.parametrize(
    "first",
    ['{"token": 5}', "[]", "hello", '{"token": "ä"}', "{}", '{"token": "a\\nb"}', "[" * 100_000],
    ids=lambda first: first[:12],
)
async def test_the_first_frame_tells_the_token_or_nothing_goes_on(first):
    async with site() as (_, browser), browser.ws_connect("/interact") as socket:
        await socket.send_str(first)
        reply = pb.Reply.FromString(await socket.receive_bytes())
        assert reply.error.code == "INVALID_VALUE"
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE


async def test_a_page_that_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(gateway, "HELLO_WITHIN_S", 0.01)
    async with site() as (_, browser), browser.ws_connect("/interact") as socket:
        assert pb.Reply.FromString(await socket.receive_bytes()).error.code == "INVALID_VALUE"


async def test_a_message_that_is_too_large_closes_the_socket():
    config = SiteConfig(port=0, max_message_bytes=1000)
    async with site(config=config) as (_, browser), page(browser) as one:
        await one.socket.send_bytes(bytes(2000))
        message = await one.socket.receive()
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_the_token_goes_on_to_the_server(callers):
    async with site(tokens_file=callers) as (_, browser):
        async with page(browser, TOKEN) as one:
            assert (await one.ask(**opening())).HasField("opened")
        async with page(browser, "x" * 43) as stranger:
            assert (await stranger.heard()).error.code == "UNAUTHENTICATED"
        async with page(browser) as stranger:
            assert (await stranger.heard()).error.code == "UNAUTHENTICATED"


async def test_one_picture_is_segmented_without_a_session(png):
    request = pb.SegmentRequest(
        image=pb.Image(encoded=png), objects=click(20, 20)["prompt"].objects
    )
    data = request.SerializeToString()
    async with site() as (_, browser), browser.post("/segment", data=data) as answer:
        reply = pb.SegmentReply.FromString(await answer.read())
        assert reply.objects[0].area > 0


async def test_a_refused_one_is_told_as_an_error(callers):
    async with site(tokens_file=callers) as (_, browser):
        async with browser.post("/segment", data=b"") as answer:
            assert (answer.status, _error(await answer.read())) == (422, "UNAUTHENTICATED")
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with browser.post("/segment", data=b"", headers=bearer) as answer:
            assert (answer.status, _error(await answer.read())) == (422, "IMAGE_EMPTY")


async def test_a_preview_that_was_given_up_is_taken_back_from_the_server():
    async with waiting_server() as (address, asked, gone), site(address=address) as (_, browser):
        preview = asyncio.create_task(browser.post("/segment", data=b""))
        await asked.wait()
        preview.cancel()
        await gone.wait()


@asynccontextmanager
async def waiting_server():
    """A server that never answers, and when it was asked, and when that was taken back."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def segment(_request, _context):
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    server = grpc.aio.server()
    service = pb.DESCRIPTOR.services_by_name["Seem"].full_name
    methods = {"Segment": grpc.unary_unary_rpc_method_handler(segment)}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}", asked, gone
    await server.stop(None)


async def test_a_server_that_is_not_there_is_told():
    async with site(address="127.0.0.1:9") as (_, browser):
        async with page(browser) as one:
            reply = await one.heard()
            assert (reply.seq, reply.error.code) == (0, "DISCONNECTED")
        async with browser.post("/segment", data=b"") as answer:
            assert _error(await answer.read()) == "DISCONNECTED"


async def test_a_token_does_not_leave_the_machine_unencrypted():
    async with site(address="192.0.2.1:50051") as (_, browser), page(browser, TOKEN) as one:
        assert (await one.heard()).error.code == "PLAINTEXT_TOKEN"


def _error(body):
    return pb.Error.FromString(body).code
