from __future__ import annotations

import asyncio
import socket
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import grpc
import pytest
from bundles import plain_tiny
from grpc_health.v1 import health_pb2, health_pb2_grpc
from query_bundles import write_query_bundle
from secure_words import Files
from service_words import Talk, click, opening, slow_backend, until

from seem_server import app
from seem_server.app import local_server, serve
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.settings import SettingInvalid, Settings
from seem_server.transport.server import Server
from seem_wire import errors
from seem_wire.types import VIDEO_COMMAND_NAMES, Failed, OpenVideo, PromptKind
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

FAKE = Settings(bundle="fake", port=0, grace_s=0)


def card_from(address):
    with grpc.insecure_channel(address) as channel:
        return SeemStub(channel).GetModel(pb.GetModelRequest())


async def test_a_server_tells_where_it_is_and_what_it_runs():
    async with serve(FAKE) as running:
        assert running.address == f"127.0.0.1:{running.port}"
        assert (running.model.provider, running.model.name) == ("fake", "fake")
        assert running.model.vocabulary


async def test_everything_is_offered_where_the_bundle_can_tell(tmp_path):
    async with serve(FAKE, warm_up=False) as running:
        assert "everything" in running.model.capabilities.commands
        assert "background" not in running.model.vocabulary
    plain = str(plain_tiny(tmp_path / "plain"))
    async with serve(replace(FAKE, bundle=plain, provider="cpu"), warm_up=False) as running:
        assert "everything" not in running.model.capabilities.commands
        assert PromptKind.EXAMPLE not in running.model.capabilities.prompts
        assert running.model.input_sizes


async def test_videos_are_offered_where_the_bundle_can_follow(tmp_path):
    async with serve(FAKE, warm_up=False) as running:
        assert running.model.capabilities.commands >= VIDEO_COMMAND_NAMES
    published = str(write_query_bundle(tmp_path / "published"))
    async with (
        serve(replace(FAKE, bundle=published, provider="cpu"), warm_up=False) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        assert not running.model.capabilities.commands & VIDEO_COMMAND_NAMES
        refused = await Talk(SeemStub(channel)).ask(OpenVideo(1))
        assert refused.code == "NOT_OFFERED"


async def test_it_is_warm_before_it_is_ready():
    backend = FakeBackend()
    async with serve(FAKE, make_backend=lambda: backend):
        assert backend.n_encoded == 1


async def test_limits_come_from_the_settings():
    settings = Settings(bundle="fake", port=0, max_image_bytes=5, max_objects=3, grace_s=0)
    async with serve(settings, warm_up=False) as running:
        limits = running.model.capabilities.limits
        assert (limits.max_image_bytes, limits.max_objects) == (5, 3)


async def test_a_bundle_of_the_package_is_served_for_real():
    settings = Settings(bundle="tiny", port=0, provider="cpu", threads=1, grace_s=0)
    async with (
        serve(settings) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        reply = await Talk(SeemStub(channel)).ask(*opening(), click(3))
        assert reply.model_id == running.model.model_id
        assert reply.objects[0].rle.size == (60, 80)


async def test_a_bundle_that_is_not_there_is_told_before_anything_listens():
    with pytest.raises(errors.BundleNotFound):
        async with serve(Settings(bundle="nope", port=0)):
            pass


async def test_idle_sessions_are_looked_for(monkeypatch):
    monkeypatch.setattr(app, "SWEEPS_PER_TIMEOUT", 1e6)
    settings = Settings(bundle="fake", port=0, idle_timeout_s=1, grace_s=0)
    async with serve(settings, warm_up=False) as running:
        await running.directory.open(now_s=-10)
        await until(lambda: len(running.directory) == 0)


async def test_nothing_is_left_when_it_ends():
    before = set(threading.enumerate())
    async with serve(FAKE) as running:
        await running.directory.open(now_s=0)
    assert len(running.directory) == 0
    assert len(asyncio.all_tasks()) == 1
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if name.startswith("seem")}


async def test_a_session_is_told_when_the_server_goes_down_under_it():
    backend, gate = slow_backend()
    async with serve(FAKE, make_backend=lambda: backend, warm_up=False) as running:
        told = []
        session = await running.directory.open(now_s=0, tell=told.append)
        for command in opening():
            await session.obey(command)
        await session.obey(click(3))
        await asyncio.to_thread(gate.wait_for_somebody)
        gate.let_pass()
        running.directory.close()
    assert [one.code for one in told if isinstance(one, Failed)] == ["SHUTTING_DOWN"]


def test_a_local_server_lives_in_a_thread_of_its_own():
    with local_server(FAKE) as address:
        assert card_from(address).name == "fake"
    assert "seem-server" not in {thread.name for thread in threading.enumerate()}


async def test_a_local_server_can_be_used_beside_another_event_loop():
    with local_server(FAKE) as address:
        async with grpc.aio.insecure_channel(address) as channel:
            reply = await Talk(SeemStub(channel)).ask(*opening(), click(3))
    assert reply.objects[0].area > 0


def test_what_keeps_a_local_server_from_starting_is_raised():
    with pytest.raises(errors.BundleNotFound), local_server(Settings(bundle="nope")):
        pass


def test_a_local_server_listens_to_this_machine_alone():
    with local_server(Settings(host="0.0.0.0", bundle="fake", port=50051)) as address:  # noqa: S104
        assert address.startswith("127.0.0.1:")
        assert not address.endswith(":50051")


async def test_it_does_not_listen_to_the_world_without_tls_and_authentication(tmp_path):
    files = Files(tmp_path)
    world = {"host": "0.0.0.0"}  # noqa: S104
    for exposed in (replace(FAKE, **world), files.settings(**world)):
        with pytest.raises(SettingInvalid, match="other machines"):
            async with serve(exposed, warm_up=False):
                pass
    for said in (replace(FAKE, insecure=True, **world), files.settings(tls=True, **world)):
        async with serve(said, warm_up=False) as running:
            assert running.port


async def test_a_file_of_callers_that_makes_no_sense_is_told_before_anything_listens(tmp_path):
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("acme ann oh-a-token-in-the-open")
    with pytest.raises(errors.InvalidValue, match=r"tokens\.txt: Line 1") as caught:
        async with serve(replace(FAKE, tokens_file=str(tokens)), warm_up=False):
            pass
    assert "oh-a-token" not in str(caught.value)
    with pytest.raises(SettingInvalid, match="--tokens-file"):
        async with serve(replace(FAKE, tokens_file="nowhere.txt"), warm_up=False):
            pass


async def test_an_empty_file_of_callers_is_no_open_door(tmp_path):
    empty = tmp_path / "tokens.txt"
    empty.write_text("")
    async with serve(replace(FAKE, tokens_file=str(empty)), warm_up=False) as running:
        with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
            await asyncio.to_thread(card_from, running.address)


def test_a_local_server_asks_its_own_program_for_nothing(tmp_path):
    with local_server(Files(tmp_path).settings(mtls=True)) as address:
        assert card_from(address).name == "fake"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def page(port, path):
    """(status, body) of an HTTP page, asked off the event loop that may have to answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get():
        try:
            with opener.open(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    return await asyncio.to_thread(get)


async def test_metrics_and_probes_are_served_where_they_are_asked_for():
    port = free_port()
    async with (
        serve(replace(FAKE, metrics_port=port)) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        await Talk(SeemStub(channel)).ask(*opening(), click(3))
        _, body = await page(port, "/metrics")
        assert 'seem_tickets_total{class="click",end="done"} 1.0' in body
        assert 'seem_server_info{model="fake@1",provider="fake"' in body
        assert (await page(port, "/livez"))[0] == (await page(port, "/readyz"))[0] == 200
    with pytest.raises(urllib.error.URLError):
        await page(port, "/livez")


async def test_the_event_loop_of_a_server_is_watched():
    port = free_port()
    async with serve(replace(FAKE, metrics_port=port)):
        while "seem_loop_lag_seconds_count 0.0" in (await page(port, "/metrics"))[1]:
            pass
        assert "seem_loop_lag_seconds_count" in (await page(port, "/metrics"))[1]


async def test_a_server_whose_worker_is_gone_is_neither_alive_nor_ready(monkeypatch):
    monkeypatch.setattr(app, "HEALTH_PERIOD_S", 0.001)
    port = free_port()
    async with (
        serve(replace(FAKE, metrics_port=port)) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        await asyncio.to_thread(running.engine.close)
        stub = health_pb2_grpc.HealthStub(channel)

        async def is_served():
            answer = await stub.Check(health_pb2.HealthCheckRequest())
            return answer.status == health_pb2.HealthCheckResponse.SERVING

        while await is_served():
            pass
        assert (await page(port, "/livez"))[0] == (await page(port, "/readyz"))[0] == 503


async def test_a_server_that_goes_down_is_alive_and_not_ready(monkeypatch):
    port = free_port()
    asked = []
    stop = Server.stop

    async def ask_then_stop(self):
        await self.drain()
        asked.extend([(await page(port, "/livez"))[0], (await page(port, "/readyz"))[0]])
        await stop(self)

    monkeypatch.setattr(Server, "stop", ask_then_stop)
    async with serve(replace(FAKE, metrics_port=port), warm_up=False):
        pass
    assert asked == [200, 503]


async def test_a_metrics_port_that_is_taken_is_told_so():
    port = free_port()
    settings = replace(FAKE, metrics_port=port)
    async with serve(settings, warm_up=False):
        with pytest.raises(OSError, match="metrics"):
            async with serve(settings, warm_up=False):
                pass


async def test_traces_without_what_makes_them_are_refused_as_a_setting(monkeypatch):
    monkeypatch.setitem(sys.modules, "seem_server.telemetry.tracing", None)  # not importable
    with pytest.raises(SettingInvalid, match="--otel-endpoint"):
        async with serve(replace(FAKE, otel_endpoint="localhost:4317")):
            pass
