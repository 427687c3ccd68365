from __future__ import annotations

import sys

import numpy as np
import pytest

from seem_client.frames import open_frames
from seem_server.commands import overlay_video
from seem_server.commands.overlay_video import OverlayFrame, write_overlay
from seem_wire.errors import NotOffered

GREY = np.full((48, 64, 3), 100, np.uint8)
SQUARE = np.zeros((48, 64), np.uint8)
SQUARE[16:32, 16:32] = 1


def made(times_s, size=(48, 64)):
    height, width = size
    return [
        OverlayFrame(f"{number:05}", GREY[:height, :width], SQUARE[:height, :width], time_s)
        for number, time_s in enumerate(times_s)
    ]


@pytest.mark.parametrize("suffix", overlay_video.SUFFIXES)
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_video_shows_every_frame_with_its_object(tmp_path, monkeypatch, suffix, codec):
    monkeypatch.setattr(overlay_video, "_CODECS", (codec,))
    path = write_overlay(tmp_path / f"a{suffix}", made([None] * 5))
    with open_frames(path) as frames:
        seen = list(frames)
        assert [round(frames.time_s(index), 3) for index in range(5)] == [0, 0.1, 0.2, 0.3, 0.4]
    assert len(seen) == 5
    assert np.abs(seen[0][:8].astype(int) - 100).max() < 12
    red, green, _ = seen[0][24, 24]
    assert int(red) - int(green) > 25
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_frames_keep_their_times(tmp_path):
    times_s = [0.0, 1001 / 30000, 0.5, 0.51, 2.0]
    path = write_overlay(tmp_path / "a.mp4", made(times_s))
    with open_frames(path) as frames:
        assert len(list(frames)) == 5
        assert [frames.time_s(index) for index in range(5)] == pytest.approx(times_s, abs=1e-4)


def test_frames_of_one_time_are_all_shown(tmp_path):
    path = write_overlay(tmp_path / "a.mkv", made([0.0, 0.0, 0.1]))
    with open_frames(path) as frames:
        assert len(list(frames)) == 3


def test_an_odd_size_is_shown_too(tmp_path):
    path = write_overlay(tmp_path / "a.mp4", made([None] * 2, (47, 63)))
    with open_frames(path) as frames:
        assert frames.frame(0).shape == (48, 64, 3)


def test_without_pyav_there_are_images(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "av", None)
    folder = write_overlay(tmp_path / "a.mp4", made([None] * 2))
    assert folder == tmp_path / "a"
    assert sorted(one.name for one in folder.iterdir()) == ["00000.jpg", "00001.jpg"]
    assert "PyAV is not installed" in capsys.readouterr().err


def test_without_an_encoder_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(overlay_video, "_CODECS", ("quill",))
    with pytest.raises(NotOffered, match="quill"):
        write_overlay(tmp_path / "a.mp4", made([None]))


def test_what_breaks_on_the_way_leaves_nothing(tmp_path):
    def breaking():
        yield from made([None] * 2)
        raise OSError("A frame is gone.")

    with pytest.raises(OSError, match="gone"):
        write_overlay(tmp_path / "a.mp4", breaking())
    assert not list(tmp_path.iterdir())
