"""What a server rests on fails, or who talks to it does: that is told, and nothing is lost."""

from __future__ import annotations

import asyncio
import resource
import signal
from dataclasses import replace
from functools import partial

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from proxy import proxied
from served_process import serving
from service_words import Talk, click, opening, served, until
from valkey_process import ValkeyProcess

import seem_client
from seem_client.channel import error_of
from seem_server import app
from seem_server.service.journal import Journal
from seem_wire import errors, types
from seem_wire.v1.seem_pb2_grpc import SeemStub

PIXELS = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
KEPT = {"linger_s": 60, "grace_s": 5}


async def is_served(channel):
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    return answer.status == health_pb2.HealthCheckResponse.SERVING


async def becomes(channel, *, served):
    async with asyncio.timeout(20):
        while await is_served(channel) is not served:
            pass


async def goes_on(stub, session_id, expected):
    """Another stream has the session, with the masks that were answered, and is answered."""
    talk = Talk(stub)
    attached = await talk.ask(types.Attach(99, session_id, expected.seq, masks=True))
    assert [one.rle for one in attached.objects] == [one.rle for one in expected.objects]
    seq = attached.session.last_seq + 1
    assert isinstance(await talk.ask(click(seq, object_id=2)), types.Masks)
    assert isinstance(await talk.ask(types.Release(seq + 1)), types.Done)
    talk.hang_up()


# --- the store


async def test_a_valkey_that_is_killed_is_told_and_what_was_answered_is_there_when_it_is_back(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(app, "HEALTH_PERIOD_S", 0.001)
    store = ValkeyProcess(tmp_path)
    store.start()
    async with served(store=store.url, **KEPT) as (_, stub, channel):
        talk = Talk(stub)
        await talk.say(*opening(), click(3))
        opened, _, answered = await talk.hear(3)
        store.kill()
        await talk.say(types.Clear(4))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await talk.hear()
        assert error_of(ended.value, "").code == "STORE_FAILED"
        assert (await Talk(stub).ask(types.OpenImage(5))).code == "STORE_FAILED"
        refused = await Talk(stub).ask(types.Attach(99, opened.session_id))
        assert refused.code == "STORE_FAILED"
        await becomes(channel, served=False)
        store.start()
        await goes_on(stub, opened.session_id, answered)
        await becomes(channel, served=True)
    store.stop()


async def test_a_session_goes_on_when_its_valkey_was_away_and_nothing_is_done_twice(tmp_path):
    store = ValkeyProcess(tmp_path)
    store.start()
    async with (
        served(store=store.url, **KEPT) as (running, _, _),
        seem_client.connect_async(running.address) as client,
        client.open(PIXELS) as session,
    ):
        masks = [await session.click(10 * n, 40) for n in range(1, 4)]
        store.kill()
        undone = asyncio.create_task(session.undo())
        await asyncio.sleep(0)
        store.start()
        assert (await undone).rle == masks[1].rle
        assert (await session.undo()).rle == masks[0].rle
    store.stop()


async def test_a_store_file_that_is_deleted_under_a_server_is_told_and_taken_up_when_it_is_back(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(app, "HEALTH_PERIOD_S", 0.001)
    path = tmp_path / "sessions.sqlite"
    async with served(store=f"sqlite:{path}", **KEPT) as (_, stub, channel):
        talk = Talk(stub)
        await talk.say(*opening(), click(3))
        opened, _, answered = await talk.hear(3)
        path.rename(tmp_path / "gone")
        assert (await talk.ask(types.Clear(4))).code == "STORE_FAILED"
        await becomes(channel, served=False)
        (tmp_path / "gone").rename(path)
        await goes_on(stub, opened.session_id, answered)
        await becomes(channel, served=True)


async def test_an_idle_server_notices_by_itself_that_its_store_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "HEALTH_PERIOD_S", 0.001)
    monkeypatch.setattr(app, "LEAST_PERIOD_S", 0.001)
    path = tmp_path / "sessions.sqlite"
    async with served(store=f"sqlite:{path}", linger_s=0) as (_, _, channel):
        await becomes(channel, served=True)
        path.unlink()
        await becomes(channel, served=False)


def test_a_full_disk_is_told_and_the_session_goes_on_when_there_is_room(tmp_path):
    with (
        serving(tmp_path, bundle="fake") as server,
        seem_client.connect(server.address, reconnect_s=0) as client,
        client.open(PIXELS) as session,
    ):
        first = session.click(30, 40)
        unlimited = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        n_bytes = (tmp_path / "sessions.sqlite-wal").stat().st_size
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (n_bytes, unlimited[1]))
        with pytest.raises(errors.StoreFailed):
            session.click(80, 90)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, unlimited)
        with client.attach(session.id) as again:
            assert np.array_equal(again.predictions[1].mask, first.mask)
            assert again.click(80, 90).round == 2


class Clock:
    """A wall clock that is set, and counts how often it is looked at since."""

    def __init__(self):
        self.set(1e9)

    def set(self, now_s):
        self.now_s, self.n_looks = now_s, 0

    def __call__(self):
        self.n_looks += 1
        return self.now_s


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
async def test_a_clock_that_is_set_under_a_server_ends_no_session_that_it_holds(
    tmp_path, monkeypatch, jump_s
):
    clock = Clock()
    monkeypatch.setattr(app, "Journal", partial(Journal, wall=clock))
    monkeypatch.setattr(app, "LEAST_PERIOD_S", 0.001)
    kept = {"keep_s": 3600, "linger_s": 0, "store": f"sqlite:{tmp_path / 'sessions.sqlite'}"}
    async with served(**kept) as (_, stub, _):
        talk = Talk(stub)
        await talk.ask(*opening())
        clock.set(clock.now_s + jump_s)
        await until(lambda: clock.n_looks > 3)  # it looked for what is old, more than once
        assert isinstance(await talk.ask(click(3)), types.Masks)
        talk.hang_up()


# --- the network


def impatient(settings, usual=app._transport_config):
    return replace(usual(settings), keepalive_s=0.2)


async def test_a_client_that_is_there_no_more_and_never_said_so_leaves_its_session(monkeypatch):
    monkeypatch.setattr(app, "_transport_config", impatient)
    async with served(**KEPT) as (running, stub, _):
        with proxied(running.port) as proxy:
            async with grpc.aio.insecure_channel(proxy.address) as channel:
                talk = Talk(SeemStub(channel))
                await talk.say(*opening(), click(3))
                opened, _, answered = await talk.hear(3)
                session = running.directory.find(opened.session_id, now_s=0)
                proxy.freeze()
                await until(lambda: not session.attached)
                await goes_on(stub, opened.session_id, answered)


def test_a_server_that_is_frozen_is_told_in_time_and_attached_to_when_it_is_not(tmp_path):
    with (
        serving(tmp_path, bundle="fake") as server,
        seem_client.connect(server.address, timeout_s=0.3, reconnect_s=0) as impatient,
        seem_client.connect(server.address, reconnect_s=0) as client,
    ):
        session = impatient.open(PIXELS)
        first = session.click(30, 40)
        server.send(signal.SIGSTOP)
        with pytest.raises(errors.DeadlineExceeded):
            session.undo()
        with pytest.raises(errors.DeadlineExceeded):
            impatient.model()
        server.send(signal.SIGCONT)
        with client.attach(session.id) as again:
            if 1 not in again.predictions:  # it had heard of the undo
                again.redo()
            assert np.array_equal(again.predictions[1].mask, first.mask)


def test_a_session_whose_connection_is_dead_goes_on_over_another(tmp_path, monkeypatch):
    monkeypatch.setattr("seem_client.channel.KEEPALIVE_S", 0.2)
    monkeypatch.setattr("seem_client.channel.KEEPALIVE_PATIENCE_S", 0.2)
    with (
        serving(tmp_path, bundle="fake") as server,
        proxied(server.port) as proxy,
        seem_client.connect(proxy.address, timeout_s=20) as client,
        client.open(PIXELS) as session,
    ):
        first = session.click(30, 40)
        proxy.freeze()
        second = session.click(80, 90)
        assert second.round == 2
        assert np.array_equal(session.undo().mask, first.mask)
