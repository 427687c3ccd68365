from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_server.engine.postprocess import draw, draw_for, draw_nothing, name
from seem_server.engine.preprocess import lay_out
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import QueriesSpec, Vocabulary, Wiring
from seem_wire import rle
from seem_wire.prompts import Box, Lasso, ObjectPrompt, Point
from seem_wire.resample import bicubic_antialias, bilinear, to_original

SIZES = st.sampled_from(
    [(427, 640), (1, 1), (100, 80), (33, 300), (1, 700), (256, 256), (1000, 30)]
)


def blobs(layout, seed, n=2):
    """Logits with `n` random rectangles, over the padding too."""
    rng = np.random.default_rng(seed)
    logits = np.full(layout.frame.grid, -3, np.float32) + rng.random(layout.frame.grid, np.float32)
    for _ in range(n):
        (y0, y1), (x0, x1) = (sorted(rng.integers(0, side + 1, 2)) for side in layout.frame.grid)
        logits[y0:y1, x0:x1] += 5
    return logits


def resized(logits, layout):
    """Every pixel's logit, one after the other side."""
    shown = logits[: layout.resized[0] // 4, : layout.resized[1] // 4]
    for axis, side in enumerate(layout.size):
        centres = (np.arange(side) + 0.5) * shown.shape[axis] / side - 0.5
        cells = np.arange(shown.shape[axis])
        shown = np.apply_along_axis(partial(np.interp, centres, cells), axis, shown)
    return shown


@given(size=SIZES, seed=st.integers(0, 1000))
def test_the_mask_is_where_the_resized_logits_are_positive(size, seed):
    layout = lay_out(size, MANIFEST)
    logits = blobs(layout, seed)
    mask, whole = rle.decode(draw(logits, layout, 0.0).rle), resized(logits, layout)
    assert (mask == (whole > 0))[np.abs(whole) > 1e-4].all()


@given(size=SIZES, seed=st.integers(0, 1000))
def test_box_and_area_are_those_of_the_run_lengths(size, seed):
    layout = lay_out(size, MANIFEST)
    drawn = draw(blobs(layout, seed), layout, 0.0)
    assert drawn.box == rle.box(drawn.rle)
    assert drawn.area == rle.area(drawn.rle)
    assert drawn.rle.size == size


def test_nothing_inside_is_an_empty_mask_without_a_box():
    layout = lay_out((427, 640), MANIFEST)
    drawn = draw(np.full(layout.frame.grid, -1, np.float32), layout, 0.0)
    assert (drawn.area, drawn.box) == (0, None)


def test_everything_inside_is_the_whole_image():
    layout = lay_out((427, 640), MANIFEST)
    drawn = draw(np.ones(layout.frame.grid, np.float32), layout, 0.0)
    assert drawn.area == 427 * 640
    assert drawn.box == Box(0, 0, 640, 427)


def test_what_lies_in_the_padding_is_not_in_the_image():
    layout = lay_out((427, 640), MANIFEST)
    logits = np.full(layout.frame.grid, -1, np.float32)
    logits[layout.resized[0] // 4 :] = 9
    assert draw(logits, layout, 0.0).area == 0


def test_one_cell_lands_where_it_was_clicked():
    layout = lay_out((512, 1024), MANIFEST)  # a cell is 16 x 16 pixels
    logits = np.full(layout.frame.grid, -1, np.float32)
    logits[10, 20] = 1
    assert draw(logits, layout, 0.0).box == Box(320, 160, 336, 176)


def test_the_threshold_is_the_bundles():
    layout = lay_out((256, 256), MANIFEST)
    logits = np.full(layout.frame.grid, 0.5, np.float32)
    assert draw(logits, layout, 0.4).area == 256 * 256
    assert draw(logits, layout, 0.6).area == 0


def test_the_likeliest_name_wins_with_its_probability():
    vocabulary = Vocabulary(("cat", "dog"), 2.0, np.eye(2, dtype=np.float32))
    label = name(np.array([0.0, 1.0], np.float32), vocabulary)
    assert label.name == "dog"
    assert label.probability == pytest.approx(np.exp(2) / (np.exp(2) + 1))


def test_large_scales_do_not_overflow():
    vocabulary = Vocabulary(("cat", "dog"), 1e6, np.eye(2, dtype=np.float32))
    assert name(np.array([1.0, 0.0], np.float32), vocabulary).probability == 1.0


def test_without_a_vocabulary_there_is_no_name():
    empty = Vocabulary((), 1.0, np.zeros((0, 2), np.float32))
    assert name(np.zeros(2, np.float32), empty) is None


# --- as the published programs do it

PUBLISHED = replace(MANIFEST, decoder=QueriesSpec(Wiring.V1, (0,), 1, 0, 1, 16))
NAMED, CLICKED = ObjectPrompt(text="bus"), ObjectPrompt(points=(Point(1, 1),))


@pytest.mark.parametrize(("prompt", "last"), [(NAMED, bicubic_antialias), (CLICKED, bilinear)])
def test_a_published_mask_takes_the_published_way_and_is_not_tidied(prompt, last):
    layout = lay_out((333, 517), PUBLISHED)
    logits = np.random.default_rng(0).standard_normal(layout.frame.grid).astype(np.float32)
    drawn = draw_for(prompt, logits, layout, PUBLISHED)
    padded = (layout.frame.height, layout.frame.width)
    (exact,) = to_original(
        logits[None], padded=padded, resized=layout.resized, size=layout.size, last=last
    )
    wrong = rle.decode(drawn.rle) != (exact > 0)
    assert np.abs(exact)[wrong].max(initial=0) < 1e-4
    assert drawn.area == rle.area(drawn.rle)
    assert drawn.box == rle.box(drawn.rle)


@pytest.mark.parametrize("manifest", [MANIFEST, PUBLISHED])
@pytest.mark.parametrize("positive", [True, False])
def test_a_click_that_the_network_ignored_holds_and_is_no_dot(manifest, positive):
    layout = lay_out((333, 517), manifest)
    logits = np.full(layout.frame.grid, -5 if positive else 5, np.float32)
    prompt = ObjectPrompt(points=(Point(300.5, 200.5, positive),), text="bus")
    mask = rle.decode(draw_for(prompt, logits, layout, manifest).rle)
    assert mask[200, 300] == positive
    assert 100 < (mask == positive).sum() < 3000


@given(
    published=st.booleans(),
    seed=st.integers(0, 1000),
    clicks=st.lists(
        st.builds(Point, st.floats(0, 517), st.floats(0, 333), st.booleans()), max_size=5
    ),
)
def test_whatever_the_network_says_every_click_ends_on_its_side(published, seed, clicks):
    manifest = PUBLISHED if published else MANIFEST
    layout = lay_out((333, 517), manifest)
    prompt = ObjectPrompt(points=tuple(clicks), text="bus")
    mask = rle.decode(draw_for(prompt, blobs(layout, seed), layout, manifest).rle)
    last = {(min(int(p.y), 332), min(int(p.x), 516)): p.positive for p in clicks}
    assert all(mask[place] == positive for place, positive in last.items())


@pytest.mark.parametrize("manifest", [MANIFEST, PUBLISHED])
def test_no_pixel_within_a_negative_region_is_in_a_mask(manifest):
    layout = lay_out((333, 517), manifest)
    lasso = Lasso(((200, 200), (300, 200), (300, 333), (200, 333)), positive=False)
    prompt = ObjectPrompt(text="bus", negative_boxes=(Box(10, 20, 40, 50),), lassos=(lasso,))
    drawn = draw_for(prompt, np.full(layout.frame.grid, 5, np.float32), layout, manifest)
    mask = rle.decode(drawn.rle)
    assert not mask[20:50, 10:40].any()
    assert not mask[200:, 200:300].any()
    assert drawn.area == mask.sum() == mask.size - 30 * 30 - 133 * 100


def test_an_empty_mask_is_of_the_images_size():
    drawn = draw_nothing((33, 51))
    assert (drawn.rle.size, drawn.box, drawn.area) == ((33, 51), None, 0)


def test_our_own_masks_are_drawn_as_ever():
    layout = lay_out((333, 517), MANIFEST)
    logits = blobs(layout, 3)
    expected = draw(logits, layout, MANIFEST.mask_threshold, prompt=CLICKED)
    assert draw_for(CLICKED, logits, layout, MANIFEST) == expected
