from __future__ import annotations

import threading

import numpy as np
from made_videos import made_video

from seem_client.frames import ListedFrames, LiveFrames, open_frames
from seem_client.picture import Still, frames_of, no_picture

FRAMES = [np.full((4, 6, 3), shade, np.uint8) for shade in (10, 20, 30)]


def test_a_still_is_the_very_bytes_and_does_not_print_them():
    data = b"file" * 100
    assert Still(data).image() is data
    assert "file" not in repr(Still(data))


def test_a_frame_is_read_again_from_its_source():
    picture_of = frames_of(ListedFrames(FRAMES), threading.Lock())
    assert picture_of(1).image() is FRAMES[1]
    assert picture_of(9).image() is None
    assert picture_of(None) is None


def test_nobody_reads_a_source_at_the_same_time():
    reading = threading.Lock()

    class Watched(ListedFrames):
        def frame(self, index):
            assert reading.locked()
            return super().frame(index)

    assert frames_of(Watched(FRAMES), reading)(0).image() is FRAMES[0]
    assert not reading.locked()


def test_a_frame_that_came_live_is_not_waited_for():
    assert frames_of(LiveFrames(FRAMES), threading.Lock())(0).image() is None


def test_a_video_file_has_no_frame_after_it_was_closed(tmp_path):
    source = open_frames(made_video(tmp_path / "a.mp4", 3))
    picture = frames_of(source, threading.Lock())(0)
    assert picture.image() is not None
    source.close()
    assert picture.image() is None


def test_where_only_masks_are_known_there_is_no_picture():
    assert no_picture(0) is None
