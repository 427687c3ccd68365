from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seem_wire import rle
from seem_wire.errors import LimitExceeded, MaskUnreadable, SeemError
from seem_wire.prompts import Box

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
MASKS = hnp.arrays(np.bool_, SHAPES)


@given(MASKS)
def test_decoding_gives_the_mask_that_was_encoded(mask):
    decoded = rle.decode(rle.encode(mask))
    assert decoded.dtype == np.bool_
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, mask)


@given(MASKS)
def test_the_counts_are_those_of_pycocotools(mask):
    coco = pytest.importorskip("pycocotools.mask")
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = rle.encode(mask)
    assert (list(ours.size), ours.counts) == (theirs["size"], theirs["counts"].decode())
    np.testing.assert_array_equal(coco.decode(theirs).astype(bool), rle.decode(ours))


@pytest.mark.parametrize("shape", [(600, 1), (1, 600), (700, 900)])
def test_long_runs_are_those_of_pycocotools(shape):
    coco = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(3)
    for share in (0.0, 0.001, 0.5, 0.999, 1.0):
        mask = rng.random(shape) < share
        theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        assert rle.encode(mask).counts == theirs


@given(MASKS)
def test_area_and_box_are_those_of_the_pixels(mask):
    coded = rle.encode(mask)
    rows, columns = np.nonzero(mask)
    expected = None
    if mask.any():
        expected = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert rle.area(coded) == mask.sum()
    assert rle.box(coded) == expected


@given(MASKS, MASKS)
def test_the_changed_box_is_that_of_the_exclusive_or(before, after):
    after = np.resize(after, before.shape)
    changed = rle.box(rle.encode(before ^ after))
    assert rle.changed_box(rle.encode(before), rle.encode(after)) == changed


def test_masks_of_two_sizes_have_no_changed_box():
    with pytest.raises(MaskUnreadable, match="2 x 3"):
        rle.changed_box(rle.Rle(2, 3, "6"), rle.Rle(3, 2, "6"))


def test_a_mask_need_not_be_contiguous():
    mask = np.zeros((12, 10), np.bool_)
    mask[2:9:3, 4:] = True
    np.testing.assert_array_equal(rle.decode(rle.encode(mask[::2, ::-1])), mask[::2, ::-1])


@pytest.mark.parametrize(
    ("counts", "complaint"),
    [
        ("", "cover 0 pixels"),
        ("5", "cover 5 pixels"),
        ("7", "longer than the mask"),
        ("W", "end in the middle"),
        ("O7", "shorter than nothing"),
        ("ooooooooo0", "too many digits"),
        ("6\x00", "never writes"),
        ("6é", "never writes"),
        ("6\ud800", "never writes"),
    ],
)
def test_malformed_counts_are_refused(counts, complaint):
    with pytest.raises(MaskUnreadable, match=complaint):
        rle.decode(rle.Rle(2, 3, counts))


@given(st.integers(1, 50), st.integers(1, 50), st.text() | st.text("0123456789:;<=>?@OPWo_`"))
def test_whatever_the_counts_hold_the_outcome_is_a_mask_or_a_typed_error(height, width, counts):
    coded = rle.Rle(height, width, counts)
    try:
        mask = rle.decode(coded)
    except SeemError:
        return
    assert mask.shape == (height, width)
    assert rle.area(coded) == mask.sum()


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (-1, 4), (4, rle.MAX_SIDE + 1)])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(MaskUnreadable, match="cannot be"):
        rle.Rle(*size, "0")


def test_a_mask_without_pixels_is_refused():
    with pytest.raises(MaskUnreadable, match="0 x 5"):
        rle.encode(np.zeros((0, 5), np.bool_))


def test_a_mask_of_numbers_counts_every_number_but_zero_as_marked():
    mask = np.array([[0, 1, 255], [2, 0, 0]], np.uint8)
    np.testing.assert_array_equal(rle.decode(rle.encode(mask)), mask > 0)


def test_a_mask_over_the_limit_is_refused_before_its_counts_are_read():
    bomb = rle.Rle(30_000, 30_000, "not even counts")
    with pytest.raises(LimitExceeded, match="30000 x 30000"):
        rle.decode(bomb)


def test_the_limit_itself_is_allowed():
    full = rle.encode(np.ones((6, 7), np.bool_))
    assert rle.decode(full, max_pixels=42).all()
    with pytest.raises(LimitExceeded):
        rle.decode(full, max_pixels=41)


def test_runs_whose_sum_wraps_around_64_bits_are_refused():
    run = (1 << 44) - 1
    counts = rle._compress(np.array([run, run, run], np.int64))
    with pytest.raises(MaskUnreadable, match="longer than the mask"):
        rle.area(rle.Rle(60, 80, counts))
