from __future__ import annotations

from dataclasses import replace

from session_words import KEY, MODEL, PIXEL, SHOWN, SIZE, prompt

from seem_server.service.callers import Caller
from seem_server.service.journal import Journal
from seem_server.service.session_log import CARRIED, SessionLog
from seem_server.service.tenants import Tenants
from seem_server.session import records
from seem_server.session.events import ImageRead
from seem_server.store.base import Header
from seem_server.store.memory import MemoryStore
from seem_wire import types

MASK = types.ObjectMask(1, PIXEL.rle, 0.5, None, 1)


def log_of(store, replies=(), *options):
    epoch = store.open(Header("s", MODEL.model_id, 0.0))
    return SessionLog(Journal(store), "s", epoch, dict(replies), *options)


def kept(store):
    return records.replay("s", MODEL, store.claim("s", owner="", now_s=0).records)


async def test_replies_that_were_sent_can_be_sent_again_in_their_order():
    log = log_of(MemoryStore())
    log.remember(*(types.Done(seq) for seq in (3, 5, 4)))
    assert [reply.seq for reply in log.since(3)] == [5, 4]


async def test_only_the_newest_replies_are_remembered():
    log = log_of(MemoryStore())
    log.remember(*(types.Done(seq) for seq in range(1, records.MAX_REPLIES + 11)))
    assert [log.since(0)[0].seq, len(log.since(0))] == [11, records.MAX_REPLIES]


async def test_each_objects_newest_mask_is_known_until_there_is_a_new_image():
    log = log_of(MemoryStore())
    old, new = (types.Masks(seq, (replace(MASK, area=seq),)) for seq in (3, 4))
    log.remember(old, new)
    log.remember(*(types.Done(seq) for seq in range(5, 5 + records.MAX_REPLIES)))
    assert log.masks() == {(1, 4): new.objects[0]}
    log.keep(ImageRead(999, KEY, SIZE), [], lambda _: None)
    assert log.masks() == {}


async def test_a_new_image_begins_the_log_anew_and_carries_some_replies_over():
    store = MemoryStore()
    log = log_of(store)
    log.keep(types.OpenImage(1), [types.Opened(1, "s", MODEL)], lambda _: None)
    log.remember(*(types.Done(seq) for seq in range(2, 50)))
    told = types.ImageSet(50, KEY, SIZE)
    log.keep(ImageRead(50, KEY, SIZE), [told], lambda _: None)
    restored = kept(store)
    assert restored.state.last_seq == 50
    assert list(restored.replies) == [*range(50 - CARRIED, 50), 50]


async def test_images_that_a_session_needs_are_told_to_the_store():
    store = MemoryStore()
    log = log_of(store)
    log.keep(types.OpenImage(1), [], lambda _: None)
    log.keep(ImageRead(2, KEY, SIZE), [], lambda _: None)
    log.keep(prompt(3, SHOWN), [], lambda _: None)
    assert store._logs["s"].images == {KEY, SHOWN.example.image}


async def test_a_tenants_images_are_needed_by_its_keys_and_logged_by_content_hash():
    store, tenant = MemoryStore(), Tenants().of(Caller("acme", "ann"))
    log = log_of(store, (), tenant)
    log.keep(types.OpenImage(1), [], lambda _: None)
    log.keep(ImageRead(2, KEY, SIZE), [], lambda _: None)
    log.keep(prompt(3, SHOWN), [], lambda _: None)
    needed = {KEY, SHOWN.example.image}
    assert store._logs["s"].images == set(map(tenant.key_of, needed))
    assert kept(store).state.image.key == KEY
    assert kept(store).works[3].example_keys == {SHOWN.example.image}


async def test_a_forgotten_log_is_gone():
    store = MemoryStore()
    log = log_of(store)
    assert await log.forget()
    assert not await log.forget()
    assert store.claim("s", owner="", now_s=0) is None


async def test_a_log_that_another_has_claimed_is_not_forgotten():
    store = MemoryStore()
    log = log_of(store)
    assert store.claim("s", owner="", now_s=0)
    assert not await log.forget()
    assert store.claim("s", owner="", now_s=0)


async def test_a_log_is_full_until_a_new_image_begins_it_anew(monkeypatch):
    monkeypatch.setattr("seem_server.service.session_log.MAX_BYTES", 150)
    log = log_of(MemoryStore())
    log.keep(types.OpenImage(1), [], lambda _: None)
    assert not log.is_full
    for seq in range(2, 6):
        log.keep(types.Undo(seq), [], lambda _: None)
    assert log.is_full
    log.keep(ImageRead(9, KEY, SIZE), [], lambda _: None)
    assert not log.is_full
