from __future__ import annotations

import io

import numpy as np
import pytest
from made_videos import SIZE, made_video, number_of
from PIL import Image

from seem_client.adapters.label_studio.film import Film
from seem_wire.errors import InvalidValue, UnknownFrame, VideoUnreadable


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made_video(tmp_path_factory.mktemp("film") / "a.mp4").read_bytes()


def saving(data):
    async def save(file):
        file.write(data)

    return save


@pytest.fixture
async def film(data):
    made = await Film.fetched(saving(data))
    yield made
    await made.close()


def pixels_of(image):
    return np.asarray(Image.open(io.BytesIO(image)))


async def test_it_tells_its_size_rate_and_length(film):
    assert (film.size, film.rate, film.n_frames, film.duration_ms) == (SIZE, 10.0, 20, 2000.0)


async def test_any_frame_is_an_image(film):
    for frame in (12, 3):
        assert number_of(pixels_of(await film.image(frame)), range(20)) == frame
    with pytest.raises(UnknownFrame):
        await film.image(20)


@pytest.mark.parametrize(
    ("context", "frame"),
    [
        ({"frame": 1}, 0),
        ({"frame": 8}, 7),
        ({}, 0),
        ({"frame": 99}, 19),
        ({"frame": -5}, 0),
        ({"frame": 3, "time_ms": 702}, 7),  # a little past where it begins
        ({"time_ms": 799}, 7),
        ({"time_ms": 1e9}, 19),
    ],
)
async def test_the_frame_on_the_screen_is_meant(film, context, frame):
    assert film.frame_at(context) == frame


async def test_a_frame_that_is_no_number_is_refused(film):
    with pytest.raises(InvalidValue):
        film.frame_at({"frame": "two"})


async def test_a_clip_counts_from_its_first_frame_and_ends_where_it_is_told(film):
    with await film.clip(5, 8) as clip:
        assert clip.n_frames == 3
        assert [number_of(clip.frame(at), range(20)) for at in range(3)] == [5, 6, 7]
        assert clip.frame(3) is None
    with await film.clip(18, 30) as clip:
        assert [clip.frame(at) is None for at in range(3)] == [False, False, True]


async def test_what_is_no_video_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(VideoUnreadable):
        await Film.fetched(saving(b"no video"))
    assert list(tmp_path.iterdir()) == []


async def test_the_file_goes_when_it_is_closed(tmp_path, monkeypatch, data):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    film = await Film.fetched(saving(data))
    assert len(list(tmp_path.iterdir())) == 1
    await film.close()
    assert list(tmp_path.iterdir()) == []
