"""A session's log: what it tells of, and that it tells all."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from session_scripts import OUTCOME_NAMES, SCRIPTS, Engine, command, is_about_a_video
from session_words import (
    HERE,
    KEY,
    MODEL,
    SIZE,
    ZEBRA,
    answered,
    decodes,
    fingerprint,
    fold,
    follows,
    frame,
    prompt,
    replies,
)

from seem_server.engine.work import MasksReady
from seem_server.session import records
from seem_server.session.events import ImageRead
from seem_server.session.machine import step
from seem_server.session.state import State
from seem_wire import errors, types

AN_IMAGE = types.OpenImage(1), ImageRead(2, KEY, SIZE)
A_VIDEO = types.OpenVideo(1), *(frame(2 + index, index) for index in range(4))


class Session:
    """A session whose events are written down as they happen."""

    def __init__(self, *, about_a_video=False):
        self.state, self.log, self.engine = State("session", MODEL), [], Engine()
        self.sent, self.asked = [], {}
        for event in A_VIDEO if about_a_video else AN_IMAGE:
            self.fold(event)

    def fold(self, event):
        before = self.state
        self.state, effects = step(before, event)
        self.engine.take(effects)
        self.asked |= {work.seq: work for work in self.engine.waiting if work.seq not in self.asked}
        self.sent += replies(effects)
        if self.state is not before:
            self.log.append(records.encode(event, replies(effects)))

    def answer(self, kind):
        outcome = self.engine.outcome(kind)
        if isinstance(outcome, MasksReady):
            outcome = replace(outcome, superseded=self.dropped(outcome.work))
        if outcome is not None:
            self.fold(outcome)

    def dropped(self, used):
        """The rounds that the engine was asked for and did not use."""
        asked, left = (
            {entry.seq for one in work.objects for entry in one.rounds}
            for work in (self.asked[used.seq], used)
        )
        return tuple(sorted(asked - left))

    def restored(self):
        return records.replay("session", MODEL, self.log)


def played(script):
    session = Session(about_a_video=is_about_a_video(script))
    for seq, (name, *rest) in enumerate(script, 10):
        if name == "video":
            continue
        if name in OUTCOME_NAMES:
            session.answer(name)
        else:
            session.fold(command(seq, name, *rest))
    return session


@given(SCRIPTS)
def test_a_log_restores_the_session_with_all_that_waits(script):
    session = played(script)
    restored = session.restored()
    assert fingerprint(restored.state) == fingerprint(session.state)
    assert set(restored.works) == {work.seq for work in session.engine.waiting}
    following = follows(restored.works.values())
    assert following == follows(session.engine.waiting)


@given(SCRIPTS)
def test_a_restored_session_goes_on_as_the_first_would(script):
    session = played(script)
    restored = session.restored()

    def end(state, works):
        asked = [works[seq] for seq in sorted(restored.works)]
        left = [*decodes(asked), *follows(asked)]
        for work in left:  # it grows meanwhile
            state, effects = fold(state, answered(work))
            left += follows(effects)
        return fingerprint(state)

    assert end(session.state, session.asked) == end(restored.state, restored.works)


@given(SCRIPTS)
def test_all_replies_but_answers_to_questions_can_be_sent_again(script):
    session = played(script)
    known = session.restored().replies
    told = [reply for reply in session.sent if not isinstance(reply, types.Segments)]
    kept = [reply for reply in told if reply.seq in known]
    assert [known[reply.seq] for reply in kept] == kept
    refused = {r.seq for r in told} - set(known)
    assert all(isinstance(r, types.Failed) for r in told if r.seq in refused)


def test_masks_that_stand_are_known_however_long_ago_they_were_told(monkeypatch):
    monkeypatch.setattr(records, "MAX_REPLIES", 1)
    session = Session()
    for seq, object_id in enumerate((1, 1, 2, 3), 3):
        session.fold(prompt(seq, (object_id, HERE)))
        session.answer("ready")
    session.fold(types.RemoveObject(7, 3))
    session.fold(prompt(8, (1, ZEBRA)))
    told = {key: mask for reply in session.sent for key, mask in records.masks_of(reply).items()}
    restored = session.restored()
    assert list(restored.replies) == [7]
    assert restored.masks == {key: told[key] for key in ((1, 4), (2, 5))}


def test_a_log_may_begin_with_an_image():
    session = Session()
    session.fold(prompt(3, HERE))
    session.answer("ready")
    session.fold(ImageRead(4, KEY, SIZE))
    session.fold(prompt(5, ZEBRA))
    restored = records.replay("session", MODEL, session.log[-2:])
    assert fingerprint(restored.state) == fingerprint(session.state)
    assert set(restored.works) == {5}


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b"\xff",
        b"{}",
        b'{"v":1}',
        b'{"v":1,"replies":[],"command":"AAAA"}',
        b'{"v":1,"replies":["AAAA"],"superseded":1,"by":2}',
        b'{"v":1,"replies":[],"masks":[],"seq":9,"dropped":[]}',
        json.dumps({"v": records.VERSION + 1, "replies": []}).encode(),
    ],
)
def test_a_log_that_cannot_be_read_is_the_servers_fault(record):
    with pytest.raises(errors.Internal, match="log of a session"):
        records.replay("session", MODEL, [record])


def test_what_was_corrected_while_it_was_followed_is_restored_as_it_was():
    session = Session(about_a_video=True)
    session.fold(prompt(10, HERE, frame=0))
    session.answer("ready")
    session.fold(types.Propagate(11, 1, 0))
    session.fold(prompt(12, HERE, frame=1))
    session.answer("click")
    session.answer("ready")
    assert session.sent[-1].seq == 11
    assert fingerprint(session.restored().state) == fingerprint(session.state)
