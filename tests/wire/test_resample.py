from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seem_wire.resample import bicubic_antialias, bilinear, to_original

SIDE = st.integers(1, 40)
SIZES = [(7, 11), (96, 128), (20, 33), (48, 200), (1, 1), (131, 9)]


def maps(n=1, height=48, width=64, seed=0):
    return np.random.default_rng(seed).normal(size=(n, height, width)).astype(np.float32)


def of_torch(values, size, **how):
    torch = pytest.importorskip("torch", reason="torch, whose filters these are, is not installed")
    given = torch.from_numpy(values)[None]
    made = torch.nn.functional.interpolate(given, size=size, align_corners=False, **how)
    return made[0].numpy()


@pytest.mark.parametrize("size", SIZES)
def test_bilinear_is_that_of_torch(size):
    values = maps(2)
    np.testing.assert_allclose(
        bilinear(values, size), of_torch(values, size, mode="bilinear"), atol=1e-6
    )


@pytest.mark.parametrize("size", SIZES)
def test_bicubic_is_that_of_torch_where_it_antialiases(size):
    values = maps(2)
    expected = of_torch(values, size, mode="bicubic", antialias=True)
    np.testing.assert_allclose(bicubic_antialias(values, size), expected, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_bicubic_is_that_of_pillow(size):
    (values,) = maps()
    expected = Image.fromarray(values).resize(size[::-1], Image.Resampling.BICUBIC)
    np.testing.assert_allclose(bicubic_antialias(values[None], size)[0], expected, atol=1e-4)


@pytest.mark.parametrize("resize", [bilinear, bicubic_antialias])
@given(before=st.tuples(SIDE, SIDE), after=st.tuples(SIDE, SIDE))
def test_a_flat_map_stays_flat_at_any_size(resize, before, after):
    flat = np.full((1, *before), 3.25, np.float32)
    np.testing.assert_allclose(resize(flat, after), np.full((1, *after), 3.25), rtol=1e-6)


@pytest.mark.parametrize("resize", [bilinear, bicubic_antialias])
def test_the_same_size_is_the_same_map(resize):
    values = maps(3, 5, 6)
    np.testing.assert_array_equal(resize(values, (5, 6)), values)
    assert resize(values[:0], (9, 9)).shape == (0, 9, 9)


def test_bilinear_forgets_pixels_that_a_smaller_map_steps_over():
    spike = np.zeros((1, 1, 9), np.float32)
    spike[0, 0, 0] = 1
    assert bilinear(spike, (1, 3)).sum() == 0
    assert bicubic_antialias(spike, (1, 3))[0, 0, 0] > 0.1


def test_padding_never_shows_at_the_original_size():
    values = maps(1, 8, 8)
    padded = values.copy()
    padded[:, 6:] += 100  # rows 24 to 32 of the network's input, all of them padding
    shape = {"padded": (32, 32), "resized": (18, 30), "size": (40, 60)}
    shown, kept = to_original(padded, **shape), to_original(values, **shape)
    assert shown.shape == (1, 40, 60)
    np.testing.assert_array_equal(shown, kept)


def test_the_last_step_may_be_bilinear():
    values = maps(1, 8, 8)
    there = to_original(values, padded=(32, 32), resized=(32, 32), size=(50, 50), last=bilinear)
    np.testing.assert_array_equal(there, bilinear(bilinear(values, (32, 32)), (50, 50)))
