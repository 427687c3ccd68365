from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from service_words import HERE, KEY, OTHER_KEY, OTHER_MASK, np, service, slow_backend

from seem_server.engine.engine import EngineConfig
from seem_server.engine.scheduler import Limits as QueueLimits
from seem_server.engine.tickets import TicketState
from seem_server.engine.work import (
    Decode,
    Encode,
    Everything,
    Follow,
    ObjectRounds,
    Round,
    Seen,
    Trail,
)
from seem_server.service.callers import ANONYMOUS, Caller
from seem_server.service.quotas import OVERLOADED, Quotas
from seem_server.service.tenant_engine import TenantEngine, keyed
from seem_server.service.tenants import Tenants
from seem_wire import errors, rle
from seem_wire.prompts import ExamplePrompt, ObjectPrompt
from seem_wire.types import SegmentKind

ANN, ROB = Caller("acme", "ann"), Caller("rival", "rob")
PIXELS = np.zeros((60, 80, 3), np.uint8)
SHOWN = ObjectPrompt(points=HERE.points, example=ExamplePrompt(OTHER_KEY, OTHER_MASK.mask))


THERE = Seen(OTHER_KEY, rle.encode(OTHER_MASK.mask))
FOLLOW = Follow("s", 3, KEY, (Trail(1, (THERE,), THERE), Trail(2, (THERE,))))


def asked(*said, seq=3):
    rounds = tuple(Round(seq - len(said) + n, one) for n, one in enumerate(said, 1))
    return Decode("s", seq, KEY, (ObjectRounds(1, rounds),))


def submitting(here, caller=ANN, tenants=None):
    tenant = (tenants or Tenants()).of(caller)
    return TenantEngine(here.engine, tenant), tenant


def hold(here, tenant):
    here.engine.put_image(tenant.key_of(KEY), PIXELS)
    here.engine.put_image(tenant.key_of(OTHER_KEY), np.ones((20, 30, 3), np.uint8))


@pytest.fixture
def here():
    with service() as made:
        yield made


@pytest.mark.parametrize(
    "work",
    [Encode("s", KEY), Everything("s", 3, KEY, SegmentKind.INSTANCE, ("cat",)), asked(HERE, SHOWN)],
)
def test_all_images_of_work_are_named_by_the_tenants_keys(work):
    tenant = Tenants().of(ANN)
    twin = keyed(work, tenant)
    assert twin.image_key == tenant.key_of(KEY)
    if isinstance(work, Decode):
        assert twin.example_keys == {tenant.key_of(OTHER_KEY)}
        assert twin.objects[0].rounds[0] is work.objects[0].rounds[0]
    if not isinstance(work, Encode):
        assert twin.owner == "acme"


def test_all_frames_of_a_video_are_named_by_the_tenants_keys():
    tenant = Tenants().of(ANN)
    twin = keyed(FOLLOW, tenant)
    assert twin.image_key == tenant.key_of(KEY)
    assert twin.seen_keys == {tenant.key_of(OTHER_KEY)}
    assert (twin.owner, twin.seq) == ("acme", 3)
    first, second = twin.objects
    assert (first.object_id, first.last.mask) == (1, THERE.mask)
    assert second.last is None


async def test_an_answer_is_one_to_the_work_as_the_session_put_it(here):
    engine, tenant = submitting(here)
    hold(here, tenant)
    work = asked(HERE, SHOWN)
    answer = await engine.submit(work)
    assert answer.work == work
    assert answer.masks[0].area > 0
    everything = Everything("s", 4, KEY, SegmentKind.INSTANCE)
    assert (await engine.submit(everything)).work == everything
    assert (await engine.submit(Encode("s", KEY))).cache_hit
    followed = await engine.submit(FOLLOW)
    assert followed.work == FOLLOW
    assert [one.object_id for one in followed.masks] == [1, 2]


async def test_what_one_tenant_gave_is_not_there_for_another_and_no_key_is_told(here):
    _, tenant = submitting(here)
    hold(here, tenant)
    theirs, rival = submitting(here, ROB)
    with pytest.raises(errors.ImageUnknown) as caught:
        theirs.submit(asked(HERE))
    assert rival.key_of(KEY) not in str(caught.value)


async def test_an_example_that_is_gone_fails_the_work_without_telling_a_key(here):
    engine, tenant = submitting(here)
    here.engine.put_image(tenant.key_of(KEY), PIXELS)
    with pytest.raises(errors.ImageUnknown) as caught:
        await engine.submit(asked(SHOWN))
    assert tenant.key_of(OTHER_KEY) not in str(caught.value)


async def test_a_frame_that_is_gone_fails_the_work_without_telling_a_key(here):
    engine, tenant = submitting(here)
    here.engine.put_image(tenant.key_of(KEY), PIXELS)
    with pytest.raises(errors.ImageUnknown) as caught:
        await engine.submit(FOLLOW)
    assert tenant.key_of(OTHER_KEY) not in str(caught.value)


async def test_work_ends_superseded_or_cancelled_as_without_tenants():
    backend, gate = slow_backend()
    with service(backend=backend) as here:
        engine, tenant = submitting(here)
        hold(here, tenant)
        running = engine.submit(asked(HERE))
        await asyncio.to_thread(gate.wait_for_somebody)
        older = engine.submit(asked(HERE, SHOWN, seq=4))
        newer = engine.submit(asked(HERE, SHOWN, HERE, seq=5))
        assert (older.state, older.superseded_by) == (TicketState.SUPERSEDED, 5)
        newer.cancel()
        running.cancel()
        assert newer.state is running.state is TicketState.CANCELLED
        gate.let_pass(9)
        assert here.engine.stats.n_waiting == 0


async def test_one_tenants_words_are_read_anew_for_another(here):
    read = []
    encode_text = here.engine._backend.encode_text
    here.engine._backend.encode_text = lambda text: read.append(text) or encode_text(text)
    for caller in (ANN, ANN, ROB):
        engine, tenant = submitting(here, caller)
        hold(here, tenant)
        await engine.submit(asked(ObjectPrompt(text="zebra")))
    assert read == ["zebra", "zebra"]


@pytest.mark.parametrize("caller", [ANN, ANONYMOUS])
async def test_the_device_is_paid_for_and_then_refused_for_a_while(caller):
    clock = [0.0]
    tenants = Tenants(Quotas(tenant_device_s_per_minute=1e-6), now=lambda: clock[0])
    with service() as here:
        engine, tenant = submitting(here, caller, tenants)
        hold(here, tenant)
        await engine.submit(asked(HERE))
        with pytest.raises(errors.QuotaExceeded, match="tenant_device_s_per_minute") as caught:
            engine.submit(asked(HERE))
        assert caught.value.retry_after_ms > 0
        clock[0] = caught.value.retry_after_ms / 1000 + 1
        await engine.submit(asked(HERE))


@pytest.mark.parametrize("caller", [ANN, ANONYMOUS])
async def test_work_that_finds_the_queue_full_is_a_refusal_of_its_tenant(caller):
    backend, gate = slow_backend()
    with service(backend=backend, engine=EngineConfig(QueueLimits(max_waiting=1))) as here:
        engine, tenant = submitting(here, caller)
        hold(here, tenant)
        running = engine.submit(asked(HERE))
        await asyncio.to_thread(gate.wait_for_somebody)
        engine.submit(replace(asked(HERE), session_id="t"))
        with pytest.raises(errors.Overloaded):
            engine.submit(replace(asked(HERE), session_id="u"))
        gate.let_pass(9)
        await running
    assert tenant.usage.n_refused[OVERLOADED] == 1


async def test_what_runs_is_paid_for_even_if_nobody_wants_it_any_more():
    backend, gate = slow_backend()
    paid = []
    with service(backend=backend) as here:
        engine, tenant = submitting(here)
        tenant.pay_device = paid.append
        hold(here, tenant)
        ticket = engine.submit(asked(HERE))
        await asyncio.to_thread(gate.wait_for_somebody)
        ticket.cancel()
        gate.let_pass(9)
        await engine.submit(asked(HERE, seq=9))
    assert len(paid) == 2
    assert min(paid) > 0


@pytest.mark.parametrize("shared", [True, False])
async def test_the_engine_is_told_on_whose_behalf_whether_images_are_shared_or_not(
    here, monkeypatch, shared
):
    told, submit = [], here.engine.submit

    def noting(work, *, tenant="", **options):
        told.append(tenant)
        return submit(work, tenant=tenant, **options)

    monkeypatch.setattr(here.engine, "submit", noting)
    engine, tenant = submitting(here, tenants=Tenants(shared=shared))
    hold(here, tenant)
    await engine.submit(Encode("s", KEY))
    assert told == ["acme"]
