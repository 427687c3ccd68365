from __future__ import annotations

import pickle

from session_words import HERE, opened, play, prompt

from seem_server.session.state import MAX_UNDO, History, ObjectState
from seem_wire import types


def objects(*ids):
    return tuple(ObjectState(object_id) for object_id in ids)


def changed(history, seq, after, n_mask_pixels=0):
    return history.changed(seq, after, n_mask_pixels=n_mask_pixels, max_mask_pixels=100)


def test_undo_and_redo_walk_the_same_way_back_and_forth():
    history = changed(changed(History(), 1, objects(1)), 2, objects(1, 2))
    back = history.undone(3).undone(4)
    assert back.objects == ()
    assert back.redone(5).redone(2) == history


def test_a_change_forgets_what_could_be_redone():
    history = changed(History(), 1, objects(1)).undone(2)
    assert changed(history, 3, objects(2)).redo == ()


def test_only_so_many_changes_can_be_undone():
    history = History()
    for seq in range(1, MAX_UNDO + 10):
        history = changed(history, seq, objects(1))
    assert len(history.undo) == MAX_UNDO


def test_the_oldest_changes_go_where_their_masks_weigh_too_much():
    history = History()
    for seq in (1, 2, 3):
        history = changed(history, seq, objects(seq), n_mask_pixels=50)
    assert [change.seq for change in history.undo] == [2, 3]
    history = changed(history, 4, objects(4), n_mask_pixels=500)
    assert [change.seq for change in history.undo] == [4]


def test_the_card_tells_what_the_session_holds():
    state, _ = play(opened(), prompt(3, (4, HERE)), prompt(4, (2, HERE)), types.Undo(5))
    assert state.card == types.SessionCard(
        "session", "fake@1", "a" * 64, (40, 60), (4,), undo_depth=1, redo_depth=1, last_seq=5
    )


def test_a_state_is_small_printable_and_picklable():
    state = opened()
    for seq in range(3, 103):
        state, _ = play(state, prompt(seq, HERE))
    assert "rounds" in repr(state)
    assert pickle.loads(pickle.dumps(state)).card == state.card  # noqa: S301  (our own)
    assert len(pickle.dumps(state)) < 200_000
