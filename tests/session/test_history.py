from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from seem_server.session.history import MAX_UNDO, History, ObjectState


def objects(*ids):
    return tuple(ObjectState(object_id, since=(0, object_id)) for object_id in ids)


def changed(history, seq, after, n_mask_pixels=0):
    return history.changed(seq, after, n_mask_pixels=n_mask_pixels, max_mask_pixels=100)


def test_undo_and_redo_walk_the_same_way_back_and_forth():
    history = changed(changed(History(), 1, objects(1)), 2, objects(1, 2))
    back = history.undone(3).undone(4)
    assert back.objects == ()
    assert back.redone(5).redone(2) == history


def test_a_change_forgets_what_could_be_redone_of_its_objects():
    history = changed(History(), 1, objects(1, 2)).undone(2)
    after = changed(history, 3, objects(2))
    assert not after.can_redo()
    assert not after.can_redo(2)
    assert [one.object_id for one in after.redone(4, 1).objects] == [1, 2]


def test_only_so_many_changes_can_be_undone():
    history = History()
    for seq in range(1, MAX_UNDO + 10):
        history = changed(history, seq, objects(1))
    assert len(history.undo) == MAX_UNDO


def test_the_oldest_changes_go_where_their_masks_weigh_too_much():
    history = History()
    for seq in (1, 2, 3):
        history = changed(history, seq, objects(1), n_mask_pixels=50)
    assert [change.seq for change in history.undo] == [2, 3]
    history = changed(history, 4, objects(1), n_mask_pixels=500)
    assert [change.seq for change in history.undo] == [4]


def said(history, seq, *ids):
    """A command that says something new about some objects, and names those that are new."""
    known = {one.object_id: one for one in history.objects}
    for object_id in ids:
        known[object_id] = replace(
            known.get(object_id, ObjectState(object_id, since=(seq, object_id))), queued=seq
        )
    return changed(history, seq, tuple(known.values()))


def told(history):
    """What was said last of each object, in their order."""
    return {one.object_id: one.queued for one in history.objects}


def test_one_objects_last_change_is_undone_and_the_others_stay():
    history = said(said(said(History(), 1, 1), 2, 1, 2), 3, 2)
    back = history.undone(4, 1)
    assert told(back) == {1: 1, 2: 3}
    assert told(back.redone(5, 1)) == told(history)
    assert back.redone(5, 1).undo == history.undo


def test_the_sessions_undo_takes_what_is_left_of_a_change():
    history = said(said(History(), 1, 1), 2, 1, 2).undone(3, 1)
    back = history.undone(4)
    assert told(back) == {1: 1}
    assert told(back.redone(5)) == {1: 1, 2: 2}
    assert told(back.redone(5).redone(6)) == {1: 2, 2: 2}


def test_what_is_redone_of_one_object_is_undone_in_the_order_of_its_command():
    history = said(said(History(), 1, 1), 2, 2).undone(3, 1).redone(4, 1)
    assert told(history.undone(5)) == {1: 1}


def test_what_was_undone_before_a_change_of_others_is_redone_only_by_object():
    history = said(said(said(History(), 1, 1), 2, 2).undone(3, 1), 4, 2)
    assert not history.can_redo()
    assert history.redo_depth == 0
    assert history.can_redo(1)
    assert told(history.redone(5, 1)) == {1: 1, 2: 4}


def test_a_later_undo_stands_before_what_only_one_object_can_redo():
    history = said(said(History(), 1, 1).undone(2, 1), 3, 2).undone(4)
    assert history.redo_depth == 1
    assert told(history.redone(5)) == {2: 3}
    assert not history.redone(5).can_redo()


def test_an_object_that_comes_back_stands_where_it_stood():
    history = said(History(), 1, 1, 2, 3)
    history = changed(history, 2, tuple(one for one in history.objects if one.object_id != 2))
    assert list(told(history.undone(3, 2))) == [1, 2, 3]


def test_rewriting_reaches_every_state_that_can_know_of_a_command():
    history = said(said(said(History(), 1, 1), 2, 1), 3, 1).undone(4)
    after = history.since(2, lambda one: replace(one, queued=9))
    assert told(after) == told(after.redone(5)) == {1: 9}
    assert told(after.undone(5)) == {1: 1}


SCRIPTS = st.lists(
    st.tuples(
        st.sampled_from(["say", "undo", "redo", "undo one", "redo one"]),
        st.lists(st.integers(1, 3), min_size=1, max_size=3, unique=True),
    ),
    max_size=30,
)


@given(SCRIPTS)
def test_each_objects_way_is_its_own(script):
    """Each walks back and forth on what was said of it, whatever is undone or redone, and how."""
    history = History()
    ways = {object_id: ([None], 0) for object_id in (1, 2, 3)}
    for seq, (kind, ids) in enumerate(script, 1):
        before = told(history)
        one = ids[0] if kind.endswith("one") else None
        if kind == "say":
            history = said(history, seq, *ids)
            for object_id in ids:
                steps, place = ways[object_id]
                ways[object_id] = ([*steps[: place + 1], seq], place + 1)
            continue
        way = -1 if kind.startswith("undo") else 1
        if not (history.can_undo(one) if way < 0 else history.can_redo(one)):
            continue
        history = history.undone(seq, one) if way < 0 else history.redone(seq, one)
        moved = [i for i in ways if told(history).get(i) != before.get(i)]
        assert moved
        assert one is None or moved == [one]
        for object_id in moved:
            steps, place = ways[object_id]
            ways[object_id] = (steps, place + way)
            assert told(history).get(object_id) == steps[place + way]


@given(SCRIPTS)
def test_all_that_was_said_of_an_object_can_be_undone_and_redone(script):
    history = History()
    for seq, (kind, ids) in enumerate(script, 1):
        if kind == "say":
            history = said(history, seq, *ids)
        elif kind == "undo one" and history.can_undo(ids[0]):
            history = history.undone(seq, ids[0])
    before = told(history)
    for back, forth in ((History.can_undo, History.undone), (History.can_redo, History.redone)):
        for object_id in (1, 2, 3):
            while back(history, object_id):
                history = forth(history, 100, object_id)
    assert told(history).keys() >= before.keys()
    assert all(told(history)[one] >= last for one, last in before.items())
