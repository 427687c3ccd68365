from __future__ import annotations

import asyncio

import pytest
from cluster_words import Nearby, cluster
from engine_words import PATIENCE_S, Gate, click, engine, follow, image

from seem_server.cluster import engine as cluster_engine
from seem_server.engine.engine import EngineConfig
from seem_server.engine.scheduler import Limits
from seem_server.engine.work import Encode, Followed, MasksReady
from seem_server.runtime.fake_backend import FakeBackend
from seem_wire.errors import (
    BundleInvalid,
    Cancelled,
    DeadlineExceeded,
    ImageUnknown,
    Internal,
    Overloaded,
    ShuttingDown,
)

PATIENT = EngineConfig(Limits(max_wait_s=60))


@pytest.fixture
def nearby():
    return Nearby()


@pytest.fixture
def made(nearby):
    made = cluster(nearby)
    made.put_image("k", image())
    yield made
    made.close(drain_s=0)


@pytest.fixture
def gate():
    return Gate()


@pytest.fixture
def slow(gate):
    made = cluster(Nearby(lambda: engine(FakeBackend(decode_s=1, wait=gate), PATIENT, keys=())))
    made.put_image("k", image())
    yield made
    gate.let_pass(100)
    made.close(drain_s=5)


async def test_a_click_is_answered_from_afar_as_here(made):
    here = engine()
    assert (await made.submit(click(1))).masks == (await here.submit(click(1))).masks
    here.close()


async def test_pixels_are_sent_once(made, nearby):
    await made.submit(click(1))
    await made.submit(click(1, 2))
    assert nearby.sent == [{"k"}, set()]
    assert made.has_features("k")


async def test_a_replica_that_lost_them_is_sent_them_again(made, nearby):
    await made.submit(click(1))
    nearby.restart()
    assert isinstance(await made.submit(click(1, 2)), MasksReady)
    assert nearby.sent == [{"k"}, set(), {"k"}]


class Elsewhere(Nearby):
    """Each time it is another replica, which knows nothing."""

    async def carry_out(self, route, work, images, *, tenant):
        self.restart()
        return await super().carry_out(route, work, images, tenant=tenant)


async def test_a_replica_asked_in_place_of_one_that_lacked_images_gets_all_of_them():
    made = cluster(Elsewhere())
    for seed, key in enumerate(("k", "seen")):
        made.put_image(key, image(seed=seed))
    await made.submit(click(1))
    assert isinstance(await made.submit(follow()), Followed)
    made.close(drain_s=0)


async def test_pixels_that_come_again_are_lent_again(made, nearby):
    lent = []
    nearby.lend = lambda pixels: lent.append(pixels) or (pixels,)
    made.put_image("k", image())
    assert len(lent) == 1


async def test_a_click_on_a_lost_replica_is_done_by_another(made, nearby):
    first = await made.submit(click(1, 2))
    nearby.losses = 2
    again = await made.submit(click(1, 2))
    assert again.masks == first.masks
    assert made.stats.n_restarts == 2


async def test_where_all_are_lost_the_click_fails_and_the_next_may_work(made, nearby):
    nearby.losses = cluster_engine.MOST_TRIES
    with pytest.raises(Internal):
        await made.submit(click(1))
    assert isinstance(await made.submit(click(1)), MasksReady)


async def test_work_on_an_image_goes_by_the_image_and_a_videos_by_its_session(made, nearby):
    made.put_image("seen", image(seed=2))
    await made.submit(click(1, session="one"))
    assert isinstance(await made.submit(follow(session="one")), Followed)
    assert nearby.routes == ["k", "one"]
    assert nearby.sent[1] == {"seen"}


def test_an_image_that_is_not_held_is_refused(made):
    with pytest.raises(ImageUnknown):
        made.submit(click(1, key="other"))


async def test_too_much_on_the_way_is_refused(gate, slow):
    tickets = [slow.submit(click(1, session=str(n))) for n in range(8)]
    with pytest.raises(Overloaded) as caught:
        slow.check_room("s", "k")
    assert caught.value.retry_after_ms
    with pytest.raises(Overloaded):
        slow.submit(click(1))
    gate.let_pass(100)
    await asyncio.gather(*tickets)


async def test_a_cancelled_ticket_drops_its_work_where_it_is(gate, slow):
    first = slow.submit(click(1))
    await asyncio.to_thread(gate.wait_for_somebody)
    second = slow.submit(click(1, session="other"))
    second.cancel()
    with pytest.raises(Cancelled):
        await second
    gate.let_pass(1)  # for one decode: the second would not come through
    assert isinstance(await first, MasksReady)
    assert slow.stats.n_running == 0


async def test_a_deadline_bounds_the_way(slow):
    with pytest.raises(DeadlineExceeded):
        await slow.submit(click(1), deadline_s=0.01)


async def test_closing_ends_every_ticket(gate):
    made = cluster(Nearby(lambda: engine(FakeBackend(decode_s=1, wait=gate), PATIENT, keys=())))
    made.put_image("k", image())
    ticket = made.submit(click(1))
    await asyncio.to_thread(gate.wait_for_somebody)
    closing = asyncio.create_task(asyncio.to_thread(made.close, drain_s=0.01))
    with pytest.raises(ShuttingDown):
        await ticket
    gate.let_pass(100)
    await closing
    with pytest.raises(ShuttingDown):
        made.submit(click(1))
    assert not made.is_alive


async def test_the_device_is_paid_for(made):
    paid = []
    await made.submit(click(1), pay=paid.append)
    assert sum(paid) > 0


async def test_encoding_ahead_works_too(made, nearby):
    await made.submit(Encode("s", "k"))
    assert nearby.engine.has_features("k")


async def until(holds):
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  (what it waits for is another thread's)
            await asyncio.sleep(0.01)


async def test_it_does_not_answer_while_nobody_does(nearby, monkeypatch):
    monkeypatch.setattr(cluster_engine, "WATCH_S", 0.01)
    made = cluster(nearby)
    assert made.answers
    nearby.losses = 1_000_000
    await until(lambda: not made.answers)
    nearby.losses = 0
    await until(lambda: made.answers)
    made.close(drain_s=0)
    assert nearby.closed


def test_replicas_of_another_model_are_refused(nearby):
    nearby.model_id = "another@1"
    with pytest.raises(BundleInvalid, match="another@1"):
        cluster(nearby)
    assert nearby.closed


async def test_images_that_are_gone_are_not_remembered_for_ever(nearby, monkeypatch):
    monkeypatch.setattr(cluster_engine, "MOST_GIVEN", 2)
    made = cluster(nearby, images_bytes=1)
    for number in range(6):
        made.put_image(str(number), image(seed=number))
        await made.submit(click(1, key=str(number)))
    assert len(made._given) <= 3
    assert made.has_features("5")
    made.close(drain_s=0)


def test_who_closes_twice_waits_for_nothing(nearby):
    made = cluster(nearby)
    made.close()
    made.close()
    assert nearby.closed
