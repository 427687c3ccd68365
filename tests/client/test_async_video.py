"""Videos that are awaited: what differs from `test_video.py`, and that the rest is the same."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest
from scripted_server import HANG_UP, MODEL, SIZE, obey, scripted_server

import seem_client
from seem_client._following import AHEAD
from seem_client.frames import FrameSource
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire import errors, types

FRAMES = [np.full((64, 96, 3), 10 * n, np.uint8) for n in range(8)]
TINY = [np.full((*SIZE, 3), 10 * n, np.uint8) for n in range(12)]


@pytest.fixture(scope="module")
def address():
    with local_server(Settings(bundle="fake")) as served:
        yield served


@asynccontextmanager
async def opened(address, frames, *, timeout_s=20, **options):
    async with (
        seem_client.connect_async(address, timeout_s=timeout_s) as client,
        client.track(frames, **options) as video,
    ):
        yield video


class Script:
    """A good server that tells what was `said` to it; `answers` has what it says to some kinds."""

    def __init__(self, **answers):
        self._answers, self.said = answers, []

    def __call__(self, command):
        self.said.append(command)
        return self._answers.get(type(command).__name__, obey)(command)

    def all(self, kind):
        return [one for one in self.said if isinstance(one, kind)]

    def frames(self):
        return [one.index for one in self.all(types.Frame)]


async def indices(frames):
    return [one.index async for one in frames]


class Slow(FrameSource):
    """A source whose frame 1 comes when it is let; tells how often it was read and closed."""

    n_frames = 3

    def __init__(self):
        self.let, self.begun = threading.Event(), threading.Event()
        self.closed = asyncio.Event()
        self.read, self.n_closed = [], 0

    def frame(self, index):
        self.read.append(index)
        if index == 1:
            self.begun.set()
            self.let.wait(20)
        return TINY[index] if index < 3 else None

    def close(self):
        self.n_closed += 1
        self.closed.set()


@pytest.mark.parametrize(
    ("direction", "order"),
    [("forward", [1, 2, 3, 4]), ("backward", [4, 3, 2, 1]), ("both", [3, 4, 2, 1])],
)
async def test_every_frame_comes_once_and_the_prompted_one_keeps_its_mask(
    address, direction, order
):
    async with opened(address, FRAMES) as video:
        clicked = await video.click(40, 30, frame=3)
        found = {one.index: one async for one in video.propagate(1, 4, direction=direction)}
    assert list(found) == order
    assert found[3].predictions[1].rle == clicked.rle


async def test_what_there_is_not_is_refused(address):
    async with opened(address, FRAMES) as video:
        with pytest.raises(errors.UnknownFrame, match="no frame 8"):
            await video.click(40, 30, frame=8)
        with pytest.raises(errors.NothingToFollow):
            await indices(video.propagate())
        await video.click(40, 30, frame=0)
        with pytest.raises(errors.UnknownFrame):
            await indices(video.propagate(8))


async def test_backward_without_a_last_frame_begins_with_the_live_videos_last(address):
    async with opened(address, iter(FRAMES)) as video:
        await video.click(40, 30, frame=0)
        assert await indices(video.propagate(6, direction="backward")) == [7, 6]
        assert video.n_frames == 8


async def test_a_frame_that_cannot_be_used_comes_after_those_before_it_and_can_be_replaced(address):
    frames = [*FRAMES[:2], b"no image", *FRAMES[3:]]
    async with opened(address, frames) as video:
        await video.click(40, 30, frame=0)
        came = video.propagate()
        assert [(await anext(came)).index for _ in range(2)] == [0, 1]
        with pytest.raises(errors.ImageUnreadable, match="Frame 2: "):
            await anext(came)
        frames[2] = FRAMES[2]
        assert await indices(video.propagate(2)) == [2, 3, 4, 5, 6, 7]


async def test_a_file_that_cannot_be_read_is_told_with_its_number(address, tmp_path):
    frames = [FRAMES[0], tmp_path / "gone.png"]
    async with opened(address, frames) as video:
        with pytest.raises(FileNotFoundError, match=r"Frame 1\b.*gone\.png"):
            await video.click(40, 30, frame=1)


async def test_attaching_to_a_video_gives_one_that_follows_through_the_frames_that_were_sent(
    address,
):
    async with seem_client.connect_async(address) as client:
        async with client.track(FRAMES) as video:
            await video.click(40, 30, frame=4)
            await video.leave()
        async with client.attach(video.id) as again:
            assert isinstance(again, seem_client.AsyncVideo)
            assert await indices(again.propagate()) == [0, 1, 2, 3, 4]


async def test_attaching_to_an_image_gives_no_video(address):
    async with seem_client.connect_async(address) as client:
        async with client.open(FRAMES[0]) as session:
            await session.leave()
        async with client.attach(session.id) as again:
            assert type(again) is seem_client.AsyncSession


async def test_a_session_is_resumed_and_goes_on(address):
    async with opened(address, FRAMES) as video:
        clicked = await video.click(40, 30, frame=2)
        await video.leave()
    async with opened(address, FRAMES, session_id=video.id) as again:
        found = [one async for one in again.propagate(2)]
    assert found[0].predictions[1].rle == clicked.rle
    assert [one.index for one in found] == [2, 3, 4, 5, 6, 7]


async def test_frames_are_sent_once_and_asked_for_ahead_but_not_far():
    script = Script()
    with scripted_server(script) as address:
        async with opened(address, TINY) as video:
            await video.click(1, 1, frame=2)
            async with aclosing(video.propagate()) as came:
                await anext(came)
                await video.undo()  # which is answered after all that was said before
                assert len(script.all(types.Propagate)) == AHEAD
            assert len(script.all(types.Stop)) == 1
            await indices(video.propagate())
    assert script.frames() == list(range(12))


async def test_what_comes_live_is_read_one_frame_at_a_time():
    n_read = 0

    def coming():
        nonlocal n_read
        for image in TINY:
            n_read += 1
            yield image

    with scripted_server(Script()) as address:
        async with opened(address, coming()) as video:
            await video.click(1, 1, frame=0)
            assert n_read == 1
            async for one in video.propagate():
                assert n_read == one.index + 1


async def test_who_stops_waiting_for_a_frame_leaves_it_to_the_next_who_asks():
    source, script = Slow(), Script()
    with scripted_server(script) as address:
        async with opened(address, source) as video:
            clicking = asyncio.create_task(video.click(1, 1, frame=1))
            await asyncio.to_thread(source.begun.wait, 20)
            clicking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await clicking
            asyncio.get_running_loop().call_later(0.01, source.let.set)
            assert (await video.click(1, 1, frame=1)).area == 2
    assert source.read == [0, 1]
    assert script.frames() == [0, 1]


async def test_a_source_is_closed_only_after_what_is_being_read():
    source = Slow()
    with scripted_server(Script()) as address:
        async with opened(address, source) as video:
            clicking = asyncio.create_task(video.click(1, 1, frame=1))
            await asyncio.to_thread(source.begun.wait, 20)
            clicking.cancel()
            await video.leave()
            assert source.n_closed == 0
            source.let.set()
            await asyncio.wait_for(source.closed.wait(), 20)


async def test_who_stops_waiting_for_the_servers_word_on_a_frame_has_it_sent_once():
    held = []

    def late(command):
        if isinstance(command, types.Frame) and command.index == 1:
            held.append(obey(command))
            return None
        return [*held, obey(command)]

    script = Script(Frame=lambda one: late(one) if one.index else obey(one), Undo=late)
    with scripted_server(script) as address:
        async with opened(address, TINY, timeout_s=0.5) as video:
            with pytest.raises(errors.DeadlineExceeded):
                await video.click(1, 1, frame=1)
            await video.undo()
            assert (await video.click(1, 1, frame=1)).area == 2
    assert script.frames() == [0, 1]


async def test_files_are_let_go_of_where_the_video_is_refused():
    source = Slow()
    full = Script(OpenVideo=lambda one: types.Failed.of(one.seq, errors.Overloaded("Full.")))
    with scripted_server(full) as address, pytest.raises(errors.Overloaded):
        async with opened(address, source):
            pass
    assert source.n_closed == 1


async def test_following_goes_on_where_the_connection_was_lost():
    lost = []

    def once(command):
        if command.frame == 3 and not lost:
            lost.append(command.seq)
            return HANG_UP
        return obey(command)

    def attach(command):
        card = types.SessionCard(
            "session-1", MODEL.model_id, "a" * 64, SIZE, last_seq=lost[0] - 1, n_frames=4
        )
        return types.Attached(command.seq, card, MODEL)

    script = Script(Propagate=once, Attach=attach)
    with scripted_server(script) as address:
        async with opened(address, TINY) as video:
            await video.click(1, 1, frame=0)
            assert await indices(video.propagate()) == list(range(12))


async def test_a_submitted_prompt_says_from_where_both_ways_go():
    with scripted_server(Script()) as address:
        async with opened(address, TINY) as video:
            await video.click(1, 1, frame=2)
            await video.submit_click(1, 1, frame=1)
            assert await indices(video.propagate(0, 3, direction="both")) == [1, 2, 3, 0]


async def test_a_followed_frame_is_drawn_on_its_own_picture(address):
    async with opened(address, FRAMES) as video:
        said = await video.click(40, 30, frame=2)
        followed = [one async for one in video.propagate(2, 4)]
    assert np.array_equal(said.overlay(), said.overlay(FRAMES[2]))
    for one in followed:
        assert np.array_equal(one.overlay(), one.overlay(FRAMES[one.index]))
