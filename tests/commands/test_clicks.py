from __future__ import annotations

import numpy as np
import pytest

from seem_server.commands.clicks import JITTER, iou, jittered_click, next_click, worst_part
from seem_wire.prompts import Point

ALL = np.ones((20, 30), np.bool_)
NOTHING = np.zeros((20, 30), np.bool_)


def block(*blocks):
    """A mask of rectangles (top, left, bottom, right)."""
    mask = NOTHING.copy()
    for top, left, bottom, right in blocks:
        mask[top:bottom, left:right] = True
    return mask


def test_the_first_click_is_at_the_centre_of_the_object():
    assert next_click(NOTHING, block((2, 4, 9, 11)), ALL) == Point(7.5, 5.5, positive=True)


def test_the_largest_region_is_clicked_first():
    wanted = block((2, 2, 5, 5), (8, 8, 15, 15))
    assert next_click(NOTHING, wanted, ALL) == Point(11.5, 11.5, positive=True)


def test_a_false_region_gets_a_negative_click():
    wanted, predicted = block((2, 2, 7, 7)), block((2, 2, 7, 7), (10, 10, 15, 15))
    assert next_click(predicted, wanted, ALL) == Point(12.5, 12.5, positive=False)


def test_the_larger_of_missed_and_false_wins_and_missed_at_a_draw():
    missed, false = (2, 2, 7, 7), (10, 10, 15, 15)
    assert next_click(block(false), block(missed), ALL).positive
    assert not next_click(block((10, 10, 15, 16)), block(missed), ALL).positive


def test_regions_that_touch_at_a_corner_are_one():
    wanted = block((0, 0, 3, 3), (3, 3, 6, 6), (10, 10, 13, 15))
    assert next_click(NOTHING, wanted, ALL).x < 6


def test_the_images_edge_is_an_edge_of_the_region():
    click = next_click(NOTHING, block((0, 0, 5, 30)), ALL)
    assert click.y == 2.5
    assert 2 < click.x < 28


def test_a_ring_is_clicked_on_its_rim_and_not_in_its_hole():
    ring = block((2, 2, 17, 17)) & ~block((5, 5, 14, 14))
    click = next_click(NOTHING, ring, ALL)
    assert ring[int(click.y), int(click.x)]


def test_pixels_that_do_not_count_are_never_clicked():
    wanted = block((2, 2, 5, 5), (8, 8, 18, 18))
    click = next_click(NOTHING, wanted, ~block((7, 7, 20, 20)))
    assert (click.x, click.y) == (3.5, 3.5)


def test_where_nothing_is_wrong_there_is_no_click():
    assert next_click(block((2, 2, 5, 5)), block((2, 2, 5, 5)), ALL) is None


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [(block((0, 0, 2, 4)), 1.0), (block((0, 0, 2, 2)), 0.5), (block((0, 2, 2, 6)), 1 / 3)],
)
def test_iou_is_what_both_have_of_what_either_has(predicted, expected):
    assert iou(predicted, block((0, 0, 2, 4)), ALL) == pytest.approx(expected)


def test_iou_leaves_out_what_does_not_count():
    counted = ~block((0, 2, 20, 30))
    assert iou(block((0, 0, 2, 8)), block((0, 0, 2, 4)), counted) == 1.0


def test_two_empty_masks_agree():
    assert iou(NOTHING, NOTHING, ALL) == 1.0


def test_a_jittered_click_stays_in_the_region_that_is_wrong():
    ring = block((2, 2, 17, 17)) & ~block((5, 5, 14, 14))
    chance = np.random.default_rng(1)
    clicks = [jittered_click(NOTHING, ring, ALL, chance) for _ in range(50)]
    assert all(ring[int(click.y), int(click.x)] for click in clicks)
    assert len(set(clicks)) > 10


def test_a_jittered_click_is_off_by_the_stated_share_of_the_regions_extent():
    wide = np.zeros((200, 400), np.bool_)
    wide[20:180, 50:350] = True
    chance = np.random.default_rng(1)
    everywhere = np.ones_like(wide)
    clicks = [jittered_click(~everywhere, wide, everywhere, chance) for _ in range(300)]
    exact = next_click(~everywhere, wide, everywhere)
    off = np.array([(click.x - exact.x, click.y - exact.y) for click in clicks])
    assert off[:, 1].std() == pytest.approx(JITTER * 160, rel=0.15)


def test_a_jittered_click_says_what_the_exact_one_says():
    wanted, predicted = block((2, 2, 7, 7)), block((2, 2, 7, 7), (10, 10, 15, 15))
    chance = np.random.default_rng(1)
    assert jittered_click(predicted, wanted, ALL, chance).positive is False
    assert jittered_click(wanted, wanted, ALL, chance) is None


def test_the_worst_part_is_the_region_that_is_clicked():
    wanted, predicted = block((2, 2, 7, 7)), block((2, 2, 7, 7), (10, 10, 15, 15))
    part = worst_part(predicted, wanted, ALL)
    assert np.array_equal(part.mask, block((10, 10, 15, 15)))
    assert part.missed is False
    assert worst_part(wanted, wanted, ALL) is None
