from __future__ import annotations

import numpy as np
import pytest
from fake_video import FakeTracker, made_frames, square

from seem_client.frames import open_frames
from seem_server.commands.track_folder import TrackFolder
from seem_server.commands.tracking import Order, follow
from seem_wire.errors import Disconnected
from seem_wire.prompts import MaskPrompt, ObjectPrompt

BOTH = ("forward", "backward")
MASKS = {n: ObjectPrompt(mask=MaskPrompt(square(2, n))) for n in (1, 2)}


@pytest.fixture
def frames(tmp_path):
    return made_frames(tmp_path / "frames", 6)


@pytest.fixture
def folder(tmp_path, frames):
    (tmp_path / "out").mkdir()
    return TrackFolder(tmp_path / "out", open_frames(frames))


def order(frames, directions=BOTH, objects=MASKS):
    return Order(frames, 2, objects, None, directions)


def asked(client):
    return [call for call in client.calls if call[0] != "track"]


def test_objects_are_followed_both_ways_and_each_frame_is_written_once(frames, folder):
    seen = []
    follow(FakeTracker(), order(frames), folder, done=lambda: seen.append(1))
    assert len(seen) == 6
    for index in range(6):
        masks = folder.read(index).masks
        assert all(np.array_equal(masks[one], square(index, one)) for one in (1, 2))
        assert folder.read(index).presence == {1: 0.75, 2: 0.75}
        assert folder.read(index).took_ms > 0


def test_each_direction_is_a_session_that_is_told_the_prompts(frames, folder):
    client = FakeTracker()
    follow(client, order(frames), folder)
    told = [("mask", 2, 1), ("mask", 2, 2)]
    assert asked(client) == [
        *told, ("propagate", 2, None, "forward"), *told, ("propagate", 0, 2, "backward"),
    ]  # fmt: skip


def test_nothing_is_asked_where_all_is_done(frames, folder):
    follow(FakeTracker(), order(frames), folder)
    client = FakeTracker()
    follow(client, order(frames), folder)
    assert not client.calls


@pytest.mark.parametrize("breaks_at", [0, 1, 2, 3, 5])
def test_a_run_that_was_broken_off_goes_on_from_the_last_frame(frames, folder, breaks_at):
    client = FakeTracker(breaks_at=breaks_at, error=Disconnected("Gone."))
    with pytest.raises(Disconnected):
        follow(client, order(frames), folder)
    before = {
        index: folder.path(index).stat().st_mtime_ns for index in range(6) if folder.has(index)
    }
    client.calls.clear()
    follow(client, order(frames), folder)
    assert all(np.array_equal(folder.read(n).masks[1], square(n, 1)) for n in range(6))
    assert all(folder.path(index).stat().st_mtime_ns == then for index, then in before.items())


def test_going_on_gives_the_last_masks_besides_the_prompts(frames, folder):
    client = FakeTracker(breaks_at=4, error=Disconnected("Gone."))
    with pytest.raises(Disconnected):
        follow(client, order(frames, ("forward",)), folder)
    client.calls.clear()
    follow(client, order(frames, ("forward",)), folder)
    assert asked(client) == [
        ("mask", 2, 1), ("mask", 2, 2), ("mask", 3, 1), ("mask", 3, 2),
        ("propagate", 3, None, "forward"),
    ]  # fmt: skip
