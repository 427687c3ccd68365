from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seem_server.engine import matching
from seem_server.engine.matching import Places, Remembered
from seem_server.engine.preprocess import lay_out
from seem_server.runtime.fake_backend import MANIFEST
from seem_wire import rle

LAYOUT = lay_out((96, 128), MANIFEST)  # 192 x 256 network pixels: 48 x 64 cells, 24 x 32 places
ROWS, COLUMNS = 24, 32
GROUND, THING, OTHER = np.eye(3, dtype=np.float32)


def places(*things, ground=GROUND, looks=THING):
    """Places of the ground, but for boxes (x0, y0, x1, y1) that look like something else."""
    seen = np.tile(ground, (ROWS, COLUMNS, 1))
    for x0, y0, x1, y1 in things:
        seen[y0:y1, x0:x1] = looks
    return matching.places_of(seen.transpose(2, 0, 1))


def shares(x0, y0, x1, y1):
    inside = np.zeros((ROWS, COLUMNS), np.float32)
    inside[y0:y1, x0:x1] = 1
    return inside.ravel()


def box_of(likely):
    rows, columns = np.nonzero(likely.reshape(ROWS, COLUMNS) > 0.5)
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


HERE, MOVED, FAR = (4, 5, 10, 12), (7, 8, 13, 15), (20, 12, 26, 19)
KNOWN = matching.remembered(places(HERE), shares(*HERE))


def test_places_lie_row_by_row():
    seen = places(HERE)
    assert (seen.rows, seen.columns, seen.nbytes) == (ROWS, COLUMNS, ROWS * COLUMNS * 12)
    assert (seen.vectors[5 * COLUMNS + 4] == THING).all()


def test_a_masks_shares_are_exact_where_its_edges_are_those_of_places():
    mask = np.zeros((96, 128), np.bool_)
    mask[20:48, 16:40] = True  # a place is 4 x 4 pixels here
    assert box_of(matching.shares_of(rle.encode(mask), LAYOUT)) == (4, 5, 10, 12)


def test_a_share_is_the_part_of_a_place_that_a_mask_covers():
    mask = np.zeros((96, 128), np.bool_)
    mask[0:4, 0:1] = True
    assert matching.shares_of(rle.encode(mask), LAYOUT)[0] == pytest.approx(0.25, abs=0.01)


def test_what_looks_alike_is_found_wherever_it_is():
    assert box_of(matching.anywhere(places(FAR), KNOWN)) == FAR
    assert box_of(matching.anywhere(places(HERE, FAR), KNOWN)) == (4, 5, 26, 19)


def test_what_looks_like_neither_is_whatever_it_looks_more_like():
    between = (0.9 * THING + 0.4 * GROUND) / np.hypot(0.9, 0.4)
    assert box_of(matching.anywhere(places(FAR, looks=between), KNOWN)) == FAR


def test_nearby_only_what_can_have_moved_there_is_found():
    before = places(HERE)
    assert box_of(matching.nearby(places(MOVED), before, shares(*HERE))) == MOVED
    assert box_of(matching.nearby(places(FAR), before, shares(*HERE))) is None


def test_nearby_another_thing_of_the_same_look_is_told_by_where_it_was():
    two = places(HERE, FAR)
    assert box_of(matching.nearby(two, two, shares(*HERE))) == HERE


def test_nearby_knows_nothing_of_what_was_nowhere():
    assert not matching.nearby(places(HERE), places(HERE), shares(0, 0, 0, 0)).any()


@given(
    arrays.arrays(np.float32, (ROWS * COLUMNS, 3), elements=st.floats(-1, 1, width=32)),
    st.tuples(st.integers(0, 31), st.integers(0, 23)),
)
def test_looking_block_by_block_is_looking_at_each_place(vectors, at):
    seen = Places(vectors, ROWS, COLUMNS)
    before = places(HERE)
    found = matching.nearby(seen, before, shares(*HERE)).reshape(ROWS, COLUMNS)
    x, y = at
    reach = matching.REACH
    near = np.s_[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
    inside = shares(*HERE).reshape(ROWS, COLUMNS)[near].ravel()
    if not inside.any():
        assert found[y, x] == pytest.approx(0, abs=1e-6)
        return
    known = before.vectors.reshape(ROWS, COLUMNS, 3)[near].reshape(-1, 3)
    alone = matching.anywhere(Places(vectors[[y * COLUMNS + x]], 1, 1), Remembered(known, inside))
    assert found[y, x] == pytest.approx(alone[0], abs=1e-4)


def test_of_a_large_object_some_places_are_remembered_and_of_what_is_near_it_more():
    known = matching.remembered(places(HERE), shares(*HERE), limit=20)
    assert len(known.shares) == 40
    assert (known.shares > 0.5).sum() == 20


def test_an_object_smaller_than_a_place_is_remembered():
    faint = np.zeros(ROWS * COLUMNS, np.float32)
    faint[77] = 0.1
    assert known_of(faint).vectors[0] == pytest.approx(GROUND)


def known_of(faint):
    return matching.remembered(places(), faint)


def test_several_memories_are_one():
    both = matching.together([KNOWN, KNOWN])
    assert len(both.shares) == 2 * len(KNOWN.shares)
    assert box_of(matching.anywhere(places(FAR), both)) == FAR


def test_a_memory_is_over_0_where_it_is_likely_the_object():
    logits = matching.memory_logits(shares(*HERE), places(HERE))
    assert logits.shape == (48, 64)
    assert (logits > 0)[11:23, 9:19].all()
    assert not (logits > 0)[:8].any()
    assert np.isfinite(logits).all()


def test_the_click_lies_within_the_object_and_in_pixels_of_the_image():
    (point,) = matching.clicks(matching.memory_logits(shares(*HERE), places(HERE)), LAYOUT)
    assert point.positive
    assert 16 < point.x < 40
    assert 20 < point.y < 48


def test_what_is_nearly_mistaken_for_the_object_is_clicked_as_what_is_not():
    doubtful = shares(*HERE) + 0.4 * shares(*FAR)
    _, other = matching.clicks(matching.memory_logits(doubtful, places(HERE)), LAYOUT)
    assert not other.positive
    assert 80 < other.x < 104


def test_a_memory_of_nothing_is_clicked_nowhere():
    nothing = matching.memory_logits(shares(0, 0, 0, 0), places())
    assert matching.clicks(nothing, LAYOUT) == ()


def test_presence_tells_what_looks_like_the_object_from_what_does_not():
    inside = matching.memory_logits(shares(*FAR), places(FAR)) > 0
    assert matching.presence(places(FAR), KNOWN, inside) > 0.95
    assert matching.presence(places(FAR, looks=OTHER), KNOWN, inside) < 0.05
    assert matching.presence(places(FAR), KNOWN, np.zeros_like(inside)) == 0


LOGITS = arrays.arrays(np.float32, (3, 4, 5), elements=st.floats(-9, 9, width=32))


@given(LOGITS)
def test_parted_objects_overlap_nowhere_however_enlarged(several):
    parted = matching.apart(list(several))
    for one in range(3):
        for other in range(one):
            assert (parted[one] + parted[other] <= 1e-5).all()


@given(LOGITS)
def test_parting_gives_each_place_to_the_surest_and_takes_from_none_that_was_alone(several):
    parted = np.stack(matching.apart(list(several)))
    inside = several > 0
    alone = inside.sum(axis=0) <= 1
    assert (parted[:, alone] > 0).tolist() == inside[:, alone].tolist()
    surest = several == several.max(axis=0)
    assert not (parted[~surest] > 0).any()
    assert ((parted > 0).sum(axis=0) == inside.any(axis=0)).all()


def test_of_two_objects_that_are_equally_sure_one_keeps_the_place():
    first, second = matching.apart([np.full((4, 5), 3, np.float32)] * 2)
    assert (first > 0).all()
    assert not (second > 0).any()


def test_one_object_alone_is_not_parted():
    logits = np.ones((4, 5), np.float32)
    assert matching.apart([logits])[0] is logits
