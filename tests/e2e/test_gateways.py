"""Many gateways over one Valkey, Envoy before them: any of them takes any session up."""

from __future__ import annotations

import asyncio
import http.client
import re
import signal
import struct
from contextlib import asynccontextmanager

import grpc
import numpy as np
import pytest
from envoy_here import FRONT, envoy_program
from service_words import Talk, click, opening, set_image
from valkey_process import ValkeyProcess

import seem_client
from seem_client.channel import error_of
from seem_server.commands import chaos
from seem_server.commands.gateways import Gateways, Plan
from seem_server.commands.serving import ServerProcess
from seem_server.transport.servicer import ATTEMPT_KEY
from seem_wire import convert, errors, types
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

PIXELS = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


@pytest.fixture
def store(tmp_path):
    server = ValkeyProcess(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def two(store):
    """Two gateways that know nothing of each other."""
    flags = ("--bundle", "fake", "--store", store.url)
    async with ServerProcess(*flags) as one, ServerProcess(*flags) as other:
        yield one, other


@asynccontextmanager
async def behind_envoy(store, *flags, count=2):
    envoy_program()
    async with Gateways(
        Plan(count, FRONT), "--bundle", "fake", "--store", store.url, *flags
    ) as made:
        yield made


# --- two at once


async def test_a_session_that_moves_while_its_old_gateway_lives_has_one_owner(two):
    here, there = two
    async with (
        grpc.aio.insecure_channel(here.address) as old,
        grpc.aio.insecure_channel(there.address) as new,
    ):
        before, after = Talk(SeemStub(old)), Talk(SeemStub(new))
        await before.say(*opening(), click(3), click(4, object_id=2))
        opened, _, first, _ = await before.hear(4)
        attached = await after.ask(types.Attach(99, opened.session_id, 4))
        assert attached.session.last_seq == 4
        late = await before.ask(types.RemoveObject(5, 1))
        assert late.code == "SESSION_MOVED"
        undone = await after.ask(types.Undo(5))
        assert undone.removed_object_ids == (2,)
        back = await Talk(SeemStub(old)).ask(types.Attach(9, opened.session_id, 5, masks=True))
        assert [one.rle for one in back.objects] == [first.objects[0].rle]


async def test_what_is_said_to_two_gateways_is_done_once(two):
    async with (
        grpc.aio.insecure_channel(two[0].address) as one,
        grpc.aio.insecure_channel(two[1].address) as other,
    ):
        here, there = SeemStub(one), SeemStub(other)
        name = (await said(here, types.OpenImage(1))).session_id
        await said(here, set_image(session_id=name))
        first = await said(here, click(3, session_id=name))
        again = await said(there, click(3, session_id=name), attempt="2")
        assert again == first
        undone = await said(here, types.Undo(4, session_id=name))
        assert undone.removed_object_ids == (1,)


async def said(stub, command, *, attempt="1"):
    metadata = ((ATTEMPT_KEY, attempt),)
    return convert.reply_from_proto(
        await stub.Execute(convert.command_to_proto(command), metadata=metadata)
    )


async def test_a_gateway_that_goes_down_sends_new_sessions_elsewhere(store):
    async with (
        behind_envoy(store, "--grace-s", "3") as gateways,
        seem_client.connect_async(gateways.address, token="") as client,
    ):
        going = asyncio.create_task(gateways._servers[0].stop())
        for _ in range(8):
            async with client.open(PIXELS) as session:
                assert (await session.click(30, 40)).area >= 0
        await going


# --- through Envoy


@pytest.mark.timeout(600)
async def test_gateways_that_are_killed_again_and_again_lose_nothing(store, monkeypatch):
    envoy_program()
    monkeypatch.setattr(chaos, "LONGEST_LIFE_S", 1.0)
    report = await chaos.bench_chaos(
        "tiny", kills=2, annotators=2, plan=Plan(3, FRONT), store=store.url
    )
    assert report.nothing_was_lost
    assert report.sessions_lost == 0 < report.commands


@pytest.mark.slow
async def test_a_gateway_that_hangs_keeps_nobody_waiting(store):
    async with (
        behind_envoy(store) as gateways,
        seem_client.connect_async(gateways.address, token="") as client,
        client.open(PIXELS) as session,
    ):
        first, second = await session.click(30, 40), await session.click(80, 90)
        for one in gateways._servers:
            one._process.send_signal(signal.SIGSTOP)
            assert (await session.undo()).rle == first.rle
            assert (await session.redo()).rle == second.rle
            one._process.send_signal(signal.SIGCONT)


def n_requests(gateways):
    """How many each gateway got through Envoy, as that tells where only this machine may ask."""
    asked = http.client.HTTPConnection("127.0.0.1", gateways._front._ports["admin"], timeout=20)
    asked.request("GET", "/clusters")
    lines = asked.getresponse().read().decode().splitlines()
    asked.close()
    return [int(one.rpartition("::")[2]) for one in lines if re.match("gateways.*rq_total", one)]


async def test_who_attaches_to_a_session_comes_to_the_gateway_that_has_it(store):
    async with (
        behind_envoy(store, count=3) as gateways,
        seem_client.connect_async(gateways.address, token="") as client,
    ):
        session = await client.open(PIXELS)
        await session.leave()
        before = await asyncio.to_thread(n_requests, gateways)
        for _ in range(6):
            again = await client.attach(session.id)
            await again.leave()
        after = await asyncio.to_thread(n_requests, gateways)
        assert sorted(new - old for new, old in zip(after, before, strict=True)) == [
            0,
            0,
            2 * 6,
        ]  # each asks for it first


class Page:
    """A browser's page, as far as gRPC-Web goes: HTTP/1.1, and frames in a body."""

    origin = "http://localhost:3000"

    def __init__(self, address):
        self._address = address

    def ask(self, command):
        body = convert.command_to_proto(command).SerializeToString()
        headers = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
        answer = self.send("POST", struct.pack(">BI", 0, len(body)) + body, headers)
        kind, length = struct.unpack(">BI", answer[1][:5])
        assert kind == 0, answer
        return convert.reply_from_proto(pb.Reply.FromString(answer[1][5 : 5 + length]))

    def send(self, method, body=b"", headers=None):
        asked = http.client.HTTPConnection(self._address, timeout=20)
        said = {"origin": self.origin} | (headers or {})
        asked.request(method, "/seem_wire.v1.Seem/Execute", body, said)
        answer = asked.getresponse()
        told = dict(answer.getheaders()), answer.read()
        asked.close()
        return told


async def test_a_page_calls_over_grpc_web_and_goes_on_when_gateways_die(store):
    async with behind_envoy(store) as gateways:
        page = Page(gateways.address)
        name = (await asyncio.to_thread(page.ask, types.OpenImage(1))).session_id
        await asyncio.to_thread(page.ask, set_image(session_id=name))
        masks = await asyncio.to_thread(page.ask, click(3, session_id=name))
        for seq, one in enumerate(gateways._servers, 4):
            await one.kill()
            reply = await asyncio.to_thread(page.ask, click(seq, object_id=seq, session_id=name))
            assert reply.objects[0].object_id == seq
            await one.start()
        undone = await asyncio.to_thread(page.ask, types.Clear(6, session_id=name))
        assert (undone, masks.objects[0].object_id) == (types.Done(6), 1)


async def test_only_pages_that_may_are_let_in(store):
    async with behind_envoy(store, count=1) as gateways:
        page = Page(gateways.address)
        asks = {
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-grpc-web",
        }
        allowed, _ = await asyncio.to_thread(page.send, "OPTIONS", b"", asks)
        assert allowed["access-control-allow-origin"] == page.origin
        page.origin = "https://elsewhere.example"
        refused, _ = await asyncio.to_thread(page.send, "OPTIONS", b"", asks)
        assert "access-control-allow-origin" not in refused


async def test_a_refusal_comes_through_with_its_error(store):
    async with (
        behind_envoy(store, count=1) as gateways,
        grpc.aio.insecure_channel(gateways.address) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await said(SeemStub(channel), types.Undo(2, session_id="nobody's"))
        assert isinstance(error_of(refused.value, ""), errors.UnknownSession)
