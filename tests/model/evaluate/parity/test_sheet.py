import numpy as np
import pytest
from made_goldens import thinned

from seem_model.evaluate.parity.golden import Golden, GoldenUnusable
from seem_model.evaluate.parity.sheet import Sheet, Use
from seem_model.evaluate.parity.tolerances import Tolerance

WHOLE = np.arange(24.0).reshape(4, 6)
MASKS = np.zeros((2, 5, 9), bool)
MASKS[0, 1:4, 2:6] = True
LIMIT = Tolerance(0.5)


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "point.npz"
    arrays = thinned("map", WHOLE, (2, 3)) | {"whole": WHOLE, "ids": [3, 1, 2]}
    np.savez(path, **arrays, mask_bits=np.packbits(MASKS, axis=-1))
    return Sheet(Golden(path))


def only(sheet):
    (row,) = sheet.rows
    return row


def test_equal_values_pass(sheet):
    sheet.compare("whole", WHOLE, LIMIT)
    assert only(sheet).ok
    assert only(sheet).error == 0.0


def test_one_wrong_element_fails(sheet):
    wrong = WHOLE.copy()
    wrong[2, 2] += 0.6
    sheet.compare("whole", wrong, LIMIT)
    assert not only(sheet).ok
    assert only(sheet).error == pytest.approx(0.6)
    assert only(sheet).severity > 1


def test_what_a_sample_left_out_is_seen_by_the_figures(sheet):
    wrong = WHOLE.copy()
    wrong[3, 5] += 10  # the largest, and no part of the sample
    sheet.compare("map", wrong, LIMIT)
    assert not only(sheet).ok


def test_a_sample_of_equal_values_passes(sheet):
    sheet.compare("map", WHOLE, LIMIT)
    assert only(sheet).ok


def test_another_shape_fails(sheet):
    sheet.compare("whole", WHOLE.T, LIMIT)
    sheet.equal("ids", np.array([3, 1]))
    assert [row.ok for row in sheet.rows] == [False, False]


def test_nan_fails(sheet):
    sheet.compare("whole", WHOLE * np.nan, LIMIT)
    assert not only(sheet).ok


def test_a_relative_limit_is_of_the_largest(sheet):
    sheet.compare("whole", WHOLE + 0.2, Tolerance(0.01, relative=True))
    assert only(sheet).limit == pytest.approx(0.23)
    assert only(sheet).ok


@pytest.mark.parametrize(("elements", "ok"), [(1, True), (3, False)])
def test_a_flip_may_move_few_elements(sheet, elements, ok):
    moved = WHOLE.copy()
    moved.flat[:elements] += 0.9
    sheet.compare("whole", moved, Tolerance(0.5, flip_limit=1.0, flip_share=0.05))
    assert only(sheet).ok is ok
    assert ("a flip" in only(sheet).note) is ok


def test_no_flip_excuses_what_is_far_off(sheet):
    moved = WHOLE.copy()
    moved[0, 0] += 1.1
    sheet.compare("whole", moved, Tolerance(0.5, flip_limit=1.0, flip_share=0.05))
    assert not only(sheet).ok


def test_ids_are_equal_or_counted(sheet):
    sheet.equal("ids", np.array([3, 2, 2]))
    assert (only(sheet).error, only(sheet).ok) == (1, False)


def test_where_order_means_nothing_it_is_not_compared(sheet):
    sheet.equal("ids", np.array([3, 2, 1]), unordered=np.array([False, True, True]))
    assert only(sheet).ok


def test_masks_may_differ_in_a_pixel_or_two(sheet):
    ours = MASKS.copy()
    ours[0, 0, 0] = ours[1, 0, 0] = True
    sheet.pixels("mask_bits", ours, 1)
    assert only(sheet).ok
    assert only(sheet).error == 1  # of each mask
    assert only(sheet).iou == 0.0  # the second one should be empty


def test_two_empty_masks_are_alike(sheet):
    sheet.pixels("mask_bits", MASKS, 0)
    assert only(sheet).iou == 1.0


def test_what_nobody_looked_at_has_failed(sheet):
    sheet.given("map")
    sheet.aside(["ids"], "no matter")
    sheet.hidden("whole")
    rows = {row.array: row for row in sheet.close()}
    assert rows["mask_bits"].use is Use.FORGOTTEN
    assert [name for name, row in rows.items() if not row.ok] == ["mask_bits"]


def test_rows_are_in_the_order_of_the_file(sheet):
    sheet.given("ids", "whole", "map")
    assert [row.array for row in sheet.close()] == list(sheet.golden.names)


def test_inputs_at_odds_with_each_other_fail(sheet):
    sheet.given("ids", ok=False)
    assert not only(sheet).ok


def test_an_array_that_is_not_there_is_a_mistake(sheet):
    with pytest.raises(GoldenUnusable, match="no array masks"):
        sheet.given("masks")
