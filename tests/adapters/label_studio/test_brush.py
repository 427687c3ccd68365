from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_client.adapters.label_studio import brush
from seem_wire.errors import MaskUnreadable


@st.composite
def masks(draw):
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    mask = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).random((height, width))
    return mask < draw(st.sampled_from([0, 0.02, 0.5, 0.98, 1]))


@given(masks())
def test_what_is_packed_is_read_back(mask):
    assert np.array_equal(brush.decode(brush.encode(mask), mask.shape), mask)


def test_runs_longer_than_can_be_said_at_once_are_said_in_parts():
    mask = np.zeros((300, 400), np.bool_)
    mask[100:200] = True  # 40 000 pixels, 160 000 values
    assert np.array_equal(brush.decode(brush.encode(mask), mask.shape), mask)


def test_the_bits_are_those_of_the_format():
    # 4 x 1 values, of 8 bits, lengths of 3, 4, 8 and 16 bits; one run of 4 values of 255
    bits = "0" * 29 + "100" + "00111" + "0010" + "0011" + "0111" + "1111" + "1" + "00" + "011"
    bits += "11111111"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    expected = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    assert brush.encode(np.ones((1, 1), np.bool_)) == expected


def test_listed_values_are_read_by_their_alpha():
    values = [9, 9, 9, 0, 0, 0, 0, 7]  # clear, then faint
    bits = f"{8:032b}" + "00111" + "0010001101111111" + "0" + "00" + "111"
    bits += "".join(f"{value:08b}" for value in values)
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    packed = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    assert brush.decode(packed, (1, 2)).tolist() == [[False, True]]


@given(st.binary(max_size=60), st.integers(0, 400))
def test_spoilt_bytes_are_refused_or_read_and_nothing_else(noise, cut):
    packed = brush.encode(np.eye(9, dtype=np.bool_))
    spoilt = packed[: cut % len(packed)] + list(noise)
    with suppress(MaskUnreadable):
        assert brush.decode(spoilt, (9, 9)).shape == (9, 9)


@pytest.mark.parametrize("packed", [[], [256] * 30, [-1] * 30, ["a"], list(range(30))])
def test_what_is_no_brush_is_refused(packed):
    with pytest.raises(MaskUnreadable):
        brush.decode(packed, (4, 4))


def test_a_brush_of_another_size_is_refused():
    with pytest.raises(MaskUnreadable, match="4 x 5"):
        brush.decode(brush.encode(np.ones((4, 4), np.bool_)), (4, 5))
