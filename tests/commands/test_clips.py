from __future__ import annotations

import json

import numpy as np
import pytest
from fake_video import SIZE, made_clips, square
from made_dataset import made_dataset

from seem_server.commands.clips import read_clips
from seem_server.commands.stills import DatasetInvalid


def changed(folder, change):
    path = folder / "annotations.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return folder


def test_a_video_has_its_frames_in_order_and_its_objects_by_track(tmp_path):
    one, two = read_clips(made_clips(tmp_path, ("one", "two"), 4))
    assert (one.name, two.name, one.size) == ("one", "two", SIZE)
    assert [path.name for path in one.frames] == [f"{n:05}.png" for n in range(4)]
    assert all(path.is_file() for path in two.frames)
    assert list(one.objects) == [1, 2]
    assert all(np.array_equal(one.wanted(k, n), square(n, k)) for k in (1, 2) for n in range(4))


def test_a_frame_without_a_mark_is_one_without_the_object(tmp_path):
    (clip,) = read_clips(made_clips(tmp_path, n_frames=4, absent=[(2, 1)]))
    assert not clip.wanted(1, 2).any()
    assert clip.wanted(2, 2).any()


def test_an_object_that_comes_later_is_left_out_and_counted(tmp_path):
    (clip,) = read_clips(made_clips(tmp_path, n_frames=4, absent=[(0, 1)]))
    assert (list(clip.objects), clip.n_late) == ([1], 1)
    assert np.array_equal(clip.wanted(1, 3), square(3, 2))


def test_what_is_to_be_ignored_is_void(tmp_path):
    void = square(0, 1)
    (clip,) = read_clips(made_clips(tmp_path, void=void))
    assert np.array_equal(clip.void(3), void)
    (clip,) = read_clips(made_clips(tmp_path))
    assert clip.void(3) is None


def test_crowds_and_empty_marks_are_no_objects(tmp_path):
    def change(document):
        for mark in document["annotations"]:
            mark["iscrowd" if mark["track_id"] == 1 else "area"] = int(mark["track_id"] == 1)

    with pytest.raises(DatasetInvalid, match="no video with an object"):
        read_clips(changed(made_clips(tmp_path), change))


def test_images_without_a_video_are_none(tmp_path):
    with pytest.raises(DatasetInvalid, match="no video with an object"):
        read_clips(made_dataset(tmp_path, []))


def test_a_folder_without_annotations_is_no_dataset(tmp_path):
    with pytest.raises(DatasetInvalid, match="is no dataset"):
        read_clips(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["images"][0].pop("frame_index"), "there is no 'frame_index'"),
        (lambda d: d["images"][0].update(file_name="../a.png"), "outside of the folder"),
        (lambda d: d["images"][0].update(height=9), "has 32 x 48 pixels"),
        (lambda d: d["annotations"][0].pop("track_id"), "there is no 'track_id'"),
        (lambda d: d["annotations"][0].update(track_id=2), "track 2 twice in a frame"),
        (lambda d: d["annotations"][0].update(segmentation=[[1, 2]]), "polygons"),
        (lambda d: d.update(images=7), "TypeError"),
    ],
)
def test_what_is_not_as_described_is_told(tmp_path, change, says):
    with pytest.raises(DatasetInvalid, match=says):
        read_clips(changed(made_clips(tmp_path), change))
