"""The events of a video over HTTP, with the adapter and a real server on the fake backend."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from label_studio_words import adapter, key_point, studio
from made_videos import SIZE, made_video
from PIL import Image
from scripted_server import SIZE as FOUND_SIZE
from scripted_server import scripted_server

from seem_client.adapters.label_studio.tracks import MAX_TRACKS
from seem_server.app import local_server
from seem_server.settings import Settings

FILM = "/data/upload/1/film.mp4"
CONFIG = """<View><Video name="video" value="$film"/>
    <VideoRectangle name="box" toName="video"/></View>"""
CLICK = key_point(50, 50, spelling="positive")
CORNER = key_point(2, 2)


@pytest.fixture(scope="module")
def server():
    with local_server(Settings(bundle="fake")) as address:
        yield address


@pytest.fixture
async def fake(tmp_path):
    async with studio() as one:
        one.files[FILM] = made_video(tmp_path / "a.mp4").read_bytes()
        yield one


@pytest.fixture
async def client(server, fake):
    async with adapter(server, fake) as one:
        yield one


@pytest.fixture
async def follower(fake):
    """Its server finds everything everywhere."""
    with scripted_server() as address:
        async with adapter(address, fake) as one:
            yield one


async def told(client, *regions, status=200, task=1, film=FILM, **context):
    """The kind of the answer's region, and its value."""
    body = {
        "tasks": [{"id": task, "data": {"film": film}}],
        "project": "1.17",
        "label_config": CONFIG,
        "params": {"context": {"result": list(regions)} | context},
    }
    answer = await client.post("/predict", json=body)
    assert answer.status == status, await answer.text()
    if status != 200:
        return (await answer.json())["error"]["message"]
    (result,) = (await answer.json())["results"]
    (region,) = result["result"]
    assert (region["from_name"], region["to_name"]) == ("box", "video")
    return region["type"], region["value"]


def marked(value):
    data = base64.b64decode(value["imageDataURL"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))[..., 3] > 0


async def followed(client, click=CORNER, **context):
    """What `track` began with, and all frames that came."""
    kind, started = await told(client, click, event="track", **context)
    assert kind == "track_started"
    frames, done = [], False
    while not done:
        kind, value = await told(client, event="track_progress", session_id=started["session_id"])
        assert (kind, value["error"]) == ("track_progress", None)
        frames += value["frames"]
        done = value["done"]
    return started, frames


async def test_a_click_in_a_frame_gives_its_mask(client, fake):
    kind, value = await told(client, CLICK, frame=8)
    assert (kind, value["width"], value["height"]) == ("bitmask", SIZE[1], SIZE[0])
    assert marked(value)[24, 32]
    _, refined = await told(client, CLICK, key_point(90, 90, spelling="positive"), frame=8)
    assert marked(refined).sum() > marked(value).sum()
    assert len(fake.asked) == 1


async def test_a_frame_is_made_ready_before_anybody_clicks(client):
    kind, value = await told(client, event="prewarm", frame=8, window=20, direction="forward")
    assert (kind, value["status"], value["cached"], value["frame_count"]) == (
        "prewarm_ack", "ok", [7], 20
    )  # fmt: skip


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("forward", [7, 8, 9, 10]),
        ("backward", [7, 6, 5, 4]),
        ("both", [7, 8, 9, 10, 6, 5, 4]),
    ],
)
async def test_an_object_is_followed_from_its_frame(follower, direction, expected):
    started, frames = await followed(follower, frame=8, direction=direction, max_frames=3)
    assert [one["frame"] for one in frames] == expected
    assert (started["total_frames"], started["fps"]) == (len(expected), 10)
    assert [one["time_ms"] for one in frames] == [100 * number for number in expected]
    assert all(marked(one).shape == FOUND_SIZE and marked(one).any() for one in frames)


async def test_where_it_is_not_to_be_seen_no_mask_comes(client):
    _, frames = await followed(client, CLICK, frame=8, max_frames=3)  # the light changes
    assert [one["frame"] for one in frames] == [7]


async def test_it_is_followed_for_a_time_or_to_the_end(follower):
    _, frames = await followed(follower, time_ms=1500, max_duration_ms=300)
    assert [one["frame"] for one in frames] == [15, 16, 17, 18]
    started, frames = await followed(follower, frame=19)
    assert [one["frame"] for one in frames] == [18, 19]
    assert started["duration_ms"] == 2000


async def test_following_is_cancelled(client):
    _, started = await told(client, CLICK, event="track", frame=1)
    asked = {"session_id": started["session_id"]}
    assert (await told(client, event="track_cancel", **asked))[0] == "track_cancel_ack"
    kind, value = await told(client, event="track_progress", **asked)
    assert (kind, value["done"], bool(value["error"])) == ("track_progress", True, True)


async def test_more_than_can_be_followed_at_once_is_told(client, monkeypatch):
    monkeypatch.setattr("seem_client.adapters.label_studio.tracks.MAX_WAITING", 1)
    for _ in range(MAX_TRACKS):
        await told(client, CLICK, event="track", frame=1)
    kind, value = await told(client, CLICK, event="track", frame=1)
    assert (kind, value["active_or_queued"], value["max_sessions"]) == (
        "track_busy", MAX_TRACKS, MAX_TRACKS
    )  # fmt: skip
    assert (await told(client, event="release"))[1] == {"status": "released"}
    assert (await told(client, CLICK, event="track", frame=1))[0] == "track_started"


async def test_what_was_released_is_fetched_again(client, fake):
    for _ in range(2):
        await told(client, CLICK, frame=1)
        await told(client, event="release")
    assert len(fake.asked) == 2


async def test_the_tools_that_are_served_are_told(client):
    kind, value = await told(client, event="capabilities")
    assert kind == "capabilities"
    assert "VideoRectangle" in {one["tag"] for one in value["targets"]}


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"event": "dance"}, "no event 'dance'"),
        ({"event": "track", "direction": "up"}, "no direction 'up'"),
        ({"event": "track", "max_frames": -1}, "-1 frames"),
        ({"frame": "two"}, "no number from 1 on"),
        ({"film": "/gone.mp4"}, "has no picture /gone.mp4"),
        ({"film": "/bad.mp4"}, "is no video"),
    ],
)
async def test_what_cannot_be_answered_is_a_sentence(client, fake, context, sentence):
    fake.files["/bad.mp4"] = b"no video"
    assert sentence in await told(client, CLICK, status=400, **context)
