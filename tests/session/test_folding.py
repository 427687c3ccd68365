"""What holds for any order of commands and outcomes (Hypothesis)."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from session_words import (
    AROUND,
    BOX,
    HERE,
    KEY,
    MASK,
    NOT_AROUND,
    NOT_HERE,
    SHOWN,
    SIZE,
    ZEBRA,
    content,
    decodes,
    fingerprint,
    fold,
    opened,
    play,
    prompt,
    questions,
    ready,
    replies,
    segments_of,
)

from seem_server.engine.work import Decode, Everything, MasksReady
from seem_server.session.events import ImageRead, Withdraw
from seem_server.session.machine import step
from seem_wire import errors, types

SAID = st.sampled_from([HERE, NOT_HERE, BOX, MASK, ZEBRA, SHOWN, AROUND, NOT_AROUND])
PAIRS = st.lists(
    st.tuples(st.integers(1, 3), SAID), min_size=1, max_size=3, unique_by=lambda pair: pair[0]
)
COMMANDS = st.one_of(
    st.builds(lambda *said: ("prompt", *said), PAIRS, st.booleans(), st.booleans()),
    st.sampled_from([("undo",), ("undo",), ("redo",), ("clear",), ("remove",), ("image",)]),
    st.sampled_from([("choose", 0), ("choose", 1), ("choose", 2)]),
    st.just(("everything",)),
)
OUTCOMES = st.sampled_from([("ready",), ("ready",), ("superseded",), ("failed",)])
SCRIPTS = st.lists(st.one_of(COMMANDS, COMMANDS, OUTCOMES), max_size=40)


def command(seq, name, *said):
    match name:
        case "prompt":
            pairs, predict, hypotheses = said
            return prompt(seq, *pairs, predict=predict, hypotheses=hypotheses)
        case "choose":
            return types.Choose(seq, 1, *said)
        case "undo":
            return types.Undo(seq)
        case "redo":
            return types.Redo(seq)
        case "clear":
            return types.Clear(seq)
        case "remove":
            return types.RemoveObject(seq, 1)
        case "everything":
            return types.Everything(seq)
        case "image":
            return ImageRead(seq, KEY, SIZE)


class Engine:
    """Serves what waits in the order that a script says, superseding as the real one does."""

    def __init__(self):
        self.waiting = []

    def take(self, effects):
        withdrawn = {one.seq for one in effects if isinstance(one, Withdraw)}
        self.waiting = [work for work in self.waiting if work.seq not in withdrawn]
        self.waiting += decodes(effects) + questions(effects)

    def outcome(self, kind):
        if not self.waiting:
            return None
        oldest = self.waiting.pop(0)
        if isinstance(oldest, Everything):
            return self._answer(oldest, kind)
        prompts = [work for work in self.waiting if isinstance(work, Decode)]
        newer = [work for work in prompts if work.object_ids >= oldest.object_ids]
        if kind == "superseded" and newer:
            self.waiting = [w.without(oldest.seq) if w in newer else w for w in self.waiting]
            return types.SupersededBy(oldest.seq, newer[0].seq)
        if kind == "failed":
            return types.Failed.of(oldest.seq, errors.Internal("It broke."))
        return ready(oldest)

    def _answer(self, oldest, kind):
        newer = [work for work in self.waiting if isinstance(work, Everything)]
        if kind == "superseded" and newer:
            return types.SupersededBy(oldest.seq, newer[0].seq)
        if kind == "failed":
            return types.Failed.of(oldest.seq, errors.Internal("It broke."))
        return segments_of(oldest)


def run(script):
    """The events of a script, the state after it, and all that was sent."""
    state, engine, events, sent = opened(), Engine(), [], []
    for seq, (name, *rest) in enumerate(script, 3):
        is_outcome = name in {"ready", "superseded", "failed"}
        event = engine.outcome(name) if is_outcome else command(seq, name, *rest)
        if event is None:
            continue
        state, effects = step(state, event)
        engine.take(effects)
        events.append(event)
        sent += replies(effects)
    while event := engine.outcome("ready"):
        state, effects = step(state, event)
        events.append(event)
        sent += replies(effects)
    return state, events, sent


@given(SCRIPTS)
def test_the_same_events_give_the_same_state_and_effects(script):
    state, events, sent = run(script)
    again, effects = fold(opened(), *events)
    assert fingerprint(again) == fingerprint(state)
    assert [repr(reply) for reply in replies(effects)] == [repr(reply) for reply in sent]


@given(SCRIPTS)
def test_every_command_is_answered_exactly_once(script):
    state, events, sent = run(script)
    asked = [event.seq for event in events if hasattr(event, "seq") and not is_outcome(event)]
    assert sorted(reply.seq for reply in sent) == asked
    assert state.pending == ()
    assert state.asking == ()


@given(SCRIPTS)
def test_a_question_changes_nothing_but_what_waits_and_the_newest_number(script):
    before, _, _ = run(script)
    during, effects = fold(before, types.Everything(100))
    assume(during is not before)
    after, _ = fold(during, segments_of(questions(effects)[0]))
    assert fingerprint(replace(after, last_seq=before.last_seq)) == fingerprint(before)


def objects_of_all_snapshots(state):
    history = state.history
    snapshots = [history.objects, *(change.objects for change in (*history.undo, *history.redo))]
    return [one for objects in snapshots for one in objects]


def is_outcome(event):
    return isinstance(event, types.SupersededBy | types.Failed)


@given(SCRIPTS, PAIRS)
def test_undo_takes_back_exactly_what_a_prompt_did(script, pairs):
    before, _, _ = run(script)
    after, _ = play(before, prompt(100, *pairs))
    assume(after is not before)
    back, _ = play(after, types.Undo(101))
    assert content(back.history.objects) == content(before.history.objects)


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
