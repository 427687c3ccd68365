from __future__ import annotations

import asyncio
import threading

import pytest
from service_words import HEIGHT, KEY, PHOTO, WIDTH, photo, service

from seem_server.service.callers import Caller
from seem_server.service.images import TenantImages
from seem_server.service.quotas import Quotas
from seem_server.service.tenants import Tenants
from seem_server.store.memory import MemoryStore
from seem_wire import errors, types

ANN, ROB = Caller("acme", "ann"), Caller("rival", "rob")


@pytest.fixture
def here():
    with service() as made:
        yield made


async def test_bytes_are_read_once_and_named_by_their_hash(here):
    found = await here.images.find(types.ImageBytes(PHOTO))
    assert (found.key, found.size) == (KEY, (HEIGHT, WIDTH))
    assert here.engine.has_image(KEY)
    again = await here.images.find(types.ImageBytes(PHOTO))
    assert again.key == KEY
    assert here.executor.done == ["content_hash", "read_image", "put_image", "content_hash"]


async def test_an_image_that_is_held_is_found_by_its_hash_alone(here):
    await here.images.find(types.ImageBytes(PHOTO))
    found = await here.images.find(types.ImageKey(KEY))
    assert found.size == (HEIGHT, WIDTH)


async def test_a_hash_that_is_not_held_is_unknown(here):
    with pytest.raises(errors.ImageUnknown, match=KEY):
        await here.images.find(types.ImageKey(KEY))


async def test_what_is_no_image_is_refused_and_not_kept(here):
    with pytest.raises(errors.ImageUnreadable):
        await here.images.find(types.ImageBytes(b"no image"))
    assert not here.engine.has_image(types.content_hash(b"no image"))


async def test_too_many_bytes_are_refused_before_they_are_hashed(here):
    here.images._limits = types.Limits(max_image_bytes=10)
    with pytest.raises(errors.ImageTooLarge):
        await here.images.find(types.ImageBytes(PHOTO))
    assert here.executor.done == []


async def test_it_tells_whether_the_features_are_there_already(here):
    found = await here.images.find(types.ImageBytes(photo(7)))
    assert not found.encoded
    assert found.timings.total_ms > 0


async def test_an_image_of_one_tenant_is_unknown_to_another_and_read_anew_for_it(here):
    tenants = Tenants()
    await here.images.find(types.ImageBytes(PHOTO), tenants.of(ANN))
    with pytest.raises(errors.ImageUnknown, match=KEY):
        await here.images.find(types.ImageKey(KEY), tenants.of(ROB))
    found = await TenantImages(here.images, tenants.of(ROB)).find(types.ImageBytes(PHOTO))
    assert (found.key, found.encoded) == (KEY, False)
    assert here.executor.done == ["content_hash", "read_image", "put_image"] * 2


async def test_tenants_that_share_know_each_others_images(here):
    tenants = Tenants(shared=True)
    await here.images.find(types.ImageBytes(PHOTO), tenants.of(ANN))
    assert (await here.images.find(types.ImageKey(KEY), tenants.of(ROB))).size == (HEIGHT, WIDTH)


async def test_bytes_beyond_a_tenants_quota_are_refused_before_they_are_hashed(here):
    tenants = Tenants(Quotas(tenant_image_bytes_per_minute=10), now=lambda: 0.0)
    await here.images.find(types.ImageBytes(PHOTO), tenants.of(ANN))
    with pytest.raises(errors.QuotaExceeded, match="tenant_image_bytes_per_minute"):
        await here.images.find(types.ImageBytes(PHOTO), tenants.of(ANN))
    assert here.executor.done == ["content_hash", "read_image", "put_image"]
    await here.images.find(types.ImageKey(KEY), tenants.of(ANN))
    await here.images.find(types.ImageBytes(PHOTO), tenants.of(ROB))


async def test_bytes_that_one_tenant_sent_are_kept_for_no_other():
    store, tenants = MemoryStore(), Tenants()
    with service(store=store) as first:
        await first.images.find(types.ImageBytes(PHOTO), tenants.of(ANN))
    assert set(store._images) == {tenants.of(ANN).key_of(KEY)}
    with service(store=store) as second:
        for look in (
            second.images.find(types.ImageKey(KEY), tenants.of(ROB)),
            second.images.bring(KEY),
        ):
            with pytest.raises(errors.ImageUnknown, match=KEY):
                await look
        mine = TenantImages(second.images, tenants.of(ANN))
        assert await mine.bring(KEY) == (HEIGHT, WIDTH)
        assert (await mine.find(types.ImageKey(KEY))).key == KEY
        assert second.engine.has_image(tenants.of(ANN).key_of(KEY))


async def test_bytes_are_kept_by_their_plain_hash_where_tenants_share():
    store, tenants = MemoryStore(), Tenants(shared=True)
    with service(store=store) as first:
        await first.images.find(types.ImageBytes(PHOTO), tenants.of(ANN))
    with service(store=store) as second:
        found = await second.images.find(types.ImageKey(KEY), tenants.of(ROB))
        assert found.size == (HEIGHT, WIDTH)
    assert set(store._images) == {KEY}


async def test_images_that_wait_to_be_read_are_bounded_for_each_tenant(here, monkeypatch):
    monkeypatch.setattr("seem_server.service.images.MAX_READING", 2)
    acme, rival = Tenants().of(ANN), Tenants().of(ROB)
    read = [here.images.find(types.ImageBytes(photo(n)), acme) for n in range(3)]
    found = await asyncio.gather(*read, return_exceptions=True)
    assert [isinstance(one, errors.Overloaded) for one in found] == [False, False, True]
    assert found[2].retry_after_ms > 0
    assert await here.images.find(types.ImageBytes(photo(2)), acme)
    assert await here.images.find(types.ImageBytes(photo(3)), rival)


async def test_kept_images_that_wait_to_be_read_again_are_bounded_too(monkeypatch):
    monkeypatch.setattr("seem_server.service.images.MAX_READING", 2)
    store, acme, rival = MemoryStore(), Tenants().of(ANN), Tenants().of(ROB)
    with service(store=store) as first:
        for tenant in (acme, rival):
            await first.images.find(types.ImageBytes(PHOTO), tenant)
    with service(store=store) as second:
        asked = [second.images.bring(KEY, acme) for _ in range(2)]
        asked += [second.images.find(types.ImageKey(KEY), acme), second.images.bring(KEY, rival)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        refused = [isinstance(one, errors.Overloaded) for one in found]
        assert refused == [False, False, True, False]
        assert await second.images.bring(KEY, acme) == (HEIGHT, WIDTH)


class Failing(MemoryStore):
    """Keeps no image."""

    def put_image(self, *_, **__):
        raise errors.StoreFailed("It broke.")


async def test_whoever_is_cancelled_while_an_image_is_read_ends_though_it_cannot_be_kept(
    monkeypatch,
):
    loop, began, gate = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def read_slowly(*_):
        loop.call_soon_threadsafe(began.set)
        assert gate.wait(20)

    monkeypatch.setattr("seem_server.service.images.read_image", read_slowly)
    with service(store=Failing()) as here:
        reading = asyncio.create_task(here.images.find(types.ImageBytes(PHOTO)))
        await began.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        gate.set()
