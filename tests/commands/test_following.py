from __future__ import annotations

import numpy as np
import pytest
from fake_video import FakeTracker, made_clips, square

from seem_server.commands.clips import read_clips
from seem_server.commands.following import Correction, FirstSaid, by_last_mask, evaluate, score
from seem_server.commands.indexed_png import stack


@pytest.fixture
def clip(tmp_path):
    (clip,) = read_clips(made_clips(tmp_path, n_frames=12))
    return clip


def half(index, object_id, mask):  # noqa: ARG001 - a flaw of the fake
    """Follows only the upper half."""
    worn = mask.copy()
    worn[np.flatnonzero(mask.any(axis=1))[5:]] = False
    return worn


def clicks(client):
    return [call[1:] for call in client.calls if call[0] == "click"]


def test_what_follows_exactly_scores_one_and_standing_still_less(clip):
    (found,) = evaluate(FakeTracker(), [clip])
    assert (found.name, found.n_frames, len(found.scores)) == ("one", 12, 2)
    assert [one.both for one in found.scores] == [1.0, 1.0]
    assert [one.both for one in found.previous] == [1.0, 1.0]
    assert all(0 < one.both < 0.8 for one in found.still)
    assert (found.corrected, found.corrections) == (None, ())
    assert len(found.frame_ms) == 12


def test_standing_still_loses_what_moved_away(clip):
    (found,) = evaluate(FakeTracker(), [clip])
    # a square of 10 x 10 that goes right by a pixel a frame, frames 1 to 10
    ious = [max(10 - n, 0) / (10 + n) for n in range(1, 11)]
    assert found.still[0].region.mean == pytest.approx(np.mean(ious))


def test_masks_are_given_as_they_are(clip):
    client = FakeTracker()
    evaluate(client, [clip])
    assert client.calls[:4] == [
        ("track",), ("mask", 0, 1), ("mask", 0, 2), ("propagate", 0, None, "forward"),
    ]  # fmt: skip


def test_clicks_say_an_object_until_it_is_right(clip):
    client = FakeTracker()
    (found,) = evaluate(client, [clip], way=FirstSaid.CLICKS)
    assert clicks(client) == [(0, 1), (0, 2)]
    assert found.scores[0].both == 1.0


def test_at_most_three_clicks_say_an_object(clip):
    client = FakeTracker(deaf=True)
    evaluate(client, [clip], way=FirstSaid.CLICKS)
    assert clicks(client) == [(0, 1)] * 3 + [(0, 2)] * 3


def test_beside_it_the_last_mask_is_all_that_is_said_of_each_frame(clip):
    client = FakeTracker(flaw=half)
    (found,) = evaluate(client, [clip])
    assert [one.both for one in found.previous] == [1.0, 1.0]
    assert client.calls[4:7] == [("open", "00001"), ("mask", 0, 1), ("mask", 0, 2)]
    assert [call for call in client.calls if call[0] == "open"][-1] == ("open", "00011")


def test_what_the_last_mask_has_lost_stays_lost(clip):
    client = FakeTracker()
    shown = by_last_mask(client, clip, stack({2: square(0, 2)}, clip.size))
    assert [np.unique(one).tolist() for one in shown] == [[0, 2]] * 12
    assert ("mask", 0, 1) not in client.calls


def test_a_correction_clicks_the_worst_frame_of_each_run_and_helps(clip):
    client = FakeTracker(flaw=half)
    (found,) = evaluate(client, [clip], corrections=6)
    assert [one.frame for one in found.corrections] == [1, 7]
    first, second = found.corrections
    assert first == Correction(1, 1, 0.5, 1.0, 1.0)
    assert (second.before, second.fell) == (0.5, False)
    before, after = (np.mean([s.both for s in some]) for some in (found.scores, found.corrected))
    assert after > before
    assert ("propagate", 7, None, "forward") in client.calls
    assert ("propagate", 7, 7, "backward") in client.calls


def test_a_missed_part_is_clicked_in_its_middle(clip):
    client = FakeTracker(flaw=half)
    evaluate(client, [clip], corrections=20)
    # rows 9 to 13 of columns 1 to 10 are missed in frame 1: of the deepest pixels the first
    assert client.clicks == [(3.5, 11.5, True)]


def test_nothing_is_corrected_where_nothing_is_wrong(clip):
    (found,) = evaluate(FakeTracker(), [clip], corrections=3)
    assert found.corrections == ()
    assert found.corrected == found.scores


def test_a_correction_that_is_lost_again_is_told():
    assert Correction(3, 1, 0.5, 0.9, 0.4).fell
    assert not Correction(3, 1, 0.5, 0.9, 0.5).fell


def test_void_pixels_are_not_scored(tmp_path):
    void = square(0, 1) | square(6, 1) | square(11, 1)
    (clip,) = read_clips(made_clips(tmp_path, n_frames=3, void=void))
    shown = [stack({2: square(n, 2)}, clip.size) for n in range(3)]
    first, second = score(clip, shown)
    assert second.both == 1.0
    assert first.both == 1.0  # all of it is void


def test_progress_is_told_for_each_clip(clip):
    seen = []
    evaluate(FakeTracker(), [clip, clip], done=lambda: seen.append(1))
    assert len(seen) == 2
