from __future__ import annotations

import sys
import weakref
from contextlib import suppress
from itertools import count

import numpy as np
import pytest
from made_videos import SIZE, made_sound, made_video, noise, number_of, picture
from PIL import Image

from seem_client import video_file
from seem_client.video_file import HELD_FRAMES, VideoFile
from seem_wire.errors import (
    BadVideo,
    FrameGone,
    FrameSizeChanged,
    VideoEmpty,
    VideoReaderMissing,
    VideoUnreadable,
)


def numbers(frames, indices):
    return [number_of(frames.frame(index), range(25)) for index in indices]


def read_until_damage(frames):
    """How many frames there are before it, and what it is told as."""
    seen = count()
    try:
        for frame in frames:
            del frame
            next(seen)
    except VideoUnreadable as error:
        return next(seen), error.message
    return next(seen), None


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_are_numbered_as_they_are_shown(tmp_path, codec):
    with VideoFile(made_video(tmp_path / "a.mp4", 20, codec=codec)) as frames:
        assert frames.n_frames is None
        assert numbers(frames, range(20)) == list(range(20))
        assert frames.frame(20) is None
        assert frames.n_frames == 20
        assert frames.frame(0).shape == (*SIZE, 3)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_going_back_gives_the_same_pixels(tmp_path, monkeypatch, codec, suffix):
    monkeypatch.setattr(video_file, "HELD_FRAMES", 3)
    path = made_video(tmp_path / f"a.{suffix}", 30, codec=codec)
    with VideoFile(path) as frames:
        forward = [frame.copy() for frame in frames]
        backward = {index: frames.frame(index).copy() for index in reversed(range(30))}
        assert all(np.array_equal(forward[index], backward[index]) for index in range(30))
        for index in (17, 2, 29, 9):
            assert np.array_equal(frames.frame(index), forward[index])


def test_a_walk_backward_decodes_a_stretch_once_and_not_once_a_frame(tmp_path, monkeypatch):
    decoded = []
    upright = video_file._upright
    monkeypatch.setattr(video_file, "_upright", lambda frame: decoded.append(1) or upright(frame))
    with VideoFile(made_video(tmp_path / "a.mkv", 96, between=24)) as frames:
        for index in reversed(range(96)):
            frames.frame(index)
    assert len(decoded) <= 96 + HELD_FRAMES


def test_each_frame_has_its_own_time_where_the_rate_varies(tmp_path):
    times_ms = [0, 10, 500, 510, 520, 2000]
    with VideoFile(made_video(tmp_path / "a.mkv", 6, times_ms=times_ms)) as frames:
        assert frames.time_s(5) is None
        assert numbers(frames, range(6)) == list(range(6))
        assert frames.frame(6) is None
        assert [round(frames.time_s(index) * 1000) for index in range(6)] == times_ms


def test_a_long_video_is_never_held_whole(tmp_path):
    alive = []
    with VideoFile(made_video(tmp_path / "a.mp4", 600, codec="mpeg4")) as frames:
        most = 0
        for index in (*range(600), *reversed(range(600))):
            alive.append(weakref.ref(frames.frame(index)))
            alive = [one for one in alive if one() is not None]
            most = max(most, len({id(one()) for one in alive}))
    assert most <= HELD_FRAMES


def test_large_frames_are_held_in_fewer(tmp_path, monkeypatch):
    monkeypatch.setattr(video_file, "HELD_BYTES", 2 * 48 * 64 * 3)
    with VideoFile(made_video(tmp_path / "a.mp4", 9)) as frames:
        list(frames)
        assert len(frames._held) == 2


@pytest.mark.parametrize("turned", [90, 180, -90])
def test_a_turned_video_is_upright(tmp_path, turned):
    with VideoFile(made_video(tmp_path / "a.mp4", 3, turned=turned)) as frames:
        upright = np.rot90(picture(0), turned // 90)
        seen = frames.frame(0)
        assert seen.shape == upright.shape
        assert np.abs(seen.astype(int) - upright).mean() < 8


def test_frames_before_the_cut_of_a_file_are_usable(tmp_path):
    whole = made_video(tmp_path / "a.mkv", 60, draw=noise).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    with VideoFile(tmp_path / "cut.mkv") as frames:
        n_whole, told = read_until_damage(frames)
        assert 30 < n_whole < 45
        assert f"from frame {n_whole} on" in told
        assert frames.n_frames is None
        assert frames.frame(n_whole - 1).shape == (*SIZE, 3)
        with pytest.raises(VideoUnreadable):
            frames.frame(n_whole)


@pytest.mark.parametrize("spoil", ["cut", "overwritten"])
def test_a_damaged_file_says_from_which_frame_on(tmp_path, spoil):
    path = made_video(tmp_path / "a.mp4", 60, draw=noise, movflags="faststart")
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    if spoil == "cut":
        del data[half:]
    else:
        data[half : half + 4000] = bytes(4000)
    path.write_bytes(data)
    with VideoFile(path) as frames:
        n_whole, told = read_until_damage(frames)
        assert 20 < n_whole < 35
        assert f"from frame {n_whole} on" in told


@pytest.mark.parametrize("data", [b"", b"no video at all" * 200])
def test_what_is_no_video_is_refused(tmp_path, data):
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(VideoUnreadable, match="is no video"):
        VideoFile(tmp_path / "a.mp4")


def test_a_playlist_draws_in_no_other_file(tmp_path):
    made_video(tmp_path / "a.ts", 20)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", "a.ts", "#EXT-X-ENDLIST", ""]
    (tmp_path / "list.m3u8").write_text("\n".join(lines))
    with pytest.raises((VideoUnreadable, VideoEmpty)):
        VideoFile(tmp_path / "list.m3u8")
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile a.ts\n")
    with pytest.raises((VideoUnreadable, VideoEmpty)):
        VideoFile(tmp_path / "list.ffconcat")


def test_a_title_in_another_encoding_does_no_harm(tmp_path):
    path = made_video(tmp_path / "a.mkv", 3)
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"L\xe4vf"))
    with VideoFile(path) as frames:
        assert len(list(frames)) == 3


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_whatever_the_bytes_the_outcome_is_frames_or_a_bad_video(tmp_path, suffix):
    whole = np.frombuffer(made_video(tmp_path / f"a.{suffix}", 20).read_bytes(), np.uint8)
    spoilt = tmp_path / f"b.{suffix}"
    for seed in range(40):
        chance = np.random.default_rng(seed)
        data = whole[: chance.integers(1, len(whole))] if seed % 3 == 0 else whole.copy()
        data = data.copy()
        places = chance.integers(0, len(data), chance.integers(1, 40))
        data[places] = chance.integers(0, 256, len(places))
        spoilt.write_bytes(data.tobytes())
        with suppress(BadVideo), VideoFile(spoilt) as frames:
            assert len(list(frames)) <= 2 * 20


def test_a_name_with_a_pattern_is_one_file(tmp_path):
    for name in ("f1.png", "f%d.png"):
        Image.fromarray(picture(0)).save(tmp_path / name)
    with VideoFile(tmp_path / "f%d.png") as frames:
        assert len(list(frames)) == 1


def test_files_are_let_go_of(tmp_path):
    frames = VideoFile(made_video(tmp_path / "a.mp4", 3))
    frames.close()
    frames.close()
    assert frames._file.closed


def test_an_index_at_the_end_that_was_cut_off_leaves_no_video(tmp_path):
    path = made_video(tmp_path / "a.mp4", 60, draw=noise)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(VideoUnreadable, match=r"a\.mp4"):
        VideoFile(path)


def test_sound_alone_is_no_video(tmp_path):
    with pytest.raises(VideoEmpty, match="no pictures"):
        VideoFile(made_sound(tmp_path / "a.wav"))


def test_a_size_that_changes_is_told_with_the_frame_and_both_sizes(tmp_path):
    small = made_video(tmp_path / "a.h264", 5, draw=lambda number: picture(number, (48, 64)))
    large = made_video(tmp_path / "b.h264", 5, draw=lambda number: picture(number, (96, 64)))
    (tmp_path / "c.h264").write_bytes(small.read_bytes() + large.read_bytes())
    with (
        VideoFile(tmp_path / "c.h264") as frames,
        pytest.raises(FrameSizeChanged, match=r"Frame 5 has 96 x 64 pixels, .* 48 x 64"),
    ):
        list(frames)


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VideoReaderMissing, match=r"seem-server\[video\]"):
        VideoFile(tmp_path / "a.mp4")


def test_a_file_declares_its_rate_and_length_before_it_is_read(tmp_path):
    with VideoFile(made_video(tmp_path / "a.mp4", 20)) as video:
        assert (video.declared_rate, video.declared_n_frames) == (10.0, 20)
    with VideoFile(made_video(tmp_path / "a.mkv", 20)) as video:  # which counts no frames
        assert video.declared_n_frames == 20


def test_a_closed_file_has_no_more_frames(tmp_path):
    frames = VideoFile(made_video(tmp_path / "a.mp4", 3))
    frames.close()
    with pytest.raises(FrameGone, match="was closed"):
        frames.frame(0)
