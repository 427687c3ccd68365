"""Answers on their way to the store and back; what goes wrong there costs time and no more."""

from __future__ import annotations

import asyncio
import logging
import threading

import numpy as np
from service_words import click, opening, service

from seem_server.engine.chains import Answer
from seem_server.engine.shelf import EVERY
from seem_server.runtime.fake_backend import FakeBackend
from seem_server.service.journal import Journal
from seem_server.service.store_shelf import MOST_WAITING, StoreShelf
from seem_server.store.memory import MemoryStore
from seem_server.store.sqlite import SqliteStore
from seem_wire import errors, types
from seem_wire.prompts import ObjectPrompt, Point

ANSWER = Answer(np.ones((4, 4), np.float32), 0.5, None)


class Held(MemoryStore):
    """A store that a thread must wait for, at a gate."""

    quick = False

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.put_image("k", b"1", now_s=0)

    def put_answer(self, *arguments, **options):
        assert self.gate.wait(20)
        super().put_answer(*arguments, **options)


class Broken(MemoryStore):
    """A store without answers."""

    def put_answer(self, *_, **__):
        raise errors.StoreFailed("It broke.")

    answer = put_answer


async def test_what_is_kept_is_found_again(tmp_path):
    journal = Journal(SqliteStore(tmp_path / "sessions.sqlite"), wall=lambda: 5.0)
    shelf = StoreShelf(journal)
    await journal.call(lambda: journal.store.put_image("k", b"1", now_s=0))
    shelf.keep("name", "k", ANSWER)
    name, found = await asyncio.to_thread(shelf.first, ["no name", "name"])
    assert (name, found.logits.tobytes()) == ("name", ANSWER.logits.tobytes())
    assert await asyncio.to_thread(shelf.first, ["no name"]) is None
    await journal.close()


async def test_a_store_that_breaks_has_nothing_and_is_logged(caplog):
    shelf = StoreShelf(Journal(Broken()))
    with caplog.at_level(logging.WARNING):
        shelf.keep("name", "k", ANSWER)
        assert shelf.first(["name"]) is None
    assert [one.message for one in caplog.records] == [
        "an answer was not kept",
        "an answer could not be taken from the store",
    ]


async def test_what_cannot_be_read_is_not_there():
    store = MemoryStore()
    store.put_image("k", b"1", now_s=0)
    store.put_answer("name", "k", b"no answer", now_s=0)
    assert StoreShelf(Journal(store)).first(["name"]) is None


async def test_nobody_waits_long_for_a_slow_store_and_little_waits_for_it():
    store = Held()
    journal = Journal(store)
    shelf = StoreShelf(journal, patience_s=0.01)
    for number in range(MOST_WAITING + 9):
        shelf.keep(f"name {number}", "k", ANSWER)
    assert await asyncio.to_thread(shelf.first, ["name 0"]) is None
    store.gate.set()
    await journal.close()
    assert len(store._answers) == MOST_WAITING


class Counting(FakeBackend):
    """Counts rounds."""

    n_decoded = 0

    def decode(self, items):
        self.n_decoded += len(items)
        return super().decode(items)


def clicks(n):
    return [click(3 + i, ObjectPrompt(points=(Point(5.5 + i, 20.5),))) for i in range(n)]


async def said(here, *commands):
    """A session in which these were said one after the other, and the last reply."""
    session = await here.directory.open(now_s=0)
    for command in (*opening(), *commands):
        reply = await session.ask(command)
    return session.session_id, reply


async def test_a_long_session_goes_on_elsewhere_with_the_same_masks_after_a_few_rounds(tmp_path):
    *before, last = clicks(3 * EVERY)
    store = SqliteStore(tmp_path / "sessions.sqlite")
    with service() as undisturbed, service(store=store) as first:
        _, expected = await said(undisturbed, *before, last)
        session_id, _ = await said(first, *before)
    backend = Counting()
    with service(store=store, backend=backend) as second:
        session = await second.directory.reach(session_id, now_s=0)
        attached = await session.standing(types.Attach(9, session_id, masks=True))
        assert (len(attached.objects), backend.n_decoded) == (1, 0)
        assert (await session.ask(last)).objects == expected.objects
        assert backend.n_decoded <= 2 * EVERY  # each may be looked at twice
