from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seem_server.engine.enlarging import TILE, way
from seem_server.engine.preprocess import Layout
from seem_wire.pixels import Frame
from seem_wire.resample import bicubic_antialias, bilinear, to_original

SIZES = [  # original, resized, padded
    ((100, 150), (64, 96), (64, 96)),
    ((97, 151), (61, 95), (64, 96)),
    ((30, 41), (64, 87), (64, 96)),
    ((500, 40), (96, 8), (96, 32)),
    ((1, 1), (64, 64), (64, 64)),
    ((3, 700), (1, 96), (32, 96)),
]


def layout(size, resized, padded):
    scale = resized[1] / size[1], resized[0] / size[0]
    return Layout(size, resized, Frame(*scale, *padded, 4, resized))


def maps(n, padded, seed, *, smooth):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((n, padded[0] // 4, padded[1] // 4)).astype(np.float32)
    return np.cumsum(np.cumsum(logits, axis=1), axis=2) - 1 if smooth else logits


def published(logits, place, smooth):
    last = bicubic_antialias if smooth else bilinear
    size, resized, padded = place
    return to_original(logits, padded=padded, resized=resized, size=size, last=last)


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("place", SIZES)
def test_values_are_those_of_the_published_way(place, smooth):
    logits = maps(3, place[2], 0, smooth=True)
    found = way(layout(*place), place[0], smooth=smooth).values(logits)
    assert found.shape == (3, *place[0])
    np.testing.assert_allclose(found, published(logits, place, smooth), atol=1e-4)


@settings(deadline=None)
@given(
    place=st.sampled_from(SIZES),
    smooth=st.booleans(),
    lumpy=st.booleans(),
    seed=st.integers(0, 1000),
    threshold=st.sampled_from([0.0, 0.7, -1.0]),
)
def test_a_mask_is_where_the_values_are_over_the_threshold(place, smooth, lumpy, seed, threshold):
    (logits,) = maps(1, place[2], seed, smooth=lumpy)
    the_way = way(layout(*place), place[0], smooth=smooth)
    values = published(logits[None], place, smooth)[0]
    wrong = the_way.over(logits, threshold) != (values > threshold)
    assert np.abs(values - threshold)[wrong].max(initial=0) < 1e-4


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_a_flat_map_gives_a_flat_mask(value):
    flat = np.full((16, 24), value, np.float32)
    mask = way(layout(*SIZES[1]), SIZES[1][0], smooth=True).over(flat, 0.5)
    assert mask.shape == (97, 151)
    assert (mask == (value > 0.5)).all()


def test_bands_are_rows_of_the_whole():
    place = SIZES[0]
    the_way = way(layout(*place), place[0], smooth=True)
    logits = maps(2, place[2], 1, smooth=True)
    whole = the_way.values(logits)
    for top in range(0, 100, 2 * TILE):
        band = the_way.band(logits, top, min(top + 2 * TILE, 100))
        np.testing.assert_array_equal(band, whole[:, top : top + 2 * TILE])


def test_another_size_than_the_originals_may_be_asked_for():
    assert way(layout(*SIZES[0]), (20, 30), smooth=False).values(
        maps(1, (64, 96), 0, smooth=True)
    ).shape == (1, 20, 30)


def test_equal_maps_give_equal_bits():
    place = SIZES[1]
    (logits,) = maps(1, place[2], 5, smooth=True)
    one, other = (way(layout(*place), place[0], smooth=True).values(logits) for _ in "ab")
    assert (one == other).all()
