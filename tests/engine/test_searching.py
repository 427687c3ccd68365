from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seem_server.engine.findings import Names
from seem_server.engine.preprocess import lay_out
from seem_server.engine.searching import Aim, begin, next_aim, stability, take
from seem_server.runtime.backend import Decoded, Hypotheses, PixelMeanings
from seem_server.runtime.fake_backend import MANIFEST
from seem_server.runtime.specs import ClicksSpec, EverythingSpec, Vocabulary

LAYOUT = lay_out((96, 128), MANIFEST)  # 192 x 256 network pixels: 48 x 64 cells, 24 x 32 places
CAT, SKY, NOTHING = range(3)
EMBEDDINGS = np.eye(3, dtype=np.float32)
NAMES = Names.of_bundle(
    Vocabulary(("cat", "sky", "nothing"), 20.0, EMBEDDINGS), EverythingSpec(0.3, 0.5, 1, 9)
)
SPEC = ClicksSpec(most=20, iou=0.6, stability=0.7, swing=1.0)


def search(*cats, ground=SKY):
    """A search of an image whose places mean ground, but for some boxes (x0, y0, x1, y1)."""
    kinds = np.full((24, 32), ground)
    for x0, y0, x1, y1 in cats:
        kinds[y0:y1, x0:x1] = CAT
    vectors = EMBEDDINGS[kinds].transpose(2, 0, 1)
    return begin(PixelMeanings(vectors, 20.0), NAMES, LAYOUT)


def box(x0, y0, x1, y1, *, logit=4.0):
    """Logits of a mask of cells."""
    logits = np.full(LAYOUT.frame.grid, -4, np.float32)
    logits[y0:y1, x0:x1] = logit
    return logits


NOWHERE = box(0, 0, 0, 0)


def answer(main, *others, iou=(0.9,), kind=CAT):
    """What the decoder says of one click."""
    masks = np.stack([main, *others])
    sure = np.resize(np.array(iou, np.float32), len(masks))
    meanings = np.repeat(EMBEDDINGS[kind][None], len(masks), 0)
    hypotheses = Hypotheses(masks[None, 1:], sure[None, 1:], meanings[None, 1:]) if others else None
    return Decoded(masks[:1], sure[:1], None, meanings[:1], hypotheses)


AIM = Aim(24, 32, 10.0)


def taken(*answers, before=None, aim=AIM, spec=SPEC):
    after = before or search()
    for one in answers:
        after = take(after, aim, one, spec, threshold=0.0)
    return after


# --- where to click


def test_the_first_click_is_in_the_middle_of_the_largest_thing():
    aim = next_aim(search((2, 2, 6, 6), (12, 8, 22, 18)), SPEC)
    assert (aim.row, aim.column) == pytest.approx((26, 34), abs=2)
    assert 8 <= aim.depth <= 11


def test_stuff_waits_for_things_unless_it_is_much_larger():
    thing = (2, 8, 16, 22)
    assert next_aim(search(thing), SPEC).column < 32
    assert next_aim(search(thing, ground=NOTHING), SPEC).column < 32
    assert next_aim(search((0, 0, 3, 3)), SPEC).column > 8


def test_what_is_explained_is_not_clicked_again():
    first = search((12, 8, 22, 18))
    after = taken(answer(box(24, 16, 44, 36)), before=first, aim=next_aim(first, SPEC))
    aim = next_aim(after, SPEC)
    assert not (24 <= aim.column < 44 and 16 <= aim.row < 36)


def test_a_thing_within_a_mask_of_another_name_is_clicked_still():
    within = search((12, 8, 16, 12))
    after = taken(answer(box(0, 0, 64, 48), kind=SKY), before=within, aim=Aim(40, 8, 4.0))
    aim = next_aim(after, SPEC)
    assert (aim.row, aim.column) == pytest.approx((20, 28), abs=2)


def test_a_click_that_failed_is_not_tried_again():
    after, aims = search(), []
    while (aim := next_aim(after, SPEC)) is not None:
        aims.append((aim.row, aim.column))
        after = take(after, aim, answer(NOWHERE), SPEC, threshold=0.0)
    assert len(set(aims)) == len(aims) > 5


@pytest.mark.parametrize("most", [1, 3, 20])
def test_an_image_costs_no_more_clicks_than_it_may(most):
    spec, after = replace(SPEC, most=most), search()
    while (aim := next_aim(after, spec)) is not None:
        after = take(after, aim, answer(NOWHERE), spec, threshold=0.0)
    assert after.n_clicks <= most


def test_an_image_of_one_thing_costs_one_click():
    after = taken(answer(box(0, 0, 64, 48)), before=search((0, 0, 32, 24)))
    assert next_aim(after, SPEC) is None


def test_crumbs_of_meaning_are_not_worth_a_click():
    whole = search((5, 5, 6, 6))
    after = taken(answer(box(0, 0, 64, 48), kind=SKY), before=whole)
    assert next_aim(after, SPEC) is None


# --- what to keep


@pytest.mark.parametrize(
    ("main", "iou", "kept"),
    [
        (box(10, 10, 20, 20), 0.9, True),
        (box(10, 10, 20, 20), 0.5, False),
        (box(10, 10, 20, 20), float("nan"), False),
        (box(10, 10, 20, 20, logit=0.5), 0.9, False),
        (box(10, 10, 11, 13), 0.9, False),
        (NOWHERE, 0.9, False),
        (np.full_like(NOWHERE, np.nan), 0.9, False),
        (box(10, 10, 20, 20, logit=1e9), 0.9, True),
    ],
)
def test_a_mask_is_kept_that_is_likely_right_stable_and_large_enough(main, iou, kept):
    after = taken(answer(main, iou=(iou,)))
    assert len(after.seen) == kept
    assert after.n_clicks == 1


def test_all_good_readings_of_a_click_are_kept():
    part, whole, group = box(10, 10, 14, 14), box(10, 10, 30, 30), box(0, 0, 64, 48)
    after = taken(answer(whole, part, group, iou=(0.9, 0.8, 0.3)))
    assert [one.area for one in after.seen] == [400, 16]
    assert {one.clicks for one in after.seen} == {frozenset({0})}


def test_a_mask_that_comes_again_is_kept_once_the_surer_of_both():
    after = taken(
        answer(box(10, 10, 30, 30), iou=(0.7,)),
        answer(box(10, 10, 30, 29), iou=(0.9,)),
        answer(box(40, 10, 60, 30)),
    )
    assert [one.area for one in after.seen] == [380, 400]
    assert after.seen[0].clicks == {0, 1}


def test_the_main_reading_explains_and_where_it_is_no_good_the_surest():
    whole, part = box(10, 10, 40, 40), box(10, 10, 20, 20)
    far = Aim(2, 60, 1.0)
    assert not taken(answer(whole, part, iou=(0.7, 0.9)), aim=far).open[30, 30]
    assert taken(answer(part, whole, iou=(0.7, 0.9)), aim=far).open[30, 30]
    assert not taken(answer(part, whole, part, iou=(0.1, 0.9, 0.7)), aim=far).open[30, 30]


def test_the_bundles_threshold_is_where_a_mask_ends():
    spec = replace(SPEC, stability=0.0)
    (one,) = take(search(), AIM, answer(box(0, 0, 8, 8)), spec, threshold=3.5).seen
    assert one.area == 64
    assert not take(search(), AIM, answer(box(0, 0, 8, 8)), spec, threshold=4.5).seen


def test_stability_is_the_iou_of_a_stricter_and_a_laxer_mask():
    logits = np.array([[2, 2, 0.5, -0.5, -2]], np.float32)
    assert stability(logits, 1.0) == 0.5
    assert stability(logits, 0.1) == 1
    assert stability(np.full((1, 3), -5, np.float32), 1.0) == 0


def test_a_search_counts_the_bytes_of_what_it_found():
    assert taken(answer(box(0, 0, 8, 8))).nbytes >= search().nbytes + 48 * 64 * 2


def test_padding_is_never_clicked_and_holds_no_mask():
    layout = lay_out((100, 256), MANIFEST)  # 100 rows, padded to 128
    places = np.zeros((16, 32), int)
    padded = begin(PixelMeanings(EMBEDDINGS[places].transpose(2, 0, 1), 20.0), NAMES, layout)
    assert padded.open.shape == (25, 64)
    everywhere = np.full((32, 64), 4, np.float32)
    after = take(padded, next_aim(padded, SPEC), answer(everywhere), SPEC, threshold=0.0)
    assert after.seen[0].area == 25 * 64
    assert next_aim(after, SPEC) is None


def test_a_mask_is_kept_swept_and_one_that_is_no_good_is_not_swept():
    swept = []

    def sweep(logits):
        swept.append(logits.shape)
        return np.where(np.arange(64) < 20, logits, np.float32(-4))

    main, other = box(10, 10, 30, 20), box(40, 10, 50, 20)
    both = answer(main, other, iou=(0.9, 0.1))
    (one,) = take(search(), AIM, both, SPEC, threshold=0.0, sweep=sweep).seen
    assert one.area == 100
    assert swept == [(48, 64)]


def test_a_hole_that_is_filled_is_looked_into_all_the_same():
    main = box(10, 10, 30, 30)
    main[16:22, 16:22] = -4
    after = take(
        search(),
        Aim(0, 0, 1.0),
        answer(main),
        SPEC,
        threshold=0.0,
        sweep=lambda _: box(10, 10, 30, 30),
    )
    assert after.seen[0].area == 400
    assert after.open[18, 18]
    assert not after.open[12, 12]
