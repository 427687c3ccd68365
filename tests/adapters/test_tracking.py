from __future__ import annotations

import asyncio

import numpy as np
import pytest
from nuclio_words import picture, png

import seem_client
from seem_client.adapters import tracking as module
from seem_client.adapters.link import Link
from seem_client.adapters.tracking import Tracking
from seem_server.app import local_server
from seem_server.settings import Settings
from seem_wire import errors

SQUARE = np.zeros((64, 96), np.bool_)
SQUARE[10:30, 10:30] = True
FRAMES = [png(picture(step)) for step in range(6)]


@pytest.fixture(scope="module")
def address():
    with local_server(Settings(bundle="fake")) as one:
        yield one


@pytest.fixture
async def link(address):
    one = Link(lambda: seem_client.connect_async(address, reconnect_s=0.5))
    yield one
    await one.close()


@pytest.fixture
def tracking(link):
    return Tracking(link)


def whole(_):
    return SQUARE


def rectangle(_):
    return (10.0, 10.0, 30.0, 30.0)


def left_of(prediction):
    return int(np.flatnonzero(prediction.mask.any(axis=0))[0])


@pytest.mark.parametrize("draw", [whole, rectangle])
async def test_an_object_is_followed_through_the_frames_that_are_shown(tracking, draw):
    (state,) = await tracking.begin(FRAMES[0], [draw])
    found = [(await tracking.follow(frame, [state]))[0] for frame in FRAMES[1:4]]
    assert len(state) < 40
    lefts = [left_of(one) for one in found]
    assert lefts == sorted(set(lefts))  # it goes right


async def test_the_same_video_in_the_client_gives_the_same_masks(tracking, address):
    (state,) = await tracking.begin(FRAMES[0], [whole])
    found = [(await tracking.follow(frame, [state]))[0].rle for frame in FRAMES[1:]]
    with seem_client.connect(address) as client, client.track(FRAMES) as video:
        video.mask(SQUARE, frame=0)
        expected = [frame.predictions[1].rle for frame in video.propagate()]
    assert found == expected[1:]


async def test_the_frame_that_was_shown_last_is_answered_without_a_step(tracking):
    (state,) = await tracking.begin(FRAMES[0], [whole])
    (first,) = await tracking.follow(FRAMES[0], [state])
    assert np.array_equal(first.mask, SQUARE)
    (second,) = await tracking.follow(FRAMES[1], [state])
    assert (await tracking.follow(FRAMES[1], [state]))[0] is second


async def test_objects_of_one_request_and_of_several_are_followed_together(tracking):
    one, two = await tracking.begin(FRAMES[0], [whole, lambda _: (40.0, 40.0, 60.0, 60.0)])
    (three,) = await tracking.begin(FRAMES[0], [rectangle])
    found = await tracking.follow(FRAMES[1], [three, two, one])
    assert len(found) == 3
    again = await asyncio.gather(*(tracking.follow(FRAMES[1], [state]) for state in (one, two)))
    assert [one[0].rle for one in again] == [found[2].rle, found[1].rle]


async def test_a_draw_is_told_the_images_size(tracking):
    sizes = []

    def draw(size):
        sizes.append(size)
        return SQUARE

    await tracking.begin(FRAMES[0], [draw])
    assert sizes == [(64, 96)]


@pytest.mark.parametrize("state", ["", "nothing", "unknown.1", "unknown.x", None])
async def test_a_state_that_is_not_known_says_what_to_do(tracking, state):
    with pytest.raises(errors.SessionExpired, match="Begin to track the object again"):
        await tracking.follow(FRAMES[1], [state])


async def test_states_are_bounded(link):
    few = Tracking(link, n_videos=1)
    (first,) = await few.begin(FRAMES[0], [whole])
    (second,) = await few.begin(FRAMES[0], [whole])
    with pytest.raises(errors.SessionExpired):
        await few.follow(FRAMES[1], [first])
    assert await few.follow(FRAMES[1], [second])
    await few.close()


async def test_a_frame_of_another_size_is_refused_and_the_next_goes_on(tracking):
    (state,) = await tracking.begin(FRAMES[0], [whole])
    with pytest.raises(errors.FrameSizeChanged):
        await tracking.follow(png(picture(1, size=(50, 50))), [state])
    (found,) = await tracking.follow(FRAMES[1], [state])
    assert found.area


async def test_a_frame_that_was_not_answered_is_not_left_out(tracking, monkeypatch):
    (state,) = await tracking.begin(FRAMES[0], [whole])

    async def busy(*_):
        raise errors.Overloaded("too much to do")

    with monkeypatch.context() as patched:
        patched.setattr(module, "_next_frame", busy)
        with pytest.raises(errors.Overloaded):
            await tracking.follow(FRAMES[1], [state])
    await tracking.follow(FRAMES[2], [state])
    followed = tracking._followed.get(state.rpartition(".")[0])
    assert (followed.answered, followed.waiting) == (2, None)


async def test_a_lost_session_goes_on_where_the_server_keeps_it(tracking, link):
    (state,) = await tracking.begin(FRAMES[0], [whole])
    await tracking.follow(FRAMES[1], [state])
    for session in tuple((await link.client())._sessions):
        await session.leave()
    (found,) = await tracking.follow(FRAMES[2], [state])
    assert left_of(found) > 10


async def test_a_session_that_the_server_forgot_has_expired(tracking, link):
    (state,) = await tracking.begin(FRAMES[0], [whole])
    for session in tuple((await link.client())._sessions):
        await session.close()
    with pytest.raises(errors.SessionExpired, match="Begin to track"):
        await tracking.follow(FRAMES[1], [state])


async def test_there_must_be_something_to_follow(tracking):
    with pytest.raises(errors.InvalidValue):
        await tracking.begin(FRAMES[0], [])
