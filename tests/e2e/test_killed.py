"""A server is killed in the middle of sessions, and another takes them up: nothing is lost."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from served_process import serving

import seem_client

PIXELS = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
FRAMES = [np.roll(PIXELS, 4 * n, axis=1) for n in range(8)]
READY_S = 60.0


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path) as made:
        yield made


def same(one, other):
    return np.array_equal(one.mask, other.mask) and one.score == other.score


def test_a_session_goes_on_after_its_server_was_killed_with_the_same_masks(server):
    with (
        seem_client.connect(server.address, reconnect_s=READY_S) as client,
        client.open(PIXELS) as session,
    ):
        first, second = session.click(30, 40), session.click(80, 90)
        other = session.box(20, 20, 60, 60, object_id=2)
        server.kill()
        restarting = server.restart_later()
        session.remove(2)
        assert session.undo().object_id == 2
        assert same(session.predictions[2], other)
        assert session.undo() is None
        assert same(session.undo(), first)
        assert same(session.redo(), second)
        restarting.join()


def test_a_server_that_is_asked_to_stop_hands_its_sessions_over(server):
    with (
        seem_client.connect(server.address, reconnect_s=READY_S) as client,
        client.open(PIXELS) as session,
    ):
        first, second = session.click(30, 40), session.click(80, 90)
        assert server.kill(signal.SIGTERM) == 0
        restarting = server.restart_later()
        assert same(session.undo(), first)
        assert same(session.redo(), second)
        restarting.join()


def test_what_was_said_while_no_server_was_there_is_said_once_to_the_next(server):
    with (
        seem_client.connect(server.address, reconnect_s=READY_S) as client,
        client.open(PIXELS) as session,
    ):
        session.click(30, 40)
        server.kill()
        restarting = server.restart_later()
        waiting = [session.submit_click(20 + 9 * n, 50, object_id=2 + n) for n in range(5)]
        assert all(one.result(READY_S).area >= 0 for one in waiting)
        restarting.join()
        assert sorted(session.predictions) == [1, 2, 3, 4, 5, 6]
        for _ in range(6):
            session.undo()
        assert session.predictions == {}


def test_another_program_takes_a_session_over(server):
    with seem_client.connect(server.address, reconnect_s=0) as client:
        session = client.open(PIXELS)
        clicked = session.click(30, 40)
        server.kill()
        session.leave()
    server.start()
    with (
        seem_client.connect(server.address) as client,
        client.attach(session.id) as taken,
    ):
        assert taken.size == (120, 160)
        assert same(taken.predictions[1], clicked)
        assert taken.undo() is None


async def test_the_awaited_client_goes_on_too(server):
    async with (
        seem_client.connect_async(server.address, reconnect_s=READY_S) as client,
        client.open(PIXELS) as session,
    ):
        first, second = await session.click(30, 40), await session.click(80, 90)
        server.kill()
        restarting = server.restart_later()
        assert same(await session.undo(), first)
        assert same(await session.redo(), second)
        restarting.join()


async def test_a_call_without_a_session_waits_for_the_next_server(server):
    with seem_client.connect(server.address, reconnect_s=READY_S) as client:
        before = client.segment(PIXELS, points=[(30, 40)])
        server.kill()
        restarting = server.restart_later()
        assert same(client.segment(PIXELS, points=[(30, 40)]), before)
        restarting.join()
        async with seem_client.connect_async(server.address, reconnect_s=READY_S) as awaited:
            server.kill()
            restarting = server.restart_later()
            assert same(await awaited.segment(PIXELS, points=[(30, 40)]), before)
            restarting.join()


@pytest.fixture
def follower(tmp_path):
    with serving(tmp_path, bundle="fake") as made:
        yield made


def test_a_video_is_followed_on_after_its_server_was_killed_in_the_middle(follower):
    with (
        seem_client.connect(follower.address, reconnect_s=READY_S) as client,
        client.track(FRAMES) as video,
    ):
        video.click(40, 30, frame=0)
        before = [one.predictions[1] for one in video.propagate()]
        following = video.propagate()
        after = [next(following).predictions[1]]
        follower.kill()
        restarting = follower.restart_later()
        after += [one.predictions[1] for one in following]
        restarting.join()
        assert len(after) == len(FRAMES)
        assert all(map(same, after, before))


async def test_so_is_the_awaited_one(follower):
    async with (
        seem_client.connect_async(follower.address, reconnect_s=READY_S) as client,
        client.track(FRAMES) as video,
    ):
        await video.click(40, 30, frame=0)
        before = [one.predictions[1] async for one in video.propagate()]
        following = video.propagate()
        after = [(await anext(following)).predictions[1]]
        follower.kill()
        restarting = follower.restart_later()
        after += [one.predictions[1] async for one in following]
        restarting.join()
        assert len(after) == len(FRAMES)
        assert all(map(same, after, before))
