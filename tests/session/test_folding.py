"""What holds for any order of commands and outcomes (Hypothesis)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from session_scripts import (
    OUTCOME_NAMES,
    PAIRS,
    SCRIPTS,
    Engine,
    command,
    is_about_a_video,
)
from session_words import (
    content,
    filmed,
    fingerprint,
    fold,
    opened,
    play,
    prompt,
    questions,
    replies,
    segments_of,
)

from seem_server.engine.work import MasksReady
from seem_server.session.machine import step
from seem_wire import types


def begun(script):
    return filmed() if is_about_a_video(script) else opened()


def run(script):
    """The events of a script, the state after it, and all that was sent."""
    state, engine, events, sent = begun(script), Engine(), [], []
    for seq, (name, *rest) in enumerate(script, 10):
        event = engine.outcome(name) if name in OUTCOME_NAMES else command(seq, name, *rest)
        if event is None:
            continue
        state, effects = step(state, event)
        engine.take(effects)
        events.append(event)
        sent += replies(effects)
    while event := engine.outcome("ready"):
        state, effects = step(state, event)
        engine.take(effects)
        events.append(event)
        sent += replies(effects)
    return state, events, sent


@given(SCRIPTS)
def test_the_same_events_give_the_same_state_and_effects(script):
    state, events, sent = run(script)
    again, effects = fold(begun(script), *events)
    assert fingerprint(again) == fingerprint(state)
    assert [repr(reply) for reply in replies(effects)] == [repr(reply) for reply in sent]


@given(SCRIPTS)
def test_every_command_is_answered_exactly_once(script):
    state, events, sent = run(script)
    asked = [event.seq for event in events if hasattr(event, "seq") and not is_outcome(event)]
    assert sorted(reply.seq for reply in sent) == asked
    assert state.pending == ()
    assert state.asking == ()
    assert state.video is None or (state.video.running, state.video.waiting) == (None, ())


@given(SCRIPTS)
def test_a_question_changes_nothing_but_what_waits_and_the_newest_number(script):
    before, _, _ = run(script)
    during, effects = fold(before, types.Everything(100))
    assume(during is not before)
    after, _ = fold(during, segments_of(questions(effects)[0]))
    assert fingerprint(replace(after, last_seq=before.last_seq)) == fingerprint(before)


def objects_of_all_snapshots(state):
    history = state.history
    parts = (part for change in (*history.undo, *history.redo) for part in change.parts)
    return [*history.objects, *(state for _, state in parts if state is not None)]


def is_outcome(event):
    return isinstance(event, types.SupersededBy | types.Failed)


@given(SCRIPTS, PAIRS)
def test_undo_takes_back_exactly_what_a_prompt_did(script, pairs):
    before, _, _ = run(script)
    after, _ = play(before, prompt(100, *pairs, frame=0 if is_about_a_video(script) else None))
    assume(after is not before)
    back, _ = play(after, types.Undo(101))
    assert content(back.history.objects) == content(before.history.objects)


@given(SCRIPTS, st.integers(1, 3))
def test_undoing_of_one_object_leaves_the_others_and_redoing_brings_it_back(script, object_id):
    before, _, _ = run(script)
    assume(before.history.can_undo(object_id))
    back, _ = play(before, types.Undo(100, object_id))
    others = [one for one in before.history.objects if one.object_id != object_id]
    assert [one for one in back.history.objects if one.object_id != object_id] == others
    after, _ = play(back, types.Redo(101, object_id))
    assert content(after.history.objects) == content(before.history.objects)
    assert after.card.undo_depth == before.card.undo_depth


@given(SCRIPTS)
def test_redo_does_again_exactly_what_was_undone(script):
    before, _, _ = run(script)
    assume(before.history.undo)
    after, _ = play(before, types.Undo(100), types.Redo(101))
    assert content(after.history.objects) == content(before.history.objects)
    assert after.card.undo_depth == before.card.undo_depth
    assert after.card.redo_depth == before.card.redo_depth


@given(SCRIPTS)
def test_going_all_the_way_back_and_forth_shows_the_same_masks(script):
    before, _, _ = run(script)
    assume(all(one.settled for one in before.history.objects if one.rounds))
    depth = len(before.history.undo)
    back = [types.Undo(100 + n) for n in range(depth)]
    forth = [types.Redo(100 + depth + n) for n in range(depth)]
    after, _ = play(before, *back, *forth)
    assert content(after.history.objects) == content(before.history.objects)


@given(SCRIPTS)
def test_a_refused_command_changes_nothing(script):
    state, _, _ = run(script)
    after, effects = fold(state, types.Undo(1))
    assert after is state
    assert replies(effects)[0].code == "BAD_SEQUENCE"


@given(SCRIPTS)
def test_every_mask_that_was_shown_can_be_shown_again(script):
    state, events, _ = run(script)
    shown = {
        (one.object_id, one.rounds[-1].seq): [entry.seq for entry in one.rounds]
        for event in events
        if isinstance(event, MasksReady)
        for one in event.work.objects
    }
    for one in objects_of_all_snapshots(state):
        if (one.object_id, one.standing) in shown:
            assert [r.seq for r in one.rounds] == shown[one.object_id, one.standing]
