from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from label_studio_words import png

import seem_client
from seem_client.adapters.label_studio.context import KeyPoint, Words
from seem_client.adapters.label_studio.sittings import (
    FRESH_S,
    IDLE_S,
    MAX_OBJECTS,
    Sittings,
)
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire.errors import ImageUnreadable, OnlyNegativePrompts

A, B, C = KeyPoint(20, 20, positive=True), KeyPoint(80, 80, positive=True), Words("cat")
AWAY = KeyPoint(50, 50, positive=False)


class Desk:
    """Sittings on a real server, a clock that is set, and pictures that can be changed."""

    def __init__(self, client, **options):
        self.now_s, self.data, self.n_fetched = 0.0, png(), 0
        self.sessions = []
        self._client = client
        self.sittings = Sittings(self._open, clock=lambda: self.now_s, **options)

    async def _open(self, data):
        self.sessions.append(await self._client.open(data))
        return self.sessions[-1]

    async def fetch(self, _):
        self.n_fetched += 1
        return self.data

    async def ask(self, *said, task="1", address="/a.png"):
        return await self.sittings.predict(task, address, said, self.fetch)


@pytest.fixture(scope="module")
def server():
    with local_server(Settings(bundle="fake")) as address:
        yield address


@asynccontextmanager
async def desk(server, **options):
    async with seem_client.connect_async(server) as client:
        made = Desk(client, **options)
        yield made
        await made.sittings.close()


async def test_the_picture_is_fetched_and_opened_once_and_clicks_refine(server):
    async with desk(server) as one:
        first = await one.ask(A)
        second = await one.ask(A, B)
        assert (first.round, second.round) == (1, 2)
        assert second.area > first.area
        assert (one.n_fetched, len(one.sessions)) == (1, 1)


async def test_the_same_request_again_is_the_same_answer_and_no_new_round(server):
    async with desk(server) as one:
        assert await one.ask(A) is await one.ask(A)


async def test_a_click_taken_back_gives_the_mask_before(server):
    async with desk(server) as one:
        first = await one.ask(A)
        await one.ask(A, B)
        assert (await one.ask(A)).rle == first.rle
        assert (await one.ask(A, C)).round == 2


async def test_what_is_said_of_another_object_does_not_mix_with_it(server):
    async with desk(server) as one:
        await one.ask(A)
        other = await one.ask(B)
        assert other.round == 1
        assert other.object_id != (await one.ask(A)).object_id


async def test_objects_of_a_sitting_are_bounded(server):
    async with desk(server) as one:
        for number in range(MAX_OBJECTS + 1):
            await one.ask(KeyPoint(number, 50, positive=True))
        assert len(one.sessions[0].predictions) == MAX_OBJECTS


async def test_each_task_and_picture_has_a_sitting_of_its_own(server):
    async with desk(server) as one:
        await one.ask(A)
        await one.ask(A, task="2")
        await one.ask(A, address="/b.png")
        assert len({session.id for session in one.sessions}) == 3


async def test_sittings_beyond_the_bound_make_room_and_begin_anew(server):
    async with desk(server, most=2) as one:
        for task in "1232":
            await one.ask(A, task=task)
        assert len(one.sittings) == 2
        assert len(one.sessions) == 3
        assert (await one.ask(A, B, task="1")).round == 1


async def test_sittings_left_alone_are_forgotten(server):
    async with desk(server) as one:
        await one.ask(A)
        one.now_s = IDLE_S + 1
        await one.ask(A, task="2")
        assert len(one.sittings) == 1


async def test_a_picture_that_changed_is_noticed_and_begins_anew(server):
    async with desk(server) as one:
        await one.ask(A)
        one.now_s = FRESH_S
        assert (await one.ask(A, B)).round == 2  # fetched again, and the same
        one.data, one.now_s = png(9), 2 * FRESH_S
        assert (await one.ask(A, B, C)).round == 1
        assert (one.n_fetched, len(one.sessions)) == (3, 2)


async def test_a_session_that_is_gone_begins_anew_by_itself(server):
    async with desk(server) as one:
        await one.ask(A)
        await one.sessions[0].close()
        assert (await one.ask(A, B)).area > 0
        assert len(one.sessions) == 2


async def test_a_picture_that_cannot_be_read_is_told_and_the_next_is_read(server):
    async with desk(server) as one:
        one.data = b"no picture"
        with pytest.raises(ImageUnreadable):
            await one.ask(A)
        one.data = png()
        assert (await one.ask(A)).area > 0


async def test_what_is_refused_leaves_nothing_behind(server):
    async with desk(server) as one:
        with pytest.raises(OnlyNegativePrompts):
            await one.ask(AWAY)
        assert (await one.ask(A)).round == 1
