from __future__ import annotations

import math

import numpy as np
import pytest

from seem_server.commands.video_scores import (
    FrameScore,
    Statistics,
    VideoScore,
    boundary,
    boundary_accuracy,
    frame_score,
    region_similarity,
    scored,
)


def blob(seed, size=(40, 56)):
    """An object of some ellipses, with a hole perhaps, that may touch the image's edge."""
    chance = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    mask = np.zeros(size, np.bool_)
    for number in range(3):
        y, x = chance.uniform(0, size[0]), chance.uniform(0, size[1])
        a, b = chance.uniform(3, size[0] / 3, 2)
        mask ^= ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1 - number * 0.2
    return mask


def edge_by_loops(mask):
    """Pixels that differ from a neighbour to the right, below or both, as a set of (row, column).

    In the last row only the right neighbour counts, in the last column only the one below.
    """
    height, width = mask.shape
    found = set()
    for row in range(height):
        for column in range(width):
            neighbours = [
                (row + down, column + right)
                for down, right in ((0, 1), (1, 0), (1, 1))
                if row + down < height and column + right < width
            ]
            if any(mask[row, column] != mask[place] for place in neighbours):
                found.add((row, column))
    return found


def f_by_loops(predicted, wanted, reach):
    found, true = edge_by_loops(predicted), edge_by_loops(wanted)

    def share(some, others):
        near = [
            any((row - y) ** 2 + (column - x) ** 2 <= reach**2 for y, x in others)
            for row, column in some
        ]
        return sum(near) / len(near)

    precision, recall = share(found, true), share(true, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("seed", range(8))
def test_a_boundary_is_what_plain_loops_find(seed):
    mask = blob(seed)
    assert set(map(tuple, np.argwhere(boundary(mask)).tolist())) == edge_by_loops(mask)


@pytest.mark.parametrize("seed", range(8))
def test_f_is_what_plain_loops_find(seed):
    predicted, wanted = blob(seed), np.roll(blob(seed), seed % 4, axis=1) ^ (blob(seed + 100))
    reach = math.ceil(0.008 * math.sqrt(40**2 + 56**2))
    assert boundary_accuracy(predicted, wanted) == pytest.approx(
        f_by_loops(predicted, wanted, reach), abs=1e-12
    )


def test_a_square_that_moved_is_worked_out_by_hand():
    # 60 x 80: the diagonal is 100, so the tolerance ceil(0.8) = 1 pixel.
    wanted, predicted = np.zeros((2, 60, 80), np.bool_)
    wanted[10:20, 10:20] = True
    predicted[10:20, 13:23] = True
    # A boundary is a ring: rows 9 and 19, 11 pixels each, and between them 9 of each outer column.
    assert np.count_nonzero(boundary(wanted)) == 40
    # Of each row 9 pixels have a neighbour in the same row of the other ring; of the column within
    # the other square those two do that lie next to its rows, and of the outer column none.
    near = 2 * 9 + 2
    assert boundary_accuracy(predicted, wanted) == pytest.approx(near / 40)
    assert region_similarity(predicted, wanted) == pytest.approx(70 / 130)


def test_equal_masks_score_one_and_empty_ones_too():
    empty = np.zeros((40, 56), np.bool_)
    assert frame_score(blob(1), blob(1)) == FrameScore(1.0, 1.0)
    assert frame_score(empty, empty) == FrameScore(1.0, 1.0)
    assert frame_score(empty, blob(1)) == frame_score(blob(1), empty) == FrameScore(0.0, 0.0)


def test_the_tolerance_grows_with_the_image():
    small, large = np.zeros((2, 100, 100), np.bool_), np.zeros((2, 1000, 1000), np.bool_)
    for pair in (small, large):
        pair[0, 20:80, 20:80] = True
        pair[1, 20:80, 25:85] = True
    assert boundary_accuracy(*small) < boundary_accuracy(*large) == 1.0


def test_void_pixels_count_as_neither():
    wanted, predicted = np.zeros((2, 40, 56), np.bool_)
    wanted[10:20, 10:20] = predicted[10:20, 10:20] = True
    void = np.zeros_like(wanted)
    predicted[25:35, 10:20] = void[24:36, 9:21] = True
    assert frame_score(predicted, wanted).region < 1
    assert frame_score(predicted, wanted, void) == FrameScore(1.0, 1.0)


def test_the_first_frame_and_the_last_do_not_count():
    assert list(scored(5)) == [1, 2, 3]
    assert list(scored(2)) == []


def test_recall_counts_what_is_above_a_half_and_decay_compares_quarters():
    found = Statistics.of([1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    assert (found.mean, found.recall) == (pytest.approx(0.6), pytest.approx(5 / 9))
    # quarters of nine frames: 1 to 3, 3 to 5, 5 to 7, 7 to 9
    assert found.decay == pytest.approx((1.0 + 0.9 + 0.8) / 3 - (0.4 + 0.3 + 0.2) / 3)


def test_one_frame_decays_by_nothing():
    assert Statistics.of([0.7]) == Statistics(0.7, 1.0, 0.0)


def test_objects_count_the_same_however_many_frames_they_have():
    long, short = [FrameScore(1.0, 0.8)] * 9, [FrameScore(0.0, 0.2)]
    mean = VideoScore.mean_of([VideoScore.of(long), VideoScore.of(short)])
    assert (mean.region.mean, mean.boundary.mean) == (0.5, 0.5)
    assert mean.both == 0.5
    assert long[0].both == pytest.approx(0.9)
