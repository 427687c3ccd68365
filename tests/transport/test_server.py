from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from service_words import Talk, click, open_image, opening, served, service, set_image

from seem_server.transport.server import SERVICE, Server, TransportConfig
from seem_server.transport.servicer import Servicer
from seem_wire import convert, types
from seem_wire.v1.seem_pb2_grpc import SeemStub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health_of(channel, name=SERVICE):
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status


@pytest.fixture
async def bare(tmp_path):
    """A server on a unix socket that nobody called ready, and a channel to it."""
    config = TransportConfig(f"unix:{tmp_path}/seem.sock", grace_s=0)
    with service() as here, ThreadPoolExecutor(1) as executor:
        servicer = Servicer(here.directory, executor, now=lambda: 0.0)
        server = Server(servicer, config, here.directory.model.capabilities.limits)
        assert await server.start() == 0
        async with grpc.aio.insecure_channel(config.address) as channel:
            yield server, channel
        await server.stop()


@pytest.mark.parametrize("name", ["", SERVICE])
async def test_it_is_healthy_from_ready_until_it_goes_down(bare, name):
    server, channel = bare
    assert await health_of(channel, name) == NOT_SERVING
    await server.ready()
    assert await health_of(channel, name) == SERVING
    await server.drain()
    assert await health_of(channel, name) == NOT_SERVING


async def test_calls_are_still_served_while_it_drains(bare):
    server, channel = bare
    await server.drain()
    assert isinstance(await Talk(SeemStub(channel)).ask(open_image()), types.Opened)


async def test_it_tells_what_it_serves():
    async with served() as (_, _, channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = stub.ServerReflectionInfo(iter([request]))
        reply = await call.read()
        names = {one.name for one in reply.list_services_response.service}
        call.cancel()
    assert {SERVICE, "grpc.health.v1.Health"} <= names


async def test_an_address_that_is_taken_is_told_so():
    async with served() as (running, _, _):
        with pytest.raises(OSError, match=rf"{running.port}; is it taken"):
            async with served(port=running.port):
                pass


async def test_an_image_that_is_a_little_too_large_gets_its_own_error():
    async with served(max_image_bytes=1000) as (_, stub, _):
        reply = await Talk(stub).ask(open_image(), set_image(2, bytes(2000)))
    assert reply.code == "IMAGE_TOO_LARGE"


async def test_a_message_of_absurd_size_is_refused_unread():
    async with served(max_image_bytes=1000) as (_, stub, _):
        huge = convert.command_to_proto(set_image(1, bytes(9 * 1024**2)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Execute(huge)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_what_runs_is_finished_when_it_goes_down(bare):
    server, channel = bare
    talk = Talk(SeemStub(channel))
    await talk.ask(*opening())
    stopping = asyncio.create_task(server.stop(20))
    assert isinstance(await talk.ask(click(3)), types.Masks)
    assert not stopping.done()
    await talk.hear_until_the_end()
    await stopping


async def test_what_does_not_end_in_time_is_cut_off(bare):
    server, channel = bare
    talk = Talk(SeemStub(channel))
    await talk.ask(*opening())
    await server.stop(0)
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await talk.hear_until_the_end()


async def test_what_does_not_work_is_not_healthy_until_it_does_again(bare):
    server, channel = bare
    await server.tell_whether(works=True)
    assert await health_of(channel) == NOT_SERVING
    await server.ready()
    await server.tell_whether(works=False)
    assert await health_of(channel) == NOT_SERVING
    await server.tell_whether(works=True)
    assert await health_of(channel) == SERVING
    await server.drain()
    await server.tell_whether(works=True)
    assert await health_of(channel) == NOT_SERVING


async def test_it_is_ready_until_it_drains(bare):
    server, _ = bare
    assert not server.is_ready
    await server.ready()
    assert server.is_ready
    await server.drain()
    assert not server.is_ready


async def test_channels_and_sockets_are_shown_to_whoever_asks_where_it_is_allowed():
    async with served(channelz=True) as (_, _, channel):
        stub = channelz_pb2_grpc.ChannelzStub(channel)
        servers = (await stub.GetServers(channelz_pb2.GetServersRequest())).server
    assert any(one.data.calls_started for one in servers)


async def test_channels_and_sockets_are_nobodys_business_otherwise():
    async with served() as (_, _, channel):
        stub = channelz_pb2_grpc.ChannelzStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetServers(channelz_pb2.GetServersRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
