from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fake_video import made_frames, square

from seem_client.frames import open_frames
from seem_server.commands.indexed_png import IndexedFrame, stack
from seem_server.commands.track_folder import FolderTaken, TrackFolder, request
from seem_server.commands.tracking import Order
from seem_wire.prompts import Box, Lasso, MaskPrompt, ObjectPrompt, Point, Scribble

EMPTY = IndexedFrame(np.zeros((32, 48), np.uint8))


@pytest.fixture
def frames(tmp_path):
    return made_frames(tmp_path / "frames", 6)


@pytest.fixture
def folder(tmp_path, frames):
    (tmp_path / "out").mkdir()
    return TrackFolder(tmp_path / "out", open_frames(frames))


def asked(frames, *, frame=0, example=None, directions=("forward",), **said):
    return request(Order(frames, frame, {1: ObjectPrompt(**said)}, example, directions), "lite")


def with_done(folder, *indices):
    for index in indices:
        folder.write(index, EMPTY)
    return folder


def test_a_frame_is_called_as_its_file(folder):
    assert with_done(folder, 3).path(3).name == "00003.png"
    assert [folder.has(index) for index in (2, 3)] == [False, True]
    indices = stack({2: square(0, 2)}, (32, 48))
    folder.write(4, IndexedFrame(indices, {2: 0.5}))
    assert np.array_equal(folder.read(4).indices, indices)


@pytest.mark.parametrize(
    ("done", "forward", "backward", "around"),
    [
        ((), None, None, range(0)),
        ((1, 3), None, None, range(0)),
        ((2,), 2, 2, range(2, 3)),
        ((2, 3, 5), 3, 2, range(2, 4)),
        ((0, 1, 2, 3, 4, 5), 5, 0, range(6)),
    ],
)
def test_what_is_done_is_the_unbroken_run_around_the_prompted_frame(
    folder, done, forward, backward, around
):
    with_done(folder, *done)
    assert folder.reached(2, "forward") == forward
    assert folder.reached(2, "backward") == backward
    assert folder.done(2) == around


def test_the_last_frame_is_known_where_the_number_of_frames_is(folder):
    assert [folder.is_last(index, "forward") for index in (None, 4, 5)] == [False, False, True]
    assert [folder.is_last(index, "backward") for index in (None, 1, 0)] == [False, False, True]


def test_what_is_missing_depends_on_the_directions(folder):
    with_done(folder, 2, 3)
    assert folder.n_missing(2, ("forward",)) == 2
    assert folder.n_missing(2, ("backward",)) == 2
    assert folder.n_missing(2, ("forward", "backward")) == 4


def test_the_same_request_goes_on_and_another_is_refused(folder, frames):
    said = {"points": (Point(1.5, 2.25),), "text": "cat"}
    folder.claim(asked(frames, **said))
    with_done(folder, 0)
    folder.claim(asked(frames, **said, directions=("forward", "backward")))
    with pytest.raises(FolderTaken, match="another request: objects differs"):
        folder.claim(asked(frames, text="cat"))
    with pytest.raises(FolderTaken, match="frame, objects differs"):
        folder.claim(asked(frames, frame=1))


def test_a_request_without_a_frame_leaves_the_folder_to_another(folder, frames, tmp_path):
    folder.claim(asked(frames, text="cat"))
    assert not list((tmp_path / "out").iterdir())
    folder.claim(asked(frames, text="dog"))
    with_done(folder, 0, 1)
    assert (
        json.loads((tmp_path / "out" / "track.json").read_text())["objects"]["1"]["text"] == "dog"
    )


def test_all_that_matters_is_part_of_a_request(frames, tmp_path):
    other = made_frames(tmp_path / "other", 6)
    line, mask = ((1.0, 1.0), (5.0, 5.0), (9.0, 1.0)), square(0, 1)
    file = next(iter(frames.iterdir()))
    requests = [
        asked(frames),
        asked(other),
        asked(frames, frame=1),
        asked(frames, points=(Point(1, 1),)),
        asked(frames, points=(Point(1, 1, positive=False),)),
        asked(frames, box=Box(1, 1, 5, 5)),
        asked(frames, negative_boxes=(Box(1, 1, 5, 5),)),
        asked(frames, scribbles=(Scribble(line),)),
        asked(frames, lassos=(Lasso(line),)),
        asked(frames, mask=MaskPrompt(mask)),
        asked(frames, mask=MaskPrompt(~mask)),
        asked(frames, text="cat"),
        asked(frames, example=(file, mask)),
        asked(frames, example=(file, ~mask)),
    ]
    assert len({json.dumps(one) for one in requests}) == len(requests)


def test_another_image_among_the_frames_is_another_request(frames):
    before = asked(frames)
    (frames / "notes.txt").touch()
    assert asked(frames) == before
    (frames / "00009.png").touch()
    assert asked(frames) != before


def test_a_folder_of_another_program_is_left_alone(folder, frames, tmp_path):
    with_done(folder, 0)
    with pytest.raises(FolderTaken, match="PNG files of another program"):
        folder.claim(asked(frames))
    (tmp_path / "out" / "track.json").write_text("{")
    with pytest.raises(FolderTaken, match="is not what seem track writes"):
        folder.claim(asked(frames))
    (tmp_path / "out" / "track.json").write_text("[]")
    with pytest.raises(FolderTaken, match="differs"):
        folder.claim(asked(frames))


def test_a_video_of_unknown_length_has_no_known_end(tmp_path):
    folder = TrackFolder(Path(tmp_path), open_frames(iter([np.zeros((4, 6, 3), np.uint8)])))
    with_done(folder, 0, 1)
    assert folder.n_missing(0, ("forward",)) is None
    assert folder.reached(0, "forward") == 1
    assert not folder.is_last(1, "forward")
