from __future__ import annotations

import pickle

from session_words import HERE, opened, play, prompt

from seem_wire import types


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
