from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seem_server.engine.work import Seen
from seem_server.tracking import memory
from seem_server.tracking.memory import Known, found, learned, trail, without_objects
from seem_wire.rle import Rle
from seem_wire.types import ObjectMask

FRAMES = tuple("abcdefghij")


def known(frame, mark=0, *, object_id=1, counts="01oZ2", area=1):
    return Known(frame, ObjectMask(object_id, Rle(40, 60, counts), 0.5, None, area), mark)


def lost(frame, mark=0):
    return known(frame, mark, area=0)


def seen(one):
    return Seen(FRAMES[one.frame], one.mask.rle)


# --- what is known


def test_what_is_learned_last_is_last():
    first, second = known(0, 3), known(1)
    assert learned((first,), [second]) == (first, second)


def test_following_anew_takes_the_place_of_following():
    other, after = known(1, object_id=2), known(1, counts="11nZ2")
    assert learned((known(1), other), [after]) == (other, after)


def test_a_mark_stays_beside_other_marks_and_beside_what_was_followed_there():
    before = (known(1), known(1, 3))
    assert learned(before, [known(1, 4)]) == (*before, known(1, 4))


def test_a_mark_that_is_made_again_is_known_once():
    assert learned((known(1, 3), known(2)), [known(1, 3)]) == (known(2), known(1, 3))


def test_it_is_found_by_frame_object_and_mark():
    followed, marked, other = known(1), known(1, 3), known(1, object_id=2)
    everything = (followed, marked, other)
    assert found(everything, 1, 1) is followed
    assert found(everything, 1, 1, 3) is marked
    assert found(everything, 1, 2) is other
    assert found(everything, 1, 1, 4) is found(everything, 2, 1) is None


def test_of_objects_that_are_gone_only_marks_are_known():
    marked, other = known(0, 3), known(1, object_id=2)
    assert without_objects((marked, known(1), other, known(2)), [1]) == (marked, other)


# --- its bounds


def test_where_it_was_followed_to_longest_ago_is_forgotten_first_and_no_mark(monkeypatch):
    monkeypatch.setattr(memory, "MAX_FOLLOWED", 2)
    marks = (known(0, 3), known(9, 4))
    after = learned(marks, [known(1), known(2), known(3)])
    assert after == (*marks, known(2), known(3))


def test_of_too_many_characters_marks_are_forgotten_last(monkeypatch):
    monkeypatch.setattr(memory, "MAX_CHARACTERS", 15)
    first, second = known(0, 3), known(1, 4)
    assert learned((first, known(2), known(3)), [second]) == (first, known(3), second)
    third, fourth = known(4, 5), known(5, 6)
    assert learned((first, known(3), second), [third, fourth]) == (second, third, fourth)


def test_what_alone_is_too_much_is_not_known(monkeypatch):
    monkeypatch.setattr(memory, "MAX_CHARACTERS", 4)
    assert learned((), [known(0, 3)]) == ()


NEWS = st.builds(
    known,
    st.integers(0, 9),
    st.integers(0, 3),
    object_id=st.integers(1, 3),
    counts=st.integers(1, 12).map("0".__mul__),
)


def name_of(one):
    return one.frame, one.object_id, one.mark


@given(st.lists(st.lists(NEWS, max_size=4, unique_by=name_of), max_size=30))
def test_it_is_bounded_whatever_is_learned_and_holds_nothing_twice(all_news):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "MAX_FOLLOWED", 5)
        patch.setattr(memory, "MAX_CHARACTERS", 60)
        after = ()
        for news in all_news:
            after = learned(after, news)
            assert sum(not one.mark for one in after) <= 5
            assert sum(len(one.mask.rle.counts) for one in after) <= 60
            assert len(after) == len(set(map(name_of, after)))


# --- what is remembered on the way


def test_an_object_is_recognised_by_its_nearest_marks_nearest_first():
    marks = [known(frame, 3 + frame) for frame in (0, 2, 3, 5, 7, 9)]
    way = trail(marks, FRAMES, to=6, source=6)
    assert way.references == tuple(seen(marks[place]) for place in (3, 4, 2, 5))
    assert (way.object_id, way.last) == (1, None)


def test_it_went_on_from_where_it_was_in_the_frame_that_is_told():
    mark, near, far = known(0, 3), known(4), known(3)
    assert trail([mark, far, near], FRAMES, to=5, source=4).last == seen(near)
    assert trail([mark, far, near], FRAMES, to=2, source=3).last == seen(far)
    assert trail([mark], FRAMES, to=1, source=0).last == seen(mark)


@pytest.mark.parametrize("there", [[], [lost(4)]])
def test_where_it_was_lost_it_is_looked_for_everywhere(there):
    mark = known(0, 3)
    way = trail([mark, *there], FRAMES, to=5, source=4)
    assert (way.references, way.last) == ((seen(mark),), None)


def test_a_frame_is_no_source_of_its_own():
    assert trail([known(0, 3), known(5)], FRAMES, to=5, source=5).last is None


def test_what_was_seen_on_no_mark_leaves_no_trail():
    assert trail([lost(0, 3), known(1)], FRAMES, to=2, source=1) is None
    assert trail([], FRAMES, to=2, source=1) is None


def test_a_mark_where_it_is_not_seen_is_no_reference():
    assert trail([known(0, 3), lost(4, 5)], FRAMES, to=5, source=4).references == (
        seen(known(0, 3)),
    )
