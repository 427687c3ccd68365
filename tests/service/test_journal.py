"""What was written is told in order, once it is kept."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from seem_server.service.journal import Journal
from seem_server.store.base import Entry, Header, PerhapsKept
from seem_server.store.memory import MemoryStore
from seem_wire import errors


class Slow(MemoryStore):
    """A store that a thread must wait for, at a gate; `broken` records cannot be written."""

    quick = False

    def __init__(self, *broken):
        super().__init__()
        self.broken = set(broken)
        self.failure = errors.StoreFailed("It broke.")
        self.gate = threading.Event()
        self.gate.set()
        self.batches = []

    def append(self, entries, *, now_s):
        assert self.gate.wait(20)
        self.batches.append([one.record for one in entries])
        if self.broken & set(self.batches[-1]):
            raise self.failure
        return super().append(entries, now_s=now_s)


def entry(record, session_id="s", epoch=1):
    return Entry(session_id, epoch, record)


@pytest.fixture(params=[MemoryStore, Slow])
def store(request):
    made = request.param()
    made.open(Header("s", "model@1", 0.0))
    return made


async def written(journal, *entries):
    """What each was told, in the order of the telling."""
    told, all_told = [], asyncio.Event()

    def tell(record, outcome):
        told.append((record, None if outcome is None else outcome.code))
        if len(told) == len(entries):
            all_told.set()

    for one in entries:
        journal.write(one, lambda outcome, one=one: tell(one.record, outcome))
    async with asyncio.timeout(20):
        await all_told.wait()
    return told


async def test_each_is_told_in_order_once_it_is_kept(store):
    journal = Journal(store)
    assert await written(journal, entry(b"1"), entry(b"2")) == [(b"1", None), (b"2", None)]
    claimed = await journal.call(lambda: store.claim("s", owner="", now_s=0))
    assert claimed.records == (b"1", b"2")
    await journal.close()


async def test_who_lost_the_session_is_told_that_it_moved(store):
    journal = Journal(store)
    store.claim("s", owner="", now_s=0)
    told = await written(journal, entry(b"1"), entry(b"2", epoch=2))
    assert told == [(b"1", "SESSION_MOVED"), (b"2", None)]
    await journal.close()


async def test_who_writes_to_a_session_that_is_forgotten_is_told_that_it_expired(store):
    journal = Journal(store)
    store.forget("s", 1)
    assert await written(journal, entry(b"1")) == [(b"1", "SESSION_EXPIRED")]
    await journal.close()


async def test_what_was_kept_is_not_written_again_where_the_store_fails_to_say_why(store):
    def fails(_):
        raise errors.StoreFailed("It broke.")

    journal = Journal(store)
    store.claim("s", owner="", now_s=0)
    store.epoch = fails
    told = await written(journal, entry(b"1"), entry(b"2", epoch=2))
    assert told == [(b"1", "SESSION_MOVED"), (b"2", None)]
    await journal.close()
    assert store.claim("s", owner="", now_s=0).records == (b"2",)


async def test_what_comes_while_the_store_is_busy_is_written_in_one_go():
    store = Slow()
    store.open(Header("s", "model@1", 0.0))
    store.gate.clear()
    journal = Journal(store)
    asyncio.get_running_loop().call_later(0.05, store.gate.set)
    await written(journal, *(entry(b"%d" % n) for n in range(20)))
    assert sum(map(len, store.batches)) == 20
    assert len(store.batches) <= 3
    await journal.close()


async def test_one_that_cannot_be_written_fails_alone():
    store = Slow(b"2")
    store.open(Header("s", "model@1", 0.0))
    store.gate.clear()
    journal = Journal(store)
    asyncio.get_running_loop().call_later(0.05, store.gate.set)
    told = await written(journal, *(entry(b"%d" % n) for n in range(4)))
    assert told == [(b"0", None), (b"1", None), (b"2", "STORE_FAILED"), (b"3", None)]
    await journal.close()


async def test_what_was_perhaps_kept_is_not_written_again():
    store = Slow(b"2")
    store.failure = PerhapsKept("Nobody knows.")
    store.open(Header("s", "model@1", 0.0))
    store.gate.clear()
    journal = Journal(store)
    waiting = asyncio.create_task(written(journal, entry(b"1"), entry(b"2"), entry(b"3")))
    await asyncio.sleep(0)
    store.gate.set()
    told = await waiting
    assert told[-1] == (b"3", "STORE_FAILED")
    assert [one for batch in store.batches for one in batch] == [b"1", b"2", b"3"]
    await journal.close()


async def test_what_comes_after_something_that_was_not_kept_is_not_kept_either(store):
    journal = Journal(store)
    told = await written(journal, replace(entry(b"2"), place=1), replace(entry(b"1"), place=0))
    assert told == [(b"2", "STORE_FAILED"), (b"1", None)]
    await journal.close()


async def test_a_use_that_fails_is_told_and_the_next_one_works(store):
    journal = Journal(store)

    def fail():
        raise errors.StoreFull("There is no room.")

    with pytest.raises(errors.StoreFull):
        await journal.call(fail)
    assert await journal.call(lambda: 7) == 7
    await journal.close()


async def test_a_use_that_breaks_is_the_servers_fault_and_the_thread_goes_on():
    journal = Journal(Slow())
    with pytest.raises(errors.Internal):
        await journal.call(lambda: 1 / 0)
    assert await journal.call(lambda: 7) == 7
    await journal.close()


async def test_closing_writes_what_waits():
    store = Slow()
    store.open(Header("s", "model@1", 0.0))
    store.gate.clear()
    journal, told = Journal(store), []
    journal.write(entry(b"1"), told.append)
    closing = asyncio.create_task(journal.close())
    await asyncio.sleep(0)
    store.gate.set()
    await closing
    assert told == [None]


async def test_it_tells_whether_the_store_did_what_was_asked_of_it_last():
    store = Slow(b"2")
    store.open(Header("s", "model@1", 0.0))
    journal = Journal(store)

    def fail():
        raise errors.StoreFailed("It broke.")

    for spoil in (lambda: journal.write(entry(b"2"), lambda _: None), lambda: journal.do(fail)):
        assert journal.works
        spoil()
        assert not await journal.call(lambda: journal.works)
    with pytest.raises(errors.StoreFull):
        await journal.call(full)
    assert journal.works  # it did answer
    await journal.close()


def full():
    raise errors.StoreFull("There is no room.")


async def test_threads_use_it_too(store):
    journal = Journal(store)
    assert await asyncio.to_thread(lambda: journal.do(lambda: 7).result(20)) == 7
    with pytest.raises(errors.StoreFull):
        await asyncio.to_thread(lambda: journal.do(full).result(20))
    await journal.close()
