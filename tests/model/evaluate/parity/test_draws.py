import numpy as np
import pytest
import torch

from seem_model.evaluate.parity.draws import DRAWS, RecordedDraws, as_points, belong
from seem_model.evaluate.parity.golden import Golden
from seem_model.evaluate.parity.sheet import Sheet, Use

NOTHING = np.zeros((0, 2), np.int32)


def recorded(tmp_path, **arrays):
    path = tmp_path / "point.npz"
    none = {f"pts_{sign}_{draw}": NOTHING for sign in ("pos", "neg") for draw in DRAWS}
    np.savez(path, **(none | arrays))
    return Sheet(Golden(path))


def test_rows_tell_their_object_where_a_run_has_several(tmp_path):
    rows = np.array([[0, 5, 7], [1, 2, 3], [1, 2, 4]], np.int32)
    none = np.zeros((0, 3), np.int32)
    sheet = recorded(
        tmp_path,
        **{f"pts_pos_{draw}": rows for draw in DRAWS},
        **{f"pts_neg_{draw}": none for draw in DRAWS},
    )
    draws = RecordedDraws(sheet)
    assert draws.by_object
    assert draws.of(1)[2][1].tolist() == [[2, 3], [2, 4]]
    assert {row.use for row in sheet.rows} == {Use.GIVEN}


def test_a_batch_has_a_name_for_each_element(tmp_path):
    sheet = recorded(
        tmp_path,
        **{f"pts_pos_{draw}": np.array([[5, 7]], np.int32) for draw in DRAWS},
        **{f"pts_pos_{draw}_b1": np.array([[1, 2]], np.int32) for draw in DRAWS},
        **{f"pts_neg_{draw}_b1": NOTHING for draw in DRAWS},
    )
    draws = RecordedDraws(sheet)
    assert not draws.by_object
    assert draws.of(0)[0][1].tolist() == [[5, 7]]
    assert draws.of(1)[3][1].tolist() == [[1, 2]]


def test_pixels_become_points_with_x_first_and_padding_last():
    first = [{1: np.array([[5, 7]]), 0: np.array([[1, 2]])}] * 4
    second = [{1: np.array([[3, 4]]), 0: NOTHING}] * 4
    points, labels = as_points([first, second], torch.float64)
    assert points.shape == (1, 2, 4, 2, 2)
    assert points[0, 0, 0].tolist() == [[7, 5], [2, 1]]
    assert labels[0, :, 3].tolist() == [[1, 0], [1, -1]]
    assert points.dtype == torch.float64


def test_no_point_at_all_is_one_of_padding():
    _, labels = as_points([[{1: NOTHING, 0: NOTHING}] * 4], torch.float32)
    assert labels.tolist() == [[[[-1]] * 4]]


@pytest.mark.parametrize(
    ("pixels", "fits"),
    [([[2, 2], [2, 3]], True), ([[2, 2]], False), ([[2, 2], [0, 0]], False)],
)
def test_draws_belong_to_their_mask_and_leave_nothing_out(pixels, fits):
    mask = np.zeros((4, 5), bool)
    mask[2, 2:4] = True
    draws = [{1: np.array(pixels), 0: NOTHING}] * 4
    assert belong([draws], [{1: mask, 0: mask & False}], shared=False) is fits


def test_beyond_the_budget_some_may_be_left_out():
    large, small = np.ones((30, 20), bool), np.zeros((30, 20), bool)
    small[0, 0] = True
    some = [{1: np.array([[3, 3]]), 0: NOTHING}] * 4
    nothing = [{1: NOTHING, 0: NOTHING}] * 4
    masks = [{1: mask, 0: mask & False} for mask in (large, small)]
    assert belong([some], masks[:1], shared=False)
    assert belong([some, nothing], masks, shared=True)
    assert not belong([some, nothing], masks, shared=False)  # the second has a budget of its own
