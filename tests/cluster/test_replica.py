from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from engine_words import Gate, click, engine, follow, image

from seem_server.cluster.replica import Replica
from seem_server.engine.engine import EngineConfig
from seem_server.engine.preprocess import prepare, to_input
from seem_server.engine.scheduler import Limits
from seem_server.engine.work import Encode, Everything, MasksReady
from seem_server.engine.worker import CacheConfig
from seem_server.runtime.fake_backend import MANIFEST, FakeBackend
from seem_wire.errors import NotOffered, Superseded
from seem_wire.types import SegmentKind


@pytest.fixture
def made():
    opened = []

    def make(backend=None, **options):
        opened.append(engine(backend, keys=(), **options))
        return opened[-1]

    yield make
    for one in opened:
        one.close(drain_s=0)


async def test_work_that_comes_with_its_pixels_is_done(made):
    reply = await Replica(made()).carry_out(click(1), {"k": image()})
    assert isinstance(reply.outcome, MasksReady)
    assert reply.device_s > 0
    assert not reply.missing


async def test_pixels_come_once(made):
    replica = Replica(made())
    await replica.carry_out(click(1), {"k": image()})
    assert isinstance((await replica.carry_out(click(1, 2), {})).outcome, MasksReady)


async def test_what_is_missing_is_told_and_nothing_is_begun(made):
    backend = FakeBackend()
    reply = await Replica(made(backend)).carry_out(click(1), {})
    assert reply.missing == {"k"}
    assert (reply.outcome, backend.n_decoded) == (None, 0)


async def test_of_an_image_beside_its_own_its_features_do(made):
    class Zooming(FakeBackend):
        manifest = replace(MANIFEST, decoder=replace(MANIFEST.decoder, zoom=True))

    little_room = EngineConfig(caches=CacheConfig(images_bytes=1))
    replica = Replica(made(Zooming(), config=little_room))
    for key in ("seen", "k"):
        await replica.carry_out(Encode("s", key), {key: image()})
    assert replica.lacks(follow()) == frozenset()
    assert replica.lacks(click(1, key="seen")) == {"seen"}
    assert replica.lacks(follow(seen="other")) == {"other"}


async def test_any_replica_gives_the_same_mask_for_a_chain_that_it_never_saw(made):
    one, other = Replica(made()), Replica(made())
    await one.carry_out(click(1), {"k": image()})
    before = await one.carry_out(click(1, 2), {})
    alone = await other.carry_out(click(1, 2), {"k": image()})
    assert before.outcome.masks == alone.outcome.masks


async def test_a_typed_error_comes_back_as_such(made):
    class Mute(FakeBackend):
        def find(self, _features):
            raise NotOffered("not today")

    work = Everything("s", 1, "k", SegmentKind.PANOPTIC)
    reply = await Replica(made(Mute())).carry_out(work, {"k": image()})
    assert isinstance(reply.outcome, NotOffered)


async def test_a_newer_click_supersedes_one_that_waits(made):
    gate = Gate()
    slow = made(FakeBackend(decode_s=1, wait=gate), config=EngineConfig(Limits(max_wait_s=60)))
    replica = Replica(slow)
    first = asyncio.create_task(replica.carry_out(click(1), {"k": image()}))
    await asyncio.to_thread(gate.wait_for_somebody)
    second = asyncio.create_task(replica.carry_out(click(1, 2), {}))
    await asyncio.sleep(0)
    third = asyncio.create_task(replica.carry_out(click(1, 2, 3), {}))
    reply = await second
    gate.let_pass(8)
    assert isinstance(reply.outcome, Superseded)
    assert reply.superseded_by == 3
    assert isinstance((await third).outcome, MasksReady)
    assert isinstance((await first).outcome, MasksReady)


async def test_work_that_nobody_waits_for_is_dropped(made):
    gate = Gate()
    slow = made(FakeBackend(decode_s=1, wait=gate), config=EngineConfig(Limits(max_wait_s=60)))
    replica = Replica(slow)
    first = asyncio.create_task(replica.carry_out(click(1), {"k": image()}))
    await asyncio.to_thread(gate.wait_for_somebody)
    second = asyncio.create_task(replica.carry_out(click(1, session="other"), {}))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert slow.stats.n_waiting == 0
    gate.let_pass(8)
    assert isinstance((await first).outcome, MasksReady)


async def test_what_was_taken_back_while_it_ran_is_paid_with_the_tenants_next_work(made):
    gate = Gate()
    ticks = count()
    replica = Replica(made(FakeBackend(decode_s=1, wait=gate), now=lambda: float(next(ticks))))
    running = asyncio.create_task(replica.carry_out(click(1), {"k": image()}, tenant="acme"))
    await asyncio.to_thread(gate.wait_for_somebody)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.let_pass(8)
    work = Encode("s", "k")
    of_rival, of_acme = [
        (await replica.carry_out(work, {}, tenant=one)).device_s for one in ("rival", "acme")
    ]
    assert of_acme > of_rival


class Elsewhere:
    """Encodes as another backend of the same bundle would, and counts."""

    def __init__(self, fault=None):
        self.n_calls = 0
        self._backend, self._fault = FakeBackend(), fault

    async def __call__(self, pixels):
        self.n_calls += 1
        await asyncio.sleep(0)
        if self._fault is not None:
            raise self._fault
        (features,) = self._backend.encode(to_input(prepare(pixels, MANIFEST), MANIFEST))
        return self._backend.arrays_of(features)


async def test_an_image_is_encoded_elsewhere_once_for_all_who_wait(made):
    backend, elsewhere = FakeBackend(), Elsewhere()
    replica = Replica(made(backend), elsewhere)
    clicks = (replica.carry_out(click(1, session=s), {"k": image()}) for s in "ab")
    here = await Replica(made()).carry_out(click(1), {"k": image()})
    for reply in await asyncio.gather(*clicks):
        assert reply.outcome.masks == here.outcome.masks
    assert (elsewhere.n_calls, backend.n_encoded) == (1, 0)


async def test_where_that_fails_it_is_encoded_here(made, caplog):
    backend = FakeBackend()
    replica = Replica(made(backend), Elsewhere(OSError("no encoder")))
    reply = await replica.carry_out(click(1), {"k": image()})
    assert isinstance(reply.outcome, MasksReady)
    assert backend.n_encoded == 1
    assert "encoded here" in caplog.text


def test_features_are_the_same_after_a_journey():
    backend = FakeBackend()
    (features,) = backend.encode(to_input(prepare(image(), MANIFEST), MANIFEST))
    (there,) = backend.arrays_of(features)
    again = backend.features_of((there,))
    np.testing.assert_array_equal(again.image, features.image)
