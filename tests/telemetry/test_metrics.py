from __future__ import annotations

from typing import get_args

import grpc
import pytest
from engine_words import click, engine
from prometheus_client.parser import text_string_to_metric_families
from secure_words import TOKEN, WRONG_TOKEN, Files, bearing, guarded
from service_words import Talk, open_image, service

from seem_server import app
from seem_server.engine.work import Encode, Work
from seem_server.runtime.device_memory import DeviceMemory
from seem_server.service.callers import ANONYMOUS, Caller
from seem_server.service.quotas import Quotas
from seem_server.service.tenants import Tenants
from seem_server.telemetry import metrics as module
from seem_server.telemetry.metrics import Metrics, Sources
from seem_server.telemetry.observers import Observers
from seem_wire import errors, types
from seem_wire.v1 import seem_pb2 as pb
from seem_wire.v1.seem_pb2_grpc import SeemStub

ANN, ROB = Caller("acme", "ann"), Caller("rival", "rob")


def samples(metrics):
    """Each sample's value by its name and labels' values, in the order of the labels' names."""
    page = metrics.page().decode()
    return {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(page)
        for one in family.samples
    }


def refusals(metrics):
    found = samples(metrics).items()
    return {tuple(code): n for (name, *code), n in found if name == "seem_refusals_total" and n}


def test_every_refusal_counts_from_zero_on(metrics):
    assert ("seem_refusals_total", "INTERNAL") in samples(metrics)
    assert not refusals(metrics)


@pytest.fixture
def metrics():
    return Metrics()


def test_every_class_of_work_has_a_name():
    assert set(module.CLASSES) == set(get_args(Work))


async def test_work_is_counted_by_class_and_end_and_timed_by_stage(metrics):
    made = engine(observer=metrics)
    await made.submit(Encode("s", "k"))
    await made.submit(click(1))
    made.close()
    found = samples(metrics)
    assert found["seem_tickets_total", "encode", "done"] == 1
    assert found["seem_tickets_total", "click", "done"] == 1
    for stage in ("queue", "encode", "decode", "post", "total"):
        assert found["seem_stage_seconds_count", "click", stage] == 1
    total = found["seem_stage_seconds_sum", "click", "total"]
    assert total >= found["seem_stage_seconds_sum", "click", "decode"] > 0
    assert found["seem_batch_size_count", "click"] == found["seem_batch_size_sum", "click"] == 1


def test_work_that_came_to_nothing_has_no_times(metrics):
    made = engine(observer=metrics)
    made.close()
    made._closing = False  # the door is open, and nobody is behind it
    made.submit(click(1)).cancel()
    found = samples(metrics)
    assert found["seem_tickets_total", "click", "cancelled"] == 1
    assert ("seem_stage_seconds_count", "click", "total") not in found


def test_turns_of_the_event_loop_are_counted_by_how_late_they_came(metrics):
    for lag_s in (0.0004, 0.004, 0.7):
        metrics.turned(lag_s)
    found = samples(metrics)
    assert found["seem_loop_lag_seconds_count",] == 3
    assert found["seem_loop_lag_seconds_bucket", "0.001"] == 1
    assert found["seem_loop_lag_seconds_bucket", "0.5"] == 2


def test_calls_commands_and_refusals_are_counted(metrics):
    watch = metrics.began("Interact", {})
    watch.commanded(types.Undo(1))
    watch.commanded(types.Failed.of(2, errors.UnknownCommand("")))
    watch.replied(types.Failed.of(1, errors.NothingToUndo("")))
    watch.replied(types.Done(2))
    watch.ended("OK")
    metrics.began("Segment", {}).ended("OVERLOADED")
    found = samples(metrics)
    assert found["seem_commands_total", "undo"] == 1
    assert found["seem_commands_total", "unreadable"] == 1
    assert found["seem_calls_total", "OK", "Interact"] == 1
    assert found["seem_calls_total", "OVERLOADED", "Segment"] == 1
    assert found["seem_refusals_total", "NOTHING_TO_UNDO"] == 1
    assert found["seem_refusals_total", "OVERLOADED"] == 1


async def test_strangers_and_quotas_that_are_used_up_count_as_refusals(
    metrics, monkeypatch, tmp_path
):
    monkeypatch.setattr(app, "open_observers", lambda **_: Observers(metrics, None))
    async with (
        guarded(Files(tmp_path), tenant_sessions=1) as running,
        grpc.aio.insecure_channel(running.address) as channel,
    ):
        stub = SeemStub(channel)
        for metadata in (None, bearing(WRONG_TOKEN)):
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.GetModel(pb.GetModelRequest(), metadata=metadata)
        with pytest.raises(grpc.aio.AioRpcError):
            await Talk(stub, metadata=bearing(WRONG_TOKEN)).ask(open_image())
        first, second = (Talk(stub, metadata=bearing(TOKEN)) for _ in range(2))
        await first.ask(open_image())
        assert (await second.ask(open_image())).code == "QUOTA_EXCEEDED"
        assert refusals(metrics) == {("UNAUTHENTICATED",): 3, ("QUOTA_EXCEEDED",): 1}
    found = samples(metrics)
    assert found["seem_calls_total", "UNAUTHENTICATED", "GetModel"] == 2
    assert found["seem_calls_total", "UNAUTHENTICATED", "Interact"] == 1


@pytest.mark.parametrize("code", ["OK", "CLIENT_LEFT", "SUPERSEDED", "CANCELLED"])
def test_what_its_client_withdrew_was_not_refused(metrics, code):
    metrics.began("Execute", {}).ended(code)
    assert not refusals(metrics)


async def test_how_things_stand_is_read_when_somebody_asks(metrics):
    with service() as here:
        await here.directory.open(now_s=0)
        (await here.directory.open(now_s=0)).close()
        metrics.read_from(Sources(here.engine, here.directory, lambda: DeviceMemory(7, 10), dict))
        found = samples(metrics)
    assert found["seem_sessions",] == found["seem_sessions_ended_total",] == 1
    assert found["seem_sessions_opened_total",] == 2
    assert found["seem_queue_length",] == found["seem_running",] == 0
    assert found["seem_engine_answers",] == 1
    assert found["seem_cache_bytes", "features"] == 0
    assert found["seem_cache_limit_bytes", "features"] > 0
    assert found["seem_resident_memory_bytes",] > 2**20
    assert (found["seem_device_memory_used_bytes",], found["seem_device_memory_bytes",]) == (7, 10)


async def test_what_each_tenant_uses_and_is_refused_is_told_by_its_name(metrics):
    tenants = Tenants(Quotas(tenant_sessions=1))
    with service(tenants=tenants, max_sessions=2) as here:
        here.directory.admit(ANN)
        await here.directory.open(now_s=0, caller=ANN)
        with pytest.raises(errors.QuotaExceeded):
            await here.directory.open(now_s=0, caller=ANN)
        await here.directory.open(now_s=0)
        with pytest.raises(errors.Overloaded):
            await here.directory.open(now_s=0, caller=ROB)
        tenants.of(ANONYMOUS).image(70)
        tenants.of(ANONYMOUS).pay_device(1.5)
        metrics.read_from(Sources(here.engine, here.directory, lambda: None, dict))
        found = samples(metrics)
    assert found["seem_tenant_sessions", "acme"] == found["seem_tenant_sessions", ""] == 1
    assert found["seem_tenant_requests_total", "acme"] == 1
    assert found["seem_tenant_refusals_total", "tenant_sessions", "acme"] == 1
    assert found["seem_tenant_refusals_total", "overloaded", "rival"] == 1
    assert found["seem_tenant_refusals_total", "overloaded", "acme"] == 0
    assert found["seem_tenant_image_bytes_total", ""] == 70
    assert found["seem_tenant_device_seconds_total", ""] == 1.5


async def test_failed_logins_are_told_by_reason(metrics):
    with service() as here:
        failed = {"unknown_token": 3, "too_many": 0}
        metrics.read_from(Sources(here.engine, here.directory, lambda: None, lambda: failed))
        found = samples(metrics)
    assert found["seem_failed_logins_total", "unknown_token"] == 3
    assert found["seem_failed_logins_total", "too_many"] == 0


async def test_what_nobody_can_tell_is_absent(metrics, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_STATM", tmp_path / "not linux")
    with service() as here:
        metrics.read_from(Sources(here.engine, here.directory, lambda: None, dict))
        names = {name for name, *_ in samples(metrics)}
    assert "seem_sessions" in names
    assert not [name for name in names if "memory" in name]


def test_two_servers_of_one_process_count_apart(metrics):
    other = Metrics()
    metrics.began("GetModel", {}).ended("OK")
    assert ("seem_calls_total", "OK", "GetModel") not in samples(other)


async def test_every_name_has_our_prefix_and_counters_end_as_prometheus_asks(metrics):
    with service() as here:
        metrics.read_from(Sources(here.engine, here.directory, lambda: DeviceMemory(0, 0), dict))
        families = list(metrics.registry.collect())
    assert all(one.name.startswith("seem_") for one in families)
    assert all(one.documentation.endswith(".") for one in families)
    plain = [one.name for one in families if one.type == "gauge"]
    assert not [name for name in plain if name.endswith("_total")]
