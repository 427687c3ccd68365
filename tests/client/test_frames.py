from __future__ import annotations

import numpy as np
import pytest
from made_videos import made_video
from PIL import Image

from seem_client.frames import (
    IMAGE_SUFFIXES,
    FrameSource,
    HeldFrames,
    LiveFrames,
    OneSize,
    natural_key,
    open_frames,
)
from seem_wire.errors import FrameGone, FrameSizeChanged, InvalidValue, VideoEmpty


def grey(level, size=(4, 6)):
    return np.full((*size, 3), level, np.uint8)


def touched(folder, *names):
    for name in names:
        (folder / name).touch()
    return folder


def test_a_folder_has_its_images_in_natural_order(tmp_path):
    touched(tmp_path, "f10.jpg", "f2.JPG", "f1.png", "notes.txt", ".hidden.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with open_frames(tmp_path) as frames:
        assert frames.n_frames == 3
        assert [frames.name(index) for index in range(3)] == ["f1", "f2", "f10"]
        assert [path.name for path in frames] == ["f1.png", "f2.JPG", "f10.jpg"]
        assert frames.frame(0).name == "f1.png"
        assert frames.frame(3) is None


def test_files_of_one_name_are_called_by_their_numbers(tmp_path):
    frames = open_frames(str(touched(tmp_path, "a.jpg", "A.png")))
    assert [frames.name(index) for index in range(2)] == ["00000", "00001"]


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_kind_of_image_file_is_a_frame(tmp_path, suffix):
    assert open_frames(touched(tmp_path, f"a{suffix}")).n_frames == 1


def test_a_link_that_leads_nowhere_is_told_and_not_passed_over(tmp_path):
    touched(tmp_path, "f1.png", "f3.png")
    (tmp_path / "f2.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(FileNotFoundError, match=r"f2\.png"):
        open_frames(tmp_path)


def test_a_frame_is_told_by_its_number_and_its_file(tmp_path):
    file = touched(tmp_path, "f7.png") / "f7.png"
    assert open_frames(tmp_path).place(0) == f"Frame 0 ({file})"
    assert open_frames([str(file), grey(1)]).place(0) == f"Frame 0 ({file})"
    assert open_frames([str(file), grey(1)]).place(1) == "Frame 1"
    assert open_frames(iter([grey(1)])).place(3) == "Frame 3"


def test_a_folder_without_images_is_told(tmp_path):
    with pytest.raises(VideoEmpty, match="no image file"):
        open_frames(touched(tmp_path, "readme.txt"))


def test_a_path_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_frames(tmp_path / "missing.mp4")


def test_a_file_is_read_as_a_video(tmp_path):
    with open_frames(made_video(tmp_path / "a.mp4", 3)) as frames:
        assert len(list(frames)) == 3
        assert (frames.name(2), round(frames.time_s(2), 3)) == ("00002", 0.2)


def test_a_list_gives_any_frame_at_any_time():
    frames = open_frames([grey(1), grey(2), grey(3)])
    assert [frames.frame(index)[0, 0, 0] for index in (2, 0, 1)] == [3, 1, 2]
    assert (frames.n_frames, frames.name(1), frames.time_s(1)) == (3, "00001", None)


def test_an_array_of_frames_is_a_list_of_them():
    assert open_frames(np.zeros((5, 4, 6, 3), np.uint8)).n_frames == 5


def test_what_comes_one_by_one_is_read_only_when_asked_for():
    pulled = []
    frames = open_frames(pulled.append(level) or grey(level) for level in range(4))
    assert frames.n_frames is None
    assert frames.frame(1)[0, 0, 0] == 1
    assert pulled == [0, 1]
    assert frames.frame(1)[0, 0, 0] == 1
    assert [frame[0, 0, 0] for frame in map(frames.frame, (2, 3))] == [2, 3]
    assert frames.frame(4) is None
    assert frames.n_frames == 4
    assert frames.frame(3)[0, 0, 0] == 3


def test_a_frame_that_has_passed_is_gone():
    frames = LiveFrames(map(grey, range(9)))
    frames.frame(2)
    with pytest.raises(FrameGone, match="Frame 1 has passed: 3 have come"):
        frames.frame(1)


@pytest.mark.parametrize("nothing", [[], (), iter(())])
def test_no_frames_at_all_are_told(nothing):
    with pytest.raises(VideoEmpty):
        open_frames(nothing).frame(0)


@pytest.mark.parametrize("kind", [list, iter])
def test_another_size_is_told_with_the_frame_and_both_sizes(kind):
    frames = open_frames(kind([grey(1), grey(2), grey(3, (6, 4))]))
    with pytest.raises(FrameSizeChanged, match=r"Frame 2 has 6 x 4 pixels, those before it 4 x 6"):
        list(frames)


def test_pillow_images_have_a_size_too():
    frames = open_frames([Image.new("RGB", (6, 4)), grey(2), Image.new("RGB", (4, 6))])
    frames.frame(1)
    with pytest.raises(FrameSizeChanged, match="Frame 2"):
        frames.frame(2)


def test_sizes_are_held_against_the_first_that_was_seen():
    one_size = OneSize()
    one_size.check(7, (4, 6))
    one_size.check(0, (4, 6))
    with pytest.raises(FrameSizeChanged, match="Frame 3"):
        one_size.check(3, (4, 7))


@pytest.mark.parametrize("wrong", [b"bytes", np.zeros((4, 6, 3), np.uint8), 7, None])
def test_what_has_no_frames_is_refused(wrong):
    with pytest.raises(InvalidValue):
        open_frames(wrong)


def test_a_source_is_taken_as_it_is():
    source = open_frames([grey(1)])
    assert isinstance(source, FrameSource)
    assert open_frames(source) is source


def test_numbers_in_names_count_as_numbers():
    names = ["b", "a10", "a9", "a09", "10", "9", "a"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "a09", "a9", "a10", "b"]


def test_frames_that_the_server_holds_are_counted_and_none_comes():
    held = HeldFrames(3)
    assert (held.n_frames, list(held)) == (3, [])
